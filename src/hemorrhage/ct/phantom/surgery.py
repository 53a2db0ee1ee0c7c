"""What surgeons and falls leave in bone and scalp: bone flaps, burr holes, catheters, fractures, swellings."""

from dataclasses import dataclass

import numpy as np

from hemorrhage.ct.phantom.place import Place
from hemorrhage.ct.phantom.scene import draw_side
from hemorrhage.ct.phantom.space import Waves, capsule_inside_mm, draw_waves, mix, sample_waves, soft_edge
from hemorrhage.ct.phantom.vault import Patch, Triple, misses, patch_squares, surface_point

SKIN_MM = 9.0
"""About how far outside the inner table the thinnest scalp ends."""


@dataclass(frozen=True)
class Opening:
    """A piece of skull sawn out: put back with a gap of `gap_mm` about it, or left out where `left_out` is set."""

    patch: Patch
    gap_mm: float
    left_out: bool


@dataclass(frozen=True)
class Catheter:
    """A drain from a burr hole to a ventricle: both ends in head mm, its radius in mm, HU of its wall."""

    hole_mm: Triple
    tip_mm: Triple
    radius_mm: float
    density_hu: float


@dataclass(frozen=True)
class Swelling:
    """Blood and water in the scalp over a patch of the vault: its thickness in mm, its HU."""

    patch: Patch
    thickness_mm: float
    density_hu: float
    texture: Waves


@dataclass(frozen=True)
class Fracture:
    """A thin line through the vault: the patch that it crosses, its slant in mm a mm, its width in mm."""

    patch: Patch
    slant: float
    width_mm: float
    bends: Waves


def draw_opening(rng: np.random.Generator) -> Opening:
    """Returns a bone flap over one hemisphere, mostly at the side, in a third of cases never put back."""
    half_mm = (rng.uniform(22, 52), rng.uniform(18, 36))
    patch = Patch(draw_side(rng), rng.uniform(-0.9, 0.6), rng.uniform(28, 60), half_mm)
    return Opening(patch, rng.uniform(1.5, 3.5), left_out=rng.random() < 0.33)


def draw_catheter(rng: np.random.Generator) -> Catheter:
    """Returns a drain through the frontal or the parietal bone with its tip in the frontal horn or the body."""
    side = draw_side(rng)
    azimuth, z_mm = (
        (rng.uniform(-1.1, -0.8), rng.uniform(78, 88)) if rng.random() < 0.65 else (rng.uniform(0.7, 1.0), 62.0)
    )
    tip = (side * rng.uniform(1, 9), rng.uniform(-20, -4), rng.uniform(24, 36))
    return Catheter(surface_point(side, azimuth, z_mm, -16), tip, rng.uniform(1.1, 1.6), rng.uniform(150, 500))


def draw_swelling(rng: np.random.Generator, side: int | None = None, azimuth: float | None = None) -> Swelling:
    """Returns a swollen scalp anywhere, or where `side` and `azimuth` say."""
    patch = Patch(
        side if side is not None else draw_side(rng),
        azimuth if azimuth is not None else rng.uniform(-1.4, 1.5),
        rng.uniform(10, 75),
        (rng.uniform(16, 45), rng.uniform(10, 32)),
    )
    return Swelling(patch, rng.uniform(3, 11), rng.uniform(25, 62), draw_waves(rng, 12.0))


def draw_fracture(rng: np.random.Generator, side: int, azimuth: float) -> Fracture:
    """Returns a fissure that runs through the vault near the place given."""
    patch = Patch(side, azimuth + rng.normal(0, 0.2), rng.uniform(15, 55), (25.0, rng.uniform(10, 35)))
    return Fracture(patch, rng.normal(0, 0.6), rng.uniform(0.8, 1.8), draw_waves(rng, 22.0))


def shade_opening(opening: Opening, place: Place, pixels_hu: np.ndarray) -> np.ndarray:
    """Returns the HU with the skull sawn open: soft tissue of 35 HU in the gap, or in the whole of the hole."""
    squares = patch_squares(opening.patch, place)
    if squares.min() > 1.3:
        return pixels_hu
    inside_mm = (1 - np.sqrt(squares)) * np.float32(min(opening.patch.half_mm))
    gone_mm = inside_mm if opening.left_out else opening.gap_mm / 2 - np.abs(inside_mm)
    return mix(pixels_hu, 35.0, soft_edge(gone_mm) * _bone(place, pixels_hu))


def _bone(place: Place, pixels_hu: np.ndarray) -> np.ndarray:
    """How much of each point is bone of the vault, by its HU and its place."""
    return np.clip((pixels_hu - 60) / 120, 0, 1) * (place.dome_mm < 1.5) * (place.dome_mm > -14)


def shade_catheter(catheter: Catheter, place: Place, pixels_hu: np.ndarray) -> np.ndarray:
    """Returns the HU with the burr hole and the drain in it."""
    middle_mm = (catheter.hole_mm[2] + catheter.tip_mm[2]) / 2
    if misses(place, middle_mm, abs(catheter.hole_mm[2] - middle_mm) + 8):
        return pixels_hu
    radii = (catheter.radius_mm, catheter.radius_mm)
    inside_mm = capsule_inside_mm(place.points, catheter.hole_mm, catheter.tip_mm, radii)
    pixels_hu = mix(pixels_hu, 30.0, soft_edge(inside_mm + 2) * _bone(place, pixels_hu))
    return mix(pixels_hu, catheter.density_hu, soft_edge(inside_mm))


def shade_swelling(swelling: Swelling, place: Place, pixels_hu: np.ndarray) -> np.ndarray:
    """Returns the HU with a thicker scalp: the skin moves outward, and what is not bone beneath it is denser."""
    squares = patch_squares(swelling.patch, place)
    if squares.min() >= 1:
        return pixels_hu
    rise_mm = swelling.thickness_mm * np.clip(1 - squares, 0, 1)
    outward_mm = -place.dome_mm
    share = soft_edge(SKIN_MM + rise_mm - outward_mm) * (outward_mm > 1) * np.clip(rise_mm / 2, 0, 1)
    soft = np.clip((200 - pixels_hu) / 100, 0, 1)
    density_hu = swelling.density_hu + 7 * sample_waves(swelling.texture, place.plane)
    return mix(pixels_hu, density_hu, share * soft)


def shade_fracture(fracture: Fracture, place: Place, pixels_hu: np.ndarray) -> np.ndarray:
    """Returns the HU with a fissure in the bone, filled with 40 HU."""
    squares = patch_squares(fracture.patch, place)
    if squares.min() >= 1:
        return pixels_hu
    along_mm = np.sqrt(squares) * np.float32(fracture.patch.half_mm[0])
    bend_mm = 1.5 * sample_waves(fracture.bends, place.plane)
    aside_mm = (
        place.y - 70 * np.float32(np.sin(fracture.patch.azimuth)) - fracture.slant * (place.z - fracture.patch.z_mm)
    )
    line = soft_edge(fracture.width_mm / 2 - np.abs(aside_mm + bend_mm), 1.0) * (along_mm < fracture.patch.half_mm[0])
    return mix(pixels_hu, 40.0, 0.8 * line * _bone(place, pixels_hu))
