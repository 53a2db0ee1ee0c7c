"""What lies about a head on the scanner: head-holders of several makes, foam, the table, tubes and wires.

Shapes, sizes and HU are those seen in the competition's slices. Lengths are mm from the middle of the image: u grows
to the right of the image, v downwards.
"""

from dataclasses import dataclass

import numpy as np

from hemorrhage.ct.phantom.shape import OUTSIDE_MM
from hemorrhage.ct.phantom.space import Plane, mix, soft_edge
from hemorrhage.ct.phantom.tissue import AIR_HU
from hemorrhage.ct.phantom.wraps import Wraps, draw_wraps, shade_skin, shade_wraps

_HOLDERS = {"cup": 0.34, "bowl": 0.2, "cradle": 0.17, "pillow": 0.1, "table": 0.08, "rods": 0.02, "none": 0.09}
"""The share of series by what holds the head, counted by eye in 96 series of the 338 real slices."""

_FOAM_SKIN_HU = -885.0


@dataclass(frozen=True)
class Tube:
    """A tube or wire: where it crosses z = 0, how far it moves a mm of z, outer radius, wall (all mm), HU."""

    center_mm: tuple[float, float]
    slope: tuple[float, float]
    radius_mm: float
    wall_mm: float
    density_hu: float


@dataclass(frozen=True)
class Table:
    """What is about the head in one series: `middle_mm` and `bottom_mm` place the holder's inner surface (u and v).

    `radius_mm` is half its width or the radius of its arc, `shell_mm` its thickness; `foam_mm` how thick the padding
    at the sides is, 0 for none; `tray_mm` where a dish in it has its lowest point.
    """

    holder: str
    middle_mm: float
    bottom_mm: float
    radius_mm: float
    reach_mm: float
    shell_mm: float
    shell_hu: float
    foam_mm: float
    foam_hu: float
    tray_mm: float | None
    wraps: Wraps
    tubes: tuple[Tube, ...]


def draw_table(rng: np.random.Generator, middle_mm: float, bottom_mm: float) -> Table:
    """Returns what holds a head whose back lies at `bottom_mm` and whose middle at `middle_mm` of the image."""
    holder = str(rng.choice(list(_HOLDERS), p=list(_HOLDERS.values())))
    radius_mm, reach_mm, shell_mm, gap_mm = {
        "cup": (rng.uniform(93, 100), rng.uniform(125, 180), rng.uniform(2.6, 3.8), rng.uniform(22, 50)),
        "cradle": (rng.uniform(132, 150), rng.uniform(104, 124), rng.uniform(5.5, 8), rng.uniform(9, 16)),
        "bowl": (rng.uniform(74, 84), rng.uniform(58, 72), rng.uniform(3, 4.5), rng.uniform(10, 20)),
        "table": (rng.uniform(300, 700), 400.0, rng.uniform(2, 4), rng.uniform(12, 30)),
    }.get(holder, (20.0, 400.0, 2.5, 12.0))
    table_mm = 0.3 * middle_mm + rng.normal(0, 2)
    walls_mm = radius_mm if holder in ("cup", "bowl", "cradle") else 0.0
    return Table(
        holder=holder,
        middle_mm=table_mm,
        bottom_mm=bottom_mm + gap_mm,
        radius_mm=radius_mm,
        reach_mm=reach_mm,
        shell_mm=shell_mm,
        shell_hu=rng.uniform(-200, 250) if holder == "table" else rng.uniform(290, 345),
        foam_mm=rng.uniform(14, 26) * (rng.random() < (0.55 if holder == "cup" else 0.8)),
        # As foam reads in the 338 real slices: most often -975, in a third above -960.
        foam_hu=rng.uniform(-984, -942),
        tray_mm=bottom_mm + rng.uniform(2, 8) if rng.random() < 0.15 else None,
        wraps=draw_wraps(rng, table_mm, bottom_mm + gap_mm, walls_mm, pillow=holder == "pillow"),
        tubes=tuple(_draw_tube(rng) for _ in range(int(rng.choice([0, 1, 2, 4], p=[0.72, 0.14, 0.09, 0.05])))),
    )


def _draw_tube(rng: np.random.Generator) -> Tube:
    """A breathing or infusion tube, or, half as often, the wire of an electrode."""
    angle, away_mm = rng.uniform(-np.pi, np.pi), rng.uniform(96, 118)
    is_wire = bool(rng.random() < 0.4)
    return Tube(
        center_mm=(float(away_mm * np.cos(angle)), float(away_mm * np.sin(angle))),
        slope=(rng.normal(0, 0.25), rng.normal(0, 0.25)),
        radius_mm=rng.uniform(0.7, 1.3) if is_wire else rng.uniform(2, 6),
        wall_mm=2.0 if is_wire else rng.uniform(0.7, 1.4),
        density_hu=rng.uniform(400, 1800) if is_wire else rng.uniform(20, 200),
    )


