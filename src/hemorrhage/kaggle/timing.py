"""How long work takes here: a little of it is done and timed, and the hours of all of it are worked out."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from hemorrhage.ct.codec import encode_slice
from hemorrhage.ct.crop import find_box
from hemorrhage.ct.dicom import DicomError, read_header, read_slice
from hemorrhage.data.store_files import write_frame
from hemorrhage.errors import HemorrhageError

SAMPLE = 64


@dataclass(frozen=True)
class Pace:
    """Seconds of one process for a slice's header, and for its pixels; bytes of a coded slice. Of `slices` timed."""

    header_seconds: float
    pixel_seconds: float
    coded_bytes: float
    slices: int

    def header_hours(self, slices: int) -> float:
        """Returns the hours for the headers of so many slices, with all processors at work."""
        return slices * self.header_seconds / _processors() / 3600

    def pixel_hours(self, slices: int) -> float:
        """Returns the hours for the pixels of so many slices, with all processors at work."""
        return slices * self.pixel_seconds / _processors() / 3600


def time_slices(paths: Sequence[Path], size: int, crop: str) -> Pace:
    """Returns what reading and coding took on SAMPLE files drawn evenly from `paths`; unreadable ones count as read.

    Raises HemorrhageError where there are no files, or not one of them could be read.
    """
    chosen = spread(paths, SAMPLE)
    header_seconds = _time_each(chosen, read_header)
    coded: list[np.ndarray] = []
    pixel_seconds = _time_each(chosen, lambda path: coded.append(_encode(path, size, crop)))
    if not coded:
        where = paths[0].parent if paths else "no folder"
        raise HemorrhageError(
            f"{where}: expected DICOM slices, none of {len(chosen)} could be read. Attach them again."
        )
    return Pace(header_seconds, pixel_seconds, _measure_frame(np.stack(coded)) / len(coded), len(chosen))


def spread(things: Sequence[Path], count: int) -> list[Path]:
    """Returns at most `count` of the things, evenly spread from the first to the last."""
    wanted = min(count, len(things))
    return [things[place * (len(things) - 1) // max(wanted - 1, 1)] for place in range(wanted)]


def _encode(path: Path, size: int, crop: str) -> np.ndarray:
    pixels_hu = read_slice(path).pixels_hu
    return encode_slice(pixels_hu, size, find_box(pixels_hu, crop))


def _measure_frame(codes: np.ndarray) -> int:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "sample.b2nd"
        write_frame(path, codes)
        return path.stat().st_size


def _time_each(paths: Sequence[Path], work: Callable[[Path], object]) -> float:
    started = time.monotonic()
    for path in paths:
        try:
            work(path)
        except DicomError:
            continue  # it is named when its turn comes
    return (time.monotonic() - started) / max(len(paths), 1)


def _processors() -> int:
    return os.cpu_count() or 1
