"""The square of a plane that holds the cavity: the brain is drawn there alone, which takes half the time."""

from dataclasses import dataclass, fields, replace

import numpy as np

from hemorrhage.ct.phantom.place import Place

_MULTIPLE = 16
"""Fields are sampled at every 2nd, 4th or 8th point and interpolated, so that sizes must divide by these."""


@dataclass(frozen=True)
class Crop:
    """A square of a plane: its first row, its first column and its size, points."""

    top: int
    left: int
    size: int

    def cut(self, points: np.ndarray) -> np.ndarray:
        """Returns the square of an N x N array, float32."""
        square = points[self.top : self.top + self.size, self.left : self.left + self.size]
        return square.astype(np.float32, copy=False)

    def cut_place(self, place: Place) -> Place:
        """Returns the place of the square's points alone."""
        plane = place.plane
        shift_mm = (self.left * plane.across + self.top * plane.down) * plane.pixel_mm
        smaller = replace(plane, origin_mm=plane.origin_mm + shift_mm, grid_mm=plane.grid_mm[: self.size])
        arrays = {field.name: getattr(place, field.name) for field in fields(place) if field.name != "plane"}
        return replace(place, plane=smaller, **{name: self.cut(values) for name, values in arrays.items()})

    def paste(self, points: np.ndarray, onto: np.ndarray) -> np.ndarray:
        """Returns a float32 copy of the N x N array `onto` with `points` in the square."""
        pasted = onto.astype(np.float32)
        pasted[self.top : self.top + self.size, self.left : self.left + self.size] = points
        return pasted


def crop_to_cavity(place: Place, margin_mm: float) -> Crop:
    """Returns the smallest square, sides a multiple of 16, that holds the cavity and `margin_mm` about it."""
    inside = place.depth_mm > -margin_mm
    full = len(place.plane.grid_mm)
    rows, columns = np.nonzero(inside.any(axis=1))[0], np.nonzero(inside.any(axis=0))[0]
    if full % _MULTIPLE or not len(rows):
        return Crop(0, 0, full)
    wanted = int(max(np.ptp(rows), np.ptp(columns))) + 1
    size = min(-(-wanted // _MULTIPLE) * _MULTIPLE, full)
    return Crop(min(int(rows[0]), full - size), min(int(columns[0]), full - size), size)
