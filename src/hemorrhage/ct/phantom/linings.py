"""Blood between skull and brain: the epidural lens and the subdural crescent."""

from dataclasses import dataclass

import numpy as np

from hemorrhage.ct.phantom.place import Place
from hemorrhage.ct.phantom.scene import Scene, clotted_hu, draw_packing
from hemorrhage.ct.phantom.space import Waves, draw_waves, logistic, sample_waves, soft_edge
from hemorrhage.ct.phantom.vault import VAULT_RADIUS_MM, Crown, Patch, between, fit_height, patch_squares

LOWEST_MM, HIGHEST_MM = -6.0, 94.0
"""From the floor of the middle fossa to just below the vertex."""


@dataclass(frozen=True)
class Filling:
    """What a lining holds: its HU, and how it differs from place to place.

    `layering_hu` is how much denser the back is than the front, with a sharp level at `level_mm` (y), `patchy_hu`
    how far parts of different age differ; `membrane_hu` is added along thin sheets.
    """

    density_hu: float
    texture: Waves
    layering_hu: float = 0.0
    level_mm: float = 0.0
    patchy_hu: float = 0.0
    membrane_hu: float = 0.0


@dataclass(frozen=True)
class Lining:
    """Blood, or fluid, on the inner table over a patch of the vault; `subtype` is empty where it is no blood.

    `compartment` names the bone whose sutures bound an epidural lens; a crescent has none.
    """

    subtype: str
    patch: Patch | Crown
    thickness_mm: float
    filling: Filling
    compartment: str = ""


def draw_epidural(rng: np.random.Generator, scene: Scene, severity: float) -> list[Lining]:
    """Returns a lens: temporal or parietal in most, some frontal, few behind or at the vertex (chosen by eye)."""
    height_mm = between(10, 84, severity)
    half_mm = between(11, 40, severity)
    compartment = str(rng.choice(["side", "front", "back", "vertex"], p=[0.76, 0.14, 0.06, 0.04]))
    patch: Patch | Crown = Crown(rng.uniform(-25, 30), between(22, 62, severity))
    if compartment != "vertex":
        patch = _draw_epidural_patch(rng, scene, compartment, half_mm, height_mm)
    # A lens: thicker than the sagitta of its own chord, so that it bulges into the brain.
    thickness_mm = 1.5 + half_mm**2 / (2 * VAULT_RADIUS_MM) + rng.uniform(0.2, 0.36) * half_mm
    filling = Filling(
        density_hu=clotted_hu(scene, draw_packing(rng)),
        texture=draw_waves(rng, 16.0),
        # The swirl of blood that is still liquid.
        patchy_hu=rng.uniform(12, 24) if rng.random() < 0.3 else 2.5,
    )
    return [Lining("epidural", patch, thickness_mm, filling, compartment)]


def _draw_epidural_patch(
    rng: np.random.Generator, scene: Scene, compartment: str, half_mm: float, height_mm: float
) -> Patch:
    azimuth, z_mm, reach = {
        "side": (rng.uniform(-0.15, 0.4), rng.uniform(0, 60), (-14.0, 88.0)),
        "front": (rng.uniform(-1.2, -0.8), rng.uniform(15, 55), (2.0, 84.0)),
        "back": (rng.uniform(1.05, 1.5), rng.uniform(-25, 5), (-34.0, 50.0)),
    }[compartment]
    return Patch(scene.side, azimuth, fit_height(z_mm, height_mm, *reach), (half_mm, height_mm / 2))


def draw_crescents(rng: np.random.Generator, scene: Scene, severity: float) -> list[Lining]:
    """Returns a crescent over one hemisphere, or one over each."""
    height_mm = between(7, 108, severity)
    first = _draw_crescent(rng, scene, severity, scene.side, height_mm)
    second = _draw_crescent(rng, scene, max(severity - rng.uniform(0, 0.4), 0), -scene.side, 0.8 * height_mm)
    return [first, second] if rng.random() < 0.18 else [first]


def _draw_crescent(rng: np.random.Generator, scene: Scene, severity: float, side: int, height_mm: float) -> Lining:
    z_mm = fit_height(scene.z_mm + rng.normal(5, 10), height_mm, LOWEST_MM, HIGHEST_MM)
    half_mm = between(24, 100, severity) * rng.uniform(0.8, 1.15)
    filling, fresh = _draw_subdural_filling(rng, scene)
    # Three millimetres in the thinnest; the old ones are thicker, since they are found late.
    thickest_mm = between(4, 18 if fresh else 26, severity)
    thickness_mm = 3.0 + (thickest_mm - 3.0) * rng.uniform(0.15, 1)
    return Lining(
        "subdural", Patch(side, 0.6 * scene.azimuth, z_mm, (half_mm, 1.06 * height_mm / 2)), thickness_mm, filling
    )


