"""The face: jaws with their teeth, cheekbones, the air of nose and sinuses, and the orbits with what they hold."""

from dataclasses import dataclass

import numpy as np

from hemorrhage.ct.phantom.place import Place
from hemorrhage.ct.phantom.shape import Blob, Rod, Shape, Wall, both_sides, deepest_mm
from hemorrhage.ct.phantom.space import Waves, draw_waves, mix, sample_waves, soft_edge
from hemorrhage.ct.phantom.tissue import (
    AIR_HU,
    CORTEX_HU,
    DENTINE_HU,
    ENAMEL_HU,
    FLUID_HU,
    LENS_HU,
    LOOSE_HU,
    MARROW_HU,
    MUCOSA_HU,
    MUSCLE_HU,
    THIN_BONE_HU,
)


@dataclass(frozen=True)
class Face:
    """One patient's face.

    `factors` is its width, length and height relative to the average; `maxillary` and `sphenoid` hold the right
    and the left sinus, `lining_mm` how thick what lines them, `fluid_y_mm` where fluid stands in the maxillary ones
    (behind that y); `septum_mm` bends the septum, `conchae_mm` is how thick the conchae are.
    """

    factors: tuple[float, float, float]
    maxillary: tuple[Blob, Blob]
    sphenoid: tuple[Blob, Blob]
    lining_mm: float
    fluid_y_mm: float
    septum_mm: float
    conchae_mm: float
    crowns: tuple[Shape, ...]
    roots: tuple[Shape, ...]
    mouth_mm: float
    cells: Waves
    grain: Waves


def draw_face(rng: np.random.Generator, age: float, child: bool) -> Face:
    """Returns a face: sinuses of very varied size, teeth that get fewer with `age` (0 young to 1 old)."""
    size = 0.86 if child else 1.0
    crowns, roots = _draw_teeth(rng, age)
    return Face(
        factors=(size * rng.normal(1, 0.03), rng.normal(1, 0.015), size * rng.normal(1, 0.045)),
        maxillary=(_draw_maxillary(rng, -1, child), _draw_maxillary(rng, 1, child)),
        sphenoid=(_draw_sphenoid(rng, -1, child), _draw_sphenoid(rng, 1, child)),
        lining_mm=rng.uniform(0.2, 1.0) if rng.random() < 0.75 else rng.uniform(1.5, 7),
        fluid_y_mm=rng.uniform(-62, -45) if rng.random() < 0.12 else 0.0,
        septum_mm=rng.normal(0, 2.2),
        conchae_mm=rng.uniform(2.0, 4.2),
        crowns=crowns,
        roots=roots,
        mouth_mm=rng.uniform(-4, 5),
        cells=draw_waves(rng, 13.0),
        grain=draw_waves(rng, 5.0),
    )


def _draw_maxillary(rng: np.random.Generator, side: int, child: bool) -> Blob:
    size = (0.6 if child else 1.0) * rng.normal(1, 0.1)
    return Blob((side * 27.0, -57.0, -36.0), (15 * size, 18 * size, 17 * size), yaw=-0.35 * side, lean=(0.1 * side, 0))


def _draw_sphenoid(rng: np.random.Generator, side: int, child: bool) -> Blob:
    size = (0.5 if child else 1.0) * rng.normal(1, 0.15)
    return Blob((side * 8.0 * size + rng.normal(0, 1.5), -20.0, -14.0), (8.5 * size, 13 * size, 8.5 * size))


_WIDTHS_MM = (8.0, 7.0, 7.6, 7.0, 7.0, 10.0, 9.6, 8.6)
"""Upper teeth from the middle outwards: textbook averages, rounded."""

_ARCH_LONG_MM, _ARCH_WIDE_MM = 38.0, 28.0
"""How far the row of teeth runs back, and half its width there: chosen by eye."""


