"""What one patient's brain has of its own: horns, densities of vessels, calcium, scars and the pallor of age."""

from dataclasses import dataclass

import numpy as np

from hemorrhage.ct.phantom.space import Waves, draw_waves


@dataclass(frozen=True)
class Spot:
    """An ellipsoid of its own density: centre and radii in head millimetres, HU at its core, width of its edge."""

    center_mm: tuple[float, float, float]
    radii_mm: tuple[float, float, float]
    density_hu: float
    edge_mm: float


@dataclass(frozen=True)
class Cerebrum:
    """The traits of one brain, lengths in mm.

    `horns_mm` is how much longer and wider than average the occipital horns are, right and left; `septum_mm`
    half the width of the septum between the lateral ventricles; `magna_mm` the half width of the cisterna magna;
    `pallor_hu` how much darker white matter about the ventricles gets in old age; `folia_hu` the depth of the
    cerebellum's furrows in old age; `pools` fluid outside the brain (arachnoid cysts), `scars` old infarcts,
    `calcium` dense spots; `fold_depth` tells where sulci are deep.
    """

    horns_mm: tuple[float, float]
    septum_mm: float
    magna_mm: float
    pallor_hu: float
    folia_hu: float
    falx_half_mm: float
    sinus_half_mm: float
    sinus_hu: float
    vessel_hu: float
    pools: tuple[Spot, ...]
    scars: tuple[Spot, ...]
    calcium: tuple[Spot, ...]
    fold_depth: Waves


def draw_cerebrum(rng: np.random.Generator, atrophy: float) -> Cerebrum:
    """Returns the traits of a brain as old as `atrophy` says, 0 to 1.

    Blood in the sinuses has 25 to 54 HU by its haematocrit (Lee et al., Yonsei Med J 2013;54:28), 31 to 68 in others'
    hands, and never 70 (Black et al., AJNR 2011); it is drawn from the upper half, since the slice blurs it with fluid
    and brain. The rest of the numbers are chosen by eye.
    """
    horns = np.clip(rng.normal(-0.2, 1.4, 2), -1.0, 3.5)
    sinus_hu = float(np.clip(rng.normal(54, 5), 42, 68))
    return Cerebrum(
        horns_mm=(float(horns[0]), float(horns[1])),
        septum_mm=float(rng.choice([0.5, 0.8, -1.5], p=[0.5, 0.42, 0.08])),
        magna_mm=float(rng.uniform(4, 9) if rng.random() < 0.88 else rng.uniform(14, 24)),
        pallor_hu=rng.uniform(2, 11),
        folia_hu=rng.uniform(12, 30),
        falx_half_mm=rng.uniform(0.35, 0.8),
        sinus_half_mm=rng.uniform(3.2, 6.0),
        sinus_hu=sinus_hu,
        vessel_hu=sinus_hu - rng.uniform(2, 8),
        pools=_draw_pools(rng),
        scars=_draw_scars(rng, atrophy),
        calcium=_draw_calcium(rng, atrophy),
        fold_depth=draw_waves(rng, 38.0, count=10),
    )


def _draw_pools(rng: np.random.Generator) -> tuple[Spot, ...]:
    """An arachnoid cyst at a temporal pole, over the convexity or behind the cerebellum, in one of thirty."""
    if rng.random() > 0.035:
        return ()
    side = float(rng.choice([-1, 1]))
    centers = [
        (side * 48, -30.0, 2.0),
        (side * 62, rng.uniform(-40, 40), rng.uniform(40, 70)),
        (side * 18, 78.0, -18.0),
    ]
    center = centers[int(rng.choice(3, p=[0.6, 0.15, 0.25]))]
    size = rng.uniform(10, 22)
    return (Spot(center, (size * 0.8, size, size * 1.1), rng.uniform(3, 8), 1.2),)


