"""Soft matter in the air about a head: hair and cloth on the skin, heaps of sheets, a pillow, cushions at the sides.

Amounts are set so that the HU of the air, and how they fall off with the distance from the skin, are spread as
measured on the 338 real slices; shapes are chosen by eye from them. Lengths are mm from the middle of the image as in
`table`; every function returns how far HU rise above air, float32 N x N.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from hemorrhage.ct.phantom.space import Plane, Waves, bell, draw_waves, sample_waves, soft_edge

_TAIL_MM = 6.0
"""How fast the haze about the skin fades: measured on the 338 real slices, where HU fall from -949 to -981 between 3.5
and 9.5 mm of it (soft hair, damp cloth and scatter, which cannot be told apart)."""


@dataclass(frozen=True)
class Wraps:
    """The soft matter of one series.

    `tail_hu` is the haze at the skin, `hair_hu` and `hair_mm` what lies on it in strands; `heap_hu` the rise of sheets
    that are heaped in folds (`fold_mm` sets how far apart), the more of them the greater `heap_share`, and none below
    `heap_floor_mm`; `drape_hu` that of a sheet hung over the holder, `pillow_hu` of a pillow that reaches up to about
    `pillow_mm`; 0 for none. `cushions` are those beside the head.
    """

    tail_hu: float
    hair_hu: float
    hair_mm: float
    heap_hu: float
    heap_share: float
    heap_floor_mm: float
    fold_mm: float
    drape_hu: float
    pillow_hu: float
    pillow_mm: float
    cushions: tuple["Cushion", ...]
    strands: Waves
    folds: Waves
    drape: Waves


@dataclass(frozen=True)
class Cushion:
    """A block of foam in a cover: its middle, half its width and height (mm), how it leans (rad), its rise."""

    center_mm: tuple[float, float]
    half_mm: tuple[float, float]
    lean: float
    rise_hu: float


def draw_wraps(rng: np.random.Generator, middle_mm: float, bottom_mm: float, walls_mm: float, pillow: bool) -> Wraps:
    """Returns what is soft about a head: heaps in four of five series, counted by eye.

    `bottom_mm` is the holder's inner surface, some 10 to 50 mm below the head; `walls_mm` is how far its walls are
    from `middle_mm`, 0 for a holder without any.
    """
    cushioned = walls_mm > 0 and rng.random() < 0.4
    return Wraps(
        tail_hu=float(rng.gamma(4, 14)),
        hair_hu=float(rng.gamma(2.5, 80)),
        hair_mm=float(rng.lognormal(np.log(2.5), 0.7)),
        heap_hu=float(rng.gamma(3, 150)) * (rng.random() < 0.8),
        heap_share=rng.normal(-0.7, 0.5) + (1.0 if pillow else 0.0),
        heap_floor_mm=bottom_mm + 3 if walls_mm else bottom_mm + 60,
        fold_mm=rng.uniform(1.6, 3.2),
        drape_hu=float(rng.gamma(3, 80)) * (walls_mm > 0 and rng.random() < 0.7),
        pillow_hu=rng.uniform(20, 75) if pillow else 0.0,
        pillow_mm=bottom_mm - rng.uniform(15, 65),
        cushions=tuple(_draw_cushion(rng, middle_mm, bottom_mm, s * walls_mm) for s in (-1, 1) if cushioned),
        strands=draw_waves(rng, rng.uniform(4, 8)),
        folds=draw_waves(rng, rng.uniform(25, 45)),
        drape=draw_waves(rng, rng.uniform(60, 120), count=12),
    )


def _draw_cushion(rng: np.random.Generator, middle_mm: float, bottom_mm: float, wall_mm: float) -> Cushion:
    half_u = rng.uniform(7, 13)
    side = float(np.sign(wall_mm))
    return Cushion(
        center_mm=(middle_mm + wall_mm - side * (half_u + 1), bottom_mm - rng.uniform(60, 100)),
        half_mm=(half_u, rng.uniform(18, 34)),
        lean=side * rng.normal(0.05, 0.08),
        rise_hu=rng.uniform(15, 60),
    )


def shade_skin(wraps: Wraps, pixels_hu: np.ndarray, plane: Plane) -> np.ndarray:
    """Returns the rise of what lies on the skin, which is where `pixels_hu` first exceed -300 HU; more behind."""
    away_mm = _find_distance(pixels_hu > -300) * np.float32(plane.pixel_mm)
    folds, strands = sample_waves(wraps.folds, plane), sample_waves(wraps.strands, plane)
    back = 0.35 + 0.65 * soft_edge(plane.grid_mm.astype(np.float32), 120)[:, np.newaxis]
    depth_mm = np.float32(wraps.hair_mm) * back * (1 + 0.4 * folds) - away_mm + 1
    hair = soft_edge(depth_mm, 3) * np.clip(0.8 + 0.2 * strands, 0, 1.4)
    rise_hu = np.float32(wraps.tail_hu) * np.exp(-away_mm / np.float32(_TAIL_MM)) + np.float32(wraps.hair_hu) * hair
    return np.where(away_mm > 0, rise_hu, 0)


def _find_distance(head: np.ndarray) -> np.ndarray:
    """How many pixels each lies from the head, 0 in it and in its hollows; the image's length where there is none."""
    size = len(head)
    # A border of air, from which all of the air about the head can be reached.
    framed = np.pad(head.astype(np.uint8), 1)
    cv2.floodFill(framed, None, (0, 0), 2)
    apart_px = cv2.distanceTransform((framed[1:-1, 1:-1] == 2).astype(np.uint8), cv2.DIST_L2, 5)
    return np.minimum(apart_px, np.float32(size))


