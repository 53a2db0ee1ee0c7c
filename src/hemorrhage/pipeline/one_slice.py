"""One slice that a person asks for, by its id in a data set or by its file, with the others of its series."""

import bisect
import difflib
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from hemorrhage.data.layout import list_slice_files
from hemorrhage.data.source import DicomSource, SliceSource
from hemorrhage.data.table import scan_slices
from hemorrhage.errors import HemorrhageError
from hemorrhage.pipeline.console import Console
from hemorrhage.pipeline.inputs import StoreInput, find_input
from hemorrhage.pipeline.predictors import Opener
from hemorrhage.pipeline.slices import slice_paths

# Comparing a name with three quarters of a million others takes longer than a person waits.
_MOST_COMPARED = 2000


@dataclass(frozen=True)
class ChosenSlice:
    """A slice, the table of its series with it, and what opens them; `path` is its file, None for one in a store."""

    image_id: str
    slices: pd.DataFrame
    opener: Opener
    path: Path | None


def choose_slice(wanted: str, input_folder: Path, with_series: bool, console: Console) -> ChosenSlice:
    """Returns the slice that `wanted` names: a DICOM file, or an id in the data set or store under `input_folder`.

    Of a file the others of its series are looked for in its folder where `with_series` asks for them. Raises
    HemorrhageError for a name that is neither (with ids near to it), and for a slice that cannot be read.
    """
    path = Path(wanted)
    if path.is_file() or path.suffix.lower() == ".dcm" or len(path.parts) > 1:
        return _choose_file(path, with_series, console)
    found = find_input(input_folder)
    parts = [table for table in (found.list_training(console), found.list_test(console)) if table is not None]
    table = next((part for part in parts if (part["image_id"] == wanted).any()), None)
    if table is None:
        known = [image_id for part in parts for image_id in part["image_id"]]
        near = _name_near(wanted, known)
        raise HemorrhageError(f"{input_folder}: expected the id of a slice in it, received {wanted!r}. {near}")
    is_stored = isinstance(found, StoreInput)
    slices = take_series(table, wanted)
    own = slices[slices["image_id"] == wanted].iloc[0]
    _require_readable(own, wanted)
    return ChosenSlice(wanted, slices, found.build_source, None if is_stored else Path(own["path"]))


def take_series(table: pd.DataFrame, image_id: str) -> pd.DataFrame:
    """Returns the rows of the series of a slice, in their order; the slice alone where it names no series."""
    own = table[table["image_id"] == image_id].iloc[0]
    is_own = table["image_id"] == image_id
    if pd.notna(own["series_id"]):
        is_own |= (table["series_id"] == own["series_id"]) & (table["patient_id"] == own["patient_id"])
    return table[is_own].reset_index(drop=True)


def _choose_file(path: Path, with_series: bool, console: Console) -> ChosenSlice:
    if not path.is_file():
        raise HemorrhageError(f"{path}: expected a DICOM file or the id of a slice, found no such file.")
    paths = list_slice_files(path.parent, any_name=True) if with_series else [path]
    what = f"headers of {path.parent.name}"
    table = scan_slices(paths, progress=lambda rows, total: console.track(rows, total, what))
    # Names may repeat in sub-folders, paths cannot.
    table = table.assign(image_id=[str(one) for one in paths])
    slices = take_series(table, str(path))
    _require_readable(slices[slices["image_id"] == str(path)].iloc[0], str(path))
    return ChosenSlice(str(path), slices, open_files, path)


def open_files(slices: pd.DataFrame, size: int, crop: str) -> SliceSource:
    """Returns a source that decodes the files of a slice table."""
    return DicomSource(slice_paths(slices), size, crop)


def _require_readable(row: pd.Series, wanted: str) -> None:
    if pd.notna(row["error"]):
        raise HemorrhageError(f"{wanted}: expected a CT slice that can be read: {row['error']}. Choose another.")


def _name_near(wanted: str, known: list[str]) -> str:
    ordered = sorted(known)
    at = bisect.bisect_left(ordered, wanted)
    around = ordered[max(0, at - _MOST_COMPARED // 2) : at + _MOST_COMPARED // 2]
    near = difflib.get_close_matches(wanted, around, n=3)
    return f"Near to it: {', '.join(near)}." if near else f"There are {len(known)}, such as {', '.join(ordered[:3])}."
