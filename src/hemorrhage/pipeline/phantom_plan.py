"""What a synthetic data set will hold, settled for all patients before the first is made.

Who bleeds, on how many slices, who is tested and which scanner stores what is dealt in strata, so that few patients
suffice to have everything; see draw_plan.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hemorrhage.ct.phantom import STORED_FORMS, StoredForm
from hemorrhage.data.labels import SUBTYPES
from hemorrhage.pipeline.phantom_statistics import (
    BLEEDING_SHARE,
    EXTENT_CORRELATION,
    EXTENT_DECILES,
    MIXTURES,
    SECOND_SERIES_SHARE,
)

PLAN_STREAM = 0
"""The word after the seed that this module draws from; every other stream of a data set takes another."""

PATIENTS_FOR_COVERAGE = 12
PATIENTS_FOR_NATURE = 200
"""From the first number of patients on every subtype is in train and in test, though epidural blood is then too
frequent; from the second on each is as frequent as it really is, and the rarest may be missing from the test."""

_TEST_SHARE = 0.22
# Chosen so that as many series have slices without blood between slices with blood as in the real table.
_SECOND_SHARE, _LARGE = 0.8, 0.1


@dataclass(frozen=True)
class PatientPlan:
    """What is settled about a patient before it is made: split, bleeds, one form a series.

    `extents` holds for each of `subtypes` the share of the first series' slices that it shall show on; `second` is
    the subtype of which there shall be another, small bleed somewhere, None in most.
    """

    index: int
    in_test: bool
    subtypes: tuple[str, ...]
    extents: tuple[float, ...]
    second: str | None
    forms: tuple[StoredForm, ...]


def draw_plan(patients: int, seed: int) -> tuple[PatientPlan, ...]:
    """Returns the plan of every patient, in the order of their indices.

    Bleeds are dealt by systematic sampling within train and test, header groups over all series by another
    permutation, so that they tell nothing about the labels.
    """
    rng = np.random.default_rng([seed, PLAN_STREAM])
    tested, bleeding, bleeding_tested = _share_out(patients)
    complete = is_covering(patients)
    in_train = _deal_bleeds(rng, patients - tested, max(1, bleeding - bleeding_tested), complete)
    in_test = _deal_bleeds(rng, tested, bleeding_tested, complete)
    forms = _deal_forms(rng, patients)
    dealt = [(False, each) for each in in_train] + [(True, each) for each in in_test]
    extents = _deal_extents(rng, [subtypes for _, subtypes in dealt])
    plans = []
    for index, place in enumerate(rng.permutation(patients)):
        in_test_set, subtypes = dealt[place]
        second = _draw_second(rng, subtypes, extents[place])
        plans.append(PatientPlan(index, in_test_set, subtypes, extents[place], second, forms[index]))
    return tuple(plans)


def is_covering(patients: int) -> bool:
    """Returns whether a data set of so many patients has every subtype in train and in test, frequent or not."""
    return PATIENTS_FOR_COVERAGE <= patients < PATIENTS_FOR_NATURE


def _share_out(patients: int) -> tuple[int, int, int]:
    """How many patients are tested, how many bleed, and how many do both."""
    many = patients >= PATIENTS_FOR_COVERAGE
    tested = min(patients - 1, max(round(_TEST_SHARE * patients), 3 if many else 1))
    bleeding = max(1, round(BLEEDING_SHARE * patients))
    return tested, bleeding, min(tested, max(round(BLEEDING_SHARE * tested), 2 if many else 0))


def _deal_bleeds(rng: np.random.Generator, patients: int, bleeding: int, complete: bool) -> list[tuple[str, ...]]:
    """The subtypes of every patient of one split, the bleeding ones first."""
    mixtures = [MIXTURES[k][1] for k in _deal(rng, [weight for weight, _ in MIXTURES], bleeding)]
    if complete:
        mixtures = _complete(mixtures)
    return mixtures + [()] * (patients - bleeding)


def _deal(rng: np.random.Generator, weights: Sequence[float], count: int) -> list[int]:
    """So many indices in ascending order, each as often as its weight says, give or take one."""
    shares = np.cumsum(weights) / sum(weights)
    return [int(np.searchsorted(shares, at)) for at in (np.arange(count) + rng.random(count)) / max(count, 1)]


def _complete(mixtures: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Gives each subtype that is missing to the patient who has the fewest."""
    mixtures = list(mixtures)
    for subtype in SUBTYPES:
        if not any(subtype in mixture for mixture in mixtures):
            poorest = min(range(len(mixtures)), key=lambda k: len(mixtures[k]))
            mixtures[poorest] = (*mixtures[poorest], subtype)
    return mixtures


def _deal_extents(rng: np.random.Generator, mixtures: Sequence[tuple[str, ...]]) -> list[tuple[float, ...]]:
    """The share of slices each subtype of each patient shall show on, spread as it is in the real table.

    The subtypes of one patient tend to be large or small together (a Gaussian copula).
    """
    common = rng.standard_normal(len(mixtures)) * np.sqrt(EXTENT_CORRELATION)
    extents: list[dict[str, float]] = [{} for _ in mixtures]
    for subtype in SUBTYPES:
        bleeding = [k for k, mixture in enumerate(mixtures) if subtype in mixture]
        sizes = common[bleeding] + rng.standard_normal(len(bleeding)) * np.sqrt(1 - EXTENT_CORRELATION)
        ranks = np.argsort(np.argsort(sizes))
        shares = np.interp(
            (ranks + rng.random(len(bleeding))) / max(len(bleeding), 1),
            np.linspace(0, 1, len(EXTENT_DECILES[subtype])),
            EXTENT_DECILES[subtype],
        )
        for k, share in zip(bleeding, shares, strict=True):
            extents[k][subtype] = float(share)
    return [tuple(extents[k][subtype] for subtype in mixture) for k, mixture in enumerate(mixtures)]


def _draw_second(rng: np.random.Generator, subtypes: Sequence[str], extents: Sequence[float]) -> str | None:
    """One of the subtypes that show on many slices, in some patients."""
    large = [subtype for subtype, extent in zip(subtypes, extents, strict=True) if extent > _LARGE]
    return str(rng.choice(large)) if large and rng.random() < _SECOND_SHARE else None


def _deal_forms(rng: np.random.Generator, patients: int) -> list[tuple[StoredForm, ...]]:
    """The stored form of every series of every patient: each form once, the rest in the real proportions."""
    seconds = max(round(SECOND_SERIES_SHARE * patients), int(patients >= 3))
    series = patients + seconds
    rest = _deal(rng, [form.files for form in STORED_FORMS], max(series - len(STORED_FORMS), 0))
    forms = list(STORED_FORMS[:series]) + [STORED_FORMS[k] for k in rest]
    shuffled = [forms[k] for k in rng.permutation(series)]
    has_second = rng.permutation(patients) < seconds
    return [(shuffled.pop(), shuffled.pop()) if second else (shuffled.pop(),) for second in has_second]
