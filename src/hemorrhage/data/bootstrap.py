"""How sure a figure is: intervals from drawing patients anew."""

from collections.abc import Callable

import numpy as np


def bootstrap_interval(
    groups: np.ndarray,
    statistic: Callable[[np.ndarray], float],
    rounds: int = 1000,
    seed: int = 0,
    share: float = 0.95,
) -> tuple[float, float]:
    """Returns the low and high end of the percentile interval of `statistic` when whole groups are drawn anew.

    `groups` are N patient ids; `statistic` takes int64 rows, some repeated, and may return NaN where a draw leaves it
    undefined, such as an AUC without positives: such draws are left out. Both ends are NaN where all are undefined.
    Percentile bootstrap of clusters (Field and Welsh 2007, J R Stat Soc B 69:369).
    """
    _, codes = np.unique(groups, return_inverse=True)
    rows_of = np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1])
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(rounds):
        drawn = rng.integers(len(rows_of), size=len(rows_of))
        found.append(statistic(np.concatenate([rows_of[group] for group in drawn])))
    return _take_interval(np.array(found), share)


def bootstrap_intervals(
    groups: np.ndarray,
    statistics: Callable[[np.ndarray], np.ndarray],
    rounds: int = 1000,
    seed: int = 0,
    share: float = 0.95,
) -> np.ndarray:
    """Returns the intervals of several figures over the same draws, float64 K x 2.

    As bootstrap_interval, but for `statistics` that take how often each row was drawn, float64 N, and return K
    figures. A weighted figure needs no new sorting in each round, and that is what makes many slices quick.
    """
    _, codes = np.unique(groups, return_inverse=True)
    count = int(codes.max()) + 1
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(rounds):
        times = np.bincount(rng.integers(count, size=count), minlength=count).astype(np.float64)
        found.append(statistics(times[codes]))
    return np.array([_take_interval(values, share) for values in np.array(found).T])


def _take_interval(values: np.ndarray, share: float) -> tuple[float, float]:
    defined = values[~np.isnan(values)]
    if not len(defined):
        return float("nan"), float("nan")
    low, high = np.quantile(defined, [(1 - share) / 2, (1 + share) / 2])
    return float(low), float(high)
