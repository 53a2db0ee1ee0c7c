"""The brain below the tentorium: cerebellum with its folia and its white core, and the brain stem."""

from dataclasses import dataclass

import numpy as np

from hemorrhage.ct.phantom.meninges import Tentorium
from hemorrhage.ct.phantom.space import Points, soft_edge


@dataclass(frozen=True)
class Hindbrain:
    """How much of each point is cerebellum, how grey it is there, and how dark its furrows are, 0..1, N x N."""

    share: np.ndarray
    grey: np.ndarray
    furrows: np.ndarray


def shade_hindbrain(
    points: Points, tent: Tentorium, inside: tuple[np.ndarray, np.ndarray], fields: tuple[np.ndarray, np.ndarray]
) -> Hindbrain | None:
    """Returns the cerebellum, or None above it.

    `inside` is the depth below the brain's surface and the depth inside the brain stem, mm; `fields` are two random
    ones, of long and of short waves.
    """
    x, y, z = points
    if float(z.min()) > 30:
        return None
    depth_mm, stem_mm = inside
    below_mm = np.minimum(-tent.above_mm, y - 8 - 0.25 * np.abs(x))
    high_mm = np.maximum(36 - np.hypot(x, y - 44), -tent.behind_mm)
    below_mm = np.where(z > 2, np.minimum(below_mm, high_mm), below_mm)
    inside_mm = np.minimum(below_mm, depth_mm)
    core = soft_edge(inside_mm - 9, 8) * soft_edge(np.abs(x) - 6, 4)
    share = soft_edge(np.minimum(below_mm, -stem_mm), 1.5)
    return Hindbrain(share, 0.92 - 0.75 * core, _furrows(points, inside_mm, fields))


def _furrows(points: Points, inside_mm: np.ndarray, fields: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Folia run as shells about the fourth ventricle, some five millimetres apart, most distinct under the tent.

    Two more furrows part the vermis from the hemispheres.
    """
    x, y, z = points
    wander, texture = fields
    shells_mm = np.hypot(np.hypot(0.75 * x, y - 26), 1.1 * (z + 8)) + 2.2 * wander + 1.3 * texture
    lines = np.clip(np.cos(shells_mm * np.float32(2 * np.pi / 5.2)) - 0.3, 0, 1)
    lines = lines * np.clip(0.6 + 0.7 * texture * np.sign(wander), 0, 1.3) * np.clip(0.6 + (z + 5) / 20, 0.4, 1)
    # The vermis is cut deeper than the hemispheres.
    middle = np.clip(1.4 - np.abs(x) / 9, 0, 1)
    aside_mm = np.abs(x + 1.2 * texture) - 8 - 1.6 * wander
    beside = np.clip(1 - np.abs(aside_mm) / 1.5, 0, 1) * np.clip(0.3 + 0.25 * texture, 0, 0.6)
    lines = np.maximum(lines * (1 + 0.4 * middle), beside)
    return lines * np.clip(1.3 - inside_mm / 18, 0.15, 1) * soft_edge(inside_mm)
