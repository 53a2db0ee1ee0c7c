"""Linear models of one label on features: the prior, logistic regression and a linear SVC with Platt's scaling."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

COMPONENTS = 120
"""Principal components that are kept, as the lone ResNeXt101 that scored 0.0499 did before its series model."""

INNER_FOLDS = 3
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1)
"""Of C, the inverse of the regularization; the inner folds of patients choose."""

SVC_STRENGTH = 1e-3


@dataclass(frozen=True)
class Material:
    """What is learned from: float32 N x F features, truth of 0 and 1, and whose each slice is."""

    features: np.ndarray
    truth: np.ndarray
    patients: np.ndarray


Split = tuple[np.ndarray, np.ndarray]


def guess_prior(learned: Material, features: np.ndarray, seed: int) -> np.ndarray | None:
    """Returns None: the prevalence is all there is."""
    return None


def guess_logistic(learned: Material, features: np.ndarray, seed: int) -> np.ndarray | None:
    """Returns each row's probability by logistic regression, its C chosen by inner folds of patients.

    None where too few patients have, or have not, the label.
    """
    splits = split_patients(learned, seed)
    if splits is None:
        return None
    losses = [np.mean([_inner_loss(learned, split, strength) for split in splits]) for strength in STRENGTHS]
    best = STRENGTHS[int(np.argmin(losses))]
    return _fit(_logistic(best, learned), learned).predict_proba(features)[:, 1]


def guess_svc(learned: Material, features: np.ndarray, seed: int) -> np.ndarray | None:
    """Returns each row's probability by a linear SVC, mapped by Platt's sigmoid on inner folds of patients.

    The mean over the inner folds' machines. None as in guess_logistic.
    """
    splits = split_patients(learned, seed)
    if splits is None:
        return None
    machine = _reduce(LinearSVC(C=SVC_STRENGTH, dual=False), learned)
    return _fit(CalibratedClassifierCV(machine, method="sigmoid", cv=splits), learned).predict_proba(features)[:, 1]


Guess = Callable[[Material, np.ndarray, int], np.ndarray | None]
"""Makes of slices with truth, and the features of others, these others' probabilities."""

PROBES: dict[str, Guess] = {
    "prior": guess_prior,
    "logistic regression": guess_logistic,
    "linear SVC": guess_svc,
}


def split_patients(learned: Material, seed: int) -> list[Split] | None:
    """Returns INNER_FOLDS pairs of rows to learn from and rows to answer for, no patient in both rows of a pair.

    None where a side of a pair would lack positives or negatives.
    """
    if len(np.unique(learned.patients)) < INNER_FOLDS:
        return None
    splitter = StratifiedGroupKFold(INNER_FOLDS, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # It warns of a class with fewer rows than folds; the line below finds that.
        warnings.simplefilter("ignore", UserWarning)
        try:
            splits = list(splitter.split(learned.features, learned.truth, learned.patients))
        except ValueError:  # of a class with fewer rows than folds, in some versions
            return None
    are_whole = all(len(np.unique(learned.truth[rows])) == 2 for pair in splits for rows in pair)
    # Rows that are all alike, as those of a network whose features vanish, have no components.
    vary = all(np.ptp(learned.features[train], axis=0).any() for train, _ in splits)
    return splits if are_whole and vary else None


def _inner_loss(learned: Material, split: Split, strength: float) -> float:
    train, held_out = split
    part = Material(learned.features[train], learned.truth[train], learned.patients[train])
    guess = _fit(_logistic(strength, part), part).predict_proba(learned.features[held_out])[:, 1]
    return float(log_loss(learned.truth[held_out], guess, labels=[0, 1]))


def _logistic(strength: float, learned: Material) -> Pipeline:
    return _reduce(LogisticRegression(C=strength, max_iter=1000), learned)


def _reduce(classifier: LogisticRegression | LinearSVC, learned: Material) -> Pipeline:
    """Returns `classifier` behind a standardization and the first principal components, learned from the same rows."""
    rows, columns = learned.features.shape
    # Inner folds leave two thirds of the rows or so; a component more than these would fail.
    components = min(COMPONENTS, columns, max(rows // 2, 1))
    return make_pipeline(StandardScaler(), PCA(components, svd_solver="covariance_eigh"), classifier)


def _fit(classifier: Pipeline | CalibratedClassifierCV, learned: Material) -> Pipeline | CalibratedClassifierCV:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return classifier.fit(learned.features, learned.truth)
