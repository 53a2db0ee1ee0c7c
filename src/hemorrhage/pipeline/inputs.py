"""What INPUT may be: a data set in Kaggle's layout, read slice by slice from DICOM, or a slice store."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pandas as pd

from hemorrhage.data.context import Context
from hemorrhage.data.labels import LABELS
from hemorrhage.data.layout import DataSet, find_any_data_set, find_stores
from hemorrhage.data.source import DicomSource, SliceSource, WindowedSource
from hemorrhage.data.store import Store, StoreSource, open_store
from hemorrhage.errors import HemorrhageError
from hemorrhage.pipeline.config import Config
from hemorrhage.pipeline.console import Console, count
from hemorrhage.pipeline.slices import (
    TrainingSlices,
    list_test_slices,
    read_training_slices,
    require_most,
    scan_folder,
    slice_paths,
)


class Input(Protocol):
    """A data set that verbs read from, whatever its form."""

    def defaults(self) -> dict[str, object]:
        """Returns the config values that this input has settled."""
        ...

    def read_training(self, max_missing: float, console: Console) -> TrainingSlices:
        """Returns the labelled slices; see slices.read_training_slices."""
        ...

    def list_training(self, console: Console) -> pd.DataFrame | None:
        """Returns the slice table of the training part, readable or not, None where there is no such part."""
        ...

    def list_test(self, console: Console) -> pd.DataFrame | None:
        """Returns the slice table of the test part, in the sample submission's order; None where there is none."""
        ...

    def build_source(self, slices: pd.DataFrame, size: int, crop: str) -> SliceSource:
        """Returns where the codes of `slices` come from; raises HemorrhageError for a size or crop it does not have."""
        ...


@dataclass(frozen=True)
class DicomInput:
    """A data set in Kaggle's layout."""

    data_set: DataSet

    def defaults(self) -> dict[str, object]:
        """Returns nothing: DICOM files can be read at any size and crop."""
        return {}

    def read_training(self, max_missing: float, console: Console) -> TrainingSlices:
        """Returns the labelled slices."""
        return read_training_slices(self.data_set, max_missing, console)

    def list_training(self, console: Console) -> pd.DataFrame | None:
        """Returns the slice table of stage_2_train."""
        return scan_folder(self.data_set.train_folder, console) if self.data_set.train_folder else None

    def list_test(self, console: Console) -> pd.DataFrame | None:
        """Returns the slice table of the sample submission's images."""
        return list_test_slices(self.data_set, console) if self.data_set.test_folder else None

    def build_source(self, slices: pd.DataFrame, size: int, crop: str) -> SliceSource:
        """Returns a source that decodes the slices' files."""
        return DicomSource(slice_paths(slices), size, crop)


@dataclass(frozen=True)
class StoreInput:
    """A slice store."""

    store: Store

    def defaults(self) -> dict[str, object]:
        """Returns the size and the crop that the store was prepared with."""
        return {"size": self.store.manifest.size, "crop": self.store.manifest.crop}

    def read_training(self, max_missing: float, console: Console) -> TrainingSlices:
        """Returns the labelled slices."""
        labelled = self._part("train")
        if labelled.empty:
            raise HemorrhageError(f"{self.store.folder}: expected training slices in the store, found none.")
        bad = labelled["error"].notna()
        require_most(int(bad.sum()), len(labelled), max_missing, self.store.folder)
        return TrainingSlices(
            table=labelled[~bad].reset_index(drop=True).astype(dict.fromkeys(LABELS, "int8")),
            left_out=labelled.loc[bad, ["image_id", "error"]].reset_index(drop=True),
        )

    def list_training(self, console: Console) -> pd.DataFrame | None:
        """Returns the slice table of the training part."""
        part = self._part("train")
        return None if part.empty else part

    def list_test(self, console: Console) -> pd.DataFrame | None:
        """Returns the slice table of the test part."""
        part = self._part("test").sort_values("sample_place").reset_index(drop=True)
        return None if part.empty else part

    def build_source(self, slices: pd.DataFrame, size: int, crop: str) -> SliceSource:
        """Returns a source that reads the store."""
        held = self.store.manifest
        if (size, crop) != (held.size, held.crop):
            raise HemorrhageError(
                f"{self.store.folder}: expected slices of {size} px with crop {crop}, "
                f"the store has them of {held.size} px with crop {held.crop}. "
                "Prepare another store, or name the DICOM files as input."
            )
        return StoreSource(self.store)

    def _part(self, part: str) -> pd.DataFrame:
        return self.store.table[self.store.table["part"] == part].reset_index(drop=True)


def build_images(codes: SliceSource, slices: pd.DataFrame, config: Config) -> WindowedSource:
    """Returns the images that a network of `config` sees of `slices`, whose codes are those of `codes`.

    `slices` has all slices that may be a neighbor: image_id, patient_id, series_id and z_mm.
    """
    return WindowedSource(codes, config.window_set, Context.build(config.context, slices, config.context_mm))


def warn_of_stand_ins(source: WindowedSource, console: Console) -> None:
    """Warns, once for all, of slices that a network saw without a neighbor that could not be read."""
    if source.stand_ins:
        slices = count(len(source.stand_ins), "slice")
        console.warn(
            f"{slices} had a neighbor that could not be read and stood in for it (first: {min(source.stand_ins)}); "
            "'hemorrhage audit' names what cannot be read."
        )


def find_input(input_folder: Path) -> DicomInput | StoreInput:
    """Returns the store or the data set in or below `input_folder`.

    Raises HemorrhageError where there is none, or more than one of either kind.
    """
    found = find_any_input(input_folder)
    if found is None:
        raise HemorrhageError(
            f"{input_folder}: expected stage_2_train.csv or a store in it or below it, found neither. Unpack the "
            "competition's data there, name another folder, or make data with 'hemorrhage phantom'."
        )
    return found


def require_readable(folder: Path) -> None:
    """Raises HemorrhageError where `folder` is no folder, or this user may not look into it."""
    try:
        is_there = folder.is_dir()
        is_open = os.access(folder, os.R_OK | os.X_OK)
    except PermissionError:  # of a folder above it
        is_there, is_open = True, False
    if not is_there:
        raise HemorrhageError(f"{folder}: expected a folder with the data, found none.")
    if not is_open:
        raise HemorrhageError(
            f"{folder}: expected a folder with the data, but this user may not read it. Change its permissions, or "
            "name another."
        )


def find_any_input(input_folder: Path) -> DicomInput | StoreInput | None:
    """Returns what find_input does, and None where there is neither a store nor a data set."""
    require_readable(input_folder)
    stores = find_stores(input_folder)
    if input_folder in stores:
        return StoreInput(open_store(input_folder))
    data_set = find_any_data_set(input_folder)
    found = [*map(str, stores), *([str(data_set.train_csv or data_set.sample_csv)] if data_set else [])]
    if len(found) > 1:
        raise HemorrhageError(f"{input_folder}: expected one data set or store, found {', '.join(found)}. Name one.")
    if stores:
        return StoreInput(open_store(stores[0]))
    return DicomInput(data_set) if data_set else None
