"""Blood in the ventricles: settled at the back, or a cast of the whole."""

from dataclasses import dataclass

import numpy as np

from hemorrhage.ct.phantom.brain import Brain
from hemorrhage.ct.phantom.place import Place, midline_x
from hemorrhage.ct.phantom.scene import Scene, clotted_hu
from hemorrhage.ct.phantom.space import Waves, draw_waves, sample_waves, soft_edge
from hemorrhage.ct.phantom.vault import between, misses

_FOOT_MM, _TOP_MM = -26.0, 60.0
_HORN_MM = 28.0
"""The height of the occipital horns' tips, where blood settles first."""


@dataclass(frozen=True)
class VentricleFill:
    """Blood in the ventricles between two heights, below a level at the back (the patient lies supine), mm.

    `levels_mm` holds y of the level on the right and the left; `third_mm` is y of the level in the third ventricle,
    `fourth` whether the fourth is full; `edge_mm` is how sharp the levels are, `dilate_mm` how much wider
    the ventricles are for the dammed fluid.
    """

    subtype: str
    heights_mm: tuple[float, float]
    levels_mm: tuple[float, float]
    third_mm: float
    fourth: bool
    edge_mm: float
    dilate_mm: float
    density_hu: float
    texture: Waves


def draw_ventricle_fill(rng: np.random.Generator, scene: Scene, severity: float) -> list[VentricleFill]:
    """Returns blood in the ventricles: a sediment one slice high at severity 0, a cast of nearly all at 1."""
    height_mm = between(11, _TOP_MM - _FOOT_MM, severity)
    part = (_HORN_MM - _FOOT_MM) / (_TOP_MM - _FOOT_MM)
    near_mm = 51 - 13 * severity - 85 * max(severity - 0.45, 0) * rng.uniform(0.3, 1.4)
    far_mm = 53 - 13 * severity - 60 * max(severity - 0.7, 0) + rng.uniform(0, 5)
    cast = scene.breaks_in or rng.random() < 0.2
    if not cast:
        near_mm = max(near_mm, 38 - 12 * severity)
    packing = rng.uniform(1.2, 1.7)
    return [
        VentricleFill(
            subtype="intraventricular",
            heights_mm=(_HORN_MM - part * height_mm, _HORN_MM + (1 - part) * height_mm),
            levels_mm=(near_mm, far_mm) if scene.side < 0 else (far_mm, near_mm),
            third_mm=22 - 42 * float(np.clip((severity - rng.uniform(0.15, 0.6)) / 0.5, 0, 1)),
            fourth=bool(rng.random() < severity),
            edge_mm=rng.uniform(1.2, 3) if not cast else rng.uniform(3, 12),
            dilate_mm=0.9 + 3.0 * severity * rng.random(),
            density_hu=clotted_hu(scene, packing),
            texture=draw_waves(rng, 14.0),
        )
    ]


def fill_share(fill: VentricleFill, place: Place, brain: Brain, shift_mm: float) -> np.ndarray:
    """Returns how much of each point is blood in a ventricle, 0..1."""
    foot_mm, top_mm = fill.heights_mm
    if misses(place, (foot_mm + top_mm) / 2, (top_mm - foot_mm) / 2):
        return np.zeros_like(place.x)
    x_mm = midline_x(place, shift_mm)
    ripple_mm = 0.5 * fill.edge_mm * sample_waves(fill.texture, place.plane)
    level_mm = np.where(x_mm < 0, np.float32(fill.levels_mm[0]), np.float32(fill.levels_mm[1]))
    share = soft_edge(place.y - level_mm + ripple_mm, fill.edge_mm)
    third = (np.abs(x_mm) < 6) & (place.z < 32) & (place.z > 4) & (np.abs(place.y - 4) < 18)
    share = np.where(third, soft_edge(place.y - fill.third_mm, 3), share)
    share = np.where((place.z < 4) & (np.abs(x_mm) < 15), np.float32(fill.fourth), share)
    upright_mm = np.minimum(place.z - foot_mm, top_mm - place.z)
    return brain.ventricle * share * soft_edge(upright_mm, 2)
