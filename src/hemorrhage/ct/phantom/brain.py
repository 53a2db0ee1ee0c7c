"""What lies inside the cavity: grey and white matter, the spaces that hold fluid, falx and tentorium."""

from dataclasses import dataclass

import numpy as np

from hemorrhage.ct.phantom.anatomy import Head, Place
from hemorrhage.ct.phantom.space import (
    bell,
    capsule_inside_mm,
    ellipsoid_inside_mm,
    logistic,
    mix,
    sample_waves,
    soft_edge,
)

Points = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Pressure:
    """What blood does to the brain about it, before any of it is drawn.

    `lining_mm` (float32 N x N) is how far the brain is pushed off the skull, `widen_mm` (N x N) how much wider the
    sulci and cisterns are, `dilate_mm` how much wider the ventricles, `shift_mm` how far the midline moves
    along x.
    """

    lining_mm: np.ndarray
    widen_mm: np.ndarray
    dilate_mm: float
    shift_mm: float


@dataclass(frozen=True)
class Brain:
    """The inside of the cavity: HU and the share of each point that is one thing or another, float32 N x N.

    `depth_mm` is the depth below the brain's surface; `cistern` are the fluid spaces about the brain that blood
    can run into, `ventricle` those within it.
    """

    pixels_hu: np.ndarray
    depth_mm: np.ndarray
    cistern: np.ndarray
    ventricle: np.ndarray


def shade_brain(head: Head, place: Place, pressure: Pressure) -> Brain:
    """Returns the brain of `head` as `pressure` leaves it, at every point of `place`."""
    depth_mm = place.depth_mm - pressure.lining_mm - (0.6 + 2.2 * head.atrophy**2)
    shifted_x = place.x + _shift(place, pressure.shift_mm)
    points = (shifted_x, place.y, place.z)
    # Clefts wind; the same bends shape basal cisterns and Sylvian fissures of each side in their own way.
    wander = 2.2 * sample_waves(head.thickness, place.plane)
    wander += 1.0 * sample_waves(head.texture, place.plane)
    winding = (shifted_x + 0.4 * wander, place.y + wander, place.z)
    sulcus_mm = _sulcus_inside_mm(head, place, depth_mm, pressure.widen_mm)
    half_mm = 0.3 + 1.0 * head.atrophy + pressure.widen_mm
    cistern_mm = np.maximum(_fissure_inside_mm(points, winding, half_mm), _basal_inside_mm(winding, half_mm))
    cistern = np.maximum(soft_edge(sulcus_mm), soft_edge(cistern_mm)) * soft_edge(depth_mm + 0.8)
    ventricle = soft_edge(ventricle_inside_mm(head, points) + pressure.dilate_mm)
    grey = _grey_share(place, points, depth_mm + 2 * wander, sulcus_mm)
    pixels_hu = head.white_hu + (head.grey_hu - head.white_hu) * grey + 0.8 * sample_waves(head.texture, place.plane)
    pixels_hu = _add_old_infarct(head, place, pixels_hu)
    fluid = np.maximum(np.maximum(cistern, ventricle), soft_edge(-depth_mm))
    pixels_hu = mix(pixels_hu, head.csf_hu, fluid)
    pixels_hu = mix(pixels_hu, head.falx_hu, _dura_share(place, points))
    for spot in head.calcifications:
        inside_mm = ellipsoid_inside_mm(points, spot.center_mm, (spot.radius_mm,) * 3)
        if inside_mm.max() > -2:
            pixels_hu = mix(pixels_hu, spot.density_hu, soft_edge(inside_mm, 1.8))
    return Brain(pixels_hu + _beam_hardening(place), depth_mm, cistern, ventricle)


def _shift(place: Place, shift_mm: float) -> np.ndarray | float:
    if shift_mm == 0:
        return 0.0
    reach = bell(place.y / 65) * bell((place.z - 32) / 45)
    return -shift_mm * reach * np.clip(1 - (place.x / 62) ** 2, 0, 1)


