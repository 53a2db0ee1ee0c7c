"""The skull's own measures and the cavity it leaves: vault, the three steps of its floor, and what juts into it."""

from dataclasses import dataclass

import numpy as np

from hemorrhage.ct.phantom.place import DOME_MM, EQUATOR_MM, HALF_LENGTH_MM, HALF_WIDTH_MM, Place
from hemorrhage.ct.phantom.shape import Blob, Rod, Wall, both_sides, deepest_mm
from hemorrhage.ct.phantom.space import Plane, Waves, bell, draw_waves, logistic, mix, sample_waves


@dataclass(frozen=True)
class Skull:
    """One patient's skull: lengths in mm, densities in HU, shares from 0 to 1, random fields.

    `egg` is how much narrower the front is, `square` how far the corners are filled, `slant` the shear of a head
    flattened on one side. `sinuses` holds half width and half height of the right and the left frontal sinus,
    `sutures` how open the sutures are, `aeration` how much of the mastoid is air, `mastoid_hu` what fills its cells.
    """

    egg: float
    square: float
    slant: float
    thickness_mm: float
    occiput_mm: float
    hyperostosis_mm: float
    sutures: float
    cortical_hu: float
    diploe_hu: float
    sinuses: tuple[tuple[float, float], tuple[float, float]]
    aeration: float
    mastoid_hu: float
    unevenness: Waves
    ripple: Waves
    cells: Waves
    grain: Waves


def draw_skull(rng: np.random.Generator, age: float, child: bool) -> Skull:
    """Returns a skull for someone of `age`, 0 young to 1 old; a child's is thin with open sutures and small sinuses."""
    sinus = 0.0 if child else float(rng.beta(2, 1.6))
    sides = [(sinus * rng.uniform(7, 22), sinus * rng.uniform(6, 28)) for _ in range(2)]
    return Skull(
        egg=rng.uniform(0.05, 0.2),
        square=rng.uniform(0.05, 0.42),
        slant=float(np.clip(rng.normal(0, 0.03), -0.09, 0.09)),
        thickness_mm=rng.uniform(1.8, 3.5) if child else float(np.clip(rng.normal(6.3, 1.2), 3.8, 10)),
        occiput_mm=rng.uniform(1, 3) if child else rng.uniform(2, 10),
        # Thick inner foreheads are an old woman's: some one in twenty-five of all heads.
        hyperostosis_mm=rng.uniform(3, 9) if rng.random() < 0.12 * age else 0.0,
        sutures=float(np.clip(rng.uniform(0.7, 1.2) - 0.8 * age * rng.random(), 0, 1)),
        # Measured on real slices: the vault's quartiles of bone lie at 650, 900 and 1,150 HU, blurred by the scanner.
        cortical_hu=float(np.clip(rng.normal(1780, 230), 1150, 2200)) - 300 * child,
        diploe_hu=rng.uniform(270, 640),
        sinuses=(sides[0], sides[1]),
        aeration=rng.uniform(0.2, 0.6) if child else rng.uniform(0.45, 1.0),
        mastoid_hu=-900.0 if rng.random() < 0.9 else rng.uniform(-300, 25),
        unevenness=draw_waves(rng, 60.0),
        ripple=draw_waves(rng, 20.0, count=16),
        cells=draw_waves(rng, 7.5),
        grain=draw_waves(rng, 4.5),
    )


def locate_in_skull(skull: Skull, plane: Plane, bend: np.ndarray) -> Place:
    """Returns where the points of `plane` lie in `skull`, bent by the float32 N x N field `bend` in mm."""
    x, y, z = plane.axis(0) + bend, plane.axis(1) + bend, plane.axis(2)
    radius_mm, vault_mm = _vault_inside_mm(skull, x, y, z)
    prints = sample_waves(skull.ripple, plane)
    thicker_mm = _inner_thickening_mm(skull, plane, prints, (x, y, z))
    floor_mm, ridge = _skull_base(x, y)
    floor_mm += np.float32(1.1) * prints
    dome_mm = vault_mm - thicker_mm
    bone_mm = np.maximum(skull.thickness_mm * _thickness_profile(y, z) + thicker_mm, 1.2) + _glabella_mm(skull, x, y, z)
    place = Place(plane, x, y, z, radius_mm, dome_mm, np.minimum(dome_mm, 0.8 * (z - floor_mm)), ridge, bone_mm)
    if not (float(z.min()) < 26 and float(z.max()) > -50):
        return place
    depth_mm = np.minimum(place.depth_mm, -deepest_mm(_JUTTING, place))
    return Place(plane, x, y, z, radius_mm, dome_mm, depth_mm, ridge, bone_mm)


