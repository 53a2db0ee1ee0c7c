"""What a synthetic data set will hold, settled for all patients before the first is made.

Who bleeds, who is tested and which scanner stores what is dealt in strata, so that few patients suffice to have
everything; see draw_plan.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hemorrhage.ct.phantom import STORED_FORMS, StoredForm
from hemorrhage.data.labels import SUBTYPES

PLAN_STREAM = 0
"""The word after the seed that this module draws from; every other stream of a data set takes another."""

_BLEEDING_SHARE = 0.40
_TEST_SHARE = 0.22
_SECOND_SERIES_SHARE = 0.08
# From here on every subtype is in train and in test.
_PATIENTS_FOR_COVERAGE = 12

# What bleeds together, and how often, per thousand bleeding series: the 8,278 complete series of the competition.
_MIXTURES: tuple[tuple[int, tuple[str, ...]], ...] = (
    (163, ("subdural",)),
    (136, ("intraparenchymal",)),
    (125, ("intraparenchymal", "intraventricular")),
    (91, ("intraparenchymal", "intraventricular", "subarachnoid")),
    (62, ("subarachnoid",)),
    (61, ("intraparenchymal", "intraventricular", "subarachnoid", "subdural")),
    (59, ("intraparenchymal", "subarachnoid", "subdural")),
    (54, ("intraparenchymal", "subarachnoid")),
    (49, ("intraventricular", "subarachnoid")),
    (39, ("intraventricular",)),
    (36, ("intraparenchymal", "subdural")),
    (34, ("subarachnoid", "subdural")),
    (23, ("intraventricular", "subarachnoid", "subdural")),
    (21, ("intraparenchymal", "intraventricular", "subdural")),
    (9, ("intraventricular", "subdural")),
    (12, ("epidural",)),
    (8, ("epidural", "subdural")),
    (8, ("epidural", "subarachnoid", "subdural")),
    (10, ("epidural", "intraparenchymal", "subarachnoid")),
)


@dataclass(frozen=True)
class PatientPlan:
    """What is settled about a patient before it is made: split, bleeds, their size (0..1), one form a series."""

    index: int
    in_test: bool
    subtypes: tuple[str, ...]
    severity: float
    forms: tuple[StoredForm, ...]


def draw_plan(patients: int, seed: int) -> tuple[PatientPlan, ...]:
    """Returns the plan of every patient, in the order of their indices.

    Bleeds are dealt by systematic sampling within train and test, header groups over all series by another
    permutation, so that they tell nothing about the labels.
    """
    rng = np.random.default_rng([seed, PLAN_STREAM])
    tested = min(patients - 1, max(round(_TEST_SHARE * patients), 3 if patients >= _PATIENTS_FOR_COVERAGE else 1))
    bleeding = max(1, round(_BLEEDING_SHARE * patients))
    bleeding_tested = min(tested, max(round(_BLEEDING_SHARE * tested), 2 if patients >= _PATIENTS_FOR_COVERAGE else 0))
    complete = patients >= _PATIENTS_FOR_COVERAGE
    in_train = _deal_bleeds(rng, patients - tested, max(1, bleeding - bleeding_tested), complete)
    in_test = _deal_bleeds(rng, tested, bleeding_tested, complete)
    dealt = [(False, *each) for each in in_train] + [(True, *each) for each in in_test]
    forms = _deal_forms(rng, patients)
    order = rng.permutation(patients)
    plans = []
    for index, place in enumerate(order):
        in_test, subtypes, severity = dealt[place]
        plans.append(PatientPlan(index, in_test, subtypes, severity, forms[index]))
    return tuple(plans)


def _deal_bleeds(
    rng: np.random.Generator, patients: int, bleeding: int, complete: bool
) -> list[tuple[tuple[str, ...], float]]:
    """Subtypes and severity of every patient of one split, the bleeding ones first."""
    weights = np.cumsum([weight for weight, _ in _MIXTURES]) / sum(weight for weight, _ in _MIXTURES)
    strata = (np.arange(bleeding) + rng.random(bleeding)) / max(bleeding, 1)
    mixtures = [_MIXTURES[int(np.searchsorted(weights, at))][1] for at in strata]
    if complete:
        mixtures = _complete(mixtures)
    severities = (rng.permutation(bleeding) + rng.random(bleeding)) / max(bleeding, 1)
    dealt = [(mixture, float(severity)) for mixture, severity in zip(mixtures, severities, strict=True)]
    return dealt + [((), 0.0)] * (patients - bleeding)


def _complete(mixtures: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Gives each subtype that is missing to the patient who has the fewest."""
    mixtures = list(mixtures)
    for subtype in SUBTYPES:
        if not any(subtype in mixture for mixture in mixtures):
            poorest = min(range(len(mixtures)), key=lambda k: len(mixtures[k]))
            mixtures[poorest] = (*mixtures[poorest], subtype)
    return mixtures


def _deal_forms(rng: np.random.Generator, patients: int) -> list[tuple[StoredForm, ...]]:
    """The stored form of every series of every patient: each form once, the rest in the real proportions."""
    seconds = max(round(_SECOND_SERIES_SHARE * patients), int(patients >= 3))
    series = patients + seconds
    rest = max(series - len(STORED_FORMS), 0)
    weights = np.cumsum([form.files for form in STORED_FORMS]) / sum(form.files for form in STORED_FORMS)
    strata = (np.arange(rest) + rng.random(rest)) / max(rest, 1)
    forms = list(STORED_FORMS[:series]) + [STORED_FORMS[int(np.searchsorted(weights, at))] for at in strata]
    shuffled = [forms[k] for k in rng.permutation(series)]
    has_second = rng.permutation(patients) < seconds
    return [(shuffled.pop(), shuffled.pop()) if second else (shuffled.pop(),) for second in has_second]