def _draw_teeth(rng: np.random.Generator, age: float) -> tuple[tuple[Shape, ...], tuple[Shape, ...]]:
    """Crowns and roots of both jaws; each tooth is there or not, and a wholly toothless jaw comes with age."""
    crowns: list[Shape] = []
    roots: list[Shape] = []
    kept = 0.0 if rng.random() < 0.5 * age**2 else 1 - 0.45 * age * rng.random()
    for middle_mm, upward, narrow in ((-66.0, 1, 1.0), (-76.5, -1, 0.88)):
        for side in (-1, 1):
            for x, y, width_mm, back in _walk_arch(narrow):
                if rng.random() < kept:
                    radii = (0.54 * width_mm, 3.8 + 1.4 * back, 4.5)
                    turn = side * (0.2 + 1.1 * back)
                    crowns.append(Blob((side * x, y, middle_mm), radii, yaw=turn))
                    start, end = (side * x, y, middle_mm + 3.0 * upward), (side * x, y + 1.5, middle_mm + 15.0 * upward)
                    roots.append(Rod(start, end, (0.4 * width_mm, 1.8)))
    return tuple(crowns), tuple(roots)


def _walk_arch(narrow: float) -> list[tuple[float, float, float, float]]:
    """Where the teeth of one half jaw stand: x, y and width in mm, and 0 to 1 from the middle to the back."""
    places = []
    x, y = 0.0, -86.0
    for index, width_mm in enumerate(_WIDTHS_MM):
        slope = 3 * _ARCH_LONG_MM * x**2 / _ARCH_WIDE_MM**3
        step_x = width_mm / np.hypot(1, slope)
        mid_x = x + step_x / 2
        places.append(
            (
                narrow * mid_x,
                -86.0 + _ARCH_LONG_MM * (mid_x / _ARCH_WIDE_MM) ** 3 + 25 * (1 - narrow),
                width_mm,
                index / 7,
            )
        )
        x, y = x + step_x, y + slope * step_x
    return places


_MANDIBLE = (
    *both_sides(
        Blob((51, -1, -21), (9, 4.5, 4.5), yaw=0.25),
        Rod((51, -2, -24), (50, -5, -36), (3.8, 4.2)),
        Wall((49, -2, -54), (47, -30, -58), 3.2, 24),
        Rod((48, -30, -36), (47, -31, -26), (3.2, 1.6)),
        Wall((48, -12, -84), (43, -40, -90), 4.4, 14),
        Wall((43, -40, -90), (27, -70, -95), 5.2, 13),
        Wall((27, -70, -95), (10, -82, -97), 5.6, 13),
    ),
    Wall((-10, -82, -97), (10, -82, -97), 6.0, 13),
)
_UPPER_JAW = (
    *both_sides(
        Wall((27, -46, -54), (22, -68, -54), 5.0, 6.5),
        Wall((22, -68, -54), (10, -82, -54), 4.5, 6.5),
        # Plates of the pterygoid, side of the nose, lower rim of the orbit.
        Wall((13, -31, -34), (20, -23, -34), 0.9, 13),
        Wall((13, -31, -34), (12, -23, -34), 0.8, 13),
        Rod((17, -82, -24), (42, -74, -26), (2.6, 3.2)),
    ),
    Wall((-10, -82, -54), (10, -82, -54), 4.0, 6.5),
    Blob((0, -60, -47), (25, 27, 2.0)),
    Rod((0, -83, 8), (0, -97, -17), (3.8, 2.2)),
)
_CHEEKBONES = both_sides(
    Blob((46, -69, -27), (9, 6, 9), yaw=0.75),
    Rod((50, -66, -27), (65, -40, -25), (4.2, 2.6)),
    Rod((65, -40, -25), (66, -12, -21), (2.4, 2.6)),
    Rod((66, -12, -21), (60, 6, -18), (2.6, 4)),
    # The outer rim and wall of the orbit, the great wing behind it.
    Rod((50, -66, -26), (50, -69, 4), (3.8, 4)),
    Wall((49, -66, -8), (33, -44, -6), 1.7, 16),
    Wall((33, -44, -6), (17, -30, -6), 3.4, 13),
    Wall((38, -49, -8), (42, -37, -8), 3.0, 13),
    Wall((42, -40, -8), (56, -42, -4), 2.0, 11),
    Rod((50, -69, 4), (28, -83, 10), (4, 4)),
)
_MAXILLA_WALL_MM = 1.5
_NOSE = (
    Blob((0, -62, -36), (14, 30, 11)),
    Blob((0, -66, -22), (9, 26, 18)),
    Blob((0, -37, -36), (13, 14, 12)),
)
_ETHMOID = both_sides(Blob((6.5, -54, -7), (7, 24, 11.5)), Blob((8, -40, -8), (6, 12, 9)))
_CONCHAE = both_sides(Wall((8.5, -78, -38), (8.5, -42, -38), 0.6, 5), Wall((6, -70, -22), (6, -42, -22), 0.6, 5))
_ORBITS = both_sides(Rod((32, -70, -8), (20, -42, -4), (17.5, 6)), Rod((20, -42, -4), (14, -31, -2), (6, 2)))
_GLOBES = both_sides(Blob((32, -72.5, -8), (12, 12, 12)))
_LENSES = both_sides(Blob((32, -81, -8), (4.4, 2.0, 4.4)))
_ORBIT_MUSCLES = both_sides(
    Rod((21, -68, -8), (16, -36, -3), (1.7, 2.0)),
    Rod((42, -68, -8), (20, -36, -4), (1.5, 2.0)),
    Rod((32, -68, 4), (17, -36, 0), (1.8, 1.8)),
    Rod((32, -68, -20), (18, -36, -8), (1.8, 1.8)),
    Rod((32, -65, -8), (14, -34, -1), (2.2, 2.2)),
    Blob((43, -72, 1), (3, 6, 5)),
)