def _vault_inside_mm(skull: Skull, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distance to the cavity's middle, and the depth below an even vault."""
    along = y + skull.slant * x
    # An egg: narrower in front than behind.
    width_mm = HALF_WIDTH_MM * (1 + skull.egg * np.clip(along / HALF_LENGTH_MM, -1, 0.45))
    x_squared, y_squared = (x / width_mm) ** 2, (along / HALF_LENGTH_MM) ** 2
    # The last term fills the corners: a head is a little squarer than an ellipse.
    across = x_squared + y_squared - skull.square * x_squared * y_squared
    rise = z - EQUATOR_MM
    above = np.sqrt(np.maximum(across, 0) + (np.maximum(rise, 0) / DOME_MM) ** 2)
    # Below the equator the walls fall steeply, and taper only towards the neck.
    taper = np.clip(1 - np.square(np.square(np.minimum(rise, 0) / 115)), 0.05, 1)
    ratio = np.maximum(above / np.sqrt(taper), 1e-3)
    radius_mm = np.sqrt(x**2 + y**2 + np.maximum(rise, 0) ** 2)
    return radius_mm, np.where(ratio <= 1e-3, np.float32(DOME_MM), radius_mm * (1 / ratio - 1))


def _thickness_profile(y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """The occiput and the forehead are thicker than the temples, and the squama low in the temple is thinnest."""
    profile = 0.8 + 0.4 * (y / HALF_LENGTH_MM) ** 2
    return profile - 0.42 * bell((y + 12) / 34) * logistic((32 - z) / 8)


def _glabella_mm(skull: Skull, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray | float:
    """How much farther out the forehead stands over the frontal sinuses and the brows."""
    if float(z.min()) > 45 or float(z.max()) < -20:
        return 0.0
    reach = bell(x / 38) * bell((z - 8) / 17) * logistic((-55 - y) / 4)
    return np.float32(min(1.2 * skull.thickness_mm, 8)) * reach


def _inner_thickening_mm(
    skull: Skull, plane: Plane, prints: np.ndarray, points: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> np.ndarray:
    """What the inner table grows inwards: gyri's prints, ridges of the occiput, hyperostosis of the forehead."""
    x, y, z = points
    thicker_mm = 0.32 * prints + 0.09 * skull.thickness_mm * sample_waves(skull.unevenness, plane)
    if float(z.min()) < 58:
        # Before the temple the great wing bulges inwards, and the frontal crest stands in the midline.
        pterion = bell((y + 41) / 9) * bell((z - 14) / 15)
        crest = bell(x / 3.5) * logistic((-62 - y) / 3) * bell((z - 22) / 20)
        thicker_mm += np.float32(0.55 * skull.thickness_mm) * np.maximum(pterion, crest)
    if float(z.min()) < 26:
        behind = logistic((y - 55) / 4)
        # The inner protuberance, the crest below it, and the ridges beside it that the tentorium holds to.
        crest = bell(x / 6) * bell((z - 2) / 12) + 0.5 * bell(x / 4) * logistic((0 - z) / 4)
        thicker_mm += skull.occiput_mm * behind * np.maximum(crest, 0.3 * bell((z - 2) / 5))
    if skull.hyperostosis_mm > 0:
        reach = logistic((-32 - y) / 6) * logistic((np.abs(x) - 6) / 2.5) * bell((z - 40) / 32)
        thicker_mm += skull.hyperostosis_mm * reach * np.clip(1 + 0.5 * prints, 0.2, 2)
    return thicker_mm


def _skull_base(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the height of the cavity's floor in mm and the petrous ridge, 0..1: three steps, front to back."""
    wide = np.abs(x)
    # The orbits' roofs bulge up, the groove of the smell lies between, and all falls off towards the back.
    front = 3 + 9 * bell((wide - 27) / 13) - 6 * bell(x / 6) - 0.2 * (y + 50)
    bowl = np.minimum(-18 + 0.012 * np.square(wide - 38) + 0.006 * np.square(y + 16), -7)
    middle = mix(bowl, 0.0, bell(x / 14)) - 8 * bell(x / 7) * bell((y + 11) / 6)
    # The occiput rises steeper behind the great foramen than the base does before it.
    bowl_mm = -44 + x**2 / 110 + np.square(y - 38) / np.where(y > 38, np.float32(72), np.float32(110))
    back = np.maximum(bowl_mm, -2 - 1.75 * (y + 2) - 5 * np.square(x / 14))
    # The ridge runs outwards and back, the more so towards the sigmoid sinus.
    petrous_mm = 0.89 * (y - 4 - 0.5 * (wide - 10) - 0.02 * np.square(np.maximum(wide - 38, 0)) + 2 * np.sin(wide / 7))
    beside = logistic((wide - 13) / 2)
    behind = logistic((petrous_mm - 6 * beside) / 1.8)
    ridge = bell((petrous_mm - 0.5) / 7.5) * beside * logistic((64 - wide) / 2.5)
    floor_mm = mix(mix(middle, back, behind), front, logistic((-20 - 0.42 * wide - y) / 2.2))
    return floor_mm + 12 * ridge, ridge


_JUTTING = (
    *both_sides(
        # The ridge of the lesser wing, and the clinoid it ends in.
        Rod((14, -21, 4), (35, -36, 7), (1.3, 1.8)),
        Rod((35, -36, 7), (59, -42, 11), (1.8, 4.5)),
        Rod((14, -22, 5), (12, -12, 5), (2.2, 1.0)),
    ),
    # The dorsum of the sella and the cock's comb.
    Wall((-6, -2, -5), (6, -2, -5), 1.3, 6),
    Blob((0, -66, 7), (1.7, 9, 11)),
)
"""Bones that stand up into the cavity."""
