"""The ventricles: horns, bodies and atria of the lateral ones, the slit of the third and the tent of the fourth."""

import numpy as np

from hemorrhage.ct.phantom.anatomy import Head
from hemorrhage.ct.phantom.nuclei import caudate_mm, thalamus_mm
from hemorrhage.ct.phantom.space import Points, capsule_inside_mm, ellipsoid_inside_mm

# Rods that make a lateral ventricle, left side: from, to, radii at both ends; caudate and thalamus are cut out.
_FRONTAL = ((13.5, -35, 27), (5.5, -12, 34), (3.4, 4.4))
_FRONTAL_TOP = ((13, -33, 36), (6.5, -14, 38), (3.4, 4.4))
_BODY = ((7, -16, 38), (11, 10, 43), (4.6, 4.6))
_BODY_BACK = ((11, 10, 43), (18, 27, 39), (4.2, 5.0))
_ATRIUM = ((18, 27, 39), (25, 38, 29), (4.8, 5.4))
_TEMPORAL_ROOT = ((25, 37, 29), (29, 26, 17), (4.6, 2.8))
_TEMPORAL = ((29, 26, 17), (30, -4, 5), (2.6, 1.5))
_OCCIPITAL = ((24, 40, 29), (19, 62, 25), (4.4, 1.8))
_LATERAL = (_FRONTAL, _FRONTAL_TOP, _BODY, _BODY_BACK, _ATRIUM, _TEMPORAL_ROOT, _TEMPORAL)


def ventricle_inside_mm(head: Head, points: Points) -> np.ndarray:
    """Returns the depth inside the nearest ventricle, mm, negative outside; below -20 it is no more than that."""
    x, _, z = points
    if not (float(z.max()) > -36 and float(z.min()) < 66):
        return np.full_like(x, -25)
    third_mm = ellipsoid_inside_mm(points, (0, 2, 21), (0.6 + 1.5 * head.ventricle_scale, 16, 12))
    return np.maximum(np.maximum(_lateral_mm(head, points), third_mm), _fourth_mm(head, points))


def _lateral_mm(head: Head, points: Points) -> np.ndarray:
    x, y, z = points
    pairs = (np.abs(x), y, z)
    swell = head.ventricle_scale
    inside_mm = np.full_like(x, -25)
    for start, end, radii in _LATERAL:
        rod_mm = capsule_inside_mm(pairs, start, end, (radii[0] * swell, radii[1] * swell))
        inside_mm = _join(inside_mm, rod_mm)
    horn_mm = capsule_inside_mm(pairs, *_OCCIPITAL[:2], (_OCCIPITAL[2][0] * swell, _OCCIPITAL[2][1] * swell))
    horns = np.where(x < 0, np.float32(head.cerebrum.horns_mm[0]), np.float32(head.cerebrum.horns_mm[1]))
    inside_mm = _join(inside_mm, horn_mm + horns * np.clip((y - 42) / 12, 0, 1))
    inside_mm = inside_mm + head.ventricle_skew * 4 * np.sign(x)
    give_mm = 2.2 * (swell - 0.85)
    nuclei_mm = np.maximum(caudate_mm(pairs), thalamus_mm(pairs)) - give_mm
    # The septum parts the two, but for a gap in a few.
    return np.minimum(np.minimum(inside_mm, -nuclei_mm), pairs[0] - head.cerebrum.septum_mm)


def _fourth_mm(head: Head, points: Points) -> np.ndarray:
    """A tent with its peak to the back and its floor on the pons, and the aqueduct above it."""
    x, y, z = points
    swell = head.ventricle_scale**0.5
    squares = (x / (9.5 * swell * np.clip(1.2 - (y - 33) / 10, 0.25, 1.2))) ** 2 + ((z + 10) / 13) ** 2
    tent_mm = (1 - np.sqrt(squares + ((y - 33) / (7.5 * swell)) ** 2)) * 4.5
    # The floor bulges forward into it on both sides of its furrow.
    tent_mm = np.minimum(tent_mm, y - 32.5 - 2 * np.abs(np.abs(x) - 2.5) / 6)
    aqueduct_mm = capsule_inside_mm(points, (0, 32, 0), (0, 23, 15), (1.2, 0.8))
    return np.maximum(tent_mm, aqueduct_mm)


def _join(first_mm: np.ndarray, second_mm: np.ndarray) -> np.ndarray:
    """The union of two shapes with its crease filled, some 3 mm about it."""
    crease = np.maximum(3 - np.abs(first_mm - second_mm), 0)
    return np.maximum(first_mm, second_mm) + crease**2 / 12
