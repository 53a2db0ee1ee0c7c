"""Places on the skull's vault: where the blood, fluid or surgery that lies on it begins and ends."""

import math
from dataclasses import dataclass

import numpy as np

from hemorrhage.ct.phantom.place import DOME_MM, EQUATOR_MM, HALF_LENGTH_MM, HALF_WIDTH_MM, Place

VAULT_RADIUS_MM = 74.0
"""About how far the inner table is from the cavity's axis."""

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Patch:
    """A rounded patch of the vault on one side (-1 right, 1 left).

    `azimuth` is in radians behind the ear's direction, `z_mm` the height of the middle; `half_mm` are the half
    lengths along the vault, level and upright.
    """

    side: int
    azimuth: float
    z_mm: float
    half_mm: tuple[float, float]


@dataclass(frozen=True)
class Crown:
    """A round patch of the vault at the vertex, on both sides of the midline: its middle's y and its half length."""

    y_mm: float
    half_mm: float


def patch_squares(patch: Patch | Crown, place: Place) -> np.ndarray:
    """Returns the squared distance from the patch's middle, 1 at its edge, float32 N x N."""
    if isinstance(patch, Crown):
        squares = (place.x**2 + (place.y - patch.y_mm) ** 2) / patch.half_mm**2
        return squares + 10 * (place.z < EQUATOR_MM + 15)
    upright = ((place.z - patch.z_mm) / patch.half_mm[1]) ** 2
    if upright.min() >= 1:
        return upright
    level_mm = VAULT_RADIUS_MM * (np.arctan2(place.y, place.x * patch.side) - patch.azimuth)
    return (level_mm / patch.half_mm[0]) ** 2 + upright**2


def misses(place: Place, z_mm: float, half_mm: float) -> bool:
    """Returns whether the whole plane lies above or below what reaches `half_mm` up and down from `z_mm`."""
    return bool(place.z.min() > z_mm + half_mm or place.z.max() < z_mm - half_mm)


def surface_point(side: int, azimuth: float, z_mm: float, depth_mm: float = 0.0) -> Triple:
    """Returns the point `depth_mm` below the average vault in the direction and at the height given, head mm."""
    narrowing = math.sqrt(max(1 - (max(z_mm - EQUATOR_MM, 0) / DOME_MM) ** 2, 0.05))
    across = (math.cos(azimuth) / HALF_WIDTH_MM) ** 2 + (math.sin(azimuth) / HALF_LENGTH_MM) ** 2
    radius_mm = max(narrowing / math.sqrt(across) - depth_mm, 2.0)
    return (side * radius_mm * math.cos(azimuth), radius_mm * math.sin(azimuth), z_mm)


def between(low: float, high: float, severity: float) -> float:
    """Returns a length that grows by equal factors from `low` at severity 0 to `high` at severity 1."""
    return low * (high / low) ** severity


def fit_height(z_mm: float, height_mm: float, low_mm: float, high_mm: float) -> float:
    """Returns the middle nearest to `z_mm` from which `height_mm` stays between low and high, or their middle."""
    margin_mm = min(height_mm, high_mm - low_mm) / 2
    return min(max(z_mm, low_mm + margin_mm), high_mm - margin_mm)
