"""The bones of vault and base: two tables with diploe, sutures, the petrous pyramid, and the air within them."""

import numpy as np

from hemorrhage.ct.phantom.place import BROW_MM, BROW_SLOPE, HALF_LENGTH_MM, Place, shift_place
from hemorrhage.ct.phantom.shape import Blob, Rod, both_sides, deepest_mm
from hemorrhage.ct.phantom.skull import Skull
from hemorrhage.ct.phantom.space import bell, logistic, mix, sample_waves, soft_edge
from hemorrhage.ct.phantom.tissue import AIR_HU, FLUID_HU, OTIC_HU, VESSEL_HU

_TABLE_MM = 1.7
"""About how thick each of the two tables is where there is diploe between: chosen by eye."""


_BASE_LOOSER = 0.35
"""How much less dense the spongy bone of the base is than the vault's: by eye, until quartiles met real slices'."""


def shade_bone(skull: Skull, place: Place, pixels_hu: np.ndarray) -> np.ndarray:
    """Returns `pixels_hu` with the vault, the base and the temporal bones in it, float32 N x N."""
    cells = sample_waves(skull.cells, place.plane)
    low = _meets(place, -55, 8)
    # No two temporal bones have the same outline.
    bent = shift_place(place, 1.8 * sample_waves(skull.ripple, place.plane), 1.2 * cells) if low else place
    pixels_hu = _shade_temporal(skull, bent, pixels_hu) if low else pixels_hu
    pixels_hu = _shade_shell(skull, place, pixels_hu, cells)
    pixels_hu = _shade_ear(skull, bent, pixels_hu, cells) if low else pixels_hu
    return _shade_frontal_sinus(skull, place, pixels_hu, cells)


def base_thickness_mm(place: Place) -> np.ndarray:
    """Returns how thick the floor of the cavity is: a leaf over the orbits, a block in the clivus."""
    wide = np.abs(place.x)
    roof = logistic((-22 - 0.42 * wide - place.y) / 2.5)
    clivus = bell(place.x / 13) * bell((place.y - 6) / 15)
    petrous = 15 * place.ridge * logistic((14 - place.z) / 3)
    return mix(2.6 + 8 * clivus + petrous + 1.2 * logistic((place.y - 30) / 5), 1.3 + 1.5 * bell(place.x / 9), roof)


def _shade_shell(skull: Skull, place: Place, pixels_hu: np.ndarray, cells: np.ndarray) -> np.ndarray:
    outward_mm = -place.depth_mm
    floor = soft_edge(place.dome_mm - place.depth_mm - 1.5, 2)
    thick_mm = mix(place.bone_mm, base_thickness_mm(place), floor)
    # The base ends where the vault's outer table comes down.
    within = soft_edge(np.minimum(thick_mm - outward_mm, place.bone_mm + place.dome_mm + 1))
    share = np.maximum(within * _beside_foramen(place), _brow_share(place))
    within_mm = np.minimum(outward_mm - _TABLE_MM, thick_mm - outward_mm - _TABLE_MM - 0.3)
    # Diploe shows where there is room for it, and comes in patches.
    spongy = soft_edge(within_mm + 0.3 * cells, 1.6)
    grain = sample_waves(skull.grain, place.plane)
    # The base is the looser bone: its marrow is fatter, its tables are thin.
    diploe_hu = skull.diploe_hu * (1 - _BASE_LOOSER * floor) + 70 * grain + 60 * cells
    compact_hu = skull.cortical_hu * (1 - 0.05 * floor) + 60 * cells
    bone_hu = mix(compact_hu, diploe_hu, spongy)
    bone_hu = mix(bone_hu, 120.0, _suture_share(skull, place, cells, grain))
    return mix(pixels_hu, bone_hu, share)


def _brow_share(place: Place) -> np.ndarray | float:
    """The forehead below the cavity's floor: the root of the nose and the upper rims of the orbits."""
    if not _meets(place, -10, 24):
        return 0.0
    lowest_mm = -7 + 14 * bell((np.abs(place.x) - 32) / 13)
    # It draws back below the brows, as the skin does.
    front_mm = place.bone_mm + place.dome_mm - BROW_SLOPE * np.maximum(BROW_MM - place.z, 0)
    inside_mm = np.minimum(np.minimum(front_mm, 3 - place.dome_mm), place.z - lowest_mm)
    return soft_edge(inside_mm) * (place.y < -50)


def _beside_foramen(place: Place) -> np.ndarray | float:
    """1 but in the great foramen, where the cavity goes on into the canal of the spine."""
    if float(place.z.min()) > -22:
        return 1.0
    ring = np.hypot(place.x / 15.5, (place.y - 39) / 18)
    return np.maximum(soft_edge((ring - 1) * 15), logistic((place.z + 22) / 2))


def _suture_share(skull: Skull, place: Place, cells: np.ndarray, grain: np.ndarray) -> np.ndarray:
    """Coronal, sagittal and lambdoid: thin dark lines that wind in the outer half of the bone."""
    if skull.sutures <= 0.05:
        return np.zeros_like(cells)
    x, y, z = place.points
    wind_mm = (1.6 * cells + 0.9 * grain) * np.clip(-place.depth_mm / place.bone_mm + 0.15, 0.15, 1)
    coronal_mm = np.abs(y + 20 + 0.28 * (96 - z) + wind_mm) + np.maximum(14 - z, 0)
    lambdoid_mm = 0.72 * np.abs(np.abs(x) - 1.02 * (62 - z) + 1.5 * wind_mm) + np.maximum(36 - y, 0)
    lambdoid_mm = lambdoid_mm + np.maximum(4 - z, 0)
    sagittal_mm = np.abs(x + wind_mm) + np.maximum(60 - z, 0) + np.maximum(-24 - y, 0)
    nearest_mm = np.minimum(np.minimum(coronal_mm, lambdoid_mm), sagittal_mm)
    return np.float32(0.8 * skull.sutures) * soft_edge(0.7 - nearest_mm, 0.9)


