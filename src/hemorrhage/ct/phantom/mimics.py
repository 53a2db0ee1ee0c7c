"""What looks like blood, or like its trace, and is none: drawn into some heads, labelled in none."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hemorrhage.ct.phantom.blood import Bleed
from hemorrhage.ct.phantom.brain import Brain
from hemorrhage.ct.phantom.dura import FalxLining, falx_share
from hemorrhage.ct.phantom.linings import Filling, Lining, filling_hu, lining_share
from hemorrhage.ct.phantom.place import Place
from hemorrhage.ct.phantom.scene import draw_side
from hemorrhage.ct.phantom.space import (
    Waves,
    capsule_inside_mm,
    draw_waves,
    ellipsoid_inside_mm,
    logistic,
    mix,
    sample_waves,
    soft_edge,
)
from hemorrhage.ct.phantom.surgery import (
    Catheter,
    Fracture,
    Opening,
    Swelling,
    draw_catheter,
    draw_fracture,
    draw_opening,
    draw_swelling,
    shade_catheter,
    shade_fracture,
    shade_opening,
    shade_swelling,
)
from hemorrhage.ct.phantom.vault import Patch, Triple, misses, patch_squares, surface_point
from hemorrhage.ct.phantom.ventricular import VentricleFill


@dataclass(frozen=True)
class Spot:
    """Calcium, a tumour, a coil or a bubble of air: middle and radii in head mm, HU, how wide its border fades."""

    center_mm: Triple
    radii_mm: Triple
    density_hu: float
    edge_mm: float
    outline: Waves


@dataclass(frozen=True)
class DenseVessel:
    """An artery or a sinus denser than the others: from, to, radius, in head mm, and HU."""

    start_mm: Triple
    end_mm: Triple
    radius_mm: float
    density_hu: float


@dataclass(frozen=True)
class Infarct:
    """A fresh infarct: a wedge from the vault towards the middle, `depth_mm` deep, darker by `drop_hu`."""

    patch: Patch
    depth_mm: float
    drop_hu: float
    outline: Waves


Mimic = Spot | DenseVessel | Infarct | Lining | FalxLining | Opening | Catheter | Swelling | Fracture


def draw_mimics(rng: np.random.Generator, bleeds: Sequence[Bleed] = ()) -> tuple[Mimic, ...]:
    """Returns what a head has that is no blood; about a quarter of heads have something.

    Given its `bleeds`, scalp and skull are hurt over a blow more often, drains lie in bloody ventricles, and no fluid
    lies where a bleed lies on the vault. The shares are chosen by eye.
    """
    mimics: list[Mimic] = []
    lined = any(isinstance(bleed, Lining) for bleed in bleeds)
    for share, draw, lines in _KINDS:
        stream = rng.spawn(1)[0]
        if stream.random() < share and not (lines and lined):
            mimics += draw(stream)
    return (*mimics, *_draw_company(rng.spawn(1)[0], bleeds))


def _draw_company(rng: np.random.Generator, bleeds: Sequence[Bleed]) -> list[Mimic]:
    """What comes with a bleed: the scalp's swelling and the fracture over it, the drain in a bloody ventricle."""
    company: list[Mimic] = []
    for bleed in bleeds:
        if isinstance(bleed, Lining) and isinstance(bleed.patch, Patch):
            epidural = bleed.subtype == "epidural"
            if rng.random() < (0.6 if epidural else 0.2):
                company.append(draw_swelling(rng, bleed.patch.side, bleed.patch.azimuth + rng.normal(0, 0.2)))
            if rng.random() < (0.4 if epidural else 0.03):
                company.append(draw_fracture(rng, bleed.patch.side, bleed.patch.azimuth))
        elif isinstance(bleed, VentricleFill) and rng.random() < 0.15:
            company.append(draw_catheter(rng))
    return company


def _draw_operation(rng: np.random.Generator) -> list[Mimic]:
    """A bone flap with thin fluid, some air and a swollen scalp beneath and above it."""
    opening = draw_opening(rng)
    patch = opening.patch
    mimics: list[Mimic] = [opening]
    if rng.random() < 0.7:
        mimics.append(Lining("", patch, rng.uniform(2, 7), _draw_thin_fluid(rng)))
    mimics += _draw_air(rng, patch.side) if rng.random() < 0.5 else []
    if rng.random() < 0.6:
        mimics.append(draw_swelling(rng, patch.side, patch.azimuth))
    return mimics


def _draw_thin_fluid(rng: np.random.Generator) -> Filling:
    return Filling(rng.uniform(5, 16), draw_waves(rng, 20.0))


def _draw_air(rng: np.random.Generator, side: int | None = None) -> list[Mimic]:
    """Bubbles of air, which rise to the front of who lies supine."""
    own_side = side if side is not None else draw_side(rng)
    bubbles: list[Mimic] = []
    for _ in range(rng.integers(1, 5)):
        center = surface_point(own_side, rng.uniform(-1.5, -0.7), rng.uniform(15, 75), rng.uniform(1, 4))
        radii = rng.uniform([2, 1, 2], [8, 3, 6])
        bubbles.append(Spot(center, _triple(radii), -950.0, 1.5, draw_waves(rng, 12.0)))
    return bubbles


