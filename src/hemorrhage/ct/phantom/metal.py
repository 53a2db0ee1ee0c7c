"""Metal in and on a head: fillings, a clip or coils, the valve of a shunt, electrodes; each in a few series alone."""

from dataclasses import dataclass

import cv2
import numpy as np

from hemorrhage.ct.phantom.shape import OUTSIDE_MM
from hemorrhage.ct.phantom.space import Plane, ellipsoid_inside_mm, mix, soft_edge

METAL_HU = 8000.0
"""Before what is rendered is clipped; real files hold up to 30,540."""

_DENSEST_TISSUE_HU = 2700.0

_FILLINGS_SHARE, _CLIP_SHARE, _VALVE_SHARE, _ELECTRODES_SHARE = 0.25, 0.012, 0.012, 0.012
"""Chosen: fillings are common but mostly below the first slice, so that 2 to 4 % of series show streaks."""


@dataclass(frozen=True)
class Metal:
    """A piece of metal, an ellipsoid of `radii_mm` at `center_mm`, in the head's millimetres."""

    center_mm: tuple[float, float, float]
    radii_mm: tuple[float, float, float]


@dataclass(frozen=True)
class SkinMetal:
    """A disc of metal on the skin, seen from the middle of the head at `angle` radians, at height `z_mm` of the table.

    `radius_mm` is half its width and height, `thickness_mm` how far it stands off.
    """

    angle: float
    z_mm: float
    radius_mm: float
    thickness_mm: float


def metal_share(pixels_hu: np.ndarray) -> np.ndarray:
    """Returns how much of each pixel is metal: what is denser than enamel, float32."""
    share = (pixels_hu - np.float32(_DENSEST_TISSUE_HU)) / np.float32(METAL_HU - _DENSEST_TISSUE_HU)
    return np.clip(share, 0, 1).astype(np.float32)


def draw_metals(rng: np.random.Generator) -> tuple[Metal, ...]:
    """Returns the metal inside a head: fillings in a quarter of all, a clip or a pack of coils in one of eighty."""
    metals: list[Metal] = []
    if rng.random() < _FILLINGS_SHARE:
        for _ in range(int(rng.integers(1, 5))):
            side = float(rng.choice([-1, 1]))
            center = (side * rng.uniform(15, 24), rng.uniform(-74, -52), rng.uniform(-74, -62))
            metals.append(Metal(center, (rng.uniform(1.5, 3), rng.uniform(2, 4), rng.uniform(1.5, 3))))
    if rng.random() < _CLIP_SHARE:
        center = (rng.uniform(-28, 28), rng.uniform(-26, -4), rng.uniform(3, 16))
        metals.append(Metal(center, (rng.uniform(1, 5), rng.uniform(1.5, 5), rng.uniform(2, 5))))
    return tuple(metals)


def draw_skin_metals(rng: np.random.Generator, middle_z_mm: float) -> tuple[SkinMetal, ...]:
    """Returns the metal on the skin: a shunt's valve behind one ear, or a set of electrodes, in one of eighty each."""
    if rng.random() < _VALVE_SHARE:
        angle = np.pi / 2 + float(rng.choice([-1, 1])) * rng.uniform(0.5, 1.0)
        return (SkinMetal(angle, middle_z_mm + rng.uniform(-10, 30), rng.uniform(3, 5), rng.uniform(3, 5)),)
    if rng.random() > _ELECTRODES_SHARE:
        return ()
    return tuple(
        SkinMetal(rng.uniform(-np.pi, np.pi), middle_z_mm + rng.uniform(-35, 50), rng.uniform(3, 5), 1.5)
        for _ in range(int(rng.integers(8, 20)))
    )


def shade_metals(metals: tuple[Metal, ...], plane: Plane, pixels_hu: np.ndarray) -> np.ndarray:
    """Returns the plane with the metal in it; a piece that does not touch the plane costs nothing."""
    for metal in metals:
        # A plane is nearly level: its height at the piece is off by its tilt alone.
        if abs(float(plane.origin_mm[2]) - metal.center_mm[2]) > 30:
            continue
        points = (plane.axis(0), plane.axis(1), plane.axis(2))
        inside_mm = ellipsoid_inside_mm(points, metal.center_mm, metal.radii_mm)
        if inside_mm.max() > OUTSIDE_MM:
            pixels_hu = mix(pixels_hu, METAL_HU, soft_edge(inside_mm, 0.8))
    return pixels_hu


def shade_skin_metals(
    metals: tuple[SkinMetal, ...], pixels_hu: np.ndarray, field_mm: float, z_mm: float, thick_mm: float
) -> np.ndarray:
    """Returns a slice with the metal that lies on its skin, by its share of the slice's thickness."""
    for metal in metals:
        share = float(np.clip((metal.radius_mm - abs(metal.z_mm - z_mm)) / thick_mm + 0.5, 0, 1))
        if share > 0:
            pixels_hu = np.maximum(pixels_hu, share * (METAL_HU + 1000) * _draw_disc(metal, pixels_hu, field_mm) - 1000)
    return pixels_hu


def _draw_disc(metal: SkinMetal, pixels_hu: np.ndarray, field_mm: float) -> np.ndarray:
    """How much of each pixel the disc covers: a short line along the skin where its ray leaves the head."""
    size = len(pixels_hu)
    covered = np.zeros((size, size), dtype=np.float32)
    body = pixels_hu > -300
    if not body.any():
        return covered
    rows, columns = np.nonzero(body)
    middle = np.array([columns.mean(), rows.mean()])
    out = np.array([np.cos(metal.angle), np.sin(metal.angle)])
    steps = middle + np.arange(0, size)[:, np.newaxis] * out
    at = np.clip(np.rint(steps).astype(int), 0, size - 1)
    last = int(np.nonzero(body[at[:, 1], at[:, 0]])[0].max(initial=0))
    pixel_mm = field_mm / size
    center = steps[last] + out * (0.5 * metal.thickness_mm / pixel_mm)
    half = np.array([-out[1], out[0]]) * (metal.radius_mm / pixel_mm)
    ends = [tuple(int(16 * value) for value in center + side * half) for side in (-1, 1)]
    width = max(1, round(metal.thickness_mm / pixel_mm))
    return np.asarray(cv2.line(covered, ends[0], ends[1], 1.0, width, cv2.LINE_AA, shift=4), dtype=np.float32)
