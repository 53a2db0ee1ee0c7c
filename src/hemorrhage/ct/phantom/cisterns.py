"""The fluid between the lobes and about the brain stem: fissures and basal cisterns."""

import numpy as np

from hemorrhage.ct.phantom.cortex import band_share
from hemorrhage.ct.phantom.space import Points, capsule_inside_mm, ellipsoid_inside_mm, soft_edge


def callosum_mm(points: Points) -> np.ndarray:
    """Returns the distance outside the corpus callosum, seen from the side, mm; negative within its arch."""
    _, y, z = points
    return (np.sqrt(((y + 6) / 37) ** 2 + ((z - 30) / 23) ** 2) - 1) * 26


def between_mm(points: Points, half_mm: np.ndarray) -> np.ndarray:
    """Returns the depth of each point below the inner faces of the hemispheres, mm; large where they are joined."""
    x, y, z = points
    apart_mm = callosum_mm(points)
    joined = np.minimum(apart_mm, np.where(y > -20, z - 12, 10))
    return np.abs(x) - half_mm + 4 * np.maximum(-joined, 0)


def cleft_share(points: Points, half_mm: np.ndarray) -> np.ndarray:
    """Returns how much of each point is the cleft between the hemispheres, 0..1."""
    x, y, z = points
    open_part = soft_edge(np.minimum(callosum_mm(points), np.where(y > -20, z - 12, 10)))
    return band_share(np.abs(x), 0.6 * half_mm) * open_part


def sylvian_mm(points: Points) -> tuple[np.ndarray, np.ndarray]:
    """Returns the distance to the Sylvian fissures' middle, and how wide they are there relative to their widest.

    Each is a cleft that rises to the back from the temple to the insula, the fold over the insula, and a stem.
    """
    x, y, z = points
    wide = np.abs(x)
    rise = (z - 11 - 0.5 * (y + 32)) * np.float32(0.9)
    lateral_mm = np.hypot(rise, np.maximum(np.maximum(39 - wide, y - 34), -36 - y))
    middle = 12 + 0.5 * (y + 32)
    # Over the insula, which bulges outward in its middle.
    bulge = 38.5 + 0.004 * (z - 22) ** 2 - 0.007 * (y + 6) ** 2 + _gyri_mm(points)
    over = np.maximum(np.maximum(np.abs(y + 7) - 21, np.abs(z - 0.5 * middle - 10) - 11), 0)
    insula_mm = np.hypot(wide - bulge, over)
    stem_mm = -capsule_inside_mm((wide, y, z), (15, -11, 6), (39, -17, 11), (0.0, 0.0))
    wider = np.clip(1.2 - 0.02 * np.abs(y + 12), 0.5, 1.2) * _gaping(points)
    return np.minimum(np.minimum(lateral_mm + 0.5, insula_mm), stem_mm), wider


def _gyri_mm(points: Points) -> np.ndarray:
    """How the insula's gyri press into the fold over it: two uneven trains of waves, other ones on either side."""
    x, y, z = points
    side = 1.7 * np.sign(x)
    return 0.55 * np.sin(0.43 * y + 0.21 * z + side) + 0.4 * np.sin(0.97 * y - 0.36 * z - 2 * side)


def _gaping(points: Points) -> np.ndarray:
    """Where the fold over the insula gapes and where its lips touch, about 1, other ones on either side."""
    x, y, z = points
    return np.clip(0.68 + 0.45 * np.sin(0.29 * y + 0.2 * z + 2.3 * np.sign(x)), 0.3, 1.1)


def stem_inside_mm(points: Points) -> np.ndarray:
    """Returns the depth inside the brain stem: medulla, pons, and midbrain with its peduncles, mm.

    Its front runs down and back, some 5 mm behind the clivus.
    """
    x, y, z = points
    low, high = np.clip((-22 - z) / 8, 0, 1), np.clip((z - 1) / 6, 0, 1)
    half_x = 17 - 8 * low + 1.0 * high
    half_y = 12 - 5 * low + 0.5 * high
    middle = 4 - 0.35 * np.minimum(z - 4, 0) + half_y
    inside_mm = (1 - np.sqrt((x / half_x) ** 2 + ((y - middle) / half_y) ** 2)) * np.minimum(half_x, half_y)
    return np.minimum(inside_mm, -_fossa_mm(points))


