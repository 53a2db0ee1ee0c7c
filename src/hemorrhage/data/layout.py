"""Where a data set lies: Kaggle's files or a slice store, wherever under a folder they were put."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hemorrhage.errors import HemorrhageError
from hemorrhage.files import walk_once

TRAIN_CSV = "stage_2_train.csv"
SAMPLE_CSV = "stage_2_sample_submission.csv"
TRAIN_FOLDER = "stage_2_train"
TEST_FOLDER = "stage_2_test"
STORE_MANIFEST = "store.json"
STORE_PLAN = "store-plan.json"


@dataclass(frozen=True)
class DataSet:
    """The parts of one data set in Kaggle's layout; a part that is not there is None."""

    train_csv: Path | None
    sample_csv: Path | None
    train_folder: Path | None
    test_folder: Path | None

    @property
    def labels_csv(self) -> Path:
        """The training labels; raises HemorrhageError where there are none."""
        if self.train_csv is None:
            raise HemorrhageError(f"{self.sample_csv}: expected {TRAIN_CSV} as well, found none.")
        return self.train_csv


def find_data_set(input_folder: Path) -> DataSet:
    """Returns the data set whose stage_2_train.csv lies anywhere under `input_folder`.

    The slice folders are looked for beside the CSV, then anywhere under `input_folder`. Raises HemorrhageError
    where the folder is missing, where there is no such CSV, or where there are several (all are listed).
    """
    data_set = find_any_data_set(input_folder)
    if data_set is None or data_set.train_csv is None:
        raise HemorrhageError(
            f"{input_folder}: expected {TRAIN_CSV} in it or below it, found none. Unpack the competition's data "
            "there, name another folder, or make one with 'hemorrhage phantom'."
        )
    return data_set


def find_any_data_set(input_folder: Path) -> DataSet | None:
    """Returns the data set under `input_folder`, with or without its training part; None where there is neither CSV.

    Raises HemorrhageError as find_data_set does where the folder is missing or a CSV is there more than once.
    """
    if not input_folder.is_dir():
        raise HemorrhageError(f"{input_folder}: expected a folder with the data, found none.")
    found = _Found(list(_walk(input_folder)))
    train_csv, sample_csv = found.only_file(TRAIN_CSV), found.only_file(SAMPLE_CSV)
    anchor = train_csv or sample_csv
    if anchor is None:
        return None
    return DataSet(
        train_csv=train_csv,
        sample_csv=sample_csv,
        train_folder=found.folder(TRAIN_FOLDER, beside=anchor),
        test_folder=found.folder(TEST_FOLDER, beside=anchor),
    )


def find_stores(input_folder: Path) -> list[Path]:
    """Returns the folders of the slice stores, finished or not, that are `input_folder` or lie below it, sorted."""
    return sorted({path.parent for path in _walk(input_folder) if path.name in (STORE_MANIFEST, STORE_PLAN)})


def list_slice_files(folder: Path, any_name: bool = False) -> list[Path]:
    """Returns the .dcm files in `folder` and below it, sorted; with `any_name` every file that is not hidden.

    Raises HemorrhageError for a folder that may not be read: its slices would be left out unseen.
    """
    return sorted(
        Path(parent) / name
        for parent, _, names in os.walk(folder, onerror=_refuse_unreadable, followlinks=True)
        for name in names
        if not name.startswith(".") and (any_name or name.lower().endswith(".dcm"))
    )


def _refuse_unreadable(error: OSError) -> None:
    raise HemorrhageError(
        f"{error.filename}: the folder could not be read ({error.strerror}). Change its permissions, or move it."
    ) from error


def index_slice_files(folder: Path) -> dict[str, Path]:
    """Returns image id -> path for the .dcm files of `folder`; raises HemorrhageError where two have one id."""
    paths: dict[str, Path] = {}
    for path in list_slice_files(folder):
        if path.stem in paths:
            raise HemorrhageError(
                f"{folder}: two files have the image id {path.stem}: {paths[path.stem]} and {path}. Remove one."
            )
        paths[path.stem] = path
    return paths


@dataclass(frozen=True)
class _Found:
    paths: list[Path]

    def only_file(self, name: str) -> Path | None:
        matches = [path for path in self.paths if path.name == name and path.is_file()]
        distinct = sorted({path.resolve(): path for path in reversed(matches)}.values())
        if len(distinct) > 1:
            listed = ", ".join(str(path) for path in distinct)
            raise HemorrhageError(f"Expected one {name}, found {len(distinct)}: {listed}. Name the folder of one.")
        return distinct[0] if distinct else None

    def folder(self, name: str, beside: Path) -> Path | None:
        near = beside.parent / name
        if near.is_dir():
            return near
        folders = [path for path in self.paths if path.name == name and path.is_dir()]
        if len(folders) > 1:
            listed = ", ".join(str(path) for path in sorted(folders))
            raise HemorrhageError(f"Expected one folder {name}, found {len(folders)}: {listed}. Remove or move one.")
        return folders[0] if folders else None


_MARKS = (TRAIN_CSV, SAMPLE_CSV, STORE_MANIFEST, STORE_PLAN)


def _walk(folder: Path) -> Iterator[Path]:
    """Yields the CSVs, slice folders and marks of stores under `folder`, without listing the slices themselves."""
    for parent, folders, names in walk_once(folder):
        yield from (parent / name for name in names if name in _MARKS)
        yield from (parent / name for name in folders if name in (TRAIN_FOLDER, TEST_FOLDER))
        # A slice folder holds hundreds of thousands of files; no CSV is looked for in there.
        folders[:] = [name for name in folders if name not in (TRAIN_FOLDER, TEST_FOLDER)]
