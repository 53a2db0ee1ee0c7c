"""What lies inside the cavity: grey and white matter, the spaces that hold fluid, falx and tentorium."""

from dataclasses import dataclass, replace

import numpy as np

from hemorrhage.ct.phantom.anatomy import Head, Place
from hemorrhage.ct.phantom.cerebrum import Spot
from hemorrhage.ct.phantom.cisterns import basal_mm, between_mm, cleft_share, stem_inside_mm, sylvian_mm
from hemorrhage.ct.phantom.cortex import CORTEX_MM, band_share, shade_cortex
from hemorrhage.ct.phantom.crop import crop_to_cavity
from hemorrhage.ct.phantom.hindbrain import Hindbrain, shade_hindbrain
from hemorrhage.ct.phantom.meninges import Tentorium, add_meninges, tentorium
from hemorrhage.ct.phantom.nuclei import nuclei_share
from hemorrhage.ct.phantom.place import midline_x
from hemorrhage.ct.phantom.space import Points, ellipsoid_inside_mm, mix, sample_waves, soft_edge
from hemorrhage.ct.phantom.ventricles import ventricle_inside_mm


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


@dataclass(frozen=True)
class _Fluid:
    """The share of each point that is fluid about the brain, the share that is grey matter, and the cerebellum."""

    cistern: np.ndarray
    grey: np.ndarray
    hindbrain: Hindbrain | None
    tent: Tentorium


def shade_brain(head: Head, place: Place, pressure: Pressure) -> Brain:
    """Returns the brain of `head` as `pressure` leaves it, at every point of `place`; white matter beyond the skull."""
    crop = crop_to_cavity(place, 1.5)
    near = replace(pressure, lining_mm=crop.cut(pressure.lining_mm), widen_mm=crop.cut(pressure.widen_mm))
    brain = _shade_near(head, crop.cut_place(place), near)
    nothing = np.zeros_like(place.x)
    return Brain(
        pixels_hu=crop.paste(brain.pixels_hu, np.full_like(place.x, head.white_hu)),
        depth_mm=crop.paste(brain.depth_mm, place.depth_mm - pressure.lining_mm),
        cistern=crop.paste(brain.cistern, nothing),
        ventricle=crop.paste(brain.ventricle, nothing),
    )


def _shade_near(head: Head, place: Place, pressure: Pressure) -> Brain:
    """The brain where the cavity is near."""
    depth_mm = place.depth_mm - pressure.lining_mm - _gap_mm(head, place)
    points = (midline_x(place, pressure.shift_mm), place.y, place.z)
    texture = sample_waves(head.texture, place.plane)
    wander = sample_waves(head.thickness, place.plane) + 0.4 * texture
    parts = _part(head, place, points, (depth_mm, pressure.widen_mm, wander, texture))
    ventricle_mm = ventricle_inside_mm(head, points) + pressure.dilate_mm
    ventricle = soft_edge(ventricle_mm)
    pixels_hu = head.white_hu + (head.grey_hu - head.white_hu) * parts.grey + 0.6 * texture
    pixels_hu = pixels_hu - _pallor_hu(head, ventricle_mm, wander) * (1 - parts.grey)
    if parts.hindbrain is not None:
        furrow_hu = (0.15 + 0.85 * head.atrophy) * head.cerebrum.folia_hu * parts.hindbrain.furrows
        pixels_hu = pixels_hu - furrow_hu * parts.hindbrain.share
    pixels_hu = _add_spots(points, pixels_hu, head.cerebrum.scars)
    pixels_hu = mix(pixels_hu, head.csf_hu, np.maximum(np.maximum(parts.cistern, ventricle), soft_edge(-depth_mm)))
    pixels_hu = _add_spots(points, pixels_hu, head.cerebrum.pools)
    pixels_hu = add_meninges(head, place, points, parts.tent, pixels_hu)
    pixels_hu = _add_spots(points, pixels_hu, head.cerebrum.calcium)
    return Brain(pixels_hu, depth_mm, parts.cistern, ventricle)


def _gap_mm(head: Head, place: Place) -> np.ndarray:
    """Fluid between skull and brain: a film in the young; in the old wide over the frontal lobes and the vertex."""
    front = np.clip(0.5 - place.y / 90 + (place.z - 40) / 120, 0.2, 1.6)
    return np.float32(0.4) + np.float32(3.4 * head.atrophy**1.8) * front


