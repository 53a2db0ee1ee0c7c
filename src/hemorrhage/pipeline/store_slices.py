"""Which slices of a data set a store is made of: the labelled ones and those of the test part."""

from pathlib import Path

import numpy as np
import pandas as pd
from iterstrat.ml_stratifiers import MultilabelStratifiedShuffleSplit

from hemorrhage.ct.dicom import DicomError, read_header
from hemorrhage.data.labels import LABELS, read_labels, require_agreement
from hemorrhage.data.layout import (
    SAMPLE_CSV,
    TEST_FOLDER,
    TRAIN_CSV,
    TRAIN_FOLDER,
    DataSet,
    find_any_data_set,
    find_stores,
    index_slice_files,
)
from hemorrhage.data.table import describe_slice
from hemorrhage.errors import HemorrhageError
from hemorrhage.pipeline.console import Console, count
from hemorrhage.pipeline.shards import require_damage
from hemorrhage.pipeline.slices import list_test_slices, list_train_slices

MAX_MISSING = 0.05
"""The share of a part that may be missing or unreadable before a store is refused, as in training."""

_SUBSET_SEED = 0


def find_data_to_prepare(input_folder: Path) -> DataSet:
    """Returns the data set under `input_folder`; raises HemorrhageError where there is none, or a store."""
    if input_folder.is_dir() and input_folder in find_stores(input_folder):
        raise HemorrhageError(
            f"{input_folder}: this is a store already; prepare makes one from DICOM files. Name the folder with "
            f"{TRAIN_CSV}, or go on with 'hemorrhage train {input_folder}'."
        )
    data_set = find_any_data_set(input_folder)
    if data_set is None:
        raise HemorrhageError(
            f"{input_folder}: expected {TRAIN_CSV} or {SAMPLE_CSV} in it or below it, found neither. Unpack the "
            "competition's data there, name another folder, or make data with 'hemorrhage phantom'."
        )
    return data_set


def require_share(max_missing: float) -> None:
    """Raises HemorrhageError where --max-missing is no share."""
    if not 0 <= max_missing <= 1:
        raise HemorrhageError(f"Expected --max-missing from 0 to 1, received {max_missing}.")


def require_few_missing(table: pd.DataFrame, what: str, max_missing: float, folder: Path) -> None:
    """Raises HemorrhageError where more than the share `max_missing` of the slices in `table` has an `error`."""
    bad = table[table["error"].notna()]
    if len(bad) > max_missing * len(table):
        first = bad.iloc[0]
        raise HemorrhageError(
            f"{folder}: {len(bad)} of {len(table)} {what} slices are missing or unreadable, more than the "
            f"{max_missing:.1%} allowed; first {first['image_id']}: {first['error'].rstrip('.')}. Bring them back, or "
            "raise --max-missing to leave them out."
        )


def list_train(data_set: DataSet, max_missing: float, console: Console) -> pd.DataFrame | None:
    """Returns the labelled slices; None, and a line, where there are none to prepare."""
    if data_set.train_csv is None:
        console.warn(f"No {TRAIN_CSV} in this input: the store will have test slices alone.")
        return None
    labels = require_agreement(read_labels(data_set.train_csv), data_set.train_csv).table
    folder = data_set.train_folder
    if folder is None:
        missing = labels[["image_id"]].assign(error=f"no folder {TRAIN_FOLDER}")
        require_few_missing(missing, "labelled", max_missing, data_set.train_csv)
        console.warn(f"No folder {TRAIN_FOLDER} in this input: the store will have test slices alone.")
        return None
    train = _read_again(list_train_slices(labels, folder, console))
    require_few_missing(train, "labelled", max_missing, folder)
    unlabelled = len(index_slice_files(folder)) - int(train["path"].notna().sum())
    if unlabelled:
        console.warn(f"{count(unlabelled, 'file')} of {folder} have no label and are left out.")
    return train


def list_test(data_set: DataSet, max_missing: float, console: Console) -> pd.DataFrame | None:
    """Returns the slices of the test part; None, and a line, where there is no folder of them."""
    if data_set.test_folder is None:
        console.warn(f"No folder {TEST_FOLDER} in this input: the store will have training slices alone.")
        return None
    test = _read_again(list_test_slices(data_set, console))
    require_few_missing(test, "test", max_missing, data_set.test_folder)
    return test


def _read_again(slices: pd.DataFrame) -> pd.DataFrame:
    """Returns the slices after another look at the unreadable ones, which may be so in an old scan's cache alone.

    Raises HemorrhageError where it is the system that does not give a file.
    """
    slices = slices.copy()
    for index in slices.index[slices["error"].notna() & slices["path"].notna()]:
        path = Path(str(slices.at[index, "path"]))
        try:
            read_header(path)
        except DicomError as error:
            require_damage(error)
            slices.at[index, "error"] = error.cause
            continue
        for name, value in (describe_slice(path) | {"error": None}).items():
            slices.at[index, name] = value
    return slices


def choose_patients(train: pd.DataFrame, patients: int) -> pd.DataFrame:
    """Returns the slices of so many patients, drawn by iterative-stratification to have the label shares of all."""
    known = train[train["patient_id"].notna()]
    by_patient = known.groupby("patient_id", sort=True)[list(LABELS)].max()
    if patients >= len(by_patient):
        raise HemorrhageError(f"Expected --patients below the {len(by_patient)} there are, received {patients}.")
    splitter = MultilabelStratifiedShuffleSplit(1, train_size=patients, test_size=None, random_state=_SUBSET_SEED)
    chosen, _ = next(splitter.split(np.zeros(len(by_patient)), by_patient.to_numpy()))
    return train[train["patient_id"].isin(by_patient.index[chosen])].reset_index(drop=True)