def _triple(values: np.ndarray) -> Triple:
    return (float(values[0]), float(values[1]), float(values[2]))


def _draw_hygroma(rng: np.random.Generator) -> list[Mimic]:
    """CSF under the dura, on one side or both, mostly in front."""
    side = draw_side(rng)
    sides = (side, -side) if rng.random() < 0.5 else (side,)
    half_mm = (rng.uniform(45, 80), rng.uniform(20, 45))
    azimuth = rng.uniform(-0.9, 0.1)
    return [
        Lining("", Patch(each, azimuth, rng.uniform(45, 60), half_mm), rng.uniform(3, 10), _draw_thin_fluid(rng))
        for each in sides
    ]


def _draw_thick_dura(rng: np.random.Generator) -> list[Mimic]:
    patch = Patch(
        draw_side(rng), rng.uniform(-0.6, 0.6), rng.uniform(35, 65), (rng.uniform(30, 80), rng.uniform(15, 40))
    )
    return [Lining("", patch, rng.uniform(1.5, 2.6), Filling(rng.uniform(40, 55), draw_waves(rng, 20.0)))]


def _draw_dense_falx(rng: np.random.Generator) -> list[Mimic]:
    """The falx as contrast, age or a low hematocrit of the brain beside it shows it."""
    filling = Filling(rng.uniform(58, 90), draw_waves(rng, 20.0))
    half_mm = rng.uniform(0.6, 1.3)
    return [FalxLining("", side, half_mm, (5.0, 50.0), (95.0, 60.0), filling) for side in (-1, 1)]


def _draw_dense_vessel(rng: np.random.Generator) -> list[Mimic]:
    """A clotted or calcified middle cerebral or basilar artery, or a transverse sinus."""
    side, which = draw_side(rng), rng.random()
    density_hu = rng.uniform(55, 78)
    if which < 0.6:
        return [DenseVessel((side * 9.0, -9.0, 5.0), (side * 34.0, -13.0, 10.0), rng.uniform(1.6, 2.4), density_hu)]
    if which < 0.75:
        return [DenseVessel((0.0, 1.0, -20.0), (0.0, -1.0, 2.0), rng.uniform(1.8, 2.6), density_hu)]
    return [DenseVessel((side * 6.0, 77.0, 8.0), (side * 52.0, 50.0, 2.0), rng.uniform(3, 4.5), rng.uniform(55, 68))]


def _draw_tumour(rng: np.random.Generator) -> list[Mimic]:
    """A meningioma on the vault or beside the falx, as dense as fresh blood in some, calcified in others."""
    radius_mm = 5.0 * 3.4 ** float(rng.random())
    azimuth = float(rng.choice([rng.uniform(-1.2, 1.0), rng.choice([-1.45, 1.45])]))
    center = surface_point(draw_side(rng), azimuth, rng.uniform(15, 80), 0.7 * radius_mm)
    density_hu = rng.uniform(42, 58) if rng.random() < 0.65 else rng.uniform(90, 300)
    radii = _triple(radius_mm * rng.uniform(0.8, 1.2, 3))
    return [Spot(center, radii, density_hu, rng.uniform(1.2, 2.5), draw_waves(rng, 2.0 * radius_mm))]


def _draw_calcium(rng: np.random.Generator) -> list[Mimic]:
    """Grains of calcium anywhere, in the siphons' walls, or metal of a coil above the sella."""
    if rng.random() < 0.12:
        center = (rng.normal(0, 9), rng.uniform(-16, -4), rng.uniform(2, 12))
        return [Spot(center, (3.5, 3.5, 3.5), 2000.0, 1.2, draw_waves(rng, 8.0))]
    if rng.random() < 0.4:
        siphons = [(side * rng.uniform(9, 13), rng.uniform(-14, -6), rng.uniform(-4, 2)) for side in (-1, 1)]
        return [Spot(each, (1.5, 4.0, 2.0), rng.uniform(150, 500), 1.5, draw_waves(rng, 8.0)) for each in siphons]
    grains: list[Mimic] = []
    for _ in range(rng.integers(1, 5)):
        center = surface_point(draw_side(rng), rng.uniform(-1.3, 1.4), rng.uniform(0, 80), rng.uniform(4, 45))
        radius_mm = rng.uniform(1.2, 3.5)
        grains.append(Spot(center, (radius_mm,) * 3, rng.uniform(70, 320), 1.5, draw_waves(rng, 8.0)))
    return grains