def _part(head: Head, place: Place, points: Points, fields: tuple[np.ndarray, ...]) -> _Fluid:
    """Parts the brain from the fluid about it; `fields` are the depth below its surface, the widening, two random
    fields."""
    depth_mm, widen_mm, wander, texture = fields
    x, y, z = points
    # Clefts wind, each side in its own way.
    winding = (x + 1.5 * wander + 0.5 * texture, y + 2.2 * wander, z + 1.5 * wander)
    half_mm = np.maximum(0.3 + 1.3 * head.atrophy**1.15 * (1 + 0.3 * wander) + widen_mm, 0.1)
    stem_mm = stem_inside_mm(points)
    tent = tentorium(points)
    above_mm = np.where(tent.behind_mm > 0, tent.above_mm, np.float32(30))
    cleft_half_mm = half_mm * np.clip(1.3 - y / 80, 0.5, 2)
    inner_mm = between_mm((x + 0.5 * wander, y, z), 0.6 * cleft_half_mm)
    surface_mm = np.minimum(np.minimum(depth_mm, inner_mm), above_mm)
    # No sulcus enters the deep nuclei, neither from the skull base nor from the midline.
    core_mm = ellipsoid_inside_mm((np.abs(x), y, z), (0, 0, 19), (33, 34, 25))
    surface_mm = surface_mm + 2 * np.maximum(core_mm, 0)
    # Sulci gape less on the inner faces than over the convexity.
    mouth_mm = half_mm * np.clip(0.45 + np.abs(x) / 40, 0, 1)
    cortex = shade_cortex(head, place, points, surface_mm, mouth_mm, wander)
    distance_mm, wider = sylvian_mm(winding)
    sylvian_half_mm = wider * (2.2 * half_mm + 0.1) * np.clip(1 + 0.6 * texture, 0.5, 2)
    basal = soft_edge(basal_mm(winding, half_mm, head.cerebrum.magna_mm))
    clefts = np.maximum(cleft_share((x + 0.5 * wander, y, z), cleft_half_mm), band_share(distance_mm, sylvian_half_mm))
    grey = np.maximum(cortex.grey, soft_edge(CORTEX_MM + sylvian_half_mm - distance_mm, 1.5))
    grey = np.maximum(grey, nuclei_share(points))
    hindbrain = shade_hindbrain(points, tent, (depth_mm, stem_mm), (wander, texture))
    sulcus = cortex.sulcus
    if hindbrain is not None:
        stem = soft_edge(stem_mm, 1.5)
        below = np.maximum(hindbrain.share, stem)
        grey = mix(mix(grey, hindbrain.grey, hindbrain.share), 0.45, stem)
        sulcus, clefts = sulcus * (1 - below), clefts * (1 - below)
    cistern = np.maximum(np.maximum(sulcus, clefts), basal) * soft_edge(depth_mm + 0.8)
    return _Fluid(cistern, grey, hindbrain, tent)


def _pallor_hu(head: Head, ventricle_mm: np.ndarray, wander: np.ndarray) -> np.ndarray:
    """How much darker white matter is about the ventricles: patchy, and seen from the middle of life on."""
    aged = float(np.clip((head.atrophy - 0.25) / 0.6, 0, 1))
    reach_mm = 4 + 9 * aged
    return np.float32(aged * head.cerebrum.pallor_hu) * np.clip(1 + (ventricle_mm + 2 * wander) / reach_mm, 0, 1)


def _add_spots(points: Points, pixels_hu: np.ndarray, spots: tuple[Spot, ...]) -> np.ndarray:
    for spot in spots:
        reach_mm = spot.radii_mm[2] + spot.edge_mm
        if (
            float(points[2].max()) < spot.center_mm[2] - reach_mm
            or float(points[2].min()) > spot.center_mm[2] + reach_mm
        ):
            continue
        inside_mm = ellipsoid_inside_mm(points, spot.center_mm, spot.radii_mm)
        pixels_hu = mix(pixels_hu, spot.density_hu, soft_edge(inside_mm, spot.edge_mm))
    return pixels_hu
