"""The head as it is without blood: its proportions, where points lie in it, and what lies outside its cavity."""

from dataclasses import dataclass

import numpy as np

from hemorrhage.ct.phantom.bone import shade_bone
from hemorrhage.ct.phantom.cerebrum import Cerebrum, draw_cerebrum
from hemorrhage.ct.phantom.face import Face, draw_face, shade_hollows, shade_jaws
from hemorrhage.ct.phantom.neck import Neck, draw_neck, join_mm, outline_mm, shade_neck
from hemorrhage.ct.phantom.place import (
    BROW_MM,
    BROW_SLOPE,
    DOME_MM,
    EQUATOR_MM,
    HALF_LENGTH_MM,
    HALF_WIDTH_MM,
    Place,
    shift_place,
    stretch_place,
)
from hemorrhage.ct.phantom.scalp import Scalp, appendages_mm, cover_mm, draw_scalp, shade_scalp
from hemorrhage.ct.phantom.skull import Skull, draw_skull, locate_in_skull
from hemorrhage.ct.phantom.space import Plane, Waves, draw_waves, logistic, sample_waves
from hemorrhage.ct.phantom.tissue import AIR_HU, FAT_HU, MUSCLE_HU

__all__ = [
    "AIR_HU",
    "DOME_MM",
    "EQUATOR_MM",
    "FAT_HU",
    "HALF_LENGTH_MM",
    "HALF_WIDTH_MM",
    "MUSCLE_HU",
    "Head",
    "Place",
    "build_head",
    "locate",
    "shade_outside",
]

_CHILDREN = 0.04
"""The share of heads that are a child's: chosen by eye; the competition gives no ages."""


@dataclass(frozen=True)
class Head:
    """One patient's head: sizes relative to the average, densities in HU, random fields, and its parts.

    `atrophy` runs from 0 (young, tight) to 1 (old, wide sulci and ventricles).
    """

    scale: tuple[float, float, float]
    atrophy: float
    white_hu: float
    grey_hu: float
    csf_hu: float
    falx_hu: float
    ventricle_scale: float
    ventricle_skew: float
    sulci: Waves
    folds: Waves
    texture: Waves
    thickness: Waves
    bend: Waves
    cerebrum: Cerebrum
    skull: Skull
    scalp: Scalp
    face: Face
    neck: Neck

    @property
    def skull_mm(self) -> float:
        """About how thick the vault is."""
        return self.skull.thickness_mm

    @property
    def scalp_mm(self) -> float:
        """About how thick the scalp is."""
        return self.scalp.thickness_mm

    @property
    def vertex_mm(self) -> float:
        """The height of the skin at the vertex, in average-head millimetres."""
        return EQUATOR_MM + DOME_MM + self.skull_mm + self.scalp_mm


def build_head(rng: np.random.Generator) -> Head:
    """Returns a head drawn from `rng`: no two are alike in size, shape, age, densities or folds."""
    child = bool(rng.random() < _CHILDREN)
    atrophy = float(rng.beta(1.8, 1.4)) * (0.2 if child else 1.0)
    # White matter has 30 HU give or take 3.5 (Cala et al., AJNR 1981;2:41); what grey has more is chosen by eye so that
    # blurred by the scanner some 5.5 HU are left (J Comput Assist Tomogr 1980;4:489).
    white_hu = float(np.clip(rng.normal(27.0, 2.4), 21, 33))
    return Head(
        scale=_draw_scale(rng, child),
        atrophy=atrophy,
        white_hu=white_hu,
        grey_hu=white_hu + rng.uniform(7, 11.5),
        csf_hu=rng.uniform(4, 10),
        # In real slices the falx seldom stands out: chosen by eye.
        falx_hu=rng.uniform(42, 60),
        ventricle_scale=rng.uniform(0.65, 1.0) + atrophy * rng.uniform(0.4, 1.4),
        ventricle_skew=rng.normal(0, 0.12),
        sulci=draw_waves(rng, rng.uniform(16, 20), count=16),
        folds=draw_waves(rng, 26.0),
        texture=draw_waves(rng, 14.0),
        thickness=draw_waves(rng, 45.0),
        bend=draw_waves(rng, 170.0, count=12),
        cerebrum=draw_cerebrum(rng, atrophy),
        skull=draw_skull(rng, atrophy, child),
        scalp=draw_scalp(rng, child),
        face=draw_face(rng, atrophy, child),
        neck=draw_neck(rng, atrophy),
    )


def _draw_scale(rng: np.random.Generator, child: bool) -> tuple[float, float, float]:
    """Width, length and height relative to the average: short and broad heads to long and narrow ones."""
    size = rng.uniform(0.8, 0.97) if child else rng.normal(1.03, 0.03)
    # The cephalic index, 80 on average here, varies by some 4 from head to head.
    aspect = float(np.clip(rng.normal(0, 0.025), -0.07, 0.07))
    # The real heads measured (48 series) are 189 mm long and 156 wide, with skin.
    return (size * (1 + aspect), 0.95 * size * (1 - aspect), size * rng.normal(1, 0.025))


def locate(head: Head, plane: Plane) -> Place:
    """Returns where the points of `plane` lie in `head`: its slight bend first, then its skull."""
    return locate_in_skull(head.skull, plane, 1.5 * sample_waves(head.bend, plane))


def shade_outside(head: Head, place: Place) -> np.ndarray:
    """Returns HU of everything outside the cavity, float32 N x N: air, scalp, face, neck, bone with its air cells."""
    # The skin follows the outer table of the vault; below, face and neck join it.
    skin_mm = place.dome_mm + place.bone_mm + cover_mm(head.scalp, place)
    if float(place.z.min()) > 38:
        return shade_bone(head.skull, place, shade_scalp(head.scalp, place, skin_mm))
    # Below the brows the face stands back behind the forehead.
    skin_mm = skin_mm - BROW_SLOPE * np.maximum(BROW_MM - place.z, 0) * logistic((-46 - place.y) / 5)
    face = stretch_place(place, head.face.factors)
    skin_mm = join_mm(skin_mm, outline_mm(face), 16.0)
    skin_mm = join_mm(skin_mm, appendages_mm(face), 4.0)
    wander = tuple(1.6 * sample_waves(waves, place.plane) for waves in head.neck.wander)
    soft = shift_place(face, wander[0], wander[1])
    pixels_hu = shade_neck(head.neck, soft, skin_mm, shade_scalp(head.scalp, place, skin_mm))
    face = shift_place(face, 0.7 * wander[0], 0.7 * wander[1])
    pixels_hu = shade_jaws(head.face, face, skin_mm, pixels_hu)
    pixels_hu = shade_bone(head.skull, place, pixels_hu)
    return shade_hollows(head.face, face, skin_mm, pixels_hu)
