"""The five hemorrhages, drawn at random and named: each with its place, its shape and its density."""

import math
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from hemorrhage.ct.phantom.anatomy import EQUATOR_MM
from hemorrhage.ct.phantom.space import Waves, draw_waves

SUBTYPES = ("epidural", "intraparenchymal", "intraventricular", "subarachnoid", "subdural")

VAULT_RADIUS_MM = 74.0
"""About how far the inner table is from the cavity's middle."""


@dataclass(frozen=True)
class Lining:
    """Blood between skull and brain, on one side: a lens (epidural) or a crescent (subdural).

    `direction` is the unit vector from the cavity's middle to the thickest place; `extent_mm` the half lengths
    along the vault, level and upright; `layering_hu` is how much denser the back is than the front.
    """

    subtype: str
    direction: tuple[float, float, float]
    extent_mm: tuple[float, float]
    thickness_mm: float
    density_hu: float
    layering_hu: float
    texture: Waves


@dataclass(frozen=True)
class FalxLining:
    """Subdural blood along one side of the falx: its side, thickness, middle (y, z) and half lengths there."""

    subtype: str
    side: int
    thickness_mm: float
    center_mm: tuple[float, float]
    extent_mm: tuple[float, float]
    density_hu: float
    texture: Waves


@dataclass(frozen=True)
class Clot:
    """Blood within the brain: an uneven ellipsoid in a rim of dark oedema."""

    subtype: str
    center_mm: tuple[float, float, float]
    radii_mm: tuple[float, float, float]
    rim_mm: float
    density_hu: float
    outline: Waves
    texture: Waves


@dataclass(frozen=True)
class VentricleFill:
    """Blood in the ventricles: below a level at the back (supine patient), and as casts of whole parts.

    `levels_mm` holds y of the level on the right and the left; `cast_side` is the side whose lateral ventricle
    is full (0: neither); `midline` tells whether the third and fourth ventricles are full.
    """

    subtype: str
    levels_mm: tuple[float, float]
    cast_side: int
    midline: bool
    density_hu: float
    texture: Waves


@dataclass(frozen=True)
class SulcalBlood:
    """Blood in the fluid about the brain, within an ellipsoid of head coordinates."""

    subtype: str
    center_mm: tuple[float, float, float]
    radii_mm: tuple[float, float, float]
    widen_mm: float
    density_hu: float
    texture: Waves


Bleed = Lining | FalxLining | Clot | VentricleFill | SulcalBlood


def draw_bleeds(rng: np.random.Generator, subtypes: Collection[str], severity: float) -> tuple[Bleed, ...]:
    """Returns bleeds of every subtype in `subtypes`, whose size grows with `severity` from 0 to 1.

    Raises ValueError for a name that is not in SUBTYPES.
    """
    unknown = set(subtypes) - set(SUBTYPES)
    if unknown:
        raise ValueError(f"Expected subtypes out of {SUBTYPES}, received {sorted(unknown)}.")
    bleeds: list[Bleed] = []
    for subtype in SUBTYPES:
        if subtype in subtypes:
            own_severity = float(np.clip(severity + rng.normal(0, 0.12), 0, 1))
            bleeds += _DRAW[subtype](rng, own_severity)
    return tuple(bleeds)


def _between(low: float, high: float, severity: float) -> float:
    return low * (high / low) ** severity


def _direction(side: int, azimuth: float, elevation: float) -> tuple[float, float, float]:
    """The unit vector at `azimuth` radians behind the ear's direction and `elevation` above the equator."""
    level = math.cos(elevation)
    return (side * level * math.cos(azimuth), level * math.sin(azimuth), math.sin(elevation))


def _side(rng: np.random.Generator) -> int:
    return int(rng.choice([-1, 1]))


def _draw_epidural(rng: np.random.Generator, severity: float) -> list[Bleed]:
    half_mm = _between(20, 42, severity)
    # A lens: thicker than the sagitta of its own chord, so that it bulges into the brain.
    thickness_mm = half_mm**2 / (2 * VAULT_RADIUS_MM) + rng.uniform(0.18, 0.3) * half_mm
    return [
        Lining(
            subtype="epidural",
            direction=_direction(_side(rng), rng.uniform(-0.75, 0.7), rng.uniform(-0.1, 0.5)),
            extent_mm=(half_mm, half_mm * rng.uniform(0.75, 1.0)),
            thickness_mm=thickness_mm,
            density_hu=rng.uniform(60, 76),
            layering_hu=0.0,
            texture=draw_waves(rng, 18.0),
        )
    ]


def _draw_subdural(rng: np.random.Generator, severity: float) -> list[Bleed]:
    side = _side(rng)
    bleeds: list[Bleed] = []
    along_falx = rng.random() < 0.2
    if not along_falx or rng.random() < 0.5:
        bleeds.append(_draw_crescent(rng, severity, side))
        if rng.random() < 0.15:
            bleeds.append(_draw_crescent(rng, severity * 0.6, -side))
    if along_falx:
        bleeds.append(
            FalxLining(
                subtype="subdural",
                side=side,
                thickness_mm=_between(2.5, 7, severity),
                center_mm=(float(rng.choice([-42.0, 45.0])) + rng.normal(0, 8), rng.uniform(52, 66)),
                extent_mm=(_between(18, 45, severity), _between(16, 36, severity)),
                density_hu=rng.uniform(60, 78),
                texture=draw_waves(rng, 18.0),
            )
        )
    return bleeds