def shade_wraps(wraps: Wraps, plane: Plane, radius_mm: float) -> np.ndarray:
    """Returns the rise of sheets, pillow and cushions about a holder whose walls are `radius_mm` from the middle."""
    u_mm = plane.grid_mm.astype(np.float32)[np.newaxis, :]
    v_mm = u_mm.T
    folds, drape = sample_waves(wraps.folds, plane), sample_waves(wraps.drape, plane)
    rise_hu = np.zeros((u_mm.size, u_mm.size), dtype=np.float32)
    if wraps.heap_hu:
        rise_hu = np.float32(wraps.heap_hu) * _heap_sheets(wraps, np.hypot(0.9 * u_mm, v_mm), v_mm, (folds, drape))
    if wraps.drape_hu:
        rise_hu = np.maximum(rise_hu, np.float32(wraps.drape_hu) * _hang_sheet(radius_mm, u_mm, v_mm, (folds, drape)))
    if wraps.pillow_hu:
        rise_hu = np.maximum(rise_hu, _fill_pillow(wraps, u_mm, v_mm, (folds, drape)))
    for cushion in wraps.cushions:
        rise_hu = np.maximum(rise_hu, _fill_cushion(cushion, u_mm, v_mm))
    return rise_hu


def _heap_sheets(
    wraps: Wraps, away_mm: np.ndarray, v_mm: np.ndarray, fields: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """Layers that wind about the head, in heaps beside and below it; between them cloth thinner than a pixel."""
    folds, drape = fields
    layers = bell(np.sin(away_mm / np.float32(wraps.fold_mm) + 1.7 * folds + 2.5 * drape) / 0.4)
    where = soft_edge(drape + np.float32(wraps.heap_share) + v_mm / 90, 0.7) * soft_edge(v_mm + 15, 60)
    where = where * soft_edge(np.float32(wraps.heap_floor_mm) + 9 * folds - v_mm, 8)
    # Not in the head, where a sheet would show in the air of its sinuses.
    return (0.25 + 0.75 * layers * soft_edge(folds + 0.6, 1.5)) * where * soft_edge(away_mm - 68, 14)


def _hang_sheet(
    radius_mm: float, u_mm: np.ndarray, v_mm: np.ndarray, fields: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """A single sheet that hangs down outside the walls, now nearer, now farther."""
    folds, drape = fields
    apart_mm = np.abs(u_mm) - np.float32(radius_mm + 7) - 4 * drape - 1.5 * folds
    return bell(apart_mm / 0.9) * soft_edge(v_mm + 15 + 12 * drape, 20)


def _fill_pillow(wraps: Wraps, u_mm: np.ndarray, v_mm: np.ndarray, fields: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """A soft mass that the head sinks into, with a bright cover and uneven stuffing."""
    folds, drape = fields
    inside_mm = v_mm - np.float32(wraps.pillow_mm + 12) + 14 * (np.abs(u_mm) / 80 - 0.5) - 6 * drape
    stuffing = np.float32(wraps.pillow_hu) * (1 + 0.25 * folds) * soft_edge(inside_mm)
    return stuffing + np.float32(120) * bell((inside_mm - 1) / 0.9)


def _fill_cushion(cushion: Cushion, u_mm: np.ndarray, v_mm: np.ndarray) -> np.ndarray:
    cosine, sine = np.float32(np.cos(cushion.lean)), np.float32(np.sin(cushion.lean))
    u, v = u_mm - np.float32(cushion.center_mm[0]), v_mm - np.float32(cushion.center_mm[1])
    half_u, half_v = cushion.half_mm
    ratio = ((cosine * u + sine * v) / half_u) ** 4 + ((cosine * v - sine * u) / half_v) ** 4
    inside_mm = (1 - ratio**0.25) * np.float32(half_u)
    return np.float32(cushion.rise_hu) * soft_edge(inside_mm) + np.float32(60) * bell((inside_mm - 0.8) / 0.8)
