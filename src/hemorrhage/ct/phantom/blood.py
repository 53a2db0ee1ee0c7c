"""The five hemorrhages, drawn at random and named: each with its place, its shape and its density."""

from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np

from hemorrhage.ct.phantom.clots import Clot, draw_clots
from hemorrhage.ct.phantom.dura import FalxLining, TentLining, draw_falx_lining, draw_tent_lining
from hemorrhage.ct.phantom.linings import Lining, draw_crescents, draw_epidural
from hemorrhage.ct.phantom.scene import Scene, draw_scene
from hemorrhage.ct.phantom.sulcal import SulcalBlood, draw_sulcal_blood
from hemorrhage.ct.phantom.ventricular import VentricleFill, draw_ventricle_fill

SUBTYPES = ("epidural", "intraparenchymal", "intraventricular", "subarachnoid", "subdural")

Bleed = Lining | FalxLining | TentLining | Clot | VentricleFill | SulcalBlood


def draw_bleeds(
    rng: np.random.Generator, subtypes: Collection[str], severity: float | Mapping[str, float]
) -> tuple[Bleed, ...]:
    """Returns bleeds of every subtype in `subtypes`, which share one scene and so adjoin.

    `severity`, one for all or one a subtype, runs from 0 (one slice of 5 mm) to 1 (most of the brain): the height
    of each bleed grows with it by equal factors, and for the same generator never shrinks. Raises ValueError for
    a name that is not in SUBTYPES, a subtype without a severity, or a severity outside 0..1.
    """
    unknown = set(subtypes) - set(SUBTYPES)
    if unknown:
        raise ValueError(f"Expected subtypes out of {SUBTYPES}, received {sorted(unknown)}.")
    scene = draw_scene(rng, subtypes)
    bleeds: list[Bleed] = []
    for subtype in SUBTYPES:
        # Each subtype has a stream of its own, so that none moves when another is added or grows.
        stream = rng.spawn(1)[0]
        if subtype in subtypes:
            bleeds += _DRAW[subtype](stream, scene, _own_severity(severity, subtype))
    return tuple(bleeds)


def _own_severity(severity: float | Mapping[str, float], subtype: str) -> float:
    if isinstance(severity, Mapping):
        if subtype not in severity:
            raise ValueError(f"Expected a severity for {subtype}, received severities for {sorted(severity)}.")
        severity = severity[subtype]
    if not 0 <= severity <= 1:
        raise ValueError(f"Expected a severity of 0 to 1 for {subtype}, received {severity}.")
    return float(severity)


def _draw_subdural(rng: np.random.Generator, scene: Scene, severity: float) -> Sequence[Bleed]:
    """A crescent in most; blood beside the falx or on the tentorium alone or with it."""
    place = str(rng.choice(["vault", "falx", "tent", "vault+falx", "vault+tent"], p=[0.66, 0.1, 0.05, 0.12, 0.07]))
    bleeds: list[Bleed] = []
    # The folds are too low for the largest.
    if "vault" in place or severity > (0.75 if place == "falx" else 0.4):
        bleeds += draw_crescents(rng, scene, severity)
    if "falx" in place:
        bleeds += draw_falx_lining(rng, scene, severity)
    if "tent" in place:
        bleeds += draw_tent_lining(rng, scene, severity)
    return bleeds


_DRAW: dict[str, Callable[[np.random.Generator, Scene, float], Sequence[Bleed]]] = {
    "epidural": draw_epidural,
    "intraparenchymal": draw_clots,
    "intraventricular": draw_ventricle_fill,
    "subarachnoid": draw_sulcal_blood,
    "subdural": _draw_subdural,
}
