"""What lies on the skull: skin and fat, swellings after a fall, ears, nose and hair."""

from dataclasses import dataclass

import numpy as np

from hemorrhage.ct.phantom.place import EQUATOR_MM, Place
from hemorrhage.ct.phantom.shape import OUTSIDE_MM, Blob, Rod, both_sides, deepest_mm
from hemorrhage.ct.phantom.space import Waves, bell, draw_waves, mix, sample_waves, soft_edge
from hemorrhage.ct.phantom.tissue import AIR_HU, FAT_HU, SKIN_HU


@dataclass(frozen=True)
class Swelling:
    """Fluid or blood under the scalp: the unit vector to its middle, its radius and thickness in mm, its HU."""

    direction: tuple[float, float, float]
    radius_mm: float
    thickness_mm: float
    density_hu: float


@dataclass(frozen=True)
class Scalp:
    """One patient's scalp: thickness and skin in mm, swellings, and hair of `hair_mm` whose strands are `hair_hu`."""

    thickness_mm: float
    skin_mm: float
    fat_hu: float
    swellings: tuple[Swelling, ...]
    hair_mm: float
    hair_hu: float
    unevenness: Waves
    hair: Waves


def draw_scalp(rng: np.random.Generator, child: bool) -> Scalp:
    """Returns a scalp, swollen in three of twenty, with hair that the scanner sees in one of eight."""
    braided = rng.random() < 0.03
    return Scalp(
        thickness_mm=rng.uniform(2.5, 4) if child else float(np.clip(rng.gamma(9, 0.52), 2.5, 9)),
        skin_mm=rng.uniform(1.4, 2.3),
        fat_hu=FAT_HU + rng.normal(0, 6),
        swellings=tuple(_draw_swelling(rng) for _ in range(int(rng.choice([0, 1, 2], p=[0.85, 0.12, 0.03])))),
        hair_mm=rng.uniform(8, 16) if braided else rng.uniform(3, 12) * (rng.random() < 0.1),
        hair_hu=rng.uniform(-250, 0) if braided else rng.uniform(-900, -650),
        unevenness=draw_waves(rng, 70.0, count=12),
        hair=draw_waves(rng, 9.0 if braided else 5.0),
    )


def _draw_swelling(rng: np.random.Generator) -> Swelling:
    azimuth, elevation = rng.uniform(-np.pi, np.pi), rng.uniform(-0.3, 1.0)
    level = np.cos(elevation)
    return Swelling(
        direction=(float(level * np.cos(azimuth)), float(level * np.sin(azimuth)), float(np.sin(elevation))),
        radius_mm=rng.uniform(22, 55),
        thickness_mm=rng.uniform(2, 9),
        density_hu=rng.uniform(8, 68),
    )


_NOSE = (
    Blob((0, -86, -23), (12.5, 19, 27), lean=(0, 0.42)),
    Rod((0, -82, 4), (0, -104, -33), (8, 7)),
    *both_sides(Rod((11, -88, -38), (7, -99, -38), (7, 6))),
    # Lids over the eyes.
    *both_sides(Blob((32, -72.5, -8), (14.5, 13.8, 14))),
    # Lips and chin stand out over the teeth.
    Blob((0, -80, -66), (30, 17, 20)),
    Blob((0, -74, -100), (24, 18, 17)),
)
_NOSTRILS = both_sides(Rod((6, -93, -34), (6, -101, -46), (3.5, 3.2)))
# An auricle stands off behind the canal: its bowl, the rim about it, the lobe.
_EARS = both_sides(
    Blob((76, 20, -18), (15, 4.4, 21), yaw=0.85, lean=(0.12, 0.25)),
    Rod((83, 30, -32), (90, 36, -2), (4, 4)),
    Rod((90, 36, -2), (78, 20, 13), (4, 3.2)),
    Rod((78, 20, 13), (72, 9, -4), (2.4, 2.2)),
    Blob((75, 18, -42), (8, 3.5, 10), yaw=0.7),
    Blob((74, 5, -21), (5, 2.8, 6), yaw=0.6),
)


def appendages_mm(place: Place) -> np.ndarray:
    """Returns the depth inside nose and ears, float32 N x N, negative outside."""
    if float(place.z.min()) > 22:
        return np.full_like(place.x, 10 * OUTSIDE_MM)
    inside_mm = deepest_mm((*_NOSE, *_EARS), place)
    inside_mm = np.minimum(inside_mm, -deepest_mm(_NOSTRILS, place))
    # Far off, so that hair keeps its distance to the head itself.
    return np.where(inside_mm > OUTSIDE_MM, inside_mm, np.float32(10 * OUTSIDE_MM))


def cover_mm(scalp: Scalp, place: Place) -> np.ndarray:
    """Returns how thick the scalp is over each point of the vault, with its swellings, float32 N x N, mm."""
    thick_mm = scalp.thickness_mm * (1 + 0.14 * sample_waves(scalp.unevenness, place.plane))
    for swelling in scalp.swellings:
        thick_mm = thick_mm + _swelling_mm(swelling, place)
    return thick_mm


def _swelling_mm(swelling: Swelling, place: Place) -> np.ndarray:
    """How thick a swelling is where the ray from the cavity's middle through each point leaves the head."""
    rise = place.z - EQUATOR_MM
    length = np.sqrt(place.x**2 + place.y**2 + rise**2) + np.float32(1e-3)
    x, y, z = swelling.direction
    cosine = (place.x * x + place.y * y + rise * z) / length
    apart_mm = 84 * np.sqrt(np.maximum(2 - 2 * cosine, 0))
    return swelling.thickness_mm * bell((apart_mm / swelling.radius_mm) ** 2)


def shade_scalp(scalp: Scalp, place: Place, skin_mm: np.ndarray) -> np.ndarray:
    """Returns HU of skin over fat in air with hair, float32 N x N, where `skin_mm` is the depth below the skin."""
    uneven = sample_waves(scalp.hair, place.plane)
    pixels_hu = np.full_like(skin_mm, AIR_HU)
    if scalp.hair_mm > 0:
        reach = soft_edge(skin_mm + scalp.hair_mm, 4) * soft_edge(place.z + 0.5 * place.y + 5, 10)
        pixels_hu = mix(pixels_hu, scalp.hair_hu, reach * soft_edge(uneven - 0.9, 0.6))
    below_hu = mix(np.full_like(skin_mm, scalp.fat_hu) + 5 * uneven, SKIN_HU, soft_edge(scalp.skin_mm - skin_mm))
    for swelling in scalp.swellings:
        share = np.clip(_swelling_mm(swelling, place) / 2.5, 0, 1) * soft_edge(skin_mm - scalp.skin_mm - 1.5, 1.5)
        below_hu = mix(below_hu, swelling.density_hu, 0.93 * share)
    return mix(pixels_hu, below_hu, soft_edge(skin_mm))