def shade_jaws(face: Face, place: Place, skin_mm: np.ndarray, pixels_hu: np.ndarray) -> np.ndarray:
    """Returns `pixels_hu` with jaws, teeth and cheekbones in it, float32 N x N, bones 2.5 mm or more below the skin."""
    if float(place.z.min()) > 22:
        return pixels_hu
    inner_mm = skin_mm - 2.5
    grain = sample_waves(face.grain, place.plane)
    for shapes, marrow_mm in ((_CHEEKBONES, 1.8), (_UPPER_JAW, 1.8), (_MANDIBLE, 2.3)):
        inside_mm = np.minimum(deepest_mm(shapes, place), inner_mm)
        spongy = soft_edge(inside_mm - marrow_mm, 1.4)
        bone_hu = mix(np.full_like(inside_mm, CORTEX_HU), MARROW_HU + 70 + 110 * grain, spongy)
        pixels_hu = mix(pixels_hu, bone_hu, soft_edge(inside_mm))
    if not _meets(place, -98, -48):
        return pixels_hu
    pixels_hu = mix(pixels_hu, DENTINE_HU, soft_edge(deepest_mm(face.roots, place)))
    return mix(pixels_hu, ENAMEL_HU, soft_edge(deepest_mm(face.crowns, place)))


def shade_hollows(face: Face, place: Place, skin_mm: np.ndarray, pixels_hu: np.ndarray) -> np.ndarray:
    """Returns `pixels_hu` with nose, sinuses, mouth and orbits hollowed out and filled, float32 N x N."""
    if not _meets(place, -82, 24):
        return pixels_hu
    # Not within the bone that floors the cavity.
    outside = soft_edge(np.minimum(-place.depth_mm - 2.0, skin_mm - 3))
    pixels_hu = _shade_orbits(place, pixels_hu, soft_edge(np.minimum(-place.depth_mm - 1.6, skin_mm - 1.5)))
    pixels_hu = _shade_nose(face, place, pixels_hu, outside)
    pixels_hu = _shade_ethmoid(face, place, pixels_hu, outside)
    for side in range(2):
        pixels_hu = _shade_sinus(face, place, pixels_hu, face.maxillary[side], outside)
        pixels_hu = _shade_sinus(face, place, pixels_hu, face.sphenoid[side], outside)
    gap_mm = deepest_mm((Blob((0, -62, -56 - 0.5 * face.mouth_mm), (17, 22, 2.0 + max(face.mouth_mm, 0))),), place)
    return mix(pixels_hu, AIR_HU, soft_edge(gap_mm) * (face.mouth_mm > 0))