def _sulcus_inside_mm(head: Head, place: Place, depth_mm: np.ndarray, widen_mm: np.ndarray) -> np.ndarray:
    """Sulci: the zero surface of a random field, wide at the brain's surface, closing some 15 mm below it."""
    distance_mm = np.abs(sample_waves(head.sulci, place.plane)) / head.sulci.steepness
    cerebellum = logistic((8 - place.z) / 3) * logistic((place.y - 15) / 4)
    width_mm = (0.15 + 1.1 * head.atrophy**1.5 + widen_mm) * (1 - 0.8 * cerebellum)
    return width_mm * np.clip(1.15 - depth_mm / 16, -1, 1) - distance_mm


def _fissure_inside_mm(points: Points, winding: Points, half_mm: np.ndarray) -> np.ndarray:
    """The cleft between the hemispheres outside the corpus callosum, and the Sylvian fissure with the insula."""
    x, y, z = points
    wide = np.abs(x)
    callosum = (1 - np.sqrt(((y - 2) / 44) ** 2 + ((z - 36) / 28) ** 2)) * 28
    low_back = np.minimum(12 - z, y + 22)
    between_mm = np.minimum(1.0 * half_mm - wide, -np.maximum(callosum, low_back))
    x, y, z = winding
    wide = np.abs(x)
    level = 1.5 - ((z - 20) / 20) ** 2
    stem_mm = 1.6 * half_mm - np.abs(y + 14 - 0.35 * (wide - 40) + 0.15 * (z - 15)) * 0.94
    stem_mm = np.minimum(stem_mm, np.minimum(wide - 35, 3 * level))
    insula_mm = 1.2 * half_mm - np.abs(wide - 38 + 0.008 * (y + 5) ** 2)
    insula_mm = np.minimum(insula_mm, np.minimum(20 - np.abs(y + 4), 3 * level))
    return np.maximum(between_mm, np.maximum(stem_mm, insula_mm))


def _basal_inside_mm(points: Points, half_mm: np.ndarray) -> np.ndarray:
    """The star above the sella, the ring about the brain stem, and the cistern behind the midbrain."""
    x, y, z = points
    star_radius = 9 * (1 + 0.35 * np.cos(6 * np.arctan2(x, -(y + 6))))
    star_mm = np.minimum(star_radius - 2 + half_mm - np.hypot(x, y + 6), 6 - np.abs(z - 6))
    stem = np.hypot(x / 16, (y - 15) / 14)
    # In front of the pons and at the sides of the midbrain; the cerebellum hugs the rest.
    open_mm = 1.6 * half_mm * np.where(z > 4, np.clip((y - 6) / 8, 0, 1), np.clip((12 - y) / 10, 0, 1))
    ring_mm = np.minimum(open_mm - np.abs((stem - 1.08) * 15), np.minimum(14 - z, z + 30))
    ring_mm = np.where(open_mm > 0.15, ring_mm, -5)
    behind_mm = ellipsoid_inside_mm(points, (0, 32, 20), (8, 4, 7))
    magna_mm = ellipsoid_inside_mm(points, (0, 66, -30), (9, 6, 12))
    return np.maximum(np.maximum(star_mm, ring_mm), np.maximum(behind_mm, magna_mm))


# Rods that make a lateral ventricle, left side: from, to, radii at both ends.
_FRONTAL = ((10, -33, 29), (4.5, -10, 33), (4.6, 3.2))
_BODY = ((6, -18, 37), (13, 18, 46), (4.6, 4.8))
_ATRIUM = ((13, 18, 45), (23, 40, 33), (4.8, 6.6))
_OCCIPITAL = ((23, 40, 32), (21, 61, 27), (6.0, 2.6))
_TEMPORAL = ((25, 34, 22), (29, -6, 4), (3.4, 1.6))
_TEMPORAL_ROOT = ((23, 38, 31), (25, 34, 22), (5.4, 3.4))
_LATERAL = (_FRONTAL, _BODY, _ATRIUM, _OCCIPITAL, _TEMPORAL, _TEMPORAL_ROOT)


