"""The cerebral cortex: sulci that fold inward from the surface of each hemisphere, and the grey ribbon along them."""

from dataclasses import dataclass

import cv2
import numpy as np

from hemorrhage.ct.phantom.anatomy import Head, Place
from hemorrhage.ct.phantom.space import Points, Waves, logistic, sample_waves, soft_edge

CORTEX_MM = 3.3
"""The thickness of the cortex: 2.5 to 3 mm on average, somewhat more where it is cut aslant."""

_REACH_MM = 34.0
"""How far the surface of a hemisphere lies from its core."""


@dataclass(frozen=True)
class Cortex:
    """How much of each point is fluid of the sulci, and how much is grey matter, 0..1, float32 N x N."""

    sulcus: np.ndarray
    grey: np.ndarray


def band_share(distance_mm: np.ndarray, half_mm: np.ndarray | float, width_mm: float = 1.1) -> np.ndarray:
    """Returns how much of a pixel `width_mm` wide a band of half width `half_mm` covers; thin ones never all of it."""
    low = np.maximum(distance_mm - half_mm, np.float32(-width_mm / 2))
    high = np.minimum(distance_mm + half_mm, np.float32(width_mm / 2))
    return np.clip((high - low) / np.float32(width_mm), 0, 1)


def shade_cortex(
    head: Head, place: Place, points: Points, surface_mm: np.ndarray, half_mm: np.ndarray, wander: np.ndarray
) -> Cortex:
    """Returns the cortex of the cerebrum: `surface_mm` below its surface, sulci of half width `half_mm` at their mouth.

    A sulcus is a curtain that hangs from the surface to a depth of its own; cortex lies about it and over the crowns.
    """
    aside_mm, depth = _folds(head, place, points, wander)
    # The curtain's foot: 7 to 24 mm deep, as sulci are, but shallow on the inner faces, where few are seen.
    foot_mm = np.clip(14 + 5 * depth, 7, 24) * np.clip(0.3 + np.abs(points[0]) / 35, 0.3, 1)
    below_mm = np.maximum(surface_mm - foot_mm, 0)
    distance_mm = np.hypot(aside_mm, below_mm)
    # Mouths gape, depths close.
    open_mm = half_mm * np.clip(1.5 - surface_mm / 13 + 0.65 * depth, 0.15, 2.2) * tightness(points[2])
    sulcus = band_share(distance_mm, open_mm)
    ribbon_mm = np.maximum(CORTEX_MM - surface_mm, CORTEX_MM + open_mm - distance_mm)
    return Cortex(sulcus, soft_edge(ribbon_mm, 1.5))


def tightness(z: np.ndarray) -> np.ndarray:
    """Returns how wide sulci are relative to lower down, 0.45..1.

    Measured: equally wide ones made the darkest 5 % of a slice at the vertex 8 HU darker than in real slices.
    """
    return np.clip(1 - (z - 52) / 55, 0.45, 1)


def _folds(head: Head, place: Place, points: Points, wander: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distance to the middle of the nearest sulcus, mm, and a field that tells how deep it goes.

    Sulci are the zeros of a field that hardly changes along rays inward; the rays are bent.
    """
    size = len(place.plane.grid_mm)
    step = 2 if size % 2 == 0 and size >= 128 else 1
    bend = 3.0 * sample_waves(head.folds, place.plane)
    x, y, z = points
    bent = (x + 2.5 * wander, y + bend, z - 0.6 * bend - 2 * wander)
    at_surface, reach_mm = _project((bent[0][::step, ::step], bent[1][::step, ::step], bent[2][::step, ::step]))
    field, depth = _sum_at(head.sulci, at_surface), _sum_at(head.cerebrum.fold_depth, at_surface)
    signed_mm, crowd_mm = _to_distance(field, head.sulci.steepness, step * place.plane.pixel_mm)
    # Near the core all rays meet: no sulcus gets there.
    crowd_mm = crowd_mm + np.clip(14 - reach_mm, 0, 10)
    if step > 1:
        signed_mm, crowd_mm, depth = _enlarge(signed_mm), _enlarge(crowd_mm), _enlarge(depth)
    return np.minimum(np.abs(signed_mm) + crowd_mm, _central_mm(points, wander)), depth


def _to_distance(field: np.ndarray, steepness: float, pixel_mm: float) -> tuple[np.ndarray, np.ndarray]:
    """The field divided by its slope in the plane, about a distance in mm of either sign, and what crowding adds."""
    across = cv2.Sobel(field, cv2.CV_32F, 1, 0, scale=1 / (8 * pixel_mm))
    down = cv2.Sobel(field, cv2.CV_32F, 0, 1, scale=1 / (8 * pixel_mm))
    # Where the sulcus lies in the slice's plane the slope vanishes; the sulcus is wide there, but not without bounds.
    slope = np.sqrt(across**2 + down**2 + np.float32((0.45 * steepness) ** 2))
    # Where rays crowd there is no room for every sulcus.
    crowd_mm = 5 * np.maximum(slope / np.float32(steepness) - np.float32(1.5), 0)
    return field / slope, crowd_mm


def _enlarge(coarse: np.ndarray) -> np.ndarray:
    """Doubles the points: sample k of the coarse field lies at point 2k of the fine one."""
    size = coarse.shape[0]
    turn = np.array([[2, 0, 0], [0, 2, 0]], dtype=np.float32)
    return cv2.warpAffine(coarse, turn, (2 * size, 2 * size), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def _project(points: Points) -> tuple[np.ndarray, np.ndarray]:
    """Points moved along rays from their hemisphere's core onto its surface, M x M x 3; how far from it they were."""
    x, y, z = points
    wide = np.abs(x)
    # The temporal lobe hangs below the Sylvian fissure, behind y = -24.
    low = 26 - 22 * logistic((y + 24) / 3) * logistic((14 + 0.45 * (y + 24) - z) / 1.5)
    core = (np.clip(wide, 27, 33), np.clip(y, -30, 32), np.clip(z, low, 54))
    offsets = (wide - core[0], y - core[1], z - core[2])
    reach_mm = np.sqrt(offsets[0] ** 2 + offsets[1] ** 2 + offsets[2] ** 2 + 1)
    part = _REACH_MM / reach_mm
    moved = [c + part * o for c, o in zip(core, offsets, strict=True)]
    moved[0] = moved[0] * np.sign(x)
    return np.stack(moved, axis=-1).astype(np.float32), reach_mm


def _sum_at(waves: Waves, at_points: np.ndarray) -> np.ndarray:
    """The field at points that lie on no plane, float32; one cosine a wave and point."""
    angles = at_points @ waves.vectors.T.astype(np.float32) + waves.phases.astype(np.float32)
    return np.cos(angles).sum(axis=-1) * np.float32(np.sqrt(2 / len(waves.phases)))


def _central_mm(points: Points, wander: np.ndarray) -> np.ndarray:
    """The distance to the central sulcus, which runs forward from the vertex down to the Sylvian fissure."""
    x, y, z = points
    wide = np.abs(x)
    along = 20 - 0.52 * wide - 0.10 * (80 - z) + 1.8 * wander + 3 * np.sin(wide / 6 + 1)
    return np.where((wide > 8) & (z > 42), np.abs(y - along) * np.float32(0.85), np.float32(30))