def _shade_orbits(place: Place, pixels_hu: np.ndarray, outside: np.ndarray) -> np.ndarray:
    orbit_mm = deepest_mm(_ORBITS, place)
    if float(orbit_mm.max()) < -3:
        return pixels_hu
    walls = soft_edge(orbit_mm + 1.4) * outside
    pixels_hu = mix(pixels_hu, THIN_BONE_HU, walls * (place.y > -68))
    pixels_hu = mix(pixels_hu, LOOSE_HU - 44, soft_edge(orbit_mm) * outside)
    pixels_hu = mix(pixels_hu, MUSCLE_HU - 14, soft_edge(deepest_mm(_ORBIT_MUSCLES, place)) * outside)
    globe_mm = deepest_mm(_GLOBES, place)
    pixels_hu = mix(pixels_hu, MUSCLE_HU - 2, soft_edge(globe_mm + 0.6))
    pixels_hu = mix(pixels_hu, FLUID_HU - 4, soft_edge(globe_mm - 1.0))
    return mix(pixels_hu, LENS_HU, soft_edge(deepest_mm(_LENSES, place)))


def _shade_nose(face: Face, place: Place, pixels_hu: np.ndarray, outside: np.ndarray) -> np.ndarray:
    nose_mm = deepest_mm(_NOSE, place)
    if float(nose_mm.max()) < -3:
        return pixels_hu
    pixels_hu = mix(pixels_hu, MUCOSA_HU + 10, soft_edge(nose_mm + 1.2) * outside)
    wing_mm = deepest_mm(_CONCHAE, place)
    bent_mm = np.abs(place.x - 0.7 * face.septum_mm * np.cos((place.y + 62) / 16))
    air_mm = np.minimum(np.minimum(nose_mm, -wing_mm - face.conchae_mm), bent_mm - 2.2)
    pixels_hu = mix(pixels_hu, AIR_HU, soft_edge(air_mm) * outside)
    septum = soft_edge(0.5 - bent_mm) * soft_edge(nose_mm)
    return mix(pixels_hu, THIN_BONE_HU, np.maximum(septum, 0.8 * soft_edge(wing_mm)) * outside)


def _shade_ethmoid(face: Face, place: Place, pixels_hu: np.ndarray, outside: np.ndarray) -> np.ndarray:
    inside_mm = deepest_mm(_ETHMOID, place)
    if float(inside_mm.max()) < -3:
        return pixels_hu
    cells = sample_waves(face.cells, place.plane)
    pixels_hu = mix(pixels_hu, THIN_BONE_HU, soft_edge(inside_mm + 1.2) * outside)
    # The septa of the cells lie where the field passes through zero.
    open_mm = np.minimum(np.abs(cells) / np.float32(face.cells.steepness) - 0.5 - 0.3 * face.lining_mm, inside_mm)
    open_mm = np.minimum(open_mm, np.abs(place.x - 0.4 * face.septum_mm) - 1.0)
    return mix(pixels_hu, AIR_HU, soft_edge(open_mm) * outside)


def _shade_sinus(face: Face, place: Place, pixels_hu: np.ndarray, sinus: Blob, outside: np.ndarray) -> np.ndarray:
    """One sinus: its thin wall, what lines it, its air, and fluid where the patient lies on it."""
    inside_mm = deepest_mm((sinus,), place)
    if float(inside_mm.max()) < -3:
        return pixels_hu
    inside_mm = inside_mm + 1.5 * sample_waves(face.cells, place.plane)
    pixels_hu = mix(pixels_hu, THIN_BONE_HU, soft_edge(inside_mm + _MAXILLA_WALL_MM) * outside)
    pixels_hu = mix(pixels_hu, MUCOSA_HU, soft_edge(inside_mm) * outside)
    air = soft_edge(inside_mm - face.lining_mm)
    if face.fluid_y_mm < 0 and sinus.center_mm[0] * face.septum_mm > 0:
        air = air * soft_edge(face.fluid_y_mm - place.y)
    return mix(pixels_hu, AIR_HU, air * outside)


def _meets(place: Place, low_mm: float, high_mm: float) -> bool:
    return bool(place.z.max() > low_mm and place.z.min() < high_mm)