def shade_holder(table: Table, field_mm: float, size: int) -> np.ndarray:
    """Returns the holder's cross-section, the same in every slice: HU float32 N x N, air elsewhere."""
    grid_mm = build_grid(field_mm, size)
    u_mm, v_mm = grid_mm[np.newaxis, :] - np.float32(table.middle_mm), grid_mm[:, np.newaxis]
    empty = np.full((size, size), AIR_HU, dtype=np.float32)
    shade = {"cup": _shade_cup, "cradle": _shade_arc, "bowl": _shade_arc, "table": _shade_top, "rods": _shade_rods}
    return shade[table.holder](table, u_mm, v_mm, empty) if table.holder in shade else empty


def build_grid(field_mm: float, size: int) -> np.ndarray:
    """Returns where the centres of `size` pixels across `field_mm` lie, mm from the middle, float32."""
    return ((np.arange(size) - (size - 1) / 2) * field_mm / size).astype(np.float32)


def _shade_cup(table: Table, u_mm: np.ndarray, v_mm: np.ndarray, pixels_hu: np.ndarray) -> np.ndarray:
    """Two upright walls that meet in a half ellipse below the head; the field often cuts its bottom off."""
    depth_mm = 0.9 * table.radius_mm
    below_mm = np.maximum(v_mm - np.float32(table.bottom_mm - depth_mm), 0)
    # The walls lean outwards a little.
    u_mm = u_mm * (1 + np.float32(3e-4) * np.minimum(v_mm - np.float32(table.bottom_mm - depth_mm), 0))
    ratio = np.hypot(u_mm / table.radius_mm, below_mm / depth_mm) + np.float32(1e-3)
    slope = np.hypot(u_mm / table.radius_mm**2, below_mm / depth_mm**2) / ratio + np.float32(1e-5)
    outward_mm = (ratio - 1) / slope
    under_top_mm = v_mm - np.float32(table.bottom_mm - table.reach_mm)
    if table.foam_mm:
        pixels_hu = _shade_foam(table, pixels_hu, np.minimum(-outward_mm, outward_mm + table.foam_mm), under_top_mm - 9)
    shell_mm = np.minimum(table.shell_mm / 2 - np.abs(outward_mm - table.shell_mm / 2), under_top_mm)
    pixels_hu = mix(pixels_hu, table.shell_hu, soft_edge(shell_mm))
    return pixels_hu if table.tray_mm is None else _shade_tray(table.tray_mm, u_mm, v_mm, pixels_hu)


def _shade_foam(table: Table, pixels_hu: np.ndarray, inside_mm: np.ndarray, under_top_mm: np.ndarray) -> np.ndarray:
    """Foam in a thin cover, where both distances are positive."""
    within_mm = np.minimum(inside_mm, under_top_mm)
    padded_hu = mix(pixels_hu, table.foam_hu, soft_edge(within_mm))
    return np.maximum(padded_hu, mix(padded_hu, _FOAM_SKIN_HU, soft_edge(0.7 - np.abs(within_mm - 0.8))))


def _shade_tray(bottom_mm: float, u_mm: np.ndarray, v_mm: np.ndarray, pixels_hu: np.ndarray) -> np.ndarray:
    """A shallow dish in the cup with a bead at either end."""
    radius_mm = 88.0
    away_mm = np.hypot(u_mm, v_mm - np.float32(bottom_mm - radius_mm))
    lowest_mm = np.minimum(64 - np.abs(u_mm), v_mm - np.float32(bottom_mm - radius_mm))
    dish_mm = np.minimum(1.1 - np.abs(away_mm - radius_mm), lowest_mm)
    end_v_mm = bottom_mm - radius_mm + float(np.sqrt(radius_mm**2 - 64**2)) - 3
    bead_mm = 1.2 - np.abs(np.hypot(np.abs(u_mm) - 63, (v_mm - np.float32(end_v_mm)) / 1.6) - 3.4)
    return mix(pixels_hu, 120.0, soft_edge(np.maximum(dish_mm, np.where(np.abs(u_mm) > 58, bead_mm, OUTSIDE_MM))))


