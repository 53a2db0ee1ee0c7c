"""Neck and jaw's soft tissue: the outline below the skull, muscles with fat between them, spine, throat, vessels."""

from dataclasses import dataclass

import cv2
import numpy as np

from hemorrhage.ct.phantom.place import Place
from hemorrhage.ct.phantom.shape import Blob, Rod, Wall, both_sides, deepest_mm, territories_mm
from hemorrhage.ct.phantom.space import Waves, bell, draw_waves, mix, sample_waves, soft_edge
from hemorrhage.ct.phantom.tissue import (
    AIR_HU,
    CARTILAGE_HU,
    CORD_HU,
    CORTEX_HU,
    FLUID_HU,
    GLAND_HU,
    LOOSE_HU,
    MARROW_HU,
    MUSCLE_HU,
    VESSEL_HU,
)


@dataclass(frozen=True)
class Neck:
    """One patient's neck: fat under the skin in mm, how much fat is in the muscles (0..1), their HU, random fields.

    `airway` is how wide the throat is, 1 on average.
    """

    fat_mm: float
    streaks: float
    muscle_hu: float
    gland_hu: float
    airway: float
    wander: tuple[Waves, Waves]
    strands: Waves


def draw_neck(rng: np.random.Generator, age: float) -> Neck:
    """Returns a neck, stout or thin; an old one has more fat in its muscles."""
    return Neck(
        fat_mm=float(rng.gamma(3.5, 1.1)) + 0.6,
        streaks=float(np.clip(age * rng.uniform(0, 1.2), 0, 1)),
        muscle_hu=MUSCLE_HU + rng.normal(0, 4),
        gland_hu=GLAND_HU + rng.uniform(-45, 25),
        airway=rng.uniform(0.5, 1.25),
        wander=(draw_waves(rng, 30.0, count=12), draw_waves(rng, 30.0, count=12)),
        strands=draw_waves(rng, 6.5),
    )


# Heights and, at each, half width and front of the face, half width, front and back of the neck, mm.
_HEIGHTS_MM = (-140, -124, -114, -104, -92, -76, -58, -40, -22, -8, 4, 20)
_FACE_WIDTH_MM = (38, 40, 43, 47, 52, 58, 62, 66, 68, 66, 62, 55)
_FACE_FRONT_MM = (-18, -38, -70, -84, -87, -86, -85, -86, -83, -80, -82, -88)
_NECK_WIDTH_MM = (64, 60, 59, 59, 60, 62, 64, 66, 66, 63, 58, 40)
_NECK_FRONT_MM = (-30, -30, -30, -30, -30, -30, -30, -30, -30, -24, -18, 0)
_NECK_BACK_MM = (84, 81, 79, 78, 78, 80, 84, 90, 94, 92, 88, 66)


