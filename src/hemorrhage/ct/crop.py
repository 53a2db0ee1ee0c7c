"""Where the head lies in a slice, and the square to crop to."""

from dataclasses import dataclass

import cv2
import numpy as np

from hemorrhage.errors import HemorrhageError

CROPS = ("none", "head")

TISSUE_FROM_HU = -500
"""Half-way between air and soft tissue: the border of a head whatever the scanner's padding."""

_MARGIN = 0.04
_SMALLEST_SHARE = 0.5
# The table and head-holder touch the head by threads a few pixels thick; an opening this wide cuts them.
_OPENING_SHARE = 1 / 64


@dataclass(frozen=True)
class Box:
    """A square of a slice in pixels; it may reach over the slice's edge, where there is air."""

    top: int
    left: int
    side: int


def find_head(pixels_hu: np.ndarray) -> np.ndarray:
    """Returns the mask of the head, bool H x W: the largest connected piece denser than TISSUE_FROM_HU."""
    tissue = (pixels_hu > TISSUE_FROM_HU).astype(np.uint8)
    width = max(3, round(max(pixels_hu.shape) * _OPENING_SHARE) | 1)
    opened = cv2.morphologyEx(tissue, cv2.MORPH_OPEN, np.ones((width, width), np.uint8))
    count, pieces, statistics, _ = cv2.connectedComponentsWithStats(opened)
    if count < 2:
        return np.zeros(pixels_hu.shape, dtype=bool)
    return pieces == 1 + int(statistics[1:, cv2.CC_STAT_AREA].argmax())


def find_head_box(pixels_hu: np.ndarray) -> Box:
    """Returns the square around the head with a margin of 4 %, at least half as wide as the slice.

    The lower bound keeps the few cells of a vertex from being blown up to a whole image. A slice without a head keeps
    its whole square. A function of the slice alone, so that every source of batches crops alike.
    """
    rows, columns = pixels_hu.shape
    whole = Box((rows - max(rows, columns)) // 2, (columns - max(rows, columns)) // 2, max(rows, columns))
    head = find_head(pixels_hu)
    if not head.any():
        return whole
    (top, bottom), (left, right) = (np.flatnonzero(head.any(axis=axis))[[0, -1]] for axis in (1, 0))
    extent = max(bottom - top, right - left) + 1
    side = int(np.clip(round(extent * (1 + 2 * _MARGIN)), _SMALLEST_SHARE * whole.side, whole.side))
    return Box(int(top + bottom + 1 - side) // 2, int(left + right + 1 - side) // 2, side)


def find_box(pixels_hu: np.ndarray, crop: str) -> Box | None:
    """Returns the square that `crop` ("none" or "head") asks for, None for the whole slice."""
    if crop not in CROPS:
        raise HemorrhageError(f"Expected a crop out of {', '.join(CROPS)}; received {crop!r}.")
    return find_head_box(pixels_hu) if crop == "head" else None


def cut_box(pixels_hu: np.ndarray, box: Box, air_hu: int) -> np.ndarray:
    """Returns the side x side pixels in `box`, of the dtype that came; what lies outside the slice is `air_hu`."""
    cut = np.full((box.side, box.side), air_hu, dtype=pixels_hu.dtype)
    rows, columns = pixels_hu.shape
    top, left = max(box.top, 0), max(box.left, 0)
    bottom, right = min(box.top + box.side, rows), min(box.left + box.side, columns)
    cut[top - box.top : bottom - box.top, left - box.left : right - box.left] = pixels_hu[top:bottom, left:right]
    return cut


def paste_box(cut: np.ndarray, box: Box, rows: int, columns: int) -> np.ndarray:
    """Returns ... x rows x columns with the ... x side x side `cut` where cut_box took it from, and 0 around it."""
    whole = np.zeros((*cut.shape[:-2], rows, columns), dtype=cut.dtype)
    top, left = max(box.top, 0), max(box.left, 0)
    bottom, right = min(box.top + box.side, rows), min(box.left + box.side, columns)
    whole[..., top:bottom, left:right] = cut[..., top - box.top : bottom - box.top, left - box.left : right - box.left]
    return whole