def _draw_subdural_filling(rng: np.random.Generator, scene: Scene) -> tuple[Filling, bool]:
    """Returns what a subdural hematoma of some age holds, and whether it is fresh.

    Fresh 55 to 75 HU; later as dense as brain, 30 to 50 (Lee et al., J Korean Med Sci 1997;12:353-359: 38 to 52 HU
    on average from the third week on); fluid of 10 to 25 HU. Levels in a quarter of the old and mixed density in
    half of them (Senturk et al., Swiss Med Wkly 2010;140:335). The shares of the ages are chosen by eye.
    """
    age = str(rng.choice(["fresh", "later", "old", "mixed"], p=[0.52, 0.22, 0.1, 0.16]))
    fresh_hu = clotted_hu(scene, draw_packing(rng))
    density_hu = {
        "fresh": fresh_hu,
        "later": rng.uniform(31, 47),
        "old": rng.uniform(12, 26),
        "mixed": rng.uniform(30, 46),
    }[age]
    layered = age != "fresh" and rng.random() < 0.3
    filling = Filling(
        density_hu=density_hu,
        texture=draw_waves(rng, 20.0),
        layering_hu=rng.uniform(8, 30) if layered else 0.0,
        level_mm=rng.uniform(-15, 30),
        patchy_hu=rng.uniform(10, 22) if age == "mixed" else 2.5,
        membrane_hu=rng.uniform(8, 22) if age == "old" and rng.random() < 0.4 else 0.0,
    )
    return filling, age == "fresh"


def lining_mm(lining: Lining, place: Place) -> np.ndarray:
    """Returns how thick the lining is on the vault outside each point, mm, float32 N x N: 0 beyond its edge."""
    squares = patch_squares(lining.patch, place)
    if squares.min() >= 1:
        return np.zeros_like(place.x)
    if lining.compartment:
        profile_mm = _lens_mm(lining, place, np.clip(1 - squares, 0, 1))
    else:
        profile = np.sqrt(np.clip(1 - squares**2, 0, 1)) * (
            1 + 0.15 * sample_waves(lining.filling.texture, place.plane)
        )
        profile_mm = lining.thickness_mm * profile
    if isinstance(lining.patch, Patch) and lining.compartment != "back":
        profile_mm = profile_mm * soft_edge(place.x * lining.patch.side - 2.5, 2)
    # On the walls alone: above the skull's base the lining stays where the vault is near.
    return profile_mm * soft_edge(profile_mm + 6 - place.dome_mm, 6)


def _lens_mm(lining: Lining, place: Place, profile: np.ndarray) -> np.ndarray:
    """The lens's thickness, steep where the dura is fixed to a suture."""
    if lining.compartment == "vertex":
        return lining.thickness_mm * profile
    return np.clip(np.minimum(lining.thickness_mm * profile, 0.6 * _suture_mm(lining.compartment, place)), 0, None)


def _suture_mm(compartment: str, place: Place) -> np.ndarray:
    """Returns the distance within a bone from its sutures: coronal in front, lambdoid behind, in average-head mm.

    The coronal suture runs from bregma (y -15 at the vertex) to pterion (-32 at z 15), the lambdoid from lambda
    (y 72, z 68) to asterion (48, z 0); chosen by eye on skulls.
    """
    behind_coronal_mm = place.y + 35 - 0.2 * place.z
    behind_lambdoid_mm = place.y - 48 - 0.35 * place.z
    if compartment == "front":
        return -behind_coronal_mm
    if compartment == "back":
        return np.maximum(behind_lambdoid_mm, place.y - 30 + 4 * np.minimum(place.z, 0))
    return np.minimum(behind_coronal_mm, -behind_lambdoid_mm)


def lining_share(lining: Lining, place: Place) -> np.ndarray:
    """Returns how much of each point is the lining, 0..1."""
    thick_mm = lining_mm(lining, place)
    if not thick_mm.any():
        return thick_mm
    return soft_edge(np.minimum(thick_mm - place.depth_mm, place.depth_mm + 0.8))


def filling_hu(filling: Filling, place: Place) -> np.ndarray:
    """Returns the HU of what fills a lining at each point, never below 4."""
    field = sample_waves(filling.texture, place.plane)
    density_hu = filling.density_hu + 1.5 * field
    if filling.patchy_hu > 5:
        # Liquid parts in clot, or fresh parts in old fluid.
        sign = -1.0 if filling.density_hu > 50 else 1.0
        density_hu = density_hu + sign * filling.patchy_hu * logistic(5 * (field - 0.5))
    if filling.membrane_hu:
        sheet_mm = np.abs(field) / np.float32(filling.texture.steepness)
        density_hu = density_hu + filling.membrane_hu * soft_edge(0.7 - sheet_mm)
    if filling.layering_hu:
        density_hu = density_hu + filling.layering_hu * (soft_edge(place.y - filling.level_mm, 6) - 0.4)
    return np.maximum(density_hu, 4)
