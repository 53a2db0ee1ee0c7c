"""The deep grey matter: caudate, lentiform nucleus, thalamus; the internal capsule is what lies between them."""

import numpy as np

from hemorrhage.ct.phantom.space import Points, ellipsoid_inside_mm, soft_edge


def caudate_mm(pairs: Points) -> np.ndarray:
    """Returns the depth inside the caudate's head and body, mm; the right half is folded onto the left."""
    head_mm = ellipsoid_inside_mm(pairs, (13.0, -20, 28), (5.5, 10, 11))
    body_mm = ellipsoid_inside_mm(pairs, (17.5, -2, 39), (4, 18, 5))
    return np.maximum(head_mm, body_mm)


def thalamus_mm(pairs: Points) -> np.ndarray:
    """Returns the depth inside the thalamus, mm, which leans outward towards the back."""
    x, y, z = pairs
    return ellipsoid_inside_mm((x - 0.28 * (y - 9), y, z), (10.5, 10, 25), (8.2, 15, 10.5))


def lentiform_mm(pairs: Points) -> np.ndarray:
    """Returns the depth inside putamen and pallidum together, mm: a lens whose inner face is a blunt angle."""
    x, y, z = pairs
    outer_mm = ellipsoid_inside_mm((x + 0.006 * (y + 5) ** 2, y, z), (25.5, -5, 22), (8.5, 18, 12.5))
    wedge_mm = (x - 14.5 - 0.42 * np.abs(y + 6)) * np.float32(0.9)
    return np.minimum(outer_mm, wedge_mm)


def nuclei_share(points: Points) -> np.ndarray:
    """Returns how much of each point is deep grey matter, 0..1; the thalamus is paler than the rest."""
    pairs = (np.abs(points[0]), points[1], points[2])
    if not (float(points[2].max()) > 6 and float(points[2].min()) < 50):
        return np.zeros_like(points[0])
    striatum = soft_edge(np.maximum(caudate_mm(pairs), lentiform_mm(pairs)), 2)
    # Claustrum and extreme capsule are too thin to part from the insula's cortex.
    return np.maximum(0.95 * striatum, 0.75 * soft_edge(thalamus_mm(pairs), 3))