_PYRAMID = both_sides(
    Rod((13, -3, -12), (56, 24, -13), (5.5, 11)),
    Blob((57, 28, -18), (11.5, 17, 18)),
    Blob((58, 24, -36), (6.5, 9, 13), lean=(0.1, 0.1)),
    Blob((55, 2, -15), (10, 10, 3.5)),
)
"""Petrous bone, mastoid with its tip, and the roof of the jaw's joint."""

_CAPSULE = both_sides(Blob((27, 7, -12), (6.5, 4.8, 5.5), yaw=0.5), Blob((36, 14, -10), (6, 4.5, 6), yaw=0.5))
_CELLS = both_sides(
    Blob((57, 29, -16), (10, 15, 16)),
    Blob((58, 24, -36), (5, 7, 11), lean=(0.1, 0.1)),
    Blob((47, 17, -8), (7, 4.5, 4)),
)
_EAR_AIR = both_sides(Rod((73, 12, -21), (48, 11, -17), (3.4, 2.6)), Blob((46, 10, -14), (2.8, 5.5, 6.5), yaw=0.4))
_EAR_FLUID = both_sides(Rod((21, 15, -10), (29, 9.5, -11), (2.3, 1.9)), Blob((37, 13, -10), (1.7, 1.3, 1.8)))
_OSSICLES = both_sides(Rod((46, 11, -11), (46, 10, -15), (1.2, 0.9)))
_VESSELS = both_sides(
    Blob((25, 19, -31), (6.5, 6, 7)),
    Rod((27, 4, -32), (24, 2, -20), (3, 3)),
    Rod((24, 2, -20), (14, -8, -14), (2.8, 2.6)),
)


def _shade_temporal(skull: Skull, place: Place, pixels_hu: np.ndarray) -> np.ndarray:
    pyramid_mm = deepest_mm(_PYRAMID, place)
    inner_hu = 0.38 * skull.cortical_hu + 120 * sample_waves(skull.grain, place.plane)
    bone_hu = mix(np.full_like(place.x, skull.cortical_hu), inner_hu, soft_edge(pyramid_mm - 1.8, 1.5))
    return mix(pixels_hu, bone_hu, soft_edge(pyramid_mm))


def _shade_ear(skull: Skull, place: Place, pixels_hu: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """The inner ear's capsule, vessels, cells of the mastoid in a honeycomb, drum and canal."""
    solid = soft_edge(-place.depth_mm - 0.5)
    pixels_hu = mix(pixels_hu, OTIC_HU, soft_edge(deepest_mm(_CAPSULE, place)) * solid)
    pixels_hu = mix(pixels_hu, VESSEL_HU, soft_edge(deepest_mm(_VESSELS, place)) * solid)
    cells_mm = deepest_mm(_CELLS, place) - 6 * (1 - skull.aeration)
    # Thin septa lie where the field passes through zero.
    open_cells = soft_edge(np.abs(cells) - 0.5, 0.6) * soft_edge(cells_mm) * soft_edge(-place.depth_mm - 2)
    pixels_hu = mix(pixels_hu, skull.mastoid_hu, open_cells)
    pixels_hu = mix(pixels_hu, AIR_HU, soft_edge(deepest_mm(_EAR_AIR, place)))
    pixels_hu = mix(pixels_hu, 900.0, soft_edge(deepest_mm(_OSSICLES, place)))
    return mix(pixels_hu, FLUID_HU, soft_edge(deepest_mm(_EAR_FLUID, place)))


def _shade_frontal_sinus(skull: Skull, place: Place, pixels_hu: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Air between the tables of the forehead, as far as each side has it, in chambers."""
    if max(skull.sinuses[0][1], skull.sinuses[1][1]) < 4 or not _meets(place, -8, 40):
        return pixels_hu
    inside_mm = np.full_like(place.x, -9)
    for side, (width_mm, height_mm) in zip((-1, 1), skull.sinuses, strict=True):
        if min(width_mm, height_mm) > 3:
            aside = (place.x * side - 0.7 * width_mm) / width_mm
            # Chambers arch upwards side by side.
            top_mm = height_mm * (1 - 0.25 * np.abs(np.sin(place.x * 0.2 + width_mm)))
            up = (place.z - BROW_MM) / np.where(place.z > BROW_MM, top_mm, 4)
            inside_mm = np.maximum(inside_mm, (1 - np.sqrt(aside**2 + up**2)) * min(width_mm, height_mm))
    wall_mm = np.minimum(-place.dome_mm - 1.6, place.bone_mm + place.dome_mm - 1.8)
    septa = soft_edge(np.abs(place.x + 1.5 * cells + 2) - 0.9)
    front = (place.y < -0.55 * HALF_LENGTH_MM) & (place.depth_mm < 0)
    return mix(pixels_hu, AIR_HU, soft_edge(np.minimum(inside_mm, wall_mm)) * septa * front)


def _meets(place: Place, low_mm: float, high_mm: float) -> bool:
    return bool(place.z.max() > low_mm and place.z.min() < high_mm)
