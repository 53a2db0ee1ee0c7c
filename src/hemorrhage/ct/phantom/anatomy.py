"""The head as it is without blood: its proportions, its cavity, its bone and what lies outside the bone."""

from dataclasses import dataclass

import numpy as np

from hemorrhage.ct.phantom.space import (
    Plane,
    Waves,
    bell,
    capsule_inside_mm,
    draw_waves,
    ellipsoid_inside_mm,
    logistic,
    mix,
    sample_waves,
    soft_edge,
)

AIR_HU = -1000.0
FAT_HU = -85.0
MUSCLE_HU = 55.0

# The average cavity: half width, half length, dome above the equator, and the equator's height, mm.
HALF_WIDTH_MM, HALF_LENGTH_MM, DOME_MM, EQUATOR_MM = 66.0, 82.0, 66.0, 32.0


@dataclass(frozen=True)
class Calcification:
    """A dense spot that is no blood: centre and radius in head millimetres, HU at its core."""

    center_mm: tuple[float, float, float]
    radius_mm: float
    density_hu: float


@dataclass(frozen=True)
class Head:
    """One patient's head: sizes relative to the average, thicknesses in mm, densities in HU, random fields.

    `atrophy` runs from 0 (young, tight) to 1 (old, wide sulci and ventricles).
    """

    scale: tuple[float, float, float]
    egg: float
    atrophy: float
    skull_mm: float
    scalp_mm: float
    cortical_hu: float
    diploe_hu: float
    white_hu: float
    grey_hu: float
    csf_hu: float
    falx_hu: float
    sinus_air: float
    ventricle_scale: float
    ventricle_skew: float
    calcifications: tuple[Calcification, ...]
    old_infarct: Calcification | None
    sulci: Waves
    folds: Waves
    texture: Waves
    cells: Waves
    thickness: Waves
    bend: Waves

    @property
    def vertex_mm(self) -> float:
        """The height of the skin at the vertex, in average-head millimetres."""
        return EQUATOR_MM + DOME_MM + self.skull_mm + self.scalp_mm


