"""A batch of training, read as training reads it, with and without what augmentation does to it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from hemorrhage.data.sampling import draw_epoch
from hemorrhage.errors import HemorrhageError
from hemorrhage.pipeline.config import Config
from hemorrhage.pipeline.fitting import build_batches
from hemorrhage.pipeline.inputs import Input, build_images
from hemorrhage.pipeline.train import build_fold, describe_slices


@dataclass(frozen=True)
class SeenBatch:
    """A batch as a network sees it, by version, "plain" and "augmented": uint8 N x H x W x C and N x 6 labels."""

    versions: Mapping[str, np.ndarray]
    image_ids: list[str]
    labels: Mapping[str, np.ndarray]


def read_batch(
    found: Input, table: pd.DataFrame, folds: pd.DataFrame, fold: int, config: Config, epoch: int, place: int
) -> SeenBatch:
    """Returns batch `place` of an epoch, both from 0, of the training of one fold.

    Raises HemorrhageError where the epoch has fewer batches, or one of its slices cannot be read.
    """
    if not 0 <= epoch < config.epochs:
        raise HemorrhageError(f"Expected an epoch from 1 to {config.epochs}, received {epoch + 1}.")
    source = build_images(found.build_source(table, config.size, config.crop), table, config)
    data = build_fold(source, table, describe_slices(table, folds, config), fold, config)
    plain = replace(config, augment="none", erase=0.0, mixup=0.0, cutmix=0.0)
    both = {"plain": build_batches(plain, data, epoch), "augmented": build_batches(config, data, epoch)}
    if not 0 <= place < len(both["plain"]):
        raise HemorrhageError(f"Expected a batch from 0 to {len(both['plain']) - 1}, received {place}.")
    rows = draw_epoch(data.train, data.draw, config.seed, epoch)[place * config.batch :][: config.batch]
    read = {name: batches[place] for name, batches in both.items()}
    if len(read["plain"][0]) < len(rows):
        unreadable = both["plain"].unreadable
        raise HemorrhageError(f"Batch {place} has {len(unreadable)} slices that cannot be read. Choose another.")
    versions, labels = ({name: seen[part] for name, seen in read.items()} for part in (0, 1))
    return SeenBatch(versions, data.train["image_id"].to_numpy()[rows].tolist(), labels)
