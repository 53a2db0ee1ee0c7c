"""Where points lie in a head: the average cavity's measures and the coordinates that every tissue is drawn in."""

from dataclasses import dataclass, replace

import numpy as np

from hemorrhage.ct.phantom.space import Plane, bell

# The average cavity: half width, half length, dome above the equator, and the equator's height, mm.
HALF_WIDTH_MM, HALF_LENGTH_MM, DOME_MM, EQUATOR_MM = 66.0, 82.0, 66.0, 32.0

# Below this height the face stands back behind the forehead, by so many mm a mm.
BROW_MM, BROW_SLOPE = 6.0, 1.2


@dataclass(frozen=True)
class Place:
    """Where the points of a plane lie in the head, float32 N x N each, mm.

    `depth_mm` is the depth below the inner table of the skull, negative outside the cavity; `dome_mm` is the same
    for the vault alone, as if there were no skull base; `bone_mm` is how thick the vault is there; `radius_mm` is
    the distance to the cavity's middle.
    """

    plane: Plane
    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    radius_mm: np.ndarray
    dome_mm: np.ndarray
    depth_mm: np.ndarray
    ridge: np.ndarray
    bone_mm: np.ndarray

    @property
    def points(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return (self.x, self.y, self.z)

    @property
    def mirrored(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The points with the right half folded onto the left, for shapes that come in pairs."""
        return (np.abs(self.x), self.y, self.z)


def stretch_place(place: Place, factors: tuple[float, float, float]) -> Place:
    """Returns the place as an average head has it where this one is `factors` times as wide, long and tall."""
    shrink = 1 / np.array(factors)
    plane = replace(
        place.plane,
        origin_mm=place.plane.origin_mm * shrink,
        across=place.plane.across * shrink,
        down=place.plane.down * shrink,
    )
    x, y, z = (axis * np.float32(by) for axis, by in zip(place.points, shrink, strict=True))
    return replace(place, plane=plane, x=x, y=y, z=z)


def shift_place(place: Place, across_mm: np.ndarray, down_mm: np.ndarray) -> Place:
    """Returns the place with x and y moved by float32 N x N fields of a few mm, which bends what is drawn there."""
    return replace(place, x=place.x + across_mm, y=place.y + down_mm)


def midline_x(place: Place, shift_mm: float) -> np.ndarray:
    """Returns x as the brain has it whose midline is pushed by `shift_mm`, most about the foramen of Monro."""
    if shift_mm == 0:
        return place.x
    reach = bell(place.y / 65) * bell((place.z - 32) / 45)
    return place.x - shift_mm * reach * np.clip(1 - (place.x / 62) ** 2, 0, 1)
