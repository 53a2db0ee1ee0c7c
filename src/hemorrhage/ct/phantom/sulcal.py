"""Blood in the fluid about the brain: in sulci, Sylvian fissures and basal cisterns."""

from dataclasses import dataclass

import numpy as np

from hemorrhage.ct.phantom.brain import Brain
from hemorrhage.ct.phantom.place import Place
from hemorrhage.ct.phantom.scene import Scene
from hemorrhage.ct.phantom.space import Waves, draw_waves, sample_waves, soft_edge
from hemorrhage.ct.phantom.vault import Triple, between, fit_height, misses, surface_point


@dataclass(frozen=True)
class SulcalBlood:
    """Blood in the fluid about the brain, within a blunt ellipsoid of head coordinates, mm.

    `widen_mm` is how much it widens sulci and cisterns; `gaps` how much of the region stays free of it, 0..1.
    """

    subtype: str
    center_mm: Triple
    radii_mm: Triple
    widen_mm: float
    density_hu: float
    gaps: float
    texture: Waves


def draw_sulcal_blood(rng: np.random.Generator, scene: Scene, severity: float) -> list[SulcalBlood]:
    """Returns blood in the pattern of the scene's cause, from one slice high at severity 0 to all of the brain at 1."""
    height_mm = between(8, 145, severity)
    center, radii = {"aneurysm": _burst_region, "venous": _stem_region}.get(scene.cause, _convexity_region)(
        rng, scene, severity, height_mm
    )
    regions = [(center, radii)]
    if rng.random() < 0.5:
        # Apart from it, some blood in the sulci of the other side, or between the hemispheres, higher up or lower.
        far_mm = fit_height(center[2] + rng.normal(0, 0.8 * height_mm), 0.5 * height_mm, -24, 100)
        far = surface_point(-scene.side, rng.uniform(-1.2, 0.9), far_mm, 6)
        regions.append((far, (0.6 * radii[0], 0.6 * radii[1], 0.5 * height_mm / 2)))
    faint = rng.random() < 0.35
    density_hu = _draw_density(rng, scene, faint)
    return [
        SulcalBlood(
            subtype="subarachnoid",
            center_mm=place,
            radii_mm=lengths,
            widen_mm=rng.uniform(0.25, 0.6) if faint else rng.uniform(0.5, 1.2),
            density_hu=density_hu,
            gaps=rng.uniform(0.1, 0.4),
            texture=draw_waves(rng, 22.0),
        )
        for place, lengths in regions
    ]


def _draw_density(rng: np.random.Generator, scene: Scene, faint: bool) -> float:
    """Returns the HU of blood diluted in CSF of 8 HU: 35 to 65, as the share of blood has it (chosen by eye)."""
    blood = rng.uniform(0.55, 0.75) if faint else rng.uniform(0.8, 1.05)
    return float(8 + blood * (1.5 * scene.hematocrit - 8))


def _burst_region(rng: np.random.Generator, scene: Scene, severity: float, height_mm: float) -> tuple[Triple, Triple]:
    """The star of the basal cisterns, the Sylvian fissures and the cleft in front, as a burst aneurysm fills them."""
    aside_mm = scene.side * abs(rng.normal(0, 14))
    center = (aside_mm, rng.uniform(-20, -4), fit_height(rng.uniform(4, 14), height_mm, -40, 100))
    return center, (between(22, 60, severity), between(22, 62, severity), height_mm / 2)


def _stem_region(rng: np.random.Generator, scene: Scene, severity: float, height_mm: float) -> tuple[Triple, Triple]:
    """About the midbrain and the pons, as veins there leave it."""
    center = (rng.normal(0, 4), rng.uniform(2, 14), fit_height(rng.uniform(-2, 8), height_mm, -40, 86))
    return center, (between(20, 40, severity), between(16, 36, severity), height_mm / 2)


def _convexity_region(
    rng: np.random.Generator, scene: Scene, severity: float, height_mm: float
) -> tuple[Triple, Triple]:
    """A patch of sulci over one hemisphere, or one Sylvian fissure, as after a fall."""
    radius_mm = between(20, 48, severity)
    if rng.random() < 0.3:
        center = (scene.side * 40.0, rng.uniform(-16, 4), fit_height(18 + rng.normal(0, 5), height_mm, -24, 100))
        return center, (0.8 * radius_mm, radius_mm, height_mm / 2)
    z_mm = fit_height(scene.z_mm + rng.normal(0, 6), height_mm, -24, 100)
    center = surface_point(scene.side, scene.azimuth, z_mm, 8)
    return center, (radius_mm, radius_mm * rng.uniform(0.9, 1.4), height_mm / 2)


def region_share(blood: SulcalBlood, place: Place) -> np.ndarray:
    """Returns how much of the fluid at each point is within reach of the blood, 0..1: patchy, level at top and foot."""
    if misses(place, blood.center_mm[2], blood.radii_mm[2] + 2):
        return np.zeros_like(place.x)
    squares = ((place.x - blood.center_mm[0]) / blood.radii_mm[0]) ** 2
    squares = squares + ((place.y - blood.center_mm[1]) / blood.radii_mm[1]) ** 2
    level = 1.15 - squares - blood.gaps * (1 + sample_waves(blood.texture, place.plane))
    upright_mm = blood.radii_mm[2] - np.abs(place.z - blood.center_mm[2])
    return soft_edge(level, 0.5) * soft_edge(upright_mm, 3)


def sulcal_share(blood: SulcalBlood, place: Place, brain: Brain) -> np.ndarray:
    """Returns how much of each point is blood in the fluid about the brain, 0..1."""
    return brain.cistern * region_share(blood, place) * (1 - brain.ventricle)
