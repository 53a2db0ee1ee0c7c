"""Blood within the brain: clots, contusions, petechiae, and blood that seeps into an infarct."""

from dataclasses import dataclass

import numpy as np

from hemorrhage.ct.phantom.brain import Brain
from hemorrhage.ct.phantom.place import Place
from hemorrhage.ct.phantom.scene import Scene, clotted_hu, draw_packing, draw_side
from hemorrhage.ct.phantom.space import Waves, draw_waves, ellipsoid_inside_mm, logistic, mix, sample_waves, soft_edge
from hemorrhage.ct.phantom.vault import Triple, between, fit_height, misses, surface_point

FADING_HU_A_DAY = 1.3
"""What a clot loses a day; by four weeks it is no denser than brain (Tans, Clin Neurol Neurosurg 1977;79:285)."""


@dataclass(frozen=True)
class Clot:
    """Blood within the brain: an uneven, lobed ellipsoid in a rim of dark oedema.

    `lobe` is the middle and radii of a second ellipsoid joined to the first; `edge_mm` is how wide its border
    fades; `rim_mm` and `oedema_hu` how far the oedema reaches and how dark it is; `swirl_hu` how much darker
    liquid parts are; `level_mm` (y) where cells have settled under plasma, if they have; `speckles` breaks the blood
    into patches, as in petechiae.
    """

    subtype: str
    center_mm: Triple
    radii_mm: Triple
    lobe: tuple[Triple, Triple]
    edge_mm: float
    rim_mm: float
    oedema_hu: float
    density_hu: float
    swirl_hu: float
    level_mm: float | None
    outline: Waves
    texture: Waves
    speckles: Waves | None = None


@dataclass(frozen=True)
class _Site:
    """Where clots arise: how often, the middle on the left side, its spread, and the lowest and highest reach, mm."""

    weight: float
    center_mm: Triple
    spread_mm: Triple
    reach_mm: tuple[float, float]


# Putamen, thalamus, caudate, cerebellum, pons: the shares of hypertensive hemorrhage are chosen by eye.
_DEEP = (
    _Site(0.46, (26.0, -2.0, 24.0), (3.0, 6.0, 4.0), (-10.0, 70.0)),
    _Site(0.30, (13.0, 12.0, 25.0), (2.0, 3.0, 3.0), (-8.0, 66.0)),
    _Site(0.04, (13.0, -20.0, 30.0), (2.0, 3.0, 3.0), (0.0, 66.0)),
    _Site(0.13, (24.0, 48.0, -16.0), (6.0, 5.0, 5.0), (-40.0, 12.0)),
    _Site(0.07, (2.0, 12.0, -8.0), (3.0, 2.0, 4.0), (-28.0, 14.0)),
)
# Frontal, parietal, occipital, temporal white matter.
_LOBAR = (
    _Site(0.32, (28.0, -46.0, 42.0), (6.0, 8.0, 12.0), (-2.0, 84.0)),
    _Site(0.34, (34.0, 28.0, 52.0), (6.0, 10.0, 10.0), (0.0, 86.0)),
    _Site(0.14, (26.0, 60.0, 32.0), (5.0, 5.0, 7.0), (4.0, 80.0)),
    _Site(0.20, (46.0, 4.0, 8.0), (4.0, 10.0, 5.0), (-12.0, 66.0)),
)


def draw_clots(rng: np.random.Generator, scene: Scene, severity: float) -> list[Clot]:
    """Returns what the cause leaves in the brain, from one slice high at severity 0 to some 75 mm at 1."""
    if scene.cause in ("trauma", "aneurysm", "venous"):
        return _draw_contusions(rng, scene, severity)
    if scene.cause == "infarct":
        return _draw_seepage(rng, scene, severity)
    sites = _LOBAR if scene.cause == "angiopathy" else _DEEP
    # A large one is no pontine one: that would not be scanned.
    weights = np.array([site.weight * (1 if site.reach_mm[1] > 20 else 1 - 0.9 * severity) for site in sites])
    site = sites[int(rng.choice(len(sites), p=weights / weights.sum()))]
    x_mm, y_mm, z_mm = (float(rng.normal(m, s)) for m, s in zip(site.center_mm, site.spread_mm, strict=True))
    half_mm = between(4.6, 36, severity)
    if scene.breaks_in:
        # Towards the ventricle that it breaks into.
        x_mm -= 2.0
    center = (scene.side * x_mm, y_mm, fit_height(z_mm, 2 * half_mm, *site.reach_mm))
    return [_draw_clot(rng, scene, center, half_mm, min(half_mm, 24.0))]


def _draw_clot(
    rng: np.random.Generator, scene: Scene, center_mm: Triple, half_mm: float, level_mm: float | None = None
) -> Clot:
    """A clot of half height `half_mm`, and about `level_mm` in the plane, of some days' age."""
    across_mm = level_mm if level_mm is not None else half_mm
    radii = across_mm * rng.uniform([0.6, 0.8], [0.95, 1.25])
    step = across_mm * rng.uniform(-0.8, 0.8, 2)
    lobe_radii = np.array([radii[0], radii[1], half_mm]) * rng.uniform(0.4, 0.85)
    days = float(rng.gamma(0.9, 3.5))
    return Clot(
        subtype="intraparenchymal",
        center_mm=center_mm,
        radii_mm=(float(radii[0]), float(radii[1]), half_mm),
        lobe=((center_mm[0] + float(step[0]), center_mm[1] + float(step[1]), center_mm[2]), _triple(lobe_radii)),
        edge_mm=min(rng.uniform(1.3, 2.5) + 0.12 * days, 4.5, half_mm),
        rim_mm=1.0 + (0.1 + 0.03 * min(days, 12) * rng.uniform(0.5, 1.3)) * across_mm,
        oedema_hu=rng.uniform(6, 13),
        density_hu=max(clotted_hu(scene, draw_packing(rng)) - FADING_HU_A_DAY * min(days, 20), 42),
        swirl_hu=rng.uniform(8, 22) if rng.random() < 0.35 else rng.uniform(0, 5),
        level_mm=center_mm[1] + rng.uniform(-4, 4) if half_mm > 12 and rng.random() < 0.08 else None,
        outline=draw_waves(rng, max(11.0, 1.1 * across_mm)),
        texture=draw_waves(rng, max(8.0, 0.7 * across_mm)),
    )