def ventricle_inside_mm(head: Head, points: Points) -> np.ndarray:
    """Returns the depth inside the nearest ventricle (lateral, third or fourth), mm, negative outside."""
    x, y, z = points
    if not (float(z.max()) > -36 and float(z.min()) < 62):
        return np.full_like(x, -9.0)
    pairs = (np.abs(x), y, z)
    scale = head.ventricle_scale
    inside_mm = np.full_like(x, -9.0)
    for start, end, radii in _LATERAL:
        inside_mm = np.maximum(inside_mm, capsule_inside_mm(pairs, start, end, (radii[0] * scale, radii[1] * scale)))
    inside_mm = inside_mm + head.ventricle_skew * 3 * np.sign(x)
    # The septum parts the two.
    inside_mm = np.minimum(inside_mm, np.abs(x) - 0.9)
    third_mm = ellipsoid_inside_mm(points, (0, 3, 19), (1.0 + 1.6 * scale, 17, 13))
    fourth_mm = ellipsoid_inside_mm(points, (0, 37, -14), (7 * scale**0.5, 4.5 * scale**0.5, 11))
    return np.maximum(inside_mm, np.maximum(third_mm, fourth_mm))


def _grey_share(place: Place, points: Points, depth_mm: np.ndarray, sulcus_mm: np.ndarray) -> np.ndarray:
    """Cortex along the surface and the sulci, deep nuclei, and the cerebellum, which is grey nearly all through."""
    cortex = np.maximum(soft_edge(3.5 - place.depth_mm, 3), soft_edge(sulcus_mm + 3.8, 3) * soft_edge(17 - depth_mm, 5))
    pairs = (np.abs(points[0]), points[1], points[2])
    caudate = ellipsoid_inside_mm(pairs, (13, -20, 29), (5, 10, 11))
    lentiform = ellipsoid_inside_mm(pairs, (24, -4, 22), (7, 17, 12))
    thalamus = ellipsoid_inside_mm(pairs, (11, 12, 25), (8, 14, 10))
    nuclei = 0.85 * soft_edge(np.maximum(np.maximum(caudate, lentiform), thalamus), 3)
    cerebellum = 0.75 * logistic((4 - place.z) / 3) * logistic((place.y - 18) / 3)
    return np.maximum(np.maximum(cortex, nuclei), cerebellum)


def _dura_share(place: Place, points: Points) -> np.ndarray:
    """Falx, tentorium, and the sagittal sinus behind: bright lines in every head."""
    x, y, z = points
    free_edge = (np.sqrt((y / 60) ** 2 + ((z - 28) / 46) ** 2) - 1) * 46
    falx_mm = np.minimum(0.55 - np.abs(x), np.minimum(free_edge, z - 12 + 0.2 * y))
    falx_mm = np.where((z < 22) & (y > 0), -5.0, falx_mm)
    slope_mm = np.abs(z - 28 + 0.45 * np.abs(x) + 0.1 * np.maximum(y - 45, 0))
    notch_mm = np.hypot(x / 20, (y - 12) / 24) * 20 - 20
    tent_mm = np.minimum(0.5 - 0.88 * slope_mm, np.minimum(notch_mm, y - 12))
    sinus_mm = np.minimum(5.5 - place.depth_mm - 1.5 * np.abs(x), np.minimum(y - 5, z - 8))
    return np.maximum(np.maximum(soft_edge(falx_mm), soft_edge(tent_mm)), soft_edge(sinus_mm))


def _add_old_infarct(head: Head, place: Place, pixels_hu: np.ndarray) -> np.ndarray:
    scar = head.old_infarct
    if scar is None:
        return pixels_hu
    inside_mm = ellipsoid_inside_mm(place.points, scar.center_mm, (scar.radius_mm,) * 3)
    return mix(pixels_hu, scar.density_hu, soft_edge(inside_mm, 5))


def _beam_hardening(place: Place) -> np.ndarray:
    """A bright rim under the skull and a dark bar between the petrous bones, as bone leaves them in every scan."""
    rim = 5 * np.exp(-np.maximum(place.depth_mm, 0) / 3.5)
    bar = -7 * bell((place.z + 14) / 9) * bell((place.y - 22) / 8) * bell(place.x / 40)
    return rim + bar
