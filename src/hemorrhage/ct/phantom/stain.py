"""What blood does in a head: how it pushes the brain, where it lies, and how dense it looks."""

from collections.abc import Sequence

import numpy as np

from hemorrhage.ct.phantom.anatomy import EQUATOR_MM, Place
from hemorrhage.ct.phantom.blood import (
    VAULT_RADIUS_MM,
    Bleed,
    Clot,
    FalxLining,
    Lining,
    SulcalBlood,
    VentricleFill,
)
from hemorrhage.ct.phantom.brain import Brain, Pressure
from hemorrhage.ct.phantom.space import ellipsoid_inside_mm, logistic, mix, sample_waves, soft_edge


def build_pressure(bleeds: Sequence[Bleed], place: Place) -> Pressure:
    """Returns what the bleeds do to the brain about them at the points of `place`."""
    lining_mm = np.zeros_like(place.x)
    widen_mm = np.zeros_like(place.x)
    dilate_mm, shift_mm = 0.0, 0.0
    for bleed in bleeds:
        if isinstance(bleed, Lining):
            lining_mm = np.maximum(lining_mm, _lining_mm(bleed, place))
            shift_mm -= float(np.sign(bleed.direction[0])) * 0.65 * max(bleed.thickness_mm - 4, 0)
        elif isinstance(bleed, Clot):
            shift_mm -= float(np.sign(bleed.center_mm[0])) * 0.3 * max(max(bleed.radii_mm) - 8, 0)
        elif isinstance(bleed, SulcalBlood):
            widen_mm = np.maximum(widen_mm, bleed.widen_mm * _region_share(bleed, place))
        elif isinstance(bleed, VentricleFill):
            dilate_mm = max(dilate_mm, 0.8)
    return Pressure(lining_mm, widen_mm, dilate_mm, float(np.clip(shift_mm, -12, 12)))


def shade_bleeds(bleeds: Sequence[Bleed], place: Place, brain: Brain) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Returns the brain's HU with the blood in it, and the share of each point that is blood of each subtype.

    HU and shares are float32 N x N; subtypes without a bleed have no entry.
    """
    pixels_hu = brain.pixels_hu
    shares: dict[str, np.ndarray] = {}
    for bleed in bleeds:
        share = _blood_share(bleed, place, brain)
        if isinstance(bleed, Clot):
            pixels_hu = pixels_hu - 11 * np.clip(_oedema_share(bleed, place, brain) - share, 0, 1)
        pixels_hu = mix(pixels_hu, _blood_hu(bleed, place), share)
        shares[bleed.subtype] = np.maximum(shares.get(bleed.subtype, 0), share)
    return pixels_hu, shares


def _blood_share(bleed: Bleed, place: Place, brain: Brain) -> np.ndarray:
    if isinstance(bleed, Lining):
        inside_mm = np.minimum(_lining_mm(bleed, place) - place.depth_mm, place.depth_mm + 0.8)
        return soft_edge(inside_mm)
    if isinstance(bleed, FalxLining):
        return soft_edge(_falx_lining_inside_mm(bleed, place)) * soft_edge(place.depth_mm)
    if isinstance(bleed, Clot):
        return soft_edge(_clot_inside_mm(bleed, place)) * soft_edge(brain.depth_mm) * (1 - brain.ventricle)
    if isinstance(bleed, VentricleFill):
        return brain.ventricle * _fill_share(bleed, place)
    return brain.cistern * _region_share(bleed, place) * (1 - brain.ventricle)


def _blood_hu(bleed: Bleed, place: Place) -> np.ndarray:
    density_hu = bleed.density_hu + 2.5 * sample_waves(bleed.texture, place.plane)
    if isinstance(bleed, Lining):
        density_hu = density_hu + bleed.layering_hu * np.clip(place.y / 50, -1, 1)
    return density_hu


def _lining_mm(bleed: Lining, place: Place) -> np.ndarray:
    """How thick the lining is where the ray from the cavity's middle through each point meets the skull."""
    forward = np.array(bleed.direction)
    level = np.array([-forward[1], forward[0], 0.0]) / np.hypot(forward[0], forward[1])
    upright = np.cross(forward, level)
    # The vault's rays are level below the equator, as in locate.
    rise = np.maximum(place.z - EQUATOR_MM, 0) - np.maximum(EQUATOR_MM - place.z, 0)
    length = np.sqrt(place.x**2 + place.y**2 + rise**2) + 1e-3
    along, aside, upward = ((place.x * a + place.y * b + rise * c) / length for a, b, c in (forward, level, upright))
    squares = (VAULT_RADIUS_MM * aside / bleed.extent_mm[0]) ** 2 + (VAULT_RADIUS_MM * upward / bleed.extent_mm[1]) ** 2
    profile = 1 - squares if bleed.subtype == "epidural" else np.sqrt(np.clip(1 - squares**2, 0, 1))
    if bleed.subtype == "subdural":
        profile = profile * (1 + 0.15 * sample_waves(bleed.texture, place.plane))
    own_side = soft_edge(place.x * np.sign(forward[0]) - 2.5, 2) * (along > 0)
    return np.where(squares < 1, bleed.thickness_mm * np.clip(profile, 0, 1.5) * own_side, 0).astype(np.float32)


def _falx_lining_inside_mm(bleed: FalxLining, place: Place) -> np.ndarray:
    squares = ((place.y - bleed.center_mm[0]) / bleed.extent_mm[0]) ** 2 + (
        (place.z - bleed.center_mm[1]) / bleed.extent_mm[1]
    ) ** 2
    callosum = (np.sqrt(((place.y - 2) / 46) ** 2 + ((place.z - 36) / 30) ** 2) - 1) * 30
    thickness_mm = bleed.thickness_mm * np.sqrt(np.clip(1 - squares, 0, 1))
    aside_mm = place.x * bleed.side
    return np.minimum(np.minimum(thickness_mm - aside_mm, aside_mm), np.minimum(callosum, place.z - 14))


def _clot_inside_mm(bleed: Clot, place: Place) -> np.ndarray:
    smooth_mm = ellipsoid_inside_mm(place.points, bleed.center_mm, bleed.radii_mm)
    return smooth_mm + 0.13 * min(bleed.radii_mm) * sample_waves(bleed.outline, place.plane)


def _oedema_share(bleed: Clot, place: Place, brain: Brain) -> np.ndarray:
    inside_mm = _clot_inside_mm(bleed, place) + bleed.rim_mm
    return soft_edge(inside_mm, 3.0) * soft_edge(brain.depth_mm - 1) * (1 - brain.ventricle) * (1 - brain.cistern)


def _fill_share(bleed: VentricleFill, place: Place) -> np.ndarray:
    level_mm = np.where(place.x < 0, bleed.levels_mm[0], bleed.levels_mm[1])
    share = soft_edge(place.y - level_mm, 2.0) * (place.z > 0)
    if bleed.cast_side:
        share = np.maximum(share, logistic((place.x * bleed.cast_side - 1.5) * 4) * (place.z > 14))
    if bleed.midline:
        share = np.maximum(share, soft_edge(6 - np.abs(place.x)) * (place.z < 32) * (np.abs(place.y - 3) < 18))
        share = np.maximum(share, soft_edge(12 - np.abs(place.x)) * (place.z < -1))
    return share


def _region_share(bleed: SulcalBlood, place: Place) -> np.ndarray:
    inside_mm = ellipsoid_inside_mm(place.points, bleed.center_mm, bleed.radii_mm)
    patchy = inside_mm + 4 * sample_waves(bleed.texture, place.plane)
    return soft_edge(patchy, 6.0)
