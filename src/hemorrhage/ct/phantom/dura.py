"""Subdural blood along the folds of the dura: beside the falx and on the tentorium."""

from dataclasses import dataclass

import numpy as np

from hemorrhage.ct.phantom.linings import Filling
from hemorrhage.ct.phantom.meninges import tentorium
from hemorrhage.ct.phantom.place import Place, midline_x
from hemorrhage.ct.phantom.scene import Scene, clotted_hu, draw_packing
from hemorrhage.ct.phantom.space import draw_waves, soft_edge
from hemorrhage.ct.phantom.vault import between, fit_height, misses


@dataclass(frozen=True)
class FalxLining:
    """Blood along one side of the falx: its side, thickness, middle (y, z) and half lengths there, mm."""

    subtype: str
    side: int
    thickness_mm: float
    center_mm: tuple[float, float]
    extent_mm: tuple[float, float]
    filling: Filling


@dataclass(frozen=True)
class TentLining:
    """Blood on one half of the tentorium: its side, thickness, the distance of its middle from the midline and its
    half length across, mm."""

    subtype: str
    side: int
    thickness_mm: float
    middle_mm: float
    half_mm: float
    filling: Filling


def draw_falx_lining(rng: np.random.Generator, scene: Scene, severity: float) -> list[FalxLining]:
    """Returns blood beside the falx, in front or behind."""
    height_mm = between(7, 72, severity)
    y_mm = float(rng.choice([-45.0, 45.0], p=[0.4, 0.6])) + rng.normal(0, 8)
    return [
        FalxLining(
            subtype="subdural",
            side=scene.side,
            thickness_mm=2.2 + between(0.8, 7, severity) * rng.uniform(0.4, 1),
            center_mm=(y_mm, fit_height(rng.uniform(40, 75), height_mm, 20, 94)),
            extent_mm=(between(14, 48, severity), height_mm / 2),
            filling=Filling(clotted_hu(scene, draw_packing(rng)), draw_waves(rng, 18.0)),
        )
    ]


def draw_tent_lining(rng: np.random.Generator, scene: Scene, severity: float) -> list[TentLining]:
    """Returns blood on one half of the tentorium."""
    return [
        TentLining(
            subtype="subdural",
            side=scene.side,
            thickness_mm=2.5 + between(0.6, 4.5, severity),
            middle_mm=30 + rng.normal(0, 4),
            half_mm=between(7, 26, severity),
            filling=Filling(clotted_hu(scene, draw_packing(rng)), draw_waves(rng, 18.0)),
        )
    ]


def falx_share(lining: FalxLining, place: Place, shift_mm: float) -> np.ndarray:
    """Returns how much of each point is the blood beside the falx, whose midline `shift_mm` has moved, 0..1."""
    if misses(place, lining.center_mm[1], lining.extent_mm[1]):
        return np.zeros_like(place.x)
    squares = ((place.y - lining.center_mm[0]) / lining.extent_mm[0]) ** 2
    squares = squares + ((place.z - lining.center_mm[1]) / lining.extent_mm[1]) ** 4
    callosum_mm = (np.sqrt(((place.y - 2) / 46) ** 2 + ((place.z - 36) / 30) ** 2) - 1) * 30
    thick_mm = lining.thickness_mm * np.sqrt(np.clip(1 - squares, 0, 1))
    aside_mm = midline_x(place, shift_mm) * lining.side + 0.3
    inside_mm = np.minimum(np.minimum(thick_mm - aside_mm, aside_mm), np.minimum(callosum_mm, place.z - 14))
    return soft_edge(inside_mm) * soft_edge(place.depth_mm)


def tent_share(lining: TentLining, place: Place) -> np.ndarray:
    """Returns how much of each point is the blood on the tentorium, 0..1."""
    if misses(place, 13, 20):
        return np.zeros_like(place.x)
    tent = tentorium(place.points)
    across_mm = lining.half_mm - np.abs(place.x * lining.side - lining.middle_mm)
    edge_mm = np.minimum(tent.behind_mm, across_mm)
    thick_mm = lining.thickness_mm * np.sqrt(np.clip(edge_mm / 14, 0, 1))
    return soft_edge(0.85 * np.minimum(thick_mm - tent.above_mm, tent.above_mm + 0.5)) * soft_edge(place.depth_mm)