def _draw_infarct(rng: np.random.Generator) -> list[Mimic]:
    """A middle, posterior or partial territory without its blood for some hours to days."""
    azimuth = float(rng.choice([rng.uniform(-0.5, 0.5), rng.uniform(1.0, 1.35)], p=[0.75, 0.25]))
    half_mm = (rng.uniform(16, 62), rng.uniform(12, 38))
    patch = Patch(draw_side(rng), azimuth, rng.uniform(22, 58), half_mm)
    return [Infarct(patch, rng.uniform(25, 48), rng.uniform(4, 13), draw_waves(rng, 24.0))]


# How often, how, and whether it lies where a bleed on the vault would.
_KINDS = (
    (0.03, _draw_operation, True),
    (0.03, _draw_hygroma, True),
    (0.012, _draw_thick_dura, True),
    (0.025, _draw_dense_falx, False),
    (0.02, _draw_dense_vessel, False),
    (0.02, _draw_tumour, False),
    (0.035, _draw_calcium, False),
    (0.035, _draw_infarct, False),
    (0.008, _draw_air, False),
    (0.02, lambda rng: [draw_catheter(rng)], False),
    (0.045, lambda rng: [draw_swelling(rng)], False),
)


def shade_mimics(mimics: Sequence[Mimic], place: Place, brain: Brain, pixels_hu: np.ndarray) -> np.ndarray:
    """Returns the head's HU with the mimics in it, float32 N x N; `pixels_hu` is the whole head, its blood included.

    What fills a space (hygroma, thick dura) needs build_pressure to have been told of it.
    """
    for mimic in mimics:
        if isinstance(mimic, Opening):
            pixels_hu = shade_opening(mimic, place, pixels_hu)
        elif isinstance(mimic, Catheter):
            pixels_hu = shade_catheter(mimic, place, pixels_hu)
        elif isinstance(mimic, Swelling):
            pixels_hu = shade_swelling(mimic, place, pixels_hu)
        elif isinstance(mimic, Fracture):
            pixels_hu = shade_fracture(mimic, place, pixels_hu)
        elif isinstance(mimic, Infarct):
            pixels_hu = pixels_hu - mimic.drop_hu * _infarct_share(mimic, place, brain, pixels_hu)
        else:
            pixels_hu = _cover(mimic, place, pixels_hu)
    return pixels_hu


def _cover(mimic: Spot | DenseVessel | Lining | FalxLining, place: Place, pixels_hu: np.ndarray) -> np.ndarray:
    """Mimics inside the cavity that hide what was there; bone stays bone."""
    share, density_hu = _cover_share(mimic, place)
    if not share.any():
        return pixels_hu
    return mix(pixels_hu, density_hu, share * soft_edge(place.depth_mm))


def _cover_share(
    mimic: Spot | DenseVessel | Lining | FalxLining, place: Place
) -> tuple[np.ndarray, np.ndarray | float]:
    if isinstance(mimic, Lining):
        share = lining_share(mimic, place)
        return share, filling_hu(mimic.filling, place) if share.any() else 0.0
    if isinstance(mimic, FalxLining):
        return falx_share(mimic, place, 0.0), filling_hu(mimic.filling, place)
    if isinstance(mimic, DenseVessel):
        radii = (mimic.radius_mm, mimic.radius_mm)
        return soft_edge(capsule_inside_mm(place.points, mimic.start_mm, mimic.end_mm, radii)), mimic.density_hu
    if misses(place, mimic.center_mm[2], 1.3 * mimic.radii_mm[2] + 2):
        return np.zeros_like(place.x), 0.0
    ragged_mm = 0.12 * min(mimic.radii_mm) * sample_waves(mimic.outline, place.plane)
    inside_mm = ellipsoid_inside_mm(place.points, mimic.center_mm, mimic.radii_mm) + ragged_mm
    return soft_edge(inside_mm, mimic.edge_mm), mimic.density_hu


def _infarct_share(infarct: Infarct, place: Place, brain: Brain, pixels_hu: np.ndarray) -> np.ndarray:
    """How much of each point is brain without blood flow: grey matter darkens more, so that it looks like white."""
    squares = patch_squares(infarct.patch, place)
    if squares.min() >= 1:
        return np.zeros_like(place.x)
    ragged = 0.15 * sample_waves(infarct.outline, place.plane)
    wedge = soft_edge(1 - squares + ragged, 0.35) * soft_edge(infarct.depth_mm - place.dome_mm + 20 * ragged, 8)
    tissue = logistic((pixels_hu - 18) / 2) * logistic((48 - pixels_hu) / 2) * (1 - brain.ventricle)
    grey = np.clip((brain.pixels_hu - 24) / 10, 0.4, 1)
    return wedge * tissue * grey * soft_edge(brain.depth_mm)


def mimic_push_mm(mimic: Mimic) -> float:
    """Returns how far a mimic moves the midline along x, mm: only a swollen infarct does."""
    if not isinstance(mimic, Infarct):
        return 0.0
    size_mm = math.sqrt(mimic.patch.half_mm[0] * mimic.patch.half_mm[1])
    return -mimic.patch.side * 0.12 * mimic.drop_hu / 10 * max(size_mm - 22, 0)
