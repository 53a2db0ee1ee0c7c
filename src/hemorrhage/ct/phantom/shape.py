"""Simple solids from which face, neck and skull base are put together, each evaluated only where it lies."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hemorrhage.ct.phantom.place import Place
from hemorrhage.ct.phantom.space import Plane, capsule_inside_mm

Triple = tuple[float, float, float]

OUTSIDE_MM = -9.0
"""The depth of every point that no shape is near."""

_MARGIN_MM = 7.0
"""More than heads bend and edges are soft."""


@dataclass(frozen=True)
class Blob:
    """An ellipsoid turned by `yaw` radians about the upright axis, whose middle moves by `lean` mm a mm upwards."""

    center_mm: Triple
    radii_mm: Triple
    yaw: float = 0.0
    lean: tuple[float, float] = (0.0, 0.0)

    def mirror(self) -> "Blob":
        """Returns the same on the other side."""
        x, y, z = self.center_mm
        return replace(self, center_mm=(-x, y, z), yaw=-self.yaw, lean=(-self.lean[0], self.lean[1]))

    def box_mm(self) -> tuple[Triple, Triple]:
        """Returns the middle and the half sides of a box about it."""
        (across, along, tall), cosine, sine = self.radii_mm, math.cos(self.yaw), math.sin(self.yaw)
        wide, long = math.hypot(across * cosine, along * sine), math.hypot(across * sine, along * cosine)
        return self.center_mm, (wide + abs(self.lean[0]) * tall, long + abs(self.lean[1]) * tall, tall)

    def inside_mm(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Returns about the depth inside, negative outside; to first order exact near the surface."""
        up = z - self.center_mm[2]
        dx, dy = x - self.center_mm[0] - self.lean[0] * up, y - self.center_mm[1] - self.lean[1] * up
        cosine, sine = np.float32(math.cos(self.yaw)), np.float32(math.sin(self.yaw))
        parts = ((dx * cosine + dy * sine), (dy * cosine - dx * sine), up)
        first = sum((part / np.float32(radius)) ** 2 for part, radius in zip(parts, self.radii_mm, strict=True))
        second = sum((part / np.float32(radius**2)) ** 2 for part, radius in zip(parts, self.radii_mm, strict=True))
        length = np.sqrt(first)
        return length * (1 - length) / np.sqrt(second + np.float32(1e-6)) + (length < 0.05) * min(self.radii_mm)


