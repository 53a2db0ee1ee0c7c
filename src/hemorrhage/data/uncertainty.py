"""95 % intervals of a submission's figures, and what its slices say of whole studies."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hemorrhage.data.bootstrap import bootstrap_intervals
from hemorrhage.data.labels import LABELS, weight_vector
from hemorrhage.data.metrics import slice_log_losses
from hemorrhage.data.ranking import Ranking
from hemorrhage.data.studies import ANSWERS, Grouping, take_truth

ROUNDS = 1000

SPECIFICITIES = (0.90, 0.95)

Interval = tuple[float, float]


@dataclass(frozen=True)
class Intervals:
    """Low and high ends; of AUC and average precision by label, NaN where undefined."""

    weighted_log_loss: Interval
    auc: Mapping[str, Interval]
    average_precision: Mapping[str, Interval]


def measure_intervals(
    truth: np.ndarray, probability: np.ndarray, groups: np.ndarray, rounds: int = ROUNDS
) -> Intervals:
    """Returns the intervals when the N `groups`, patients or slices, are drawn anew; the others are N x 6."""
    losses = slice_log_losses(truth, probability) @ weight_vector()
    rankings = [Ranking.build(truth[:, column], probability[:, column]) for column in range(len(LABELS))]

    def measure(weights: np.ndarray) -> np.ndarray:
        ranked = [figure for ranking in rankings for figure in ranking.measure(weights)]
        return np.array([(weights * losses).sum() / weights.sum(), *ranked])

    ends = [(float(low), float(high)) for low, high in bootstrap_intervals(groups, measure, rounds)]
    return Intervals(
        weighted_log_loss=ends[0],
        auc=dict(zip(LABELS, ends[1::2], strict=True)),
        average_precision=dict(zip(LABELS, ends[2::2], strict=True)),
    )


def measure_sensitivities(truth: np.ndarray, probability: np.ndarray) -> dict[str, tuple[float, ...]]:
    """Returns by label the sensitivity at each of SPECIFICITIES, NaN where a label has not both classes."""
    rankings = {label: Ranking.build(truth[:, column], probability[:, column]) for column, label in enumerate(LABELS)}
    return {
        label: tuple(ranking.sensitivity_at(specificity) for specificity in SPECIFICITIES)
        for label, ranking in rankings.items()
    }


@dataclass(frozen=True)
class StudyArea:
    """The area under the ROC curve over studies, and its interval; NaN where undefined."""

    auc: float
    interval: Interval


@dataclass(frozen=True)
class StudyFigures:
    """How many studies there are, how many are positive by label, and by label and answer how well they are ranked."""

    studies: int
    positives: Mapping[str, int]
    areas: Mapping[str, Mapping[str, StudyArea]]


def measure_studies(
    truth: np.ndarray, probability: np.ndarray, slices: pd.DataFrame, rounds: int = ROUNDS
) -> StudyFigures:
    """Returns the figures of studies.ANSWERS when patients are drawn anew; `slices` has patient_id and series_id."""
    studies = Grouping.build(slices)
    answers = {name: take(probability, studies) for name, take in ANSWERS.items()}
    return measure_study_answers(
        take_truth(truth, studies), answers, studies.first_of(slices["patient_id"].to_numpy(dtype=str)), rounds
    )


def measure_study_answers(
    truth: np.ndarray, answers: Mapping[str, np.ndarray], groups: np.ndarray, rounds: int = ROUNDS
) -> StudyFigures:
    """Returns the figures of any answers by name, S x 6 each, against the studies' truth; `groups` are S patients."""
    rankings = [
        Ranking.build(truth[:, column], answer[:, column])
        for column in range(len(LABELS))
        for answer in answers.values()
    ]
    ends = bootstrap_intervals(groups, lambda weights: np.array([one.measure(weights)[0] for one in rankings]), rounds)
    whole = np.ones(len(truth))
    found = [
        StudyArea(ranking.measure(whole)[0], (float(low), float(high)))
        for ranking, (low, high) in zip(rankings, ends, strict=True)
    ]
    return StudyFigures(
        studies=len(truth),
        positives={label: int(truth[:, column].sum()) for column, label in enumerate(LABELS)},
        areas={
            label: dict(zip(answers, found[len(answers) * column :], strict=False))
            for column, label in enumerate(LABELS)
        },
    )