def _shade_arc(table: Table, u_mm: np.ndarray, v_mm: np.ndarray, pixels_hu: np.ndarray) -> np.ndarray:
    """An arc open above, with pads between it and the head that grow thicker to the sides."""
    away_mm = np.hypot(u_mm, v_mm - np.float32(table.bottom_mm - table.radius_mm))
    below = v_mm > table.bottom_mm - table.radius_mm
    if table.foam_mm and table.holder == "cradle":
        hollow_mm = np.hypot(u_mm / 82, (v_mm - np.float32(table.bottom_mm - 106)) / 100) * 82 - 82
        tip_mm = v_mm - np.float32(table.bottom_mm - 105) - 0.002 * (np.abs(u_mm) - 100) ** 2
        pixels_hu = _shade_foam(table, pixels_hu, np.minimum(hollow_mm, table.radius_mm - 1 - away_mm), tip_mm)
        between_mm = np.where(tip_mm > 6, 0.4 - np.abs(hollow_mm - 0.45 * table.foam_mm), OUTSIDE_MM)
        pixels_hu = mix(pixels_hu, -940.0, soft_edge(between_mm))
    if table.foam_mm and table.holder == "bowl":
        lining_mm = np.minimum(table.radius_mm - 2 - away_mm, away_mm - np.float32(table.radius_mm - table.foam_mm))
        pixels_hu = _shade_foam(table, pixels_hu, lining_mm, table.reach_mm - np.abs(u_mm))
        pixels_hu = np.where(below, pixels_hu, np.float32(AIR_HU))
    rim_mm = np.minimum(table.shell_mm / 2 - np.abs(away_mm - table.radius_mm), table.reach_mm - np.abs(u_mm))
    return mix(pixels_hu, table.shell_hu, soft_edge(rim_mm) * below)


def _shade_top(table: Table, u_mm: np.ndarray, v_mm: np.ndarray, pixels_hu: np.ndarray) -> np.ndarray:
    """The table itself: a wide shallow trough, and its thin underside."""
    sag_mm = np.float32(table.bottom_mm) - u_mm**2 / (2 * table.radius_mm)
    pixels_hu = mix(pixels_hu, table.shell_hu, soft_edge(table.shell_mm / 2 - np.abs(v_mm - sag_mm)))
    lower_mm = np.float32(table.bottom_mm + 9) - u_mm**2 / (1.4 * table.radius_mm)
    return np.maximum(pixels_hu, mix(pixels_hu, -300.0, soft_edge(0.7 - np.abs(v_mm - lower_mm))))


def _shade_rods(table: Table, u_mm: np.ndarray, v_mm: np.ndarray, pixels_hu: np.ndarray) -> np.ndarray:
    """Two oval rods with hollow cores."""
    ratio = np.hypot((np.abs(u_mm) - 38) / table.radius_mm, (v_mm - np.float32(table.bottom_mm)) / 11)
    shell_hu = mix(pixels_hu, table.shell_hu, soft_edge((1 - ratio) * 11))
    return mix(shell_hu, -600.0, soft_edge((0.5 - ratio) * 11))


def shade_loose(table: Table, field_mm: float, z_mm: float, size: int) -> np.ndarray:
    """Returns what changes from slice to slice, HU float32 N x N: sheets, cushions, tubes and wires."""
    plane = _build_level(field_mm, z_mm, size)
    pixels_hu = np.float32(AIR_HU) + shade_wraps(table.wraps, plane, table.radius_mm)
    u_mm = plane.grid_mm[np.newaxis, :]
    for tube in table.tubes:
        center_u, center_v = (c + s * z_mm for c, s in zip(tube.center_mm, tube.slope, strict=True))
        inside_mm = tube.radius_mm - np.hypot(u_mm - center_u, u_mm.T - center_v).astype(np.float32)
        pixels_hu = mix(pixels_hu, tube.density_hu, soft_edge(np.minimum(inside_mm, tube.wall_mm - inside_mm)))
    return pixels_hu


def shade_on_skin(table: Table, pixels_hu: np.ndarray, field_mm: float, z_mm: float) -> np.ndarray:
    """Returns how far hair and cloth on the skin rise above air, float32 N x N like the slice `pixels_hu`."""
    return shade_skin(table.wraps, pixels_hu, _build_level(field_mm, z_mm, len(pixels_hu)))


def _build_level(field_mm: float, z_mm: float, size: int) -> Plane:
    """The slice at table position `z_mm`, in the table's coordinates."""
    grid_mm = build_grid(field_mm, size).astype(np.float64)
    return Plane(np.array([0, 0, z_mm]), np.array([1.0, 0, 0]), np.array([0, 1.0, 0]), grid_mm)