def _draw_crescent(rng: np.random.Generator, severity: float, side: int) -> Lining:
    fresh = rng.random() < 0.75
    return Lining(
        subtype="subdural",
        direction=_direction(side, rng.uniform(-0.5, 0.5), rng.uniform(0.05, 0.5)),
        extent_mm=(_between(42, 95, severity), _between(20, 48, severity)),
        thickness_mm=_between(3.5, 16, float(np.clip(severity + rng.normal(0, 0.2), 0, 1))),
        density_hu=rng.uniform(58, 74) if fresh else rng.uniform(42, 54),
        layering_hu=rng.uniform(0, 6) if fresh else rng.uniform(0, 26),
        texture=draw_waves(rng, 22.0),
    )


# Where clots arise: (weight, centre on the left, spread), head mm.
_CLOT_SITES = (
    (0.35, (25.0, -2.0, 24.0), (3.0, 7.0, 4.0)),
    (0.15, (12.0, 12.0, 25.0), (2.0, 3.0, 3.0)),
    (0.18, (32.0, -48.0, 42.0), (5.0, 8.0, 10.0)),
    (0.18, (40.0, 30.0, 48.0), (5.0, 12.0, 10.0)),
    (0.06, (48.0, 2.0, 6.0), (3.0, 8.0, 4.0)),
    (0.05, (25.0, 50.0, -16.0), (4.0, 4.0, 4.0)),
    (0.03, (2.0, 14.0, -6.0), (2.0, 2.0, 3.0)),
)


def _draw_clots(rng: np.random.Generator, severity: float) -> list[Bleed]:
    site = int(rng.choice(len(_CLOT_SITES), p=[weight for weight, _, _ in _CLOT_SITES]))
    radius_mm = _between(8.0, 27.0, severity)
    if site >= len(_CLOT_SITES) - 2:
        radius_mm = min(radius_mm, 13.0)
    clots: list[Bleed] = [_draw_clot(rng, site, _side(rng), radius_mm)]
    if rng.random() < 0.25:
        # Contusions come in company, frontal and temporal.
        clots += [
            _draw_clot(rng, int(rng.choice([2, 3, 4])), _side(rng), rng.uniform(4, 9))
            for _ in range(rng.integers(1, 4))
        ]
    return clots


def _draw_clot(rng: np.random.Generator, site: int, side: int, radius_mm: float) -> Clot:
    _, center, spread = _CLOT_SITES[site]
    x, y, z = (float(rng.normal(mean, deviation)) for mean, deviation in zip(center, spread, strict=True))
    radii = radius_mm * rng.uniform([0.65, 0.85, 0.8], [0.9, 1.25, 1.1])
    return Clot(
        subtype="intraparenchymal",
        center_mm=(side * x, y, z),
        radii_mm=(float(radii[0]), float(radii[1]), float(radii[2])),
        rim_mm=rng.uniform(0.12, 0.45) * radius_mm + 1.0,
        density_hu=rng.uniform(56, 76),
        outline=draw_waves(rng, max(14.0, 1.4 * radius_mm)),
        texture=draw_waves(rng, 12.0),
    )


def _draw_ventricle_fill(rng: np.random.Generator, severity: float) -> list[Bleed]:
    level_mm = 52 - 20 * severity
    near, far = level_mm + rng.normal(0, 2), level_mm + rng.uniform(0, 10)
    side = _side(rng)
    return [
        VentricleFill(
            subtype="intraventricular",
            levels_mm=(near, far) if side < 0 else (far, near),
            cast_side=side if severity > 0.72 else 0,
            midline=bool(severity > 0.8 or rng.random() < 0.1),
            density_hu=rng.uniform(52, 72),
            texture=draw_waves(rng, 14.0),
        )
    ]


def _draw_sulcal_blood(rng: np.random.Generator, severity: float) -> list[Bleed]:
    basal = rng.random() < 0.3 + 0.3 * severity
    center, radii = _basal_region(rng, severity) if basal else _convexity_region(rng, severity)
    return [
        SulcalBlood(
            subtype="subarachnoid",
            center_mm=center,
            radii_mm=radii,
            widen_mm=rng.uniform(0.5, 1.2),
            density_hu=rng.uniform(56, 72),
            texture=draw_waves(rng, 25.0),
        )
    ]


_Triple = tuple[float, float, float]


def _basal_region(rng: np.random.Generator, severity: float) -> tuple[_Triple, _Triple]:
    """Cisterns, Sylvian and front cleft, as a burst aneurysm fills them."""
    center = (rng.normal(0, 12), rng.uniform(-22, -8), rng.uniform(6, 14))
    return center, (_between(32, 62, severity), _between(30, 55, severity), _between(11, 38, severity))


def _convexity_region(rng: np.random.Generator, severity: float) -> tuple[_Triple, _Triple]:
    """A patch of sulci over one hemisphere, as after a fall."""
    x, y, z = _direction(_side(rng), rng.uniform(-1.0, 0.9), rng.uniform(-0.1, 0.8))
    center = (62 * x, 76 * y, EQUATOR_MM + 60 * z)
    radius_mm = _between(14, 38, severity)
    return center, (radius_mm, radius_mm * rng.uniform(0.9, 1.3), radius_mm)


_DRAW = {
    "epidural": _draw_epidural,
    "intraparenchymal": _draw_clots,
    "intraventricular": _draw_ventricle_fill,
    "subarachnoid": _draw_sulcal_blood,
    "subdural": _draw_subdural,
}
