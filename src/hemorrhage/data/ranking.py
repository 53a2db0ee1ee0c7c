"""Figures of a ranking under weights: sorted once, weighed as often as a bootstrap wants."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Ranking:
    """The slices of one label from the highest probability down; slices of equal probability are one step.

    `order` are N rows, `is_positive` bool N in that order, `ends` the last place of each step, int64 of at most N.
    """

    order: np.ndarray
    is_positive: np.ndarray
    ends: np.ndarray

    @classmethod
    def build(cls, truth: np.ndarray, probability: np.ndarray) -> "Ranking":
        """Returns the ranking of N slices by `probability`; `truth` is 1 or True where positive."""
        order = np.argsort(-probability, kind="stable")
        ranked = probability[order]
        return cls(order, np.asarray(truth)[order] == 1, np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1))

    def measure(self, weights: np.ndarray) -> tuple[float, float]:
        """Returns the area under the ROC curve and the average precision with `weights` of the rows, float64 N.

        The area is the chance that a positive stands above a negative, ties counted half (Hanley and McNeil 1982,
        Radiology 143:29); the other is the precision averaged over the gains of recall, as scikit-learn has it. Both
        are NaN without both classes.
        """
        hits, falses = self._steps(weights)
        if hits[-1] <= 0 or falses[-1] <= 0:
            return float("nan"), float("nan")
        gains, called = np.diff(hits, prepend=0.0), hits + falses
        # Not by @, which for long vectors wakes threads, a thousand times over for a bootstrap.
        area = (np.diff(falses, prepend=0.0) * (hits - gains / 2)).sum() / (hits[-1] * falses[-1])
        precisions = np.divide(hits, called, out=np.zeros_like(hits), where=called > 0)
        precision = (gains * precisions).sum() / hits[-1]
        return float(area), float(precision)

    def sensitivity_at(self, specificity: float) -> float:
        """Returns the highest sensitivity of a threshold whose specificity is at least this; NaN without both classes.

        No threshold is made up between two slices: there is always one, at which nothing is called.
        """
        hits, falses = self._steps(np.ones(len(self.order)))
        if hits[-1] <= 0 or falses[-1] <= 0:
            return float("nan")
        # Counts are whole; the small number takes up what 1 - 0.9 lacks of 0.1.
        allowed = hits[falses <= (1 - specificity) * falses[-1] + 1e-6]
        return float(allowed[-1] / hits[-1]) if len(allowed) else 0.0

    def _steps(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The weight of positives and of negatives down to the end of each step."""
        ranked = weights[self.order]
        hits = np.cumsum(ranked * self.is_positive)[self.ends]
        return hits, np.cumsum(ranked)[self.ends] - hits