@dataclass(frozen=True)
class Place:
    """Where the points of a plane lie in the head, float32 N x N each, mm.

    `depth_mm` is the depth below the inner table of the skull, negative outside the cavity; `dome_mm` is the same
    for the vault alone, as if there were no skull base; `radius_mm` is the distance to the cavity's middle.
    """

    plane: Plane
    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    radius_mm: np.ndarray
    dome_mm: np.ndarray
    depth_mm: np.ndarray
    ridge: np.ndarray

    @property
    def points(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return (self.x, self.y, self.z)

    @property
    def mirrored(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The points with the right half folded onto the left, for shapes that come in pairs."""
        return (np.abs(self.x), self.y, self.z)


def build_head(rng: np.random.Generator) -> Head:
    """Returns a head drawn from `rng`: no two are alike in size, shape, age, densities or folds."""
    atrophy = float(rng.beta(1.6, 1.6))
    size = rng.normal(1.03, 0.03)
    white_hu = rng.uniform(25, 29)
    return Head(
        scale=(size * rng.normal(1, 0.03), size * rng.normal(1, 0.03), size * rng.normal(1, 0.02)),
        egg=rng.uniform(0.02, 0.14),
        atrophy=atrophy,
        skull_mm=rng.uniform(4.0, 7.5),
        scalp_mm=rng.uniform(3.5, 7.0),
        cortical_hu=rng.uniform(1100, 1500),
        diploe_hu=rng.uniform(250, 700),
        white_hu=white_hu,
        grey_hu=white_hu + rng.uniform(7, 11),
        csf_hu=rng.uniform(4, 10),
        falx_hu=rng.uniform(42, 58),
        sinus_air=rng.uniform(0, 1),
        ventricle_scale=0.85 + 1.0 * atrophy * rng.uniform(0.5, 1.3),
        ventricle_skew=rng.normal(0, 0.12),
        calcifications=_draw_calcifications(rng),
        old_infarct=_draw_old_infarct(rng),
        sulci=draw_waves(rng, rng.uniform(21, 26)),
        folds=draw_waves(rng, 7.0),
        texture=draw_waves(rng, 14.0),
        cells=draw_waves(rng, 6.0),
        thickness=draw_waves(rng, 45.0),
        bend=draw_waves(rng, 170.0, count=12),
    )


def _draw_calcifications(rng: np.random.Generator) -> tuple[Calcification, ...]:
    """Calcium where radiologists expect it and networks take it for blood."""
    spots = []
    if rng.random() < 0.6:
        spots.append(Calcification((0.0, 27.0, 25.0), rng.uniform(1.5, 3.0), rng.uniform(120, 400)))
    for side in (-1, 1):
        if rng.random() < 0.5:
            place = (side * 24.0, 40 + rng.normal(0, 2), 31 + rng.normal(0, 3))
            spots.append(Calcification(place, rng.uniform(1.5, 3.5), rng.uniform(90, 350)))
    if rng.random() < 0.12:
        spots += [
            Calcification((side * 18.0, -2.0, 24.0), rng.uniform(2.5, 5), rng.uniform(60, 110)) for side in (-1, 1)
        ]
    for _ in range(rng.poisson(0.4)):
        place = (0.0, rng.uniform(-70, -45), rng.uniform(40, 75))
        spots.append(Calcification(place, rng.uniform(2, 4.5), rng.uniform(150, 600)))
    return tuple(spots)


def _draw_old_infarct(rng: np.random.Generator) -> Calcification | None:
    if rng.random() > 0.15:
        return None
    center = (float(rng.choice([-1, 1])) * rng.uniform(28, 48), rng.uniform(-40, 55), rng.uniform(25, 65))
    return Calcification(center, rng.uniform(8, 20), rng.uniform(8, 18))


def locate(head: Head, plane: Plane) -> Place:
    """Returns where the points of `plane` lie in `head`: its slight bend first, then its cavity."""
    bend = sample_waves(head.bend, plane)
    x, y, z = plane.axis(0) + 1.5 * bend, plane.axis(1) + 1.5 * bend, plane.axis(2)
    # An egg: narrower in front than behind.
    width_mm = HALF_WIDTH_MM * (1 + head.egg * np.clip(y / HALF_LENGTH_MM, -1, 0.45))
    x_squared, y_squared = (x / width_mm) ** 2, (y / HALF_LENGTH_MM) ** 2
    # The last term fills the corners: a head is a little squarer than an ellipse.
    across = x_squared + y_squared - 0.25 * x_squared * y_squared
    rise = z - EQUATOR_MM
    above = np.sqrt(across + (np.maximum(rise, 0) / DOME_MM) ** 2)
    # Below the equator the walls fall steeply, and taper only towards the neck.
    taper = np.clip(1 - (np.minimum(rise, 0) / 115) ** 4, 0.05, 1)
    ratio = np.maximum(above / np.sqrt(taper), 1e-3)
    radius_mm = np.sqrt(x**2 + y**2 + np.maximum(rise, 0) ** 2)
    dome_mm = np.where(ratio <= 1e-3, np.float32(DOME_MM), radius_mm * (1 / ratio - 1))
    floor_mm, ridge = _skull_base(x, y)
    return Place(plane, x, y, z, radius_mm, dome_mm, np.minimum(dome_mm, 0.8 * (z - floor_mm)), ridge)


def _skull_base(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the height of the cavity's floor in mm and the petrous ridge, 0..1: three steps, front to back."""
    wide = np.abs(x)
    # The orbits' roofs bulge up and fall off towards the back.
    front = 4 + 9 * bell((wide - 26) / 14) - 0.22 * (y + 50)
    middle = -14 + 16 * bell(x / 15)
    back = -44 + (x**2 + (y - 38) ** 2) / 110
    petrous_mm = y - 4 - 0.5 * (wide - 10)
    behind = logistic(petrous_mm / 3)
    ridge = bell(petrous_mm / 8) * logistic((wide - 14) / 3)
    floor_mm = mix(mix(middle, back, behind), front, logistic((-34 - y) / 4))
    return floor_mm + 12 * ridge, ridge


def shade_outside(head: Head, place: Place) -> np.ndarray:
    """Returns HU of everything outside the cavity, float32 N x N: air, scalp, face, bone with its air cells."""
    cells = sample_waves(head.cells, place.plane)
    skull_mm = head.skull_mm * (1 + 0.11 * sample_waves(head.thickness, place.plane))
    # The occiput and the forehead are thicker than the temples.
    skull_mm = skull_mm * (0.75 + 0.45 * (place.y / HALF_LENGTH_MM) ** 2)
    pixels_hu = _shade_scalp(head, place, head.skull_mm + head.scalp_mm)
    pixels_hu = _shade_face(head, place, pixels_hu, cells)
    return _shade_bone(head, place, pixels_hu, skull_mm, cells)


def _shade_scalp(head: Head, place: Place, cover_mm: float) -> np.ndarray:
    """Skin over fat over muscle, in air."""
    skin_mm = place.dome_mm + cover_mm
    low = logistic((38 - place.z) / 6)
    temple = low * logistic((np.abs(place.x) - 45) / 4) * logistic((25 - place.y) / 6)
    neck = logistic((-12 - place.z) / 5)
    # Fat runs between the muscles of the neck and the jaw.
    strands = soft_edge(sample_waves(head.texture, place.plane) + 0.9, 0.8)
    muscle = np.maximum(temple * soft_edge(skin_mm - 2.5), neck * strands * soft_edge(skin_mm - 6))
    inside_hu = mix(mix(np.full_like(skin_mm, FAT_HU), MUSCLE_HU, muscle), 15.0, soft_edge(2.0 - skin_mm))
    return mix(np.full_like(skin_mm, AIR_HU), inside_hu, soft_edge(skin_mm))


def _shade_face(head: Head, place: Place, pixels_hu: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Orbits with their globes, nose, maxillary and sphenoid sinuses, each in a thin wall of bone."""
    if float(place.z.min()) > 25:
        return pixels_hu
    body = soft_edge(place.dome_mm + head.skull_mm + head.scalp_mm - 2)
    pairs = place.mirrored
    orbit_mm = capsule_inside_mm(pairs, (31, -78, -8), (20, -42, -4), (17, 5))
    globe_mm = ellipsoid_inside_mm(pairs, (32, -78, -8), (12, 12, 12))
    nose_mm = ellipsoid_inside_mm(place.points, (0, -60, -14), (12, 34, 19))
    maxilla_mm = ellipsoid_inside_mm(pairs, (27, -58, -42), (16, 20, 18))
    sphenoid_mm = ellipsoid_inside_mm(place.points, (0, -18, -13), (12, 12, 9))
    air_mm = np.maximum(np.maximum(nose_mm, maxilla_mm), sphenoid_mm)
    wall = soft_edge(np.maximum(air_mm, orbit_mm) + 2.5) * body
    pixels_hu = mix(pixels_hu, 700.0, wall)
    pixels_hu = mix(pixels_hu, -80.0, soft_edge(orbit_mm) * body)
    nerve_mm = capsule_inside_mm(pairs, (31, -70, -8), (16, -40, -3), (2.2, 2.2))
    pixels_hu = mix(pixels_hu, 40.0, soft_edge(nerve_mm) * body)
    pixels_hu = mix(pixels_hu, 45.0, soft_edge(globe_mm + 0.8) * body)
    pixels_hu = mix(pixels_hu, 8.0, soft_edge(globe_mm - 0.8) * body)
    septa = soft_edge((np.abs(cells) - 0.25) * 2)
    return mix(pixels_hu, AIR_HU, soft_edge(air_mm) * body * np.maximum(septa, maxilla_mm > 0))


def _shade_bone(head: Head, place: Place, pixels_hu: np.ndarray, skull_mm: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Two tables with diploe between, the solid petrous bone, mastoid cells and the frontal sinus."""
    outward_mm = -place.depth_mm
    roof = logistic((-30 - place.y) / 4) * (place.depth_mm < place.dome_mm - 1)
    thick_mm = skull_mm * (1 - 0.5 * roof) + 14 * place.ridge * logistic((-2 - place.z) / 4)
    part = np.clip(outward_mm / thick_mm, 0, 1)
    spongy = np.clip(1.6 * (1 - (2 * part - 1) ** 2) - 0.6, 0, 1) * (1 - 0.8 * place.ridge)
    bone_hu = mix(np.full_like(part, head.cortical_hu), head.diploe_hu + 90 * cells, spongy)
    pixels_hu = mix(pixels_hu, bone_hu, soft_edge(thick_mm - outward_mm))
    mastoid_mm = ellipsoid_inside_mm(place.mirrored, (56, 30, -16), (11, 14, 14))
    pixels_hu = mix(pixels_hu, -700.0, soft_edge(mastoid_mm) * soft_edge(2 * cells) * soft_edge(outward_mm - 2))
    sinus = (22 * head.sinus_air, 5, 16 * head.sinus_air)
    if min(sinus) < 3:
        return pixels_hu
    sinus_mm = ellipsoid_inside_mm(place.points, (0, -HALF_LENGTH_MM - 3.5, 14), sinus)
    return mix(
        pixels_hu, AIR_HU, soft_edge(sinus_mm) * soft_edge(outward_mm - 1) * soft_edge(thick_mm - outward_mm - 1)
    )
