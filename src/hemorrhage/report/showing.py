"""The verb show: a data set or store in, one contact sheet as PNG out."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hemorrhage.data.folds import split_folds
from hemorrhage.data.labels import LABELS
from hemorrhage.data.source import SliceSource
from hemorrhage.errors import HemorrhageError
from hemorrhage.pipeline.checked_tables import read_predictions
from hemorrhage.pipeline.config import ALL_FOLDS, Config, resolve_config
from hemorrhage.pipeline.console import Console
from hemorrhage.pipeline.inputs import DicomInput, StoreInput, find_input
from hemorrhage.pipeline.runs import find_run, read_config, require_trained
from hemorrhage.pipeline.slices import limit_patients
from hemorrhage.report.images import is_synthetic
from hemorrhage.report.picture import Picture
from hemorrhage.report.sheets import (
    SIZE,
    choose_of_label,
    draw_batch_sheet,
    draw_label_sheet,
    draw_series_sheet,
    find_series,
)


@dataclass(frozen=True)
class BatchWish:
    """Which images of which batch are shown: `epoch` and `place` count from 0; `augment` is off, on or both."""

    augment: str
    epoch: int
    place: int
    count: int


@dataclass(frozen=True)
class Labelled:
    """The readable labelled slices of an input, by series and z, and where their pixels come from."""

    table: pd.DataFrame
    source: SliceSource
    is_synthetic: bool


def read_labelled(folder: Path, console: Console) -> Labelled:
    """Returns the labelled slices of the data set or store in `folder`, however many cannot be read."""
    found = find_input(folder)
    table = found.read_training(1.0, console).table
    ordered = table.sort_values(["series_id", "z_mm", "image_id"], ignore_index=True)
    settled = {"size": SIZE, "crop": "none"} | found.defaults()
    source = found.build_source(ordered, int(str(settled["size"])), str(settled["crop"]))
    return Labelled(ordered, source, is_synthetic(found))


def show_series(folder: Path, series: str | None, patient: str | None, run: str | None, console: Console) -> Picture:
    """Returns the slices of a series; with the name of a `run`, what it said of those that it held out."""
    given = read_labelled(folder, console)
    said = _read_said(run) if run is not None else {}
    return draw_series_sheet(find_series(given.table, series, patient), given.source, said, given.is_synthetic)


def _read_said(name: str) -> dict[str, np.ndarray]:
    run = find_run(name)
    table = read_predictions(run.out_of_fold_path, f"Run 'hemorrhage predict {name} INPUT' first.")
    known = table[table["any"].notna()]
    return dict(zip(known["image_id"], known[list(LABELS)].to_numpy(), strict=True))


def show_label(folder: Path, label: str, count: int, console: Console) -> Picture:
    """Returns `count` slices with the label at most, each in three windows."""
    if label not in LABELS:
        raise HemorrhageError(f"Expected --label out of {', '.join(LABELS)}; received {label!r}.")
    given = read_labelled(folder, console)
    return draw_label_sheet(choose_of_label(given.table, label, count), given.source, label, given.is_synthetic)


def find_config(found: DicomInput | StoreInput, run: str | None, preset: str, given: Mapping[str, Any]) -> Config:
    """Returns the config of a run, or that of 'train' with the same words; HemorrhageError where both are given."""
    if run is None:
        return resolve_config(preset, found.defaults() | dict(given))
    if given or preset != "default":
        raise HemorrhageError(f"A run has its own config; leave out {', '.join(given) or 'preset'}, or --run {run}.")
    return read_config(require_trained(find_run(run)))


def show_batch(
    folder: Path, run: str | None, preset: str, given: Mapping[str, Any], wish: BatchWish, console: Console
) -> Picture:
    """Returns images of a batch of training as the network sees them, a row each.

    Raises HemorrhageError where the epoch has no such batch.
    """
    # Imported where it is needed: it loads Keras.
    from hemorrhage.report.batches import read_batch

    found = find_input(folder)
    config = find_config(found, run, preset, given)
    table = found.read_training(config.max_missing, console).table.sort_values("image_id", ignore_index=True)
    kept = limit_patients(table, config.limit, config.folds, config.fold_seed)
    folds = split_folds(kept, config.folds, config.fold_seed)
    fold = 0 if config.fold == ALL_FOLDS else int(config.fold)
    batch = read_batch(found, kept, folds, fold, config, wish.epoch, wish.place)
    shown = slice(0, wish.count)
    wanted = {"off": ["plain"], "on": ["augmented"], "both": ["plain", "augmented"]}[wish.augment]
    versions = {name: batch.versions[name][shown] for name in wanted}
    plain = replace(config, augment=config.augment if wish.augment != "off" else "none")
    return draw_batch_sheet(
        versions, batch.image_ids[shown], batch.labels[wanted[-1]][shown], plain, is_synthetic(found)
    )
