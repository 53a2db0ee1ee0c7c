"""What the slices of a study say together: the answer of a whole series from the answers of its slices.

A study is one series here, as the competition has it; its truth is 1 where any of its slices is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from hemorrhage.data.labels import LABELS
from hemorrhage.data.metrics import SCORER_CLIP
from hemorrhage.errors import HemorrhageError

FEATURES = ("highest", "mean of the three highest", "mean")
"""What the learned answer sees of the slices' probabilities, each as log odds divided by 4."""

# Beyond these log odds (some 1e-4) a network's certainty says more of its training than of the slice.
_FARTHEST = 9.0
_SCALE = 4.0


@dataclass(frozen=True)
class Grouping:
    """Which rows make which study: for each of N rows the number of its study, from 0 to S - 1."""

    codes: np.ndarray

    @classmethod
    def build(cls, slices: pd.DataFrame) -> "Grouping":
        """Returns the grouping of slices by patient_id and series_id, in the order of the studies' first rows.

        A slice without a series is a study of its own; a series id that two patients share is two studies.
        """
        alone = slices["series_id"].isna().to_numpy() * np.arange(1, len(slices) + 1)
        keys = slices[["patient_id", "series_id"]].astype("string").fillna("").assign(alone=alone)
        return cls(keys.groupby(["patient_id", "series_id", "alone"], sort=False).ngroup().to_numpy())

    @property
    def count(self) -> int:
        """How many studies there are."""
        return int(self.codes.max(initial=-1)) + 1

    def reduce(self, ufunc: np.ufunc, values: np.ndarray) -> np.ndarray:
        """Returns `ufunc` over each study's rows of N x K `values`: S x K."""
        order = np.argsort(self.codes, kind="stable")
        starts = np.searchsorted(self.codes[order], np.arange(self.count))
        return np.asarray(ufunc.reduceat(values[order], starts, axis=0))

    def sizes(self) -> np.ndarray:
        """Returns how many rows each study has, int64 S."""
        return np.bincount(self.codes)

    def first_of(self, values: np.ndarray) -> np.ndarray:
        """Returns of each study what its first row has, such as its patient."""
        _, first = np.unique(self.codes, return_index=True)
        return np.asarray(values)[first]


def take_truth(truth: np.ndarray, studies: Grouping) -> np.ndarray:
    """Returns the labels of the studies, S x 6: 1 where any slice has 1."""
    return studies.reduce(np.maximum, np.asarray(truth))


def take_max(probability: np.ndarray, studies: Grouping) -> np.ndarray:
    """Returns the highest probability of each study's slices, S x 6; it errs upward with the number of slices."""
    return studies.reduce(np.maximum, probability)


def take_noisy_or(probability: np.ndarray, studies: Grouping) -> np.ndarray:
    """Returns 1 - product of (1 - p) over each study's slices, S x 6: the chance of one positive, were slices
    independent (Pearl 1988, Probabilistic Reasoning in Intelligent Systems, 4.3). They are not, and it errs upward.
    """
    certain = np.log1p(-np.clip(probability.astype(np.float64), 0, 1 - SCORER_CLIP))
    return -np.expm1(studies.reduce(np.add, certain))


def take_majority(probability: np.ndarray, studies: Grouping) -> np.ndarray:
    """Returns the share of each study's slices with a probability of 0.5 or more, S x 6; from 0.5 on it is a yes."""
    return studies.reduce(np.add, (probability >= 0.5).astype(np.float64)) / studies.sizes()[:, np.newaxis]


ANSWERS: Mapping[str, Callable[[np.ndarray, Grouping], np.ndarray]] = {
    "max": take_max,
    "noisy-or": take_noisy_or,
    "majority": take_majority,
}
"""The answers that need no learning, by name."""


@dataclass(frozen=True)
class LearnedAnswer:
    """A logistic regression for each label: float64 6 x len(FEATURES) coefficients and 6 intercepts."""

    coefficients: np.ndarray
    intercepts: np.ndarray

    def apply(self, probability: np.ndarray, studies: Grouping) -> np.ndarray:
        """Returns the probability that each study is positive, float64 S x 6."""
        log_odds = np.einsum("slf,lf->sl", describe_studies(probability, studies), self.coefficients) + self.intercepts
        return np.asarray(1 / (1 + np.exp(-log_odds)))

    def to_json(self) -> dict[str, Any]:
        """Returns the coefficients by label and feature as JSON values."""
        return {
            label: {"intercept": float(self.intercepts[row])}
            | dict(zip(FEATURES, self.coefficients[row].tolist(), strict=True))
            for row, label in enumerate(LABELS)
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "LearnedAnswer":
        """Returns what to_json described; raises HemorrhageError where a coefficient is missing or not finite."""
        try:
            coefficients = [[float(value[label][name]) for name in FEATURES] for label in LABELS]
            intercepts = [float(value[label]["intercept"]) for label in LABELS]
        except (KeyError, TypeError, ValueError) as error:
            raise HemorrhageError(f"Expected coefficients of every label and feature, received {error}.") from error
        learned = cls(np.array(coefficients), np.array(intercepts))
        if not (np.isfinite(learned.coefficients).all() and np.isfinite(learned.intercepts).all()):
            raise HemorrhageError("Expected finite coefficients, received others.")
        return learned


def describe_studies(probability: np.ndarray, studies: Grouping) -> np.ndarray:
    """Returns FEATURES of each study and label, float64 S x 6 x len(FEATURES)."""
    highest = np.stack([_mean_of_highest(probability[:, column], studies) for column in range(len(LABELS))], axis=1)
    mean = studies.reduce(np.add, probability.astype(np.float64)) / studies.sizes()[:, np.newaxis]
    kept = np.clip(np.stack([take_max(probability, studies), highest, mean], axis=2), 1e-12, 1 - 1e-12)
    return np.clip(np.log(kept / (1 - kept)), -_FARTHEST, _FARTHEST) / _SCALE


def fit_learned(truth: np.ndarray, probability: np.ndarray, studies: Grouping) -> LearnedAnswer:
    """Returns a logistic regression on slices that the network did not learn from, N x 6 of truth and probability.

    A label of which every study is positive, or none, gets its smoothed share (k + 1) / (S + 2) for every study.
    """
    answers, features = take_truth(truth, studies), describe_studies(probability, studies)
    coefficients, intercepts = np.zeros((len(LABELS), len(FEATURES))), np.zeros(len(LABELS))
    for column in range(len(LABELS)):
        positives, total = int(answers[:, column].sum()), len(answers)
        if 0 < positives < total:
            model = LogisticRegression(C=1.0, max_iter=1000).fit(features[:, column], answers[:, column])
            coefficients[column], intercepts[column] = model.coef_[0], model.intercept_[0]
        else:
            intercepts[column] = np.log((positives + 1) / (total - positives + 1))
    return LearnedAnswer(coefficients, intercepts)


def _mean_of_highest(probability: np.ndarray, studies: Grouping, count: int = 3) -> np.ndarray:
    """The mean of the highest `count` of each study's slices, of all where there are fewer: S."""
    order = np.lexsort((-probability, studies.codes))
    starts = np.searchsorted(studies.codes[order], np.arange(studies.count))
    place = np.arange(len(order)) - starts[studies.codes[order]]
    kept = np.where(place < count, probability[order], 0.0)
    return np.add.reduceat(kept, starts) / np.minimum(studies.sizes(), count)
