"""Probabilities that mean what they say: maps fitted on out-of-fold predictions, and how far off they are.

Every map is fitted by label. A score of slices that a map was fitted on flatters it: see cross_calibrate.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from hemorrhage.data.labels import LABELS
from hemorrhage.data.metrics import SCORER_CLIP, weighted_log_loss
from hemorrhage.errors import HemorrhageError

CLIPS = (1e-6, 1e-5, 1e-4, 3e-4, 1e-3, 2e-3, 5e-3, 1e-2)
"""What choose_clip chooses from. Below 1e-6 a clip gains a slice 1e-6 at most, and one wrong answer costs 14 to 35."""

BINS = 15

_TEMPERATURES = (0.05, 20.0)


@dataclass(frozen=True)
class Scaling:
    """Log odds times `slope` plus `intercept`: 1 and 0 change nothing, a temperature is 1 / slope."""

    slope: float
    intercept: float

    def apply(self, probability: np.ndarray) -> np.ndarray:
        """Returns the scaled probabilities, float64 N; slope 1 and intercept 0 return them to the bit."""
        if (self.slope, self.intercept) == (1.0, 0.0):
            return probability.astype(np.float64)
        # Of very large log odds np.exp overflows to infinity, and its inverse is the right 0.
        with np.errstate(over="ignore"):
            return np.asarray(1 / (1 + np.exp(-(self.slope * _to_log_odds(probability) + self.intercept))))


@dataclass(frozen=True)
class Steps:
    """A rising line through points: `answers` at the rising `probabilities`, level beyond their ends."""

    probabilities: tuple[float, ...]
    answers: tuple[float, ...]

    def apply(self, probability: np.ndarray) -> np.ndarray:
        """Returns the answers at N probabilities, float64."""
        return np.interp(probability.astype(np.float64), self.probabilities, self.answers)


@dataclass(frozen=True)
class Calibration:
    """A map for each of the six labels in their order, and the clip that comes after it."""

    kind: str
    maps: tuple[Scaling | Steps, ...]
    clip: float = 0.0

    def apply(self, probability: np.ndarray) -> np.ndarray:
        """Returns the calibrated probabilities, N x 6 in and float64 out; a NaN stays one. Does not clip."""
        return np.stack([one.apply(probability[:, column]) for column, one in enumerate(self.maps)], axis=1)

    def to_json(self) -> dict[str, Any]:
        """Returns the calibration as JSON values."""
        by_label = {label: _map_to_json(one) for label, one in zip(LABELS, self.maps, strict=True)}
        return {"kind": self.kind, "clip": self.clip, "labels": by_label}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Calibration":
        """Returns what to_json described; raises HemorrhageError where it is something else."""
        try:
            maps = tuple(_map_from_json(value["labels"][label]) for label in LABELS)
            clip = float(value["clip"])
        except (KeyError, TypeError, ValueError) as error:
            raise HemorrhageError(f"Expected a clip and a map of every label ({error!r}).") from error
        if not 0 <= clip < 0.5:
            raise HemorrhageError(f"Expected a clip of at least 0 and below 0.5, received {clip}.")
        return cls(str(value.get("kind")), maps, clip)


def fit_temperature(truth: np.ndarray, probability: np.ndarray) -> Scaling:
    """Returns the temperature, 0.05 to 20, with the lowest log loss of one label: log odds are divided by it.

    Guo et al. 2017, On Calibration of Modern Neural Networks, ICML, section 4.2.
    """
    log_odds, sign = _to_log_odds(probability), np.where(np.asarray(truth) == 1, -1.0, 1.0)

    def loss(log_temperature: float) -> float:
        return float(np.logaddexp(0, sign * log_odds / np.exp(log_temperature)).mean())

    found = minimize_scalar(loss, bounds=tuple(np.log(_TEMPERATURES)), method="bounded")
    return Scaling(float(1 / np.exp(found.x)), 0.0)


def fit_platt(truth: np.ndarray, probability: np.ndarray) -> Scaling:
    """Returns slope and intercept of one label's log odds with the lowest log loss against smoothed targets.

    The targets (P + 1) / (P + 2) and 1 / (N + 2) keep both finite where the classes part (Platt 1999, Probabilistic
    Outputs for Support Vector Machines, section 2.2). A slope below 0 would turn the ranking round: then the slope is
    0, and every slice gets the targets' mean.
    """
    is_positive = np.asarray(truth) == 1
    positives, total = int(is_positive.sum()), len(is_positive)
    targets = np.where(is_positive, (positives + 1) / (positives + 2), 1 / (total - positives + 2))
    log_odds = _to_log_odds(probability)[:, np.newaxis]
    # A soft target is a positive and a negative slice with its shares as weights. C this large is no penalty.
    model = LogisticRegression(C=1e9, max_iter=1000, tol=1e-8).fit(
        np.concatenate([log_odds, log_odds]),
        np.repeat([1, 0], total),
        sample_weight=np.concatenate([targets, 1 - targets]),
    )
    if model.coef_[0, 0] < 0:
        return Scaling(0.0, float(_to_log_odds(targets.mean())))
    return Scaling(float(model.coef_[0, 0]), float(model.intercept_[0]))


def fit_isotonic(truth: np.ndarray, probability: np.ndarray) -> Steps:
    """Returns the rising steps of one label with the lowest squared error, never nearer to 0 or 1 than 1 / (N + 2).

    Zadrozny and Elkan 2002, Transforming Classifier Scores into Accurate Multiclass Probability Estimates, KDD.
    """
    model = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
    model.fit(probability.astype(np.float64), np.asarray(truth, dtype=np.float64))
    margin = 1 / (len(truth) + 2)
    answers = np.clip(model.y_thresholds_, margin, 1 - margin)
    return Steps(tuple(model.X_thresholds_.tolist()), tuple(answers.tolist()))


_FITTERS: dict[str, Callable[[np.ndarray, np.ndarray], Scaling | Steps]] = {
    "none": lambda truth, probability: Scaling(1.0, 0.0),
    "temperature": fit_temperature,
    "platt": fit_platt,
    "isotonic": fit_isotonic,
}

KINDS = tuple(_FITTERS)


def fit_calibration(truth: np.ndarray, probability: np.ndarray, kind: str) -> Calibration:
    """Returns a calibration of `kind`, one of KINDS, without a clip; truth and probability are N x 6."""
    if kind not in _FITTERS:
        raise HemorrhageError(f"Expected a calibration of {', '.join(KINDS)}; received {kind}.")
    fit = _FITTERS[kind]
    return Calibration(kind, tuple(fit(truth[:, column], probability[:, column]) for column in range(len(LABELS))))


def cross_calibrate(truth: np.ndarray, probability: np.ndarray, folds: np.ndarray, kind: str) -> np.ndarray:
    """Returns each slice calibrated by a map that was fitted without its fold, float64 N x 6.

    `folds` are N numbers that keep patients apart; of two folds or more.
    """
    calibrated = np.empty(probability.shape)
    for fold in np.unique(folds):
        held_out = folds == fold
        fitted = fit_calibration(truth[~held_out], probability[~held_out], kind)
        calibrated[held_out] = fitted.apply(probability[held_out])
    return calibrated


def choose_clip(truth: np.ndarray, probability: np.ndarray) -> float:
    """Returns which of CLIPS gives the lowest weighted log loss, the smallest of equals."""
    losses = [weighted_log_loss(truth, clip(probability, each)) for each in CLIPS]
    return CLIPS[int(np.argmin(losses))]


def clip(probability: np.ndarray, margin: float) -> np.ndarray:
    """Returns the probabilities kept `margin` away from 0 and 1."""
    return np.clip(probability, margin, 1 - margin)


def cross_clip(truth: np.ndarray, probability: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Returns each slice's probabilities clipped as was best for the other folds, N x 6."""
    clipped = np.empty(probability.shape)
    for fold in np.unique(folds):
        held_out = folds == fold
        clipped[held_out] = clip(probability[held_out], choose_clip(truth[~held_out], probability[~held_out]))
    return clipped