def _fossa_mm(points: Points) -> np.ndarray:
    """The hollow between the peduncles of the midbrain."""
    return ellipsoid_inside_mm(points, (0, 2.5, 6), (5.5, 8.0, 8))


def basal_mm(points: Points, half_mm: np.ndarray, magna_mm: float) -> np.ndarray:
    """Returns the depth inside the basal cisterns, mm, negative outside; `magna_mm` is the cisterna magna's size."""
    x, y, z = points
    if float(z.min()) > 34:
        return np.full_like(x, -9)
    inside_mm = np.maximum(_star_mm(points, half_mm), _ring_mm(points, half_mm))
    inside_mm = np.maximum(inside_mm, np.minimum(_fossa_mm(points), 11 - z))
    # Behind the midbrain's roof, and along the vein of Galen.
    behind_mm = np.minimum(2.0 + half_mm - np.abs(y - 30.5 - 0.02 * x**2 + 0.2 * np.abs(z - 18)), 15 - np.abs(x))
    behind_mm = np.minimum(behind_mm, 6 + half_mm - np.abs(z - 18))
    galen_mm = ellipsoid_inside_mm(points, (0, 35, 22), (4, 5, 5))
    magna = ellipsoid_inside_mm(points, (0, 64, -32), (magna_mm, 0.6 * magna_mm, 1.3 * magna_mm))
    valley_mm = capsule_inside_mm(points, (0, 52, -28), (0, 36, -24), (2.0, 1.0)) + 0.5 * half_mm
    inside_mm = np.maximum(inside_mm, np.maximum(behind_mm, galen_mm))
    return np.maximum(inside_mm, np.maximum(magna, valley_mm))


def _star_mm(points: Points, half_mm: np.ndarray) -> np.ndarray:
    """The five-pointed star above the sella: to the front, to both Sylvian fissures, to both sides of the midbrain."""
    x, y, z = points
    angle = np.arctan2(x, -(y + 7))
    radius = 11.5 * (1 + 0.3 * np.cos(5 * angle)) - 1.2
    star_mm = radius + 0.8 * half_mm - np.hypot(x, y + 7)
    # The optic chiasm and the stalk cross it.
    chiasm_mm = ellipsoid_inside_mm(points, (0, -8, 10), (6.5, 3.0, 2.5))
    stalk_mm = 1.5 - np.hypot(x, y + 5)
    return np.minimum(np.minimum(star_mm, 6.0 - np.abs(z - 5)), -np.maximum(chiasm_mm, stalk_mm))


def _ring_mm(points: Points, half_mm: np.ndarray) -> np.ndarray:
    """The fluid about the brain stem: wide in front of the pons and the medulla, narrow beside the midbrain."""
    x, y, z = points
    outside_mm = -stem_inside_mm(points)
    front = np.clip((14 - 0.35 * np.minimum(z, 0) - y) / 9, 0, 1)
    beside = (
        np.clip((z - 2) / 4, 0, 1)
        * np.clip((22 - z) / 3, 0, 1)
        * np.clip((y - 6 - 0.8 * np.maximum(z - 6, 0)) / 3, 0, 1)
    )
    low = np.clip((-18 - z) / 6, 0, 1)
    beside = beside * np.clip((np.where(z > 11, np.float32(33), np.float32(27)) - y) / 4, 0, 1)
    wide_mm = np.maximum((4.2 + 3.6 * half_mm) * front * (z < 14), (4.0 + 1.5 * half_mm) * low)
    wide_mm = wide_mm + (0.9 + 1.5 * half_mm) * beside
    ring_mm = np.minimum(0.5 * wide_mm - np.abs(outside_mm - 0.5 * wide_mm), 24 - z)
    # The angles between pons and cerebellum.
    angle_mm = ellipsoid_inside_mm((np.abs(x), y, z), (20, 16, -14), (8, 4.5, 8)) + 0.8 * half_mm
    return np.maximum(np.where(wide_mm > 0.2, ring_mm, np.float32(-5)), np.minimum(angle_mm, outside_mm))
