"""Where coded slices come from: anything with the one method of SliceSource."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from hemorrhage.ct.codec import build_window_table, encode_slice, window_codes
from hemorrhage.ct.crop import find_box
from hemorrhage.ct.dicom import DicomError, read_slice
from hemorrhage.ct.windows import Window
from hemorrhage.data.context import Context


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
    """The images of a source: its codes, with those of their neighbors where there is a context, through windows.

    With `size` the images are made smaller, or larger, to that many pixels a side, as a mean over areas. `stand_ins`
    are the slices, of those read so far, that stood in for a neighbor of theirs which could not be read.
    """

    def __init__(
        self,
        source: SliceSource,
        windows: Sequence[Window],
        context: Context | None = None,
        size: int | None = None,
        stand_ins: set[str] | None = None,
    ) -> None:
        self._source = source
        self._windows = windows
        self._window_table = build_window_table(windows)
        self._context = context
        self._size = size
        self.stand_ins: set[str] = set() if stand_ins is None else stand_ins

    def resized(self, size: int) -> "WindowedSource":
        """Returns the same images at `size` pixels a side; both note `stand_ins` in one set."""
        return WindowedSource(self._source, self._windows, self._context, size, self.stand_ins)

    def shape_of(self, codes: np.ndarray) -> tuple[int, int, int]:
        """Returns rows, columns and channels of the image of what read_codes gave."""
        rows, columns = (self._size, self._size) if self._size else codes.shape[-2:]
        return rows, columns, self.channels

    @property
    def channels(self) -> int:
        """How many channels an image has: one a window, three times that where neighbors are stacked."""
        windows = int(self._window_table.shape[1])
        return 3 * windows if self._context is not None and self._context.kind == "stack" else windows

    def read_image(self, image_id: str) -> np.ndarray:
        """Returns the slice as uint8 size x size x channels; errors as in SliceSource."""
        return self.look_up(self.read_codes(image_id))

    def read_codes(self, image_id: str) -> np.ndarray:
        """Returns the slice before its look-up, uint8 size x size; with a context 3 x size x size: below, own, above.

        Errors as in SliceSource. A neighbor that cannot be read is replaced by the slice itself, like one that is
        not there: it is reported when its own turn comes, and `stand_ins` has the slice beside it.
        """
        own = self._source.read_codes(image_id)
        if self._context is None:
            return own
        below, above = self._context.neighbors.get(image_id, (image_id, image_id))
        return np.stack([self._read_neighbor(below, image_id, own), own, self._read_neighbor(above, image_id, own)])

    def look_up(self, codes: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Returns the image of what read_codes gave, uint8 size x size x channels; `out` is filled if it is given."""
        if self._size is not None and codes.shape[-2:] != (self._size, self._size):
            return self._shrink(codes, out)
        return self._look_up(codes, out)

    def _shrink(self, codes: np.ndarray, out: np.ndarray | None) -> np.ndarray:
        # After the look-up: the mean of two codes is no code of the mean.
        shape = self.shape_of(codes)
        image = cv2.resize(self._look_up(codes, None), shape[:2], interpolation=cv2.INTER_AREA).reshape(shape)
        if out is None:
            return image
        out[:] = image
        return out

    def _look_up(self, codes: np.ndarray, out: np.ndarray | None) -> np.ndarray:
        if self._context is None:
            return window_codes(codes, self._window_table, out)
        seen = [window_codes(plane, self._window_table) for plane in codes]
        image = np.concatenate(seen, axis=-1) if self._context.kind == "stack" else _average(seen)
        if out is None:
            return image
        out[:] = image
        return out

    def _read_neighbor(self, neighbor: str, image_id: str, own: np.ndarray) -> np.ndarray:
        if neighbor == image_id:
            return own
        try:
            return self._source.read_codes(neighbor)
        except DicomError:
            self.stand_ins.add(image_id)
            return own


def _average(images: Sequence[np.ndarray]) -> np.ndarray:
    """The mean of images below, own and above, the own counted twice, rounded: uint8 size x size x windows."""
    below, own, above = (image.astype(np.uint16) for image in images)
    return ((below + 2 * own + above + 2) // 4).astype(np.uint8)