@dataclass(frozen=True)
class Trial:
    """One kind of calibration judged by patients that it was not fitted on: N x 6, before and after its clip."""

    kind: str
    calibrated: np.ndarray
    clipped: np.ndarray
    weighted_log_loss: float


def try_kinds(truth: np.ndarray, probability: np.ndarray, folds: np.ndarray, kinds: Sequence[str]) -> list[Trial]:
    """Returns a trial of each kind; `weighted_log_loss` is that of `clipped`."""
    trials = []
    for kind in kinds:
        calibrated = cross_calibrate(truth, probability, folds, kind)
        clipped = cross_clip(truth, calibrated, folds)
        trials.append(Trial(kind, calibrated, clipped, weighted_log_loss(truth, clipped)))
    return trials


def finish_calibration(truth: np.ndarray, probability: np.ndarray, trial: Trial) -> Calibration:
    """Returns the calibration of a trial's kind fitted on every slice, with the clip that was best in the trial."""
    fitted = fit_calibration(truth, probability, trial.kind)
    return replace(fitted, clip=choose_clip(truth, trial.calibrated))


@dataclass(frozen=True)
class Reliability:
    """What a label's slices say and what is true of them, by bins of equal count: mean probability, share, number."""

    said: np.ndarray
    true: np.ndarray
    slices: np.ndarray

    @property
    def error(self) -> float:
        """The expected calibration error: the bins' distance of said from true, weighed by their slices."""
        return float(np.abs(self.said - self.true) @ self.slices / self.slices.sum())


