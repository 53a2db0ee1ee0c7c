"""HU in one byte: a monotone table of 245 levels, fine where blood is and coarse where it is not.

A slice goes the same way from every source: HU, clip to [-1024, 3071], area-resize to the run's size, round,
one-byte code, windows by a 256-entry look-up. Brain windows survive the code exactly, subdural and bone to
2/255, soft tissue to 6/255. Air below -800 HU shares one code with -1024.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from hemorrhage.ct.crop import Box, cut_box
from hemorrhage.ct.windows import Window, stack_windows

CODEC_VERSION = 1
HU_MIN = -1024
HU_MAX = 3071

# (first level, end, step), each half open; the last segment's end makes 2040 its last level.
_SEGMENTS = ((-800, -200, 40), (-200, -20, 8), (-20, 0, 2), (0, 100, 1), (100, 180, 2), (180, 400, 16), (400, 2041, 40))

LEVELS_HU = np.concatenate([[HU_MIN], *(np.arange(*segment) for segment in _SEGMENTS)]).astype(np.int16)
"""The HU that each code stands for, int16, strictly increasing, 245 entries."""


def _build_code_of_hu() -> np.ndarray:
    midpoints = (LEVELS_HU[1:].astype(np.float64) + LEVELS_HU[:-1]) / 2
    codes = np.searchsorted(midpoints, np.arange(HU_MIN, HU_MAX + 1), side="left").astype(np.uint8)
    codes.setflags(write=False)
    return codes


_CODE_OF_HU = _build_code_of_hu()


def encode(pixels_hu: np.ndarray) -> np.ndarray:
    """Returns the code of the nearest level (the lower of two equally near), uint8 of the same shape.

    `pixels_hu` is any integer array; values outside [-1024, 3071] are clipped.
    """
    return _CODE_OF_HU[np.clip(pixels_hu.astype(np.int32), HU_MIN, HU_MAX) - HU_MIN]


def decode(codes: np.ndarray) -> np.ndarray:
    """Returns the HU that the uint8 `codes` stand for, int16 of the same shape; codes above 244 raise IndexError."""
    return LEVELS_HU[codes]


def resize_hu(pixels_hu: np.ndarray, size: int, box: Box | None = None) -> np.ndarray:
    """Returns H x W HU as size x size, int32: clipped, cut to `box`, area-resized, rounded.

    Without a box the slice is padded to a square with air, which keeps the head's proportions in the few files that
    are not square.
    """
    clipped = np.clip(pixels_hu.astype(np.int32), HU_MIN, HU_MAX)
    square = cut_box(clipped, box or square_around(*clipped.shape), HU_MIN)
    if square.shape[0] == size:
        return square
    resized = cv2.resize(square.astype(np.float32), (size, size), interpolation=cv2.INTER_AREA)
    return np.rint(resized).astype(np.int32)


def encode_slice(pixels_hu: np.ndarray, size: int, box: Box | None = None) -> np.ndarray:
    """Returns a slice as the one-byte codes that every batch is made of: H x W HU in, uint8 size x size out."""
    return encode(resize_hu(pixels_hu, size, box))


def build_window_table(windows: Sequence[Window]) -> np.ndarray:
    """Returns the grey level of each code in each window: uint8 256 x len(windows), unused codes 255."""
    table = np.full((256, len(windows)), 255, dtype=np.uint8)
    table[: len(LEVELS_HU)] = stack_windows(LEVELS_HU[:, np.newaxis], windows)[:, 0]
    return table


def window_codes(codes: np.ndarray, window_table: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Returns the channels of a coded slice: uint8 H x W and a table of build_window_table in, H x W x C out.

    `out`, uint8 H x W x C and contiguous, is filled and returned where it is given.
    """
    shape = (*codes.shape, window_table.shape[1])
    images = np.empty(shape, dtype=np.uint8) if out is None else out
    if shape[2] == 3:
        # One pass for three channels, in three quarters of the time of a look-up for each and a merge.
        cv2.applyColorMap(codes, np.ascontiguousarray(window_table)[:, np.newaxis], dst=images)
    else:
        cv2.merge([cv2.LUT(codes, np.ascontiguousarray(channel)) for channel in window_table.T], dst=images)
    return images


def square_around(rows: int, columns: int) -> Box:
    """Returns the square that a whole slice is padded to, with as much air on either side of it."""
    side = max(rows, columns)
    return Box(top=-((side - rows) // 2), left=-((side - columns) // 2), side=side)
