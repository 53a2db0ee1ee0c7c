"""The slices of a data set as training, prediction and the audit take them: labels joined to header facts."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from hemorrhage.data.labels import LABELS, read_labels, read_probabilities, require_agreement
from hemorrhage.data.layout import DataSet, index_slice_files
from hemorrhage.data.table import read_or_scan_slices, scan_slices
from hemorrhage.errors import HemorrhageError
from hemorrhage.pipeline.console import Console
from hemorrhage.pipeline.runs import SUBMISSIONS

SCAN_CACHE = SUBMISSIONS / ".scans"
"""Header scans are kept here: the input may be read-only, and 750,000 headers take many minutes."""


NO_FILE = "no such file"


@dataclass(frozen=True)
class TrainingSlices:
    """`table` has one row a readable labelled slice: header facts and six labels; `left_out` the others and why."""

    table: pd.DataFrame
    left_out: pd.DataFrame


def read_training_slices(data_set: DataSet, max_missing: float, console: Console) -> TrainingSlices:
    """Returns the labelled slices that can be trained on.

    Raises HemorrhageError where labels contradict each other or more than the share `max_missing` of the labelled
    slices has no file or cannot be read.
    """
    if data_set.train_csv is None or data_set.train_folder is None:
        raise HemorrhageError(f"{data_set.train_csv}: expected a folder stage_2_train beside it, found none.")
    labels = require_agreement(read_labels(data_set.train_csv), data_set.train_csv).table
    joined = list_train_slices(labels, data_set.train_folder, console)
    bad = joined["error"].notna()
    require_most(int(bad.sum()), len(joined), max_missing, data_set.train_folder)
    # Only a store has looked at the pixels; of DICOM files every slice is trained on.
    table = joined[~bad].reset_index(drop=True).assign(is_near_empty=False)
    return TrainingSlices(table, left_out=joined.loc[bad, ["image_id", "error"]].reset_index(drop=True))


def list_train_slices(labels: pd.DataFrame, folder: Path, console: Console) -> pd.DataFrame:
    """Returns `labels` with the header facts of their files, and in `error` why a file is of no use."""
    return _mark_missing(labels.merge(scan_folder(folder, console), on="image_id", how="left"))


def scan_folder(folder: Path, console: Console) -> pd.DataFrame:
    """Returns the slice table of the .dcm files in `folder`, without pixels, from the cache where it can."""
    paths = list(index_slice_files(folder).values())
    if not paths:
        raise HemorrhageError(f"{folder}: expected .dcm files, found none.")
    return read_or_scan_slices(
        paths,
        SCAN_CACHE,
        workers=os.cpu_count() or 1,
        progress=lambda rows, total: console.track(rows, total, f"headers of {folder.name}"),
        warn=console.warn,
    )


def list_test_slices(data_set: DataSet, console: Console) -> pd.DataFrame:
    """Returns the slice table of the sample submission's images, in its order; of the folder's where there is none.

    A slice without a file, or one that cannot be read, has the reason in `error`.
    """
    if data_set.test_folder is None:
        raise HemorrhageError("Expected a folder stage_2_test, found none.")
    if data_set.sample_csv is None:
        return scan_folder(data_set.test_folder, console)
    wanted = read_probabilities(data_set.sample_csv)[["image_id"]]
    # An empty folder is no error here: that every file is missing is said of each.
    is_there = bool(index_slice_files(data_set.test_folder))
    scanned = scan_folder(data_set.test_folder, console) if is_there else scan_slices([])
    return _mark_missing(wanted.merge(scanned, on="image_id", how="left"))


def _mark_missing(slices: pd.DataFrame) -> pd.DataFrame:
    error = slices["error"].astype("object").mask(slices["path"].isna() & slices["error"].isna(), NO_FILE)
    return slices.assign(error=error)


def limit_patients(table: pd.DataFrame, limit: int | None, folds: int, seed: int) -> pd.DataFrame:
    """Returns whole patients of `table`, drawn by `seed`, until about `limit` slices are reached; all where None.

    At least `folds` patients are kept, so that folds can be made.
    """
    if limit is None or limit >= len(table):
        return table
    sizes = table.groupby("patient_id").size()
    order = np.random.default_rng(seed).permutation(len(sizes))
    within = np.cumsum(sizes.to_numpy()[order]) <= limit
    count = max(folds, int(within.sum()))
    return table[table["patient_id"].isin(sizes.index[order[:count]])].reset_index(drop=True)


def slice_paths(table: pd.DataFrame) -> dict[str, Path]:
    """Returns image id -> path of a slice table."""
    return {image_id: Path(path) for image_id, path in zip(table["image_id"], table["path"], strict=True)}


def measure_prevalence(table: pd.DataFrame) -> dict[str, float]:
    """Returns the share of positive slices by label."""
    return {label: float(table[label].mean()) for label in LABELS}


def require_most(bad: int, total: int, max_missing: float, folder: Path) -> None:
    """Raises HemorrhageError where more than the share `max_missing` of `total` labelled slices is `bad`."""
    if bad > max_missing * total:
        raise HemorrhageError(
            f"{folder}: {bad} of {total} labelled slices are missing or unreadable, more than the {max_missing:.1%} "
            "that training leaves out. Run 'hemorrhage audit' to see them; bring them back, or raise --set max_missing."
        )