def measure_reliability(truth: np.ndarray, probability: np.ndarray, bins: int = BINS) -> Reliability:
    """Returns the reliability curve of one label over at most `bins` bins with about equally many slices.

    The error is that of Guo et al. 2017 (section 2) over the bins of Nguyen and O'Connor 2015 (EMNLP, section 3): with
    bins of equal width nearly every slice of a rare label is in the first. Slices of equal probability share a bin.
    """
    edges = np.unique(np.quantile(probability, np.linspace(0, 1, bins + 1)[1:-1]))
    codes = np.searchsorted(edges, probability, side="right")
    slices = np.bincount(codes, minlength=len(edges) + 1)
    there = slices > 0
    said = np.bincount(codes, weights=probability, minlength=len(slices))[there] / slices[there]
    true = np.bincount(codes, weights=np.asarray(truth) == 1, minlength=len(slices))[there] / slices[there]
    return Reliability(said, true, slices[there])


def measure_calibration_errors(truth: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Returns the expected calibration error of each label, float64 of 6."""
    return np.array(
        [measure_reliability(truth[:, column], probability[:, column]).error for column in range(len(LABELS))]
    )


def _to_log_odds(probability: np.ndarray | float) -> np.ndarray:
    kept = np.clip(np.asarray(probability, dtype=np.float64), SCORER_CLIP, 1 - SCORER_CLIP)
    return np.asarray(np.log(kept) - np.log1p(-kept))


def _map_to_json(one: Scaling | Steps) -> dict[str, Any]:
    if isinstance(one, Scaling):
        return {"slope": one.slope, "intercept": one.intercept}
    return {"probabilities": list(one.probabilities), "answers": list(one.answers)}


def _map_from_json(value: Mapping[str, Any]) -> Scaling | Steps:
    if "slope" in value:
        slope, intercept = _read_finite([value["slope"], value["intercept"]])
        return Scaling(slope, intercept)
    probabilities, answers = _read_finite(value["probabilities"]), _read_finite(value["answers"])
    if not probabilities or len(probabilities) != len(answers) or any(np.diff(probabilities) <= 0):
        raise ValueError(f"{len(answers)} answers at {len(probabilities)} probabilities, which must rise")
    return Steps(probabilities, answers)


def _read_finite(values: Sequence[Any]) -> tuple[float, ...]:
    # A NaN would look like an unreadable slice to what comes after.
    found = tuple(float(each) for each in values)
    if not np.isfinite(found).all():
        raise ValueError("a number that is not finite")
    return found
