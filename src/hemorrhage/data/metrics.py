"""The competition's score and the figures that stand beside it."""

from dataclasses import dataclass

import numpy as np
from sklearn import metrics

from hemorrhage.data.labels import LABELS, weight_vector
from hemorrhage.errors import HemorrhageError

SCORER_CLIP = 1e-15
"""Kaggle's scorer keeps probabilities in [1e-15, 1 - 1e-15]."""


def slice_log_losses(truth: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Returns the binary log loss of every slice and label, float64 N x 6, probabilities clipped to [1e-15, 1 - 1e-15].

    `truth` and `probability` are N x 6 in the order of LABELS. Raises HemorrhageError for other shapes, no rows,
    labels other than 0 and 1, or probabilities that are not finite.
    """
    truth, probability = np.asarray(truth), np.asarray(probability)
    _check_pair(truth, probability)
    clipped = np.clip(probability.astype(np.float64), SCORER_CLIP, 1 - SCORER_CLIP)
    chance = np.where(truth.astype(np.float64) == 1, clipped, 1 - clipped)
    return -np.log(chance)


def label_log_losses(truth: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Returns the mean of slice_log_losses by label, float64 of 6; arguments and errors as there."""
    return slice_log_losses(truth, probability).mean(axis=0)


def weighted_log_loss(truth: np.ndarray, probability: np.ndarray) -> float:
    """Returns the competition's score: the mean log loss over labels with `any` counted twice (lower is better).

    Arguments and errors as in slice_log_losses. Source: the competition's evaluation page; weights in
    labels.LABEL_WEIGHTS.
    """
    return float(label_log_losses(truth, probability) @ weight_vector())


def constant_score(truth: np.ndarray, prevalence: np.ndarray) -> float:
    """Returns the score of giving every slice the same six probabilities, `prevalence` in the order of LABELS."""
    return weighted_log_loss(truth, np.broadcast_to(prevalence, truth.shape))


@dataclass(frozen=True)
class Confusion:
    """Counts at a threshold (positive at or above it) and the figures made of them; None where undefined."""

    threshold: float
    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int

    @property
    def accuracy(self) -> float | None:
        right = self.true_positives + self.true_negatives
        return _ratio(right, right + self.false_positives + self.false_negatives)

    @property
    def precision(self) -> float | None:
        return _ratio(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float | None:
        return _ratio(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def specificity(self) -> float | None:
        return _ratio(self.true_negatives, self.true_negatives + self.false_positives)

    @property
    def f1(self) -> float | None:
        double = 2 * self.true_positives
        return _ratio(double, double + self.false_positives + self.false_negatives)


@dataclass(frozen=True)
class LabelMetrics:
    """The figures of one label; `undefined` says why where AUC or average precision is None."""

    label: str
    positives: int
    log_loss: float
    auc: float | None
    average_precision: float | None
    at_half: Confusion
    at_best: Confusion
    undefined: str | None


def measure_labels(truth: np.ndarray, probability: np.ndarray, threshold: float | None = None) -> list[LabelMetrics]:
    """Returns the figures of each label in the order of LABELS; arguments and errors as in slice_log_losses.

    `at_best` is taken at `threshold`, or where that is None at the threshold with the highest F1 on these very
    slices, which flatters it.
    """
    losses = label_log_losses(truth, probability)
    return [
        _measure_label(
            label, truth[:, column] == 1, probability[:, column].astype(np.float64), losses[column], threshold
        )
        for column, label in enumerate(LABELS)
    ]


def confuse(truth: np.ndarray, probability: np.ndarray, threshold: float) -> Confusion:
    """Returns the counts of one label at `threshold`; boolean and float vectors of N in."""
    called = probability >= threshold
    return Confusion(
        threshold=float(threshold),
        true_positives=int((called & truth).sum()),
        false_positives=int((called & ~truth).sum()),
        false_negatives=int((~called & truth).sum()),
        true_negatives=int((~called & ~truth).sum()),
    )


def find_best_threshold(truth: np.ndarray, probability: np.ndarray) -> float:
    """Returns the threshold with the highest F1 (the highest of equals); 0.5 where there is no positive."""
    if not truth.any():
        return 0.5
    precision, recall, thresholds = metrics.precision_recall_curve(truth, probability)
    # precision + recall is 0 only where no positive was called, and then F1 is 0 as well.
    total = precision + recall
    f1 = np.divide(2 * precision * recall, total, out=np.zeros_like(total), where=total > 0)[:-1]
    return float(thresholds[np.flatnonzero(f1 == f1.max())[-1]])


def _measure_label(
    label: str, truth: np.ndarray, probability: np.ndarray, log_loss: float, threshold: float | None
) -> LabelMetrics:
    undefined = _why_undefined(truth)
    best = find_best_threshold(truth, probability) if threshold is None else threshold
    return LabelMetrics(
        label=label,
        positives=int(truth.sum()),
        log_loss=float(log_loss),
        auc=None if undefined else float(metrics.roc_auc_score(truth, probability)),
        average_precision=None if undefined else float(metrics.average_precision_score(truth, probability)),
        at_half=confuse(truth, probability, 0.5),
        at_best=confuse(truth, probability, best),
        undefined=undefined,
    )


def _why_undefined(truth: np.ndarray) -> str | None:
    if not truth.any():
        return "no positive slice"
    return "no negative slice" if truth.all() else None


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _check_pair(truth: np.ndarray, probability: np.ndarray) -> None:
    if truth.ndim != 2 or truth.shape[1] != len(LABELS) or truth.shape != probability.shape or not len(truth):
        raise HemorrhageError(
            f"Expected truth and probability of N x {len(LABELS)} with N above 0, "
            f"received {truth.shape} and {probability.shape}."
        )
    if not np.isin(truth, (0, 1)).all():
        raise HemorrhageError("Expected truth of 0 and 1 alone, received other values.")
    if not np.isfinite(probability).all() or probability.min() < 0 or probability.max() > 1:
        raise HemorrhageError("Expected probabilities in [0, 1], received values outside or not a number.")
