"""What an audit looks at: the labels and the slices of a data set, gathered from its files or from a store's table."""

import os
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from hemorrhage.data.labels import LABELS, Labels, read_labels, read_probabilities
from hemorrhage.data.layout import DataSet, list_slice_files
from hemorrhage.data.store import Store
from hemorrhage.data.table import scan_slices
from hemorrhage.errors import HemorrhageError
from hemorrhage.pipeline.console import Console
from hemorrhage.pipeline.slices import NO_FILE

MISSING_SAMPLE = "There is no stage_2_sample_submission.csv; a submission takes the test folder's files."


@dataclass(frozen=True)
class Evidence:
    """`train` and `test` are slice tables, a row a file; `sample_ids` are the images that a submission must have, None
    where nothing says so. `notes` are warnings about what was gathered.
    """

    labels_file: Path
    labels: Labels
    train: pd.DataFrame
    test: pd.DataFrame
    sample_ids: frozenset[str] | None
    notes: tuple[str, ...] = ()


def read_folder_evidence(data_set: DataSet, quick: bool, console: Console) -> Evidence:
    """Returns the evidence of a data set in Kaggle's layout; `quick` reads headers alone."""
    labels = read_labels(data_set.labels_csv)
    sample = data_set.sample_csv
    return Evidence(
        labels_file=data_set.labels_csv,
        labels=labels,
        train=_scan(data_set.train_folder, quick, console),
        test=_scan(data_set.test_folder, quick, console),
        sample_ids=frozenset(read_probabilities(sample)["image_id"]) if sample is not None else None,
        notes=() if sample is not None else (MISSING_SAMPLE,),
    )


def read_store_evidence(store: Store) -> Evidence:
    """Returns the evidence that a store's table holds; prepare looked at every pixel.

    Repeated label rows and the ids inside the files are not in a store. Raises HemorrhageError where it has no
    training part.
    """
    train, test = (store.table[store.table["part"] == part].reset_index(drop=True) for part in ("train", "test"))
    if train.empty:
        raise HemorrhageError(f"{store.folder}: expected training slices in the store, found none.")
    labels = train[["image_id", *LABELS]].astype(dict.fromkeys(LABELS, "int8"))
    return Evidence(
        labels_file=store.folder / "slices.parquet",
        labels=Labels(labels, duplicate_rows=0, contradicting_ids=()),
        train=_files_of(train),
        test=_files_of(test),
        sample_ids=frozenset(test["image_id"]),
    )


def _files_of(part: pd.DataFrame) -> pd.DataFrame:
    there = part[part["error"] != NO_FILE].drop(columns=list(LABELS)).reset_index(drop=True)
    return there.assign(path=there["file"], sop_instance_id=there["image_id"].where(there["error"].isna()))


def _scan(folder: Path | None, quick: bool, console: Console) -> pd.DataFrame:
    paths = list_slice_files(folder) if folder is not None else []
    what = f"{'headers' if quick else 'slices'} of {folder.name}" if folder is not None else ""
    return scan_slices(
        paths,
        with_pixels=not quick,
        workers=os.cpu_count() or 1,
        progress=lambda rows, total: console.track(rows, total, what),
    )
