"""Where coded slices come from: anything with the one method of SliceSource."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from hemorrhage.ct.codec import build_window_table, encode_slice, window_codes
from hemorrhage.ct.crop import find_box
from hemorrhage.ct.dicom import read_slice
from hemorrhage.ct.windows import Window


class SliceSource(Protocol):
    """Slices by image id, ready to be windowed."""

    def read_codes(self, image_id: str) -> np.ndarray:
        """Returns the slice as one-byte codes (ct.codec), uint8 size x size; raises DicomError where it cannot."""
        ...


class DicomSource:
    """Slices decoded from their DICOM files, and cropped (ct.crop), each time they are asked for."""

    def __init__(self, paths: Mapping[str, Path], size: int, crop: str = "none") -> None:
        self._paths = paths
        self._size = size
        self._crop = crop

    def read_codes(self, image_id: str) -> np.ndarray:
        """Returns the slice as in SliceSource; raises KeyError for an id that has no file."""
        pixels_hu = read_slice(self._paths[image_id]).pixels_hu
        return encode_slice(pixels_hu, self._size, find_box(pixels_hu, self._crop))


class WindowedSource:
    """The images of a source: its codes looked up in a set of windows."""

    def __init__(self, source: SliceSource, windows: Sequence[Window]) -> None:
        self._source = source
        self._window_table = build_window_table(windows)

    @property
    def channels(self) -> int:
        """How many channels an image has: one a window."""
        return self._window_table.shape[1]

    def read_image(self, image_id: str) -> np.ndarray:
        """Returns the slice as uint8 size x size x len(windows); errors as in SliceSource."""
        return self.look_up(self._source.read_codes(image_id))

    def read_codes(self, image_id: str) -> np.ndarray:
        """Returns the slice before its look-up, as in SliceSource."""
        return self._source.read_codes(image_id)

    def look_up(self, codes: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Returns the image of a coded slice, uint8 size x size x len(windows); `out` is filled where it is given."""
        return window_codes(codes, self._window_table, out)