@dataclass(frozen=True)
class Rod:
    """A rod with round ends, whose radius runs from one value to the other."""

    start_mm: Triple
    end_mm: Triple
    radii_mm: tuple[float, float]

    def mirror(self) -> "Rod":
        """Returns the same on the other side."""
        (x, y, z), (u, v, w) = self.start_mm, self.end_mm
        return replace(self, start_mm=(-x, y, z), end_mm=(-u, v, w))

    def box_mm(self) -> tuple[Triple, Triple]:
        """Returns the middle and the half sides of a box about it."""
        return _span(self.start_mm, self.end_mm, (max(self.radii_mm),) * 3)

    def inside_mm(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Returns the depth inside, negative outside."""
        return capsule_inside_mm((x, y, z), self.start_mm, self.end_mm, self.radii_mm)


@dataclass(frozen=True)
class Wall:
    """An upright plate from `start_mm` to `end_mm`, the middles of its ends: half as thick and as tall as told."""

    start_mm: Triple
    end_mm: Triple
    half_thickness_mm: float
    half_height_mm: float

    def mirror(self) -> "Wall":
        """Returns the same on the other side."""
        (x, y, z), (u, v, w) = self.start_mm, self.end_mm
        return replace(self, start_mm=(-x, y, z), end_mm=(-u, v, w))

    def box_mm(self) -> tuple[Triple, Triple]:
        """Returns the middle and the half sides of a box about it."""
        around = (self.half_thickness_mm, self.half_thickness_mm, self.half_height_mm)
        return _span(self.start_mm, self.end_mm, around)

    def inside_mm(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Returns the depth inside, negative outside."""
        (a, b, c), (u, v, w) = self.start_mm, self.end_mm
        run, rise, climb = np.float32(u - a), np.float32(v - b), np.float32(w - c)
        part = np.clip(((x - a) * run + (y - b) * rise) / (run**2 + rise**2), 0, 1)
        aside = np.sqrt((x - a - part * run) ** 2 + (y - b - part * rise) ** 2)
        return np.minimum(self.half_thickness_mm - aside, self.half_height_mm - np.abs(z - c - part * climb))


Shape = Blob | Rod | Wall


def _span(start_mm: Triple, end_mm: Triple, around_mm: Triple) -> tuple[Triple, Triple]:
    """The middle and the half sides of a box about two points and what lies about them."""
    (x, y, z), (u, v, w), (a, b, c) = start_mm, end_mm, around_mm
    middle = ((x + u) / 2, (y + v) / 2, (z + w) / 2)
    return middle, (abs(u - x) / 2 + a, abs(v - y) / 2 + b, abs(w - z) / 2 + c)


def both_sides(*shapes: Shape) -> tuple[Shape, ...]:
    """Returns the shapes and their mirror images."""
    return shapes + tuple(shape.mirror() for shape in shapes)


def deepest_mm(shapes: Sequence[Shape], place: Place) -> np.ndarray:
    """Returns the depth inside the union of `shapes`, float32 N x N: OUTSIDE_MM where none is near."""
    best_mm = np.full_like(place.x, OUTSIDE_MM)
    for shape in shapes:
        window = _find_window(place.plane, shape)
        if window is not None:
            inside_mm = shape.inside_mm(place.x[window], place.y[window], place.z[window])
            best_mm[window] = np.maximum(best_mm[window], inside_mm)
    return best_mm


def territories_mm(shapes: Sequence[Shape], place: Place) -> tuple[np.ndarray, np.ndarray]:
    """Returns the depth inside the deepest of `shapes` and inside the next, float32 N x N each.

    Where the two are nearly the same, neighbours meet: there runs the fat between muscles.
    """
    best_mm, next_mm = np.full_like(place.x, OUTSIDE_MM), np.full_like(place.x, OUTSIDE_MM)
    for shape in shapes:
        window = _find_window(place.plane, shape)
        if window is not None:
            inside_mm = shape.inside_mm(place.x[window], place.y[window], place.z[window])
            next_mm[window] = np.maximum(next_mm[window], np.minimum(best_mm[window], inside_mm))
            best_mm[window] = np.maximum(best_mm[window], inside_mm)
    return best_mm, next_mm


def _find_window(plane: Plane, shape: Shape) -> tuple[slice, slice] | None:
    """The rows and columns of a nearly level plane that meet the box about a shape, or none."""
    center, half = shape.box_mm()
    x, y, z = (float(at - origin) for at, origin in zip(center, plane.origin_mm, strict=True))
    wide, long, tall = (float(side) + _MARGIN_MM for side in half)
    (a, c, e), (b, d, f) = plane.across, plane.down
    scale = 1 / (a * d - b * c)
    at_u, at_v = scale * (d * x - b * y), scale * (a * y - c * x)
    reach_u, reach_v = abs(scale) * (abs(d) * wide + abs(b) * long), abs(scale) * (abs(a) * long + abs(c) * wide)
    if abs(at_u * e + at_v * f - z) > tall + reach_u * abs(e) + reach_v * abs(f):
        return None
    columns = np.searchsorted(plane.grid_mm, [at_u - reach_u, at_u + reach_u])
    rows = np.searchsorted(plane.grid_mm, [at_v - reach_v, at_v + reach_v])
    if columns[0] == columns[1] or rows[0] == rows[1]:
        return None
    return slice(*rows), slice(*columns)