def outline_mm(place: Place) -> np.ndarray:
    """Returns the depth below the skin of face and neck without nose and ears, float32 N x N, negative outside."""
    size = len(place.plane.grid_mm)
    # It is smooth: half as many points each way do.
    x, y, z = (cv2.resize(axis, (size // 2, size // 2), interpolation=cv2.INTER_AREA) for axis in place.points)
    face_mm = _face_outline_mm(np.abs(x), y, z)
    neck_mm = _neck_outline_mm(np.abs(x), y, z)
    joined_mm = join_mm(face_mm, neck_mm, 14.0).astype(np.float32)
    return cv2.resize(joined_mm, (size, size), interpolation=cv2.INTER_LINEAR)


def join_mm(first_mm: np.ndarray, second_mm: np.ndarray, width_mm: float) -> np.ndarray:
    """Returns the depth inside the union of two solids whose seam is filled over `width_mm`."""
    seam = np.maximum(1 - np.abs(first_mm - second_mm) / np.float32(width_mm), 0)
    return np.maximum(first_mm, second_mm) + seam**2 * np.float32(width_mm / 4)


def _face_outline_mm(wide: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    half_mm = np.interp(z, _HEIGHTS_MM, _FACE_WIDTH_MM)
    long_mm = -8 - np.interp(z, _HEIGHTS_MM, _FACE_FRONT_MM)
    along = np.where(y < -8, (-8 - y) / long_mm, (y + 8) / 62)
    # Blunt in front by the cheekbones, pointed at the chin.
    power = np.interp(z, (-110, -50, -22, -4), (1.85, 2.1, 2.3, 2.6))
    ratio = (wide / half_mm) ** power + along**power
    return np.minimum((1 - ratio ** (1 / power)) * np.minimum(half_mm, long_mm), 22 - z)


def _neck_outline_mm(wide: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    front_mm, back_mm = np.interp(z, _HEIGHTS_MM, _NECK_FRONT_MM), np.interp(z, _HEIGHTS_MM, _NECK_BACK_MM)
    half_mm = np.interp(z, _HEIGHTS_MM, _NECK_WIDTH_MM)
    middle_mm, long_mm = (front_mm + back_mm) / 2, (back_mm - front_mm) / 2
    ratio = (wide / half_mm) ** 2.1 + (np.abs(y - middle_mm) / long_mm) ** 2.1
    return np.minimum((1 - ratio ** (1 / 2.1)) * long_mm, 0 - z)


_MUSCLES = (
    *both_sides(
        # Temporalis, masseter, the two pterygoids.
        Blob((60, -24, 2), (13, 33, 34)),
        Blob((49, -33, -28), (8, 15, 16)),
        Blob((57, -24, -60), (7.5, 17, 30), yaw=0.25),
        Rod((23, -32, -28), (42, -4, -25), (11, 7)),
        Rod((24, -31, -38), (43, -12, -84), (9, 8)),
        # The throat's wall and what lies before the spine.
        Blob((11, 1, -75), (9, 6, 52)),
        Blob((17, -14, -58), (6, 12, 26), lean=(0.05, -0.1)),
        Rod((52, 22, -40), (36, -14, -86), (5, 4.5)),
        Rod((36, 0, -45), (24, -24, -80), (3.2, 3.2)),
        # The nape, from the midline outwards.
        Blob((16, 62, -62), (17, 17, 52)),
        Blob((13, 45, -54), (10, 5.5, 11), yaw=0.45),
        Blob((25, 36, -63), (13, 5.5, 9), yaw=-0.45),
        Blob((12, 52, -98), (12, 11, 34)),
        Blob((33, 64, -58), (20, 7, 54), yaw=0.7),
        Blob((47, 40, -66), (8, 13, 44), yaw=0.5),
        Blob((44, 24, -98), (10, 14, 36), yaw=0.3),
        Blob((28, 14, -98), (9, 9, 32)),
        Blob((20, 78, -80), (28, 5, 66), yaw=0.4),
        # From the mastoid to the breastbone.
        Rod((58, 27, -36), (48, 0, -128), (9.5, 11)),
        # Floor of the mouth and cheek.
        Rod((33, -30, -92), (9, -70, -98), (5, 6)),
        Rod((8, -76, -100), (8, -24, -110), (5, 6)),
        Rod((39, -44, -62), (24, -80, -68), (4, 5)),
        Rod((46, -58, -34), (22, -82, -62), (3, 3)),
        Blob((30, -83, 0), (17, 4, 16)),
    ),
    # Tongue, lips, chin.
    Blob((0, -48, -72), (23, 33, 17)),
    Blob((0, -30, -92), (17, 20, 15)),
    Blob((0, -88, -72), (20, 6, 14)),
    Blob((0, -85, -104), (17, 5, 10)),
)
_GLANDS = both_sides(Blob((57, 3, -54), (11, 14, 24), yaw=-0.3), Blob((36, -22, -98), (9, 14, 13)))
_VESSELS = both_sides(
    Rod((29, 13, -40), (34, 6, -135), (4.6, 7)),
    Rod((25, 4, -34), (25, 2, -135), (2.8, 4)),
    Rod((22, 24, -60), (20, 22, -135), (2.0, 2.0)),
)
_BONES = (
    # Condyles, atlas, axis with its tooth, and the bodies, arches and spines below.
    *both_sides(
        Blob((19, 27, -46), (6.5, 12, 5.5), yaw=-0.4),
        Blob((20, 26, -57), (9, 11, 7.5), yaw=-0.3),
        Rod((28, 26, -57), (42, 27, -58), (5, 3.5)),
        Wall((0, 11, -57), (16, 17, -57), 3.0, 5),
        Wall((25, 36, -58), (0, 57, -58), 3.0, 4),
        Blob((18, 25, -74), (9, 9, 6)),
        Wall((20, 32, -80), (3, 52, -84), 3.0, 7),
        *(Blob((19, 28, z), (8, 8, 8)) for z in (-96, -112, -128, -144)),
        *(Rod((14, 17, z), (25, 18, z + 1), (3.5, 3)) for z in (-96, -112, -128, -144)),
        *(Wall((19, 34, z - 2), (3, 51, z - 6), 2.4, 6) for z in (-96, -112, -128, -144)),
    ),
    Rod((0, 19, -50), (0, 20, -74), (5, 6)),
    Blob((0, 20, -82), (13, 10, 9)),
    Wall((0, 51, -86), (0, 65, -90), 3.5, 6),
    *(Blob((0, 19, z), (14, 11, 7.5)) for z in (-98, -114, -130, -146)),
    *(Wall((0, 51, z - 8), (0, 60, z - 12), 2.6, 4) for z in (-98, -114, -130, -146)),
)
_DISCS = tuple(Blob((0, 19, z), (13, 10, 4)) for z in (-90, -106, -122, -138))
_CANAL = (Rod((0, 39, -40), (0, 38, -60), (14.5, 12)), Rod((0, 38, -60), (0, 40, -150), (12, 10.5)))
_CORD = (Rod((0, 36, -36), (0, 37, -60), (7.5, 5.5)), Rod((0, 37, -60), (0, 39, -150), (5.5, 5)))
_HYOID = both_sides(Wall((0, -32, -122), (17, -20, -119), 2.2, 3.5))
_AIRWAY = (
    Blob((0, -19, -44), (14, 9, 13)),
    Blob((0, -11, -66), (13, 6.5, 18), lean=(0, 0.1)),
    Blob((0, -7, -94), (13, 7, 20)),
    *both_sides(Blob((9, -9, -114), (5, 5, 13))),
    Blob((0, -18, -132), (6, 10, 22)),
)


def shade_neck(neck: Neck, place: Place, skin_mm: np.ndarray, pixels_hu: np.ndarray) -> np.ndarray:
    """Returns `pixels_hu` with all that lies between skin and bone of face and neck, float32 N x N.

    `skin_mm` is the depth below the skin, float32 N x N.
    """
    if float(place.z.min()) > 38:
        return pixels_hu
    deep = soft_edge(skin_mm - 2.5 - _fat_mm(neck, place))
    grain = sample_waves(neck.strands, place.plane)
    pixels_hu = mix(pixels_hu, LOOSE_HU + 9 * grain, soft_edge(skin_mm - 12, 6))
    muscle = np.maximum(_muscle_share(neck, place, skin_mm, grain), _ligament_share(place))
    pixels_hu = mix(pixels_hu, neck.muscle_hu + 3 * grain, deep * muscle)
    if float(place.z.min()) > -20:
        return pixels_hu
    pixels_hu = mix(
        pixels_hu, neck.gland_hu + 12 * grain, soft_edge(deepest_mm(_GLANDS, place), 3) * soft_edge(skin_mm - 3)
    )
    pixels_hu = mix(pixels_hu, VESSEL_HU, soft_edge(deepest_mm(_VESSELS, place)))
    pixels_hu = _shade_spine(place, pixels_hu, grain)
    return _shade_airway(neck, place, pixels_hu)


def _fat_mm(neck: Neck, place: Place) -> np.ndarray:
    """How thick the fat under the skin is: thin over the temple and the side, thick in the nape."""
    behind = np.clip((place.y - 20) / 50, 0, 1)
    low = np.clip((10 - place.z) / 40, 0, 1)
    # The muscles of both sides stand out; the furrow between them is full of fat.
    furrow = 0.8 * behind * bell(place.x / 24)
    return np.float32(neck.fat_mm) * low * (0.45 + 0.75 * behind + furrow) + (1 - low)


def _muscle_share(neck: Neck, place: Place, skin_mm: np.ndarray, grain: np.ndarray) -> np.ndarray:
    best_mm, next_mm = territories_mm(_MUSCLES, place)
    # Fat planes are wide in places and not to be seen in others.
    gap_mm = 0.3 + 0.9 * neck.streaks + 0.9 * sample_waves(neck.wander[0], place.plane)
    between = soft_edge(best_mm - next_mm - gap_mm, 1.3)
    streaks = 1 - 0.3 * neck.streaks * soft_edge(grain - 0.9, 1.6)
    # Muscles press against each other: they are a little larger than each alone.
    share = soft_edge(best_mm + 3.8 - 2.2 * neck.streaks) * between * streaks
    return share * _nape_share(neck, place, skin_mm, grain)


_NAPE_PLANES_MM = (4.0, 10.0, 22.0)
"""How deep below the fascia fat parts trapezius from splenius, that from semispinalis, that from the short muscles
below the occiput: by eye on real slices."""


def _nape_share(neck: Neck, place: Place, skin_mm: np.ndarray, grain: np.ndarray) -> np.ndarray:
    """How much of the nape fat leaves to muscle, 0..1: sheets lie one over the other, parted in the midline."""
    behind = soft_edge(place.y - 40 - 0.25 * np.abs(place.x), 10)
    wobble = sample_waves(neck.wander[1], place.plane)
    sheet_mm = skin_mm - 2.5 - _fat_mm(neck, place) + 1.5 * wobble
    gap_mm = 0.25 + 0.7 * neck.streaks + 0.45 * wobble
    apart_mm = np.minimum(fat_plane_gap_mm(sheet_mm) - gap_mm, np.abs(place.x + wobble) - 0.6 - gap_mm)
    # Fat lies in the muscle in lamellae that follow the sheets.
    waves = np.cos(sheet_mm * np.float32(2 * np.pi / 4.6) + 1.2 * grain + 2.5 * wobble)
    lamellae = np.clip(waves - 0.35, 0, 1) * np.clip(0.5 + 0.6 * grain, 0, 1.1)
    share = soft_edge(apart_mm, 1.3) * (1 - 0.9 * neck.streaks * lamellae)
    return 1 - behind * (1 - share)


def fat_plane_gap_mm(sheet_mm: np.ndarray) -> np.ndarray:
    """Returns how far the nearest plane of fat is at depths below the fascia, mm; the deepest is 1 mm wider."""
    first, second, third = _NAPE_PLANES_MM
    distance_mm = np.minimum(np.abs(sheet_mm - first), np.abs(sheet_mm - second))
    return np.minimum(distance_mm, np.abs(sheet_mm - third) - 1.0)


def _ligament_share(place: Place) -> np.ndarray:
    """The ligament of the nape: a thin sheet in the fat of the midline, from the occiput down."""
    low = soft_edge(-30 - place.z, 10)
    return 0.7 * low * soft_edge(0.5 - np.abs(place.x)) * soft_edge(place.y - 52, 4)


def _shade_spine(place: Place, pixels_hu: np.ndarray, grain: np.ndarray) -> np.ndarray:
    if float(place.z.min()) > -36:
        return pixels_hu
    pixels_hu = mix(pixels_hu, CARTILAGE_HU, soft_edge(deepest_mm(_DISCS, place)))
    pixels_hu = _shade_spongy(pixels_hu, deepest_mm(_BONES, place), grain)
    below = soft_edge(-place.depth_mm)
    pixels_hu = mix(pixels_hu, FLUID_HU, soft_edge(deepest_mm(_CANAL, place)) * below)
    pixels_hu = mix(pixels_hu, CORD_HU, soft_edge(deepest_mm(_CORD, place)) * below)
    return _shade_spongy(pixels_hu, deepest_mm(_HYOID, place), grain)


def _shade_spongy(pixels_hu: np.ndarray, inside_mm: np.ndarray, grain: np.ndarray) -> np.ndarray:
    marrow = soft_edge(inside_mm - 1.3, 1.6)
    bone_hu = mix(np.full_like(inside_mm, 0.75 * CORTEX_HU), MARROW_HU + 70 * grain, marrow)
    return mix(pixels_hu, bone_hu, soft_edge(inside_mm))


def _shade_airway(neck: Neck, place: Place, pixels_hu: np.ndarray) -> np.ndarray:
    inside_mm = deepest_mm(_AIRWAY, place) - 4 * (1 - neck.airway)
    pixels_hu = mix(pixels_hu, neck.muscle_hu - 8, soft_edge(inside_mm + 3))
    return mix(pixels_hu, AIR_HU, soft_edge(inside_mm))