def _draw_scars(rng: np.random.Generator, atrophy: float) -> tuple[Spot, ...]:
    """Old infarcts: lacunes in the deep nuclei and their capsule, now and then a wedge of cortex gone."""
    scars = []
    for _ in range(int(rng.poisson(1.8 * atrophy**2))):
        center = (float(rng.choice([-1, 1])) * rng.uniform(11, 30), rng.uniform(-22, 20), rng.uniform(16, 46))
        radii = rng.uniform(1.5, 4.5, 3)
        scars.append(Spot(center, (float(radii[0]), float(radii[1]), 1 + float(radii[2])), rng.uniform(9, 20), 2.0))
    if rng.random() < 0.02 + 0.16 * atrophy**2:
        side = float(rng.choice([-1, 1]))
        azimuth = rng.uniform(-1.0, 1.45)
        center = (side * 52 * float(np.cos(azimuth)), 66 * float(np.sin(azimuth)), rng.uniform(5, 75))
        radii = rng.uniform([8, 10, 8], [22, 30, 24])
        scars.append(Spot(center, (float(radii[0]), float(radii[1]), float(radii[2])), rng.uniform(8, 20), 6.0))
    if rng.random() < 0.12 * atrophy:
        center = (float(rng.choice([-1, 1])) * rng.uniform(15, 36), rng.uniform(45, 65), rng.uniform(-28, -6))
        scars.append(Spot(center, (rng.uniform(4, 12), rng.uniform(3, 9), rng.uniform(3, 8)), rng.uniform(10, 20), 3.0))
    return tuple(scars)


def _draw_calcium(rng: np.random.Generator, atrophy: float) -> tuple[Spot, ...]:
    """Calcium where radiologists expect it and networks take it for blood.

    The pineal body has it in six or seven adults of ten, the choroid plexus in as many, more of it with age.
    """
    spots: list[Spot] = []
    adult = 0.25 + 0.75 * min(atrophy / 0.3, 1)
    if rng.random() < 0.75 * adult:
        spots += _draw_lumps(rng, (rng.normal(0, 0.7), 25.5, 23 + rng.normal(0, 1)), rng.uniform(1.2, 3.2), (90, 450))
    if rng.random() < 0.25 * adult:
        spots += _draw_lumps(rng, (rng.normal(0, 0.5), 20.5, 24.0), rng.uniform(0.8, 1.6), (70, 250))
    if rng.random() < 0.8 * adult:
        z_mm, size_mm = 29 + rng.normal(0, 2), rng.uniform(1.4, 3.8)
        for side in (-1, 1):
            if rng.random() < 0.92:
                center = (side * (24 + rng.normal(0, 1)), 36.5 + rng.normal(0, 1.5), z_mm + rng.normal(0, 1.5))
                spots += _draw_lumps(rng, center, size_mm * rng.uniform(0.7, 1.2), (60, 420))
    if rng.random() < 0.02 + 0.22 * atrophy**2:
        size_mm, density_hu = rng.uniform(2, 5), rng.uniform(50, 130)
        for side in (-1, 1):
            center = (side * 19.0, -6 + rng.normal(0, 1.5), 21 + rng.normal(0, 1.5))
            spots.append(Spot(center, (0.7 * size_mm, 1.3 * size_mm, size_mm), density_hu, 3.0))
    spots += _draw_falx_calcium(rng, atrophy)
    return tuple(spots)


def _draw_lumps(
    rng: np.random.Generator, center_mm: tuple[float, float, float], size_mm: float, densities_hu: tuple[float, float]
) -> list[Spot]:
    """One to three lumps together."""
    lumps = []
    for number in range(int(rng.integers(1, 4))):
        offsets = rng.normal(0, 0.7, 3) * size_mm * min(number, 1)
        x, y, z = (c + float(o) for c, o in zip(center_mm, offsets, strict=True))
        radii = size_mm * rng.uniform(0.4, 1.0, 3) * (1 if number == 0 else 0.7)
        lumps.append(
            Spot((x, y, z), (float(radii[0]), float(radii[1]), float(radii[2])), rng.uniform(*densities_hu), 1.6)
        )
    return lumps


def _draw_falx_calcium(rng: np.random.Generator, atrophy: float) -> list[Spot]:
    """Plates along the falx, in front and above."""
    spots = []
    for _ in range(int(rng.poisson(0.25 + 0.6 * atrophy))):
        angle = rng.uniform(0.1, 2.0)
        center = (rng.normal(0, 0.4), -12 - 62 * float(np.cos(angle)), 32 + 55 * float(np.sin(angle)))
        radii = (rng.uniform(0.8, 2.2), rng.uniform(2, 7), rng.uniform(2, 6))
        spots.append(Spot(center, radii, rng.uniform(120, 600), 1.4))
    return spots
