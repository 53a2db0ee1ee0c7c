"""What one patient's bleeds have in common: their cause, their side, and the blood itself."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Scene:
    """Cause, side (-1 right, 1 left), direction in radians behind the ear, height in head mm, and the blood.

    `hematocrit` is in percent; `breaks_in` tells whether a clot has broken into the ventricle beside it.
    """

    cause: str
    side: int
    azimuth: float
    z_mm: float
    hematocrit: float
    breaks_in: bool


def draw_scene(rng: np.random.Generator, subtypes: Collection[str]) -> Scene:
    """Returns what could have made bleeds of these subtypes; the shares of the causes are chosen by eye."""
    weights = _weigh_causes(frozenset(subtypes))
    cause = str(rng.choice(list(weights), p=np.array(list(weights.values())) / sum(weights.values())))
    return Scene(
        cause=cause,
        side=draw_side(rng),
        azimuth=rng.uniform(-0.95, 0.85),
        z_mm=rng.uniform(5, 75),
        hematocrit=float(np.clip(rng.normal(41, 5), 24, 53)),
        breaks_in={"intraparenchymal", "intraventricular"} <= set(subtypes),
    )


def _weigh_causes(subtypes: frozenset[str]) -> dict[str, float]:
    if subtypes & {"epidural", "subdural"}:
        return {"trauma": 1.0}
    if "intraparenchymal" in subtypes:
        inward, outward = "intraventricular" in subtypes, "subarachnoid" in subtypes
        return {
            "pressure": 0.7 if inward else 0.4,
            "angiopathy": 0.15,
            "trauma": 0.3 if outward and not inward else 0.2,
            "infarct": 0.02 if inward else 0.12,
        }
    if "subarachnoid" in subtypes:
        return {"aneurysm": 0.75 if "intraventricular" in subtypes else 0.4, "trauma": 0.45, "venous": 0.12}
    return {"pressure": 0.8, "trauma": 0.2}


def draw_side(rng: np.random.Generator) -> int:
    """Returns -1 or 1 with equal chances."""
    return 2 * int(rng.integers(2)) - 1


def clotted_hu(scene: Scene, packing: float) -> float:
    """Returns the HU of blood `packing` times as dense in cells as it was in the vessel.

    Attenuation is linear in hematocrit (New & Aronow, Radiology 1976;121:635-640), about 1 HU a percent in flowing
    blood, hence 35 to 45 HU before it clots; a clot that has shed its serum reaches 60 to 80 HU, in anemia less
    than brain (Smith et al., AJR 1981, on isodense acute subdural hematoma; Parizel et al., Eur Radiol 2001;11:1770).
    """
    return float(min(scene.hematocrit * packing, 82.0))


def draw_packing(rng: np.random.Generator) -> float:
    """Returns how far a fresh clot has packed, 1 (not at all) to 1.85, chosen so that most measure 60 to 75 HU."""
    return float(np.clip(rng.normal(1.58, 0.13), 1.15, 1.85))
