"""Several predictions of the same slices made one: means, by weight or by rank, and the greatest or the least of them.

Everywhere `values` are M x N x 6 probabilities of M members in the order of LABELS, float64.
"""

from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize
from scipy.stats import rankdata

from hemorrhage.data.labels import LABELS
from hemorrhage.data.metrics import weighted_log_loss
from hemorrhage.errors import HemorrhageError

_CLIP = 1e-7


def blend(values: np.ndarray, how: str, weights: np.ndarray | None = None) -> np.ndarray:
    """Returns the blend of `values`, N x 6; `how` is one of BLENDS, `weights` (6 x M, for "weighted") sum to 1.

    "rank" gives each slice the place that the mean of its ranks has among all slices, and the probability that this
    place has in the mean of the members: so it depends on which slices are blended together, and ranks of few slices
    say little. Raises HemorrhageError for an unknown `how`.
    """
    if how not in BLENDS:
        raise HemorrhageError(f"Expected a blend out of {', '.join(BLENDS)}; received {how!r}.")
    if weights is not None:
        return np.einsum("lm,mnl->nl", weights, values)
    return BLENDS[how](values)


def fit_weights(truth: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Returns the weights of the members by label, 6 x M, not negative and summing to 1, of the least log loss.

    The log loss of a mixture is convex in its weights, so that the minimum found is the minimum there is; a label
    without positives or without negatives gets equal weights. `truth` is N x 6.
    """
    return np.stack([_fit_label(truth[:, column], values[:, :, column]) for column in range(len(LABELS))])


def measure_members(truth: np.ndarray, values: np.ndarray, how: str) -> np.ndarray:
    """Returns what each member adds, float64 of M: the weighted log loss without it less that with it.

    Weights are fitted anew without the member. One member alone adds NaN.
    """
    if len(values) == 1:
        return np.array([np.nan])
    whole = _score(truth, values, how)
    return np.array([_score(truth, np.delete(values, member, axis=0), how) - whole for member in range(len(values))])


def _score(truth: np.ndarray, values: np.ndarray, how: str) -> float:
    weights = fit_weights(truth, values) if how == "weighted" else None
    return weighted_log_loss(truth, blend(values, how, weights))


def _fit_label(truth: np.ndarray, values: np.ndarray) -> np.ndarray:
    equal = np.full(len(values), 1 / len(values))
    if len(values) == 1 or truth.min() == truth.max():
        return equal
    chances = np.where(truth == 1, values, 1 - values).clip(_CLIP, 1)

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        mixed = np.maximum(weights @ chances, _CLIP)
        return float(-np.log(mixed).mean()), -(chances / mixed).mean(axis=1)

    total = {"type": "eq", "fun": lambda weights: weights.sum() - 1, "jac": lambda weights: np.ones_like(weights)}
    bounds, options = [(0, 1)] * len(values), {"ftol": 1e-10}
    found = minimize(loss, equal, jac=True, method="SLSQP", bounds=bounds, constraints=[total], options=options)
    weights = np.maximum(found.x, 0)
    return weights / weights.sum()


def _mean_of_ranks(values: np.ndarray) -> np.ndarray:
    # Slices of equal mean rank get one probability, so that the order of rows decides nothing.
    places = rankdata(np.mean([rankdata(one, axis=0) for one in values], axis=0), axis=0) - 1
    sorted_means, steps = np.sort(values.mean(axis=0), axis=0), np.arange(values.shape[1])
    columns = [np.interp(places[:, column], steps, sorted_means[:, column]) for column in range(values.shape[2])]
    return np.stack(columns, axis=1)


BLENDS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "mean": lambda values: values.mean(axis=0),
    "weighted": lambda values: values.mean(axis=0),
    "rank": _mean_of_ranks,
    "max": lambda values: values.max(axis=0),
    "min": lambda values: values.min(axis=0),
}
"""By name, what makes one prediction of several; "weighted" without its weights is the mean."""
