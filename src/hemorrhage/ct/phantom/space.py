"""Where a head is sampled: planes of points in head coordinates, smooth random fields, and soft edges.

Head coordinates are millimetres of an average adult head: x grows to the patient's left, y to the back, z to
the vertex; the origin lies in the midline at the level of the sella, halfway from front to back. A patient's
own size is in the plane, which is stretched before it meets the average head.
"""

from dataclasses import dataclass

import cv2
import numpy as np

Points = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Coordinates x, y, z of the same points, mm, of one shape."""


@dataclass(frozen=True)
class Plane:
    """A square grid of points: origin + u * across + v * down, u and v out of `grid_mm`.

    `origin_mm`, `across` and `down` are float64 of three, `grid_mm` is float64 of N, the points are N x N.
    """

    origin_mm: np.ndarray
    across: np.ndarray
    down: np.ndarray
    grid_mm: np.ndarray

    @property
    def pixel_mm(self) -> float:
        """The distance from one point to the next."""
        return float((self.grid_mm[-1] - self.grid_mm[0]) / (len(self.grid_mm) - 1))

    def axis(self, index: int) -> np.ndarray:
        """Returns one head coordinate of every point, float32 N x N: 0 is x, 1 is y, 2 is z."""
        rows = self.origin_mm[index] + self.grid_mm * self.down[index]
        return (rows[:, np.newaxis] + self.grid_mm * self.across[index]).astype(np.float32)


@dataclass(frozen=True)
class Waves:
    """A smooth random field in space, mean 0 and variance 1: a sum of plane waves of about one length.

    `vectors` is float64 K x 3 in radians a millimetre, `phases` float64 K.
    """

    vectors: np.ndarray
    phases: np.ndarray

    @property
    def steepness(self) -> float:
        """The root mean square gradient a millimetre: field / steepness is about the distance to its zero."""
        return float(np.sqrt(np.mean(np.sum(self.vectors**2, axis=1))))


def draw_waves(rng: np.random.Generator, length_mm: float, count: int = 24) -> Waves:
    """Returns a field whose waves are `length_mm` long, give or take a quarter, and run in every direction."""
    directions = rng.standard_normal((count, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    numbers = 2 * np.pi / length_mm * rng.uniform(0.8, 1.25, (count, 1))
    return Waves(vectors=directions * numbers, phases=rng.uniform(0, 2 * np.pi, count))


def sample_waves(waves: Waves, plane: Plane) -> np.ndarray:
    """Returns the field at every point of the plane, float32 N x N.

    Long waves are sampled at fewer points, some six a wave, and interpolated.
    """
    size = len(plane.grid_mm)
    pixel_mm = (plane.grid_mm[-1] - plane.grid_mm[0]) / (size - 1)
    wanted = 2 * np.pi / waves.steepness / pixel_mm / 6
    step = next(step for step in (8, 4, 2, 1) if step <= max(wanted, 1) and size % step == 0)
    if step == 1:
        return _sum_waves(waves, plane, plane.grid_mm)
    coarse = _sum_waves(waves, plane, plane.grid_mm.reshape(-1, step).mean(axis=1))
    return cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)


def _sum_waves(waves: Waves, plane: Plane, grid_mm: np.ndarray) -> np.ndarray:
    # On a plane each wave is a product of a function of u and one of v (cos(a+b) = cos a cos b - sin a sin b),
    # so that the whole field is one matrix product.
    at_v = np.outer(grid_mm, waves.vectors @ plane.down) + waves.phases + waves.vectors @ plane.origin_mm
    at_u = np.outer(waves.vectors @ plane.across, grid_mm)
    rows = np.concatenate([np.cos(at_v), -np.sin(at_v)], axis=1).astype(np.float32)
    columns = np.concatenate([np.cos(at_u), np.sin(at_u)]).astype(np.float32)
    # In blocks too small for BLAS to share out among threads, which costs more than it gains here.
    blocks = [rows[start : start + 16] @ columns for start in range(0, len(rows), 16)]
    return np.concatenate(blocks) * np.float32(np.sqrt(2 / len(waves.phases)))


def soft_edge(inside_mm: np.ndarray, width_mm: float = 1.2) -> np.ndarray:
    """Returns how much of each point lies inside: 0 outside, 1 inside, a ramp of `width_mm` about distance 0."""
    return np.clip(inside_mm / np.float32(width_mm) + np.float32(0.5), 0, 1)


def logistic(values: np.ndarray) -> np.ndarray:
    """Returns 1 / (1 + exp(-values)), which blends one shape into the next."""
    return 1 / (1 + np.exp(-np.clip(values, -30, 30)))


def bell(values: np.ndarray) -> np.ndarray:
    """Returns exp(-values**2): 1 at zero, falling off on both sides."""
    return np.exp(-(values**2))


def mix(below: np.ndarray, above: np.ndarray | float, amount: np.ndarray) -> np.ndarray:
    """Returns `below` covered by `above` where `amount` is 1, and a blend where it is between 0 and 1."""
    return below + (above - below) * amount


def capsule_inside_mm(
    points: tuple[np.ndarray, np.ndarray, np.ndarray],
    start: tuple[float, float, float],
    end: tuple[float, float, float],
    radii_mm: tuple[float, float],
) -> np.ndarray:
    """Returns the depth inside a rod from `start` to `end`, negative outside; its radius runs from one to the other."""
    along = [b - a for a, b in zip(start, end, strict=True)]
    offsets = [p - a for p, a in zip(points, start, strict=True)]
    length_squared = sum(step * step for step in along)
    dots = offsets[0] * along[0] + offsets[1] * along[1] + offsets[2] * along[2]
    part = np.clip(dots / length_squared, 0, 1)
    squares = sum((offset - part * step) ** 2 for offset, step in zip(offsets, along, strict=True))
    return radii_mm[0] + (radii_mm[1] - radii_mm[0]) * part - np.sqrt(squares)


def ellipsoid_inside_mm(
    points: tuple[np.ndarray, np.ndarray, np.ndarray],
    center: tuple[float, float, float],
    radii_mm: tuple[float, float, float],
) -> np.ndarray:
    """Returns about the depth inside an ellipsoid, negative outside; exact on its surface only."""
    squares = sum(((p - c) / r) ** 2 for p, c, r in zip(points, center, radii_mm, strict=True))
    return (1 - np.sqrt(squares)) * min(radii_mm)
