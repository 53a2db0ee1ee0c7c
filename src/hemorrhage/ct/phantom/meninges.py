"""Bright lines in every head: falx and tentorium, the venous sinuses in them, and the arteries in the cisterns."""

from dataclasses import dataclass

import numpy as np

from hemorrhage.ct.phantom.anatomy import Head, Place
from hemorrhage.ct.phantom.cortex import band_share
from hemorrhage.ct.phantom.space import Points, capsule_inside_mm, ellipsoid_inside_mm, mix, soft_edge

_TORCULA = (0.0, 80.0, 3.0)
_STRAIGHT = ((0.0, 35.0, 25.0), (0.0, 79.0, 5.0))
# Basilar, both carotids' ends, middle, anterior and posterior cerebral arteries, left side: from, to, radii, mm.
_ARTERIES = (
    ((0.5, 12.5, -26), (0, 1.8, 5), (1.7, 1.8)),
    ((11, -9, 0), (10, -9, 7), (2.0, 1.8)),
    ((10, -10, 7), (24, -11, 7), (1.7, 1.6)),
    ((24, -11, 7), (37, -16, 11), (1.6, 1.3)),
    ((9, -11, 8), (1.2, -17, 10), (1.2, 1.2)),
    ((1.2, -17, 10), (1.2, -42, 22), (1.1, 1.0)),
    ((1.2, -42, 22), (1.0, -42, 42), (1.0, 0.8)),
    ((0, 2, 5), (13, 6, 8), (1.3, 1.1)),
    ((13, 6, 8), (20, 20, 12), (1.1, 0.9)),
    ((38, -18, 11), (40, 2, 24), (1.2, 0.8)),
    ((38, -18, 11), (41, -22, 26), (1.1, 0.8)),
)


@dataclass(frozen=True)
class Tentorium:
    """Where points lie about the tentorium, mm: how high above it, and how far outside its notch, N x N each."""

    above_mm: np.ndarray
    behind_mm: np.ndarray


def tentorium(points: Points) -> Tentorium:
    """Returns where the points lie about the tentorium, which falls from its ridge to the sides and the back.

    The midbrain stands in its notch; in front it ends on the petrous ridge.
    """
    x, y, z = points
    ridge = 26 - 0.47 * np.maximum(y - 33, -12)
    slope = np.clip(1 - np.abs(x) / 58, 0, 1) ** np.float32(1.25)
    notch_mm = np.hypot(x / 20, (y - 12) / 24) * 20 - 20
    front_mm = y - 4 - 0.4 * np.maximum(np.abs(x) - 20, 0)
    return Tentorium(z - 2 - (ridge - 2) * slope, np.minimum(notch_mm, front_mm))


def add_meninges(head: Head, place: Place, points: Points, tent: Tentorium, pixels_hu: np.ndarray) -> np.ndarray:
    """Returns HU with arteries, falx, tentorium and sinuses drawn in."""
    traits = head.cerebrum
    pixels_hu = mix(pixels_hu, traits.vessel_hu, _artery_share(points))
    pixels_hu = mix(pixels_hu, head.falx_hu, np.maximum(_falx_share(head, points), _tent_share(points, tent)))
    return mix(pixels_hu, traits.sinus_hu, _sinus_share(head, place, points))


def _artery_share(points: Points) -> np.ndarray:
    x, y, z = points
    if not (float(z.max()) > -30 and float(z.min()) < 46):
        return np.zeros_like(x)
    pairs = (np.abs(x), y, z)
    inside_mm = np.full_like(x, -9)
    for start, end, radii in _ARTERIES:
        if float(z.max()) > min(start[2], end[2]) - 3 and float(z.min()) < max(start[2], end[2]) + 3:
            inside_mm = np.maximum(inside_mm, capsule_inside_mm(pairs, start, end, radii))
    return soft_edge(inside_mm, 1.6)


def _falx_share(head: Head, points: Points) -> np.ndarray:
    """A sheet between the hemispheres, shallow in front, down to the callosum and the tent behind."""
    x, y, z = points
    free_mm = (np.sqrt(((y + 12) / 49) ** 2 + ((z - 27) / 36) ** 2) - 1) * 36
    above_mm = np.where(y > 20, z - 26 + 0.47 * (y - 33), np.where(y < -30, z - 2, z - 40))
    # Thicker towards the back and the vertex.
    half_mm = head.cerebrum.falx_half_mm * np.clip(0.9 + y / 200, 0.5, 1.2)
    return band_share(np.abs(x), half_mm) * soft_edge(np.minimum(free_mm, above_mm), 3)


def _tent_share(points: Points, tent: Tentorium) -> np.ndarray:
    """A sheet that lies slant in the slice: as wide as the slice's part is high."""
    x, _, z = points
    if not (float(z.max()) > -2 and float(z.min()) < 34):
        return np.zeros_like(x)
    sheet = band_share(np.abs(tent.above_mm), 0.5, 1.9)
    return sheet * soft_edge(tent.behind_mm)


def _sinus_share(head: Head, place: Place, points: Points) -> np.ndarray:
    """The sagittal sinus, a triangle under the skull; straight and transverse sinuses, and where they meet."""
    x, y, z = points
    half_mm = head.cerebrum.sinus_half_mm
    # It grows from the forehead to the back of the head.
    grown = half_mm * np.clip(0.62 + 0.006 * y, 0.15, 1.1)
    sagittal_mm = np.minimum(
        (1.6 * grown - place.depth_mm) * np.float32(0.6), grown - 0.45 * place.depth_mm - np.abs(x)
    )
    share = soft_edge(np.minimum(sagittal_mm, z - np.where(y > 0, np.float32(1), np.float32(12))))
    if not (float(z.max()) > -30 and float(z.min()) < 32):
        return share
    straight_mm = capsule_inside_mm(points, *_STRAIGHT, (0.45 * half_mm, 0.55 * half_mm))
    torcula_mm = ellipsoid_inside_mm(points, _TORCULA, (1.7 * half_mm, 1.2 * half_mm, 1.3 * half_mm))
    # Right and left are seldom alike.
    wide_mm = half_mm * np.where(x < 0, np.float32(0.85), np.float32(0.6))
    transverse_mm = np.where(y > 14, wide_mm - np.hypot(place.depth_mm - 0.6 * wide_mm, z - 2), np.float32(-5))
    low_mm = np.maximum(np.maximum(straight_mm, torcula_mm), transverse_mm)
    return np.maximum(share, soft_edge(low_mm))
