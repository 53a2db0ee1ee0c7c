"""What the networks of a run made of every slice, kept for a second stage.

RUN/embeddings/fold-K/train-VIEW.npy, test-VIEW.npy          float16 N x F: features before the head of fold K's network
RUN/embeddings/fold-K/train-VIEW.parquet, test-VIEW.parquet  ids, z and probabilities of the same N slices, row by row
"""

from pathlib import Path

import numpy as np
import pandas as pd

from hemorrhage.data.labels import LABELS
from hemorrhage.data.table import read_table, write_table
from hemorrhage.errors import HemorrhageError
from hemorrhage.files import replacing
from hemorrhage.pipeline.predictions import KEY_COLUMNS
from hemorrhage.pipeline.predictors import NetworkPredictor, Opener
from hemorrhage.pipeline.runs import Run
from hemorrhage.pipeline.second_stage import Output, Seen

PARTS = ("train", "test")


def write_embeddings(
    run: Run, predictor: NetworkPredictor, part: str, slices: pd.DataFrame, opener: Opener
) -> list[Path]:
    """Returns the files written: what each network of the run made of `slices`, all of the `part`, in its views."""
    written: list[Path] = []
    images = predictor.open_images(slices, opener)
    for fold in predictor.networks:
        seen, _ = predictor.embed(fold, slices, images, f"embedded {part} slices of fold {fold}")
        for view, values in zip(predictor.views, seen.views, strict=True):
            path = _path(run, fold, part, view.name)
            with replacing(path) as temporary:
                np.save(temporary, values.features, allow_pickle=False)
            probabilities = pd.DataFrame(values.probabilities, columns=list(LABELS))
            write_table(path.with_suffix(".parquet"), seen.table.join(probabilities))
            written.append(path)
    return written


def read_embeddings(run: Run, fold: int, part: str) -> Seen | None:
    """Returns what fold `fold`'s network of a run made of a part's slices in all views; None where nothing is kept.

    Raises HemorrhageError where a file is damaged or views are of different slices.
    """
    paths = sorted(_path(run, fold, part, "*").parent.glob(f"{part}-*.npy"))
    tables = [read_table(path.with_suffix(".parquet")) for path in paths]
    if not paths:
        return None
    for path, table in zip(paths, tables, strict=True):
        if table["image_id"].tolist() != tables[0]["image_id"].tolist():
            raise HemorrhageError(f"{path}: of other slices than {paths[0]}. {_AGAIN}")
    features = [_read_features(path, len(table)) for path, table in zip(paths, tables, strict=True)]
    views = [Output(table[list(LABELS)].to_numpy(), each) for table, each in zip(tables, features, strict=True)]
    return Seen(tables[0][KEY_COLUMNS], tuple(views))


_AGAIN = "Run 'hemorrhage predict' with --embeddings again."


def _path(run: Run, fold: int, part: str, view: str) -> Path:
    return run.folder / "embeddings" / f"fold-{fold}" / f"{part}-{view}.npy"


def _read_features(path: Path, rows: int) -> np.ndarray:
    try:
        features: np.ndarray = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise HemorrhageError(f"{path}: expected a NumPy array, it is damaged ({error}). {_AGAIN}") from error
    if len(features) != rows or features.ndim != 2:
        raise HemorrhageError(f"{path}: expected {rows} rows of features, received {features.shape}. {_AGAIN}")
    return features
