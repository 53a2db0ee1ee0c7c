"""Whether decoded slices are of a head: by how wide they are, how much air is in them, and how much bone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from hemorrhage.ct.crop import find_head

_BONE_FROM_HU = 250
_WIDEST_MM = 290.0
_MOST_AIR = 0.25
_LEAST_BONE = 0.03
_FEWEST = 5


@dataclass(frozen=True)
class Measures:
    """Of one slice: how wide its largest piece is in mm (None without a spacing), and its shares of air and bone."""

    width_mm: float | None
    air: float
    bone: float


def measure_slice(pixels_hu: np.ndarray, spacing_mm: tuple[float, float] | None) -> Measures | None:
    """Returns the measures of a slice, H x W HU; None where there is nothing denser than air in it."""
    # A quarter of the pixels a side says as much of widths and shares.
    step = max(1, max(pixels_hu.shape) // 128)
    small = pixels_hu[::step, ::step]
    body = find_head(small)
    if not body.any():
        return None
    filled = ndimage.binary_fill_holes(body)
    rows, columns = (np.flatnonzero(body.any(axis=axis)) for axis in (1, 0))
    height, width = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
    extent = max(height * spacing_mm[0], width * spacing_mm[1]) * step if spacing_mm else None
    return Measures(extent, float((filled & ~body).sum() / filled.sum()), float((small[body] > _BONE_FROM_HU).mean()))


def explain_not_head(measures: Sequence[Measures]) -> str:
    """Returns why the slices of a series are not of a head, in words; empty where they may be.

    A few slices are believed: of a vertex or a neck alone too little is seen.
    """
    if len(measures) < _FEWEST:
        return ""
    widths = [one.width_mm for one in measures if one.width_mm is not None]
    if widths and np.median(widths) > _WIDEST_MM:
        return f"not a head: what was scanned is {np.median(widths):.0f} mm wide, and a head some 200"
    if np.median([one.air for one in measures]) > _MOST_AIR:
        return "not a head: it holds as much air as a chest"
    if np.median([one.bone for one in measures]) < _LEAST_BONE:
        return "not a head: there is no skull around it"
    return ""
