"""The slice table: one row a file, with the header facts that training, folds and the audit need."""

import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hemorrhage.ct.dicom import DicomError, Header, read_header, read_slice
from hemorrhage.errors import HemorrhageError
from hemorrhage.files import describe_os_error, replacing
from hemorrhage.processes import open_pool

Progress = Callable[[Iterable[Any], int], Iterable[Any]]
"""Wraps an iterable and its length, and yields the same things while showing how far it is."""

_SCHEMA: dict[str, Any] = {
    "image_id": "object",
    "path": "object",
    "sop_instance_id": "object",
    "patient_id": "object",
    "study_id": "object",
    "series_id": "object",
    "z_mm": "float64",
    "rows": "Int32",
    "columns": "Int32",
    "bits_stored": "Int32",
    "pixel_representation": "Int32",
    "rescale_intercept": "float64",
    "rescale_slope": "float64",
    "is_wrapped": "boolean",
    "transfer_syntax": "object",
    "pixel_hash": "object",
    "is_constant": "boolean",
    "error": "object",
}
COLUMNS = tuple(_SCHEMA)
"""Of the slice table, in order."""

# Below this many files a pool of processes costs more than it saves.
_POOL_FROM = 2000
_ROWS_A_PART = 20_000
# To be raised when ct.dicom reads or refuses a file otherwise than before, so that old scans are not believed.
_READER_VERSION = 1


def scan_slices(
    paths: Sequence[Path], with_pixels: bool = False, workers: int = 1, progress: Progress | None = None
) -> pd.DataFrame:
    """Returns one row a file of `paths`, in their order, with the columns of the slice table.

    A file that cannot be read has its cause in `error` and is empty elsewhere. `with_pixels` also decodes each
    slice, which finds what a header cannot show, and fills `pixel_hash` (of the HU) and `is_constant`.
    """
    describe = partial(describe_slice, with_pixels=with_pixels)
    rows = _map(describe, paths, workers)
    if progress is not None:
        rows = iter(progress(rows, len(paths)))
    return _collect(rows)


def describe_slice(path: Path, with_pixels: bool = False) -> dict[str, Any]:
    """Returns the slice table's row of one file as a dictionary; columns that are not known are left out."""
    try:
        if not with_pixels:
            return _row(path, read_header(path))
        ct_slice = read_slice(path)
        return _row(path, ct_slice.header) | _pixel_facts(ct_slice.pixels_hu)
    except DicomError as error:
        return {"image_id": path.stem, "path": str(path), "error": error.cause}


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Writes `table` as Parquet, atomically."""
    with replacing(path) as temporary:
        table.to_parquet(temporary, index=False)


def read_table(path: Path) -> pd.DataFrame:
    """Returns the table of a Parquet file; raises HemorrhageError where it is missing or damaged."""
    try:
        return pd.read_parquet(path)
    except Exception as error:
        # A flipped byte leads to errors of PyArrow, of pandas and of JSON, to KeyError and to TypeError.
        cause = " ".join(str(error).split())[:200]
        raise HemorrhageError(
            f"{path}: expected a table in Parquet form, it is damaged or missing ({type(error).__name__}: {cause})."
        ) from error


def read_or_scan_slices(
    paths: Sequence[Path],
    cache_folder: Path,
    workers: int = 1,
    progress: Progress | None = None,
    warn: Callable[[str], None] | None = None,
) -> pd.DataFrame:
    """Returns scan_slices of `paths` without pixels, from `cache_folder` where the same files were scanned before.

    Files count as the same while their names, sizes and times of change do. Where the folder cannot be written, `warn`
    is told and the scan is not kept.
    """
    cached = cache_folder / f"{_listing_hash(paths)}.parquet"
    # A damaged cache is only made again: what it holds can be read anew from the files.
    with suppress(HemorrhageError, OSError):
        if cached.is_file():
            return read_table(cached).assign(path=[str(path) for path in paths])
    table = scan_slices(paths, workers=workers, progress=progress)
    try:
        write_table(cached, table)
    except HemorrhageError as error:
        if warn is not None:
            warn(_describe_lost_cache(cache_folder, error))
    return table


def _describe_lost_cache(cache_folder: Path, error: HemorrhageError) -> str:
    # The same words for every scan of a command, so that they can be said once.
    cause = f" ({describe_os_error(error.__cause__)})" if isinstance(error.__cause__, OSError) else ""
    return f"{cache_folder}: could not be written{cause}; header scans are not kept, the next command scans anew."


def _map(describe: Callable[[Path], dict[str, Any]], paths: Sequence[Path], workers: int) -> Iterator[dict[str, Any]]:
    if workers <= 1 or len(paths) < _POOL_FROM:
        yield from map(describe, paths)
        return
    with open_pool(workers) as pool:
        try:
            yield from pool.map(describe, paths, chunksize=256)
        except BrokenProcessPool as error:
            raise HemorrhageError(
                f"{paths[0].parent}: a process that reads headers was ended from outside, for want of memory perhaps. "
                "Start again."
            ) from error


def _collect(rows: Iterator[dict[str, Any]]) -> pd.DataFrame:
    """Returns the rows as a table, a part at a time: a dictionary takes many times the memory of a table's row."""
    parts = [pd.DataFrame(columns=list(_SCHEMA)).astype(_SCHEMA)]
    while part := list(itertools.islice(rows, _ROWS_A_PART)):
        parts.append(pd.DataFrame(part, columns=list(_SCHEMA)).astype(_SCHEMA))
    return pd.concat(parts[1:] or parts, ignore_index=True)


def _row(path: Path, header: Header) -> dict[str, Any]:
    return {
        "image_id": path.stem,
        "path": str(path),
        "sop_instance_id": header.sop_instance_id,
        "patient_id": header.patient_id,
        "study_id": header.study_id,
        "series_id": header.series_id,
        "z_mm": header.z_mm,
        "rows": header.rows,
        "columns": header.columns,
        "bits_stored": header.bits_stored,
        "pixel_representation": header.pixel_representation,
        "rescale_intercept": header.rescale_intercept,
        "rescale_slope": header.rescale_slope,
        "is_wrapped": header.is_wrapped,
        "transfer_syntax": header.transfer_syntax,
    }


def hash_pixels(pixels_hu: np.ndarray) -> str:
    """Returns a hash of H x W HU and their shape, 32 hexadecimal digits; equal slices have equal ones."""
    digest = hashlib.blake2b(repr(pixels_hu.shape).encode(), digest_size=16)
    digest.update(pixels_hu.tobytes())
    return digest.hexdigest()


def _pixel_facts(pixels_hu: np.ndarray) -> dict[str, Any]:
    return {"pixel_hash": hash_pixels(pixels_hu), "is_constant": bool(pixels_hu.min() == pixels_hu.max())}


def _listing_hash(paths: Sequence[Path]) -> str:
    digest = hashlib.blake2b("|".join([f"reader {_READER_VERSION}", *_SCHEMA]).encode(), digest_size=16)
    # Only folders are resolved: a resolution costs more than all the rest, and there are 750,000 files.
    folders = {folder: folder.resolve() for folder in {path.parent for path in paths}}
    for path in paths:
        status = path.stat()
        place = f"{folders[path.parent]}/{path.name}"
        digest.update(f"{place}|{status.st_size}|{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()