def _triple(values: np.ndarray) -> Triple:
    return (float(values[0]), float(values[1]), float(values[2]))


def _draw_contusions(rng: np.random.Generator, scene: Scene, severity: float) -> list[Clot]:
    """Several small clots in the cortex, most at the frontal and temporal poles; the first one on the scene's side."""
    height_mm = between(7, 70, severity)
    azimuths = [scene.azimuth, *rng.choice([-1.35, -1.1, -0.7, -0.4, 0.1, 0.6], 6).tolist()]
    z_mm = fit_height(float(rng.choice([10.0, 22.0, 40.0])) + rng.normal(0, 6), height_mm, 2, 84)
    offsets = [0.0, -0.3, 0.3, *rng.uniform(-0.4, 0.4, 4).tolist()]
    clots = []
    for number, (azimuth, offset) in enumerate(zip(azimuths, offsets, strict=True)):
        side = scene.side if number < 3 else draw_side(rng)
        half_mm = between(4.4, 15, severity) * (1 if number == 0 else rng.uniform(0.35, 0.9))
        center = surface_point(side, azimuth, z_mm + offset * height_mm, half_mm + rng.uniform(1, 6))
        clot = _draw_clot(rng, scene, center, half_mm)
        if number == 0 or number < 6 * severity + rng.uniform(-0.5, 0.5):
            clots.append(clot)
    return clots


def _draw_seepage(rng: np.random.Generator, scene: Scene, severity: float) -> list[Clot]:
    """Patches of blood in a dark region, as in an infarct or among torn axons."""
    half_mm = between(5.5, 36, severity)
    z_mm = fit_height(rng.uniform(15, 60), 2 * half_mm, 0, 84)
    center = surface_point(scene.side, rng.uniform(-0.5, 0.8), z_mm, rng.uniform(16, 28))
    return [
        Clot(
            subtype="intraparenchymal",
            center_mm=center,
            radii_mm=(max(0.5 * half_mm, 6.0), max(0.9 * half_mm, 8.0), half_mm),
            lobe=(center, (4.0, 4.0, 4.0)),
            edge_mm=3.0,
            rim_mm=rng.uniform(5, 12),
            oedema_hu=rng.uniform(8, 14),
            density_hu=rng.uniform(48, 62),
            swirl_hu=0.0,
            level_mm=None,
            outline=draw_waves(rng, 26.0),
            texture=draw_waves(rng, 10.0),
            speckles=draw_waves(rng, rng.uniform(11, 18)),
        )
    ]


def clot_inside_mm(clot: Clot, place: Place) -> np.ndarray:
    """Returns the depth inside the clot's outline, mm, negative outside, float32 N x N."""
    main_mm = ellipsoid_inside_mm(place.points, clot.center_mm, clot.radii_mm)
    lobe_mm = ellipsoid_inside_mm(place.points, *clot.lobe)
    ragged_mm = 0.14 * min(clot.radii_mm[:2]) * sample_waves(clot.outline, place.plane)
    return np.maximum(main_mm, lobe_mm) + ragged_mm


def clot_misses(clot: Clot, place: Place) -> bool:
    """Returns whether neither the clot nor its oedema reaches the plane."""
    return misses(place, clot.center_mm[2], 1.3 * clot.radii_mm[2] + clot.rim_mm + 2)


def shade_clot(clot: Clot, place: Place, brain: Brain, pixels_hu: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the brain's HU with the clot and its oedema in it, and the share of each point that is its blood.

    Oedema spares the cortex, which is denser than white matter; a narrow dark ring is there from the first day on
    (Kendall & Radue, Br J Radiol 1978).
    """
    if clot_misses(clot, place):
        return pixels_hu, np.zeros_like(place.x)
    inside_mm = clot_inside_mm(clot, place)
    brain_only = soft_edge(brain.depth_mm) * (1 - brain.ventricle)
    share = soft_edge(inside_mm, clot.edge_mm) * brain_only
    white = np.clip((37 - brain.pixels_hu) / 8, 0.3, 1)
    oedema = soft_edge(inside_mm + clot.rim_mm, 0.6 * clot.rim_mm + 1) * brain_only * white * (1 - brain.cistern)
    if clot.speckles is not None:
        field = sample_waves(clot.speckles, place.plane) - np.float32(0.25)
        share = share * soft_edge(field / np.float32(clot.speckles.steepness), 2.5)
    darkened_hu = pixels_hu - clot.oedema_hu * np.clip(oedema - share, 0, 1)
    return mix(darkened_hu, _clot_hu(clot, place), share), share


def _clot_hu(clot: Clot, place: Place) -> np.ndarray:
    field = sample_waves(clot.texture, place.plane)
    density_hu = clot.density_hu + 3 * field - clot.swirl_hu * logistic(5 * (field - 0.7))
    if clot.level_mm is not None:
        density_hu = density_hu - 26 * soft_edge(clot.level_mm - place.y, 2)
    return density_hu
