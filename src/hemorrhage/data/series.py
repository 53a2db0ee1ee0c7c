"""The slices of a series in the order of z, and what their order alone is good for: smoothing along it.

A series is what one patient's slices with one series id make. Slices at one z are ordered by id, at a distance of 0 mm;
a slice without a series or a z cannot be placed, and is a series of its own.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from hemorrhage.data.labels import LABELS
from hemorrhage.data.metrics import label_log_losses

PLACE_FEATURES = ("position", "mm to the slice below", "mm to the slice above", "slices")
"""What describe_places tells of a slice."""

LONGEST_STEP_MM = 25.0

SIGMAS_MM = (0.0, 1.5, 2.5, 3.5, 5.0, 7.5, 10.0, 15.0)
"""What fit_smoothing chooses from."""


def list_series(slices: pd.DataFrame) -> list[np.ndarray]:
    """Returns for each series the rows of its slices from the lowest z to the highest, int64 positions.

    `slices` has image_id, patient_id, series_id and z_mm; every row is in one series. The order of the series is that
    of their first rows.
    """
    keys = slices[["patient_id", "series_id"]].astype("string").fillna("")
    is_placed = slices["series_id"].notna().to_numpy() & np.isfinite(slices["z_mm"].to_numpy(dtype=np.float64))
    alone = np.where(is_placed, "", slices["image_id"].astype("string").to_numpy())
    numbers = keys.assign(alone=alone).groupby(["patient_id", "series_id", "alone"], sort=False).ngroup().to_numpy()
    order = np.lexsort((slices["image_id"].astype(str).to_numpy(), slices["z_mm"].to_numpy(dtype=np.float64), numbers))
    # Of no slices np.split makes one empty series.
    return np.split(order, np.cumsum(np.bincount(numbers))[:-1]) if len(slices) else []


def describe_places(z_mm: np.ndarray) -> np.ndarray:
    """Returns PLACE_FEATURES of the slices of a series in order, float32 T x 4, all about 0 to 1.

    `z_mm` ascends. The position is 0 at the lowest and 1 at the highest slice, 0.5 in a series of one or of one z;
    steps are shares of LONGEST_STEP_MM and no more than 1, and 1 at the ends, where nothing follows; the count is a
    share of 100.
    """
    count, extent_mm = len(z_mm), z_mm[-1] - z_mm[0]
    position = (z_mm - z_mm[0]) / extent_mm if extent_mm > 0 else np.full(count, 0.5)
    steps = np.minimum(np.diff(z_mm) / LONGEST_STEP_MM, 1.0) if count > 1 else np.empty(0)
    below, above = np.append(1.0, steps), np.append(steps, 1.0)
    return np.column_stack([position, below, above, np.full(count, count / 100)]).astype(np.float32)


def smooth_along_z(
    probabilities: np.ndarray, slices: pd.DataFrame, sigmas_mm: Sequence[float] | np.ndarray
) -> np.ndarray:
    """Returns each label's probabilities averaged over the series with Gaussian weights of the distance in z.

    N x 6 in the order of LABELS in and out, float64; `slices` are their rows (see list_series), `sigmas_mm` one a
    label, 0 for no smoothing. A NaN stays one and has no weight.
    """
    smoothed = probabilities.astype(np.float64)
    for rows, away_mm in _distances(slices):
        given = smoothed[rows]
        known = ~np.isnan(given)
        for column, sigma_mm in enumerate(sigmas_mm):
            if sigma_mm > 0 and len(rows) > 1:
                weights = np.exp(-0.5 * (away_mm / sigma_mm) ** 2) * known[:, column]
                sums = weights @ np.where(known[:, column], given[:, column], 0)
                # A mean of ones may come out above 1 by rounding.
                means = np.minimum(sums / np.maximum(weights.sum(axis=1), 1e-300), 1.0)
                smoothed[rows, column] = np.where(known[:, column], means, np.nan)
    return smoothed


def fit_smoothing(truth: np.ndarray, probabilities: np.ndarray, slices: pd.DataFrame) -> np.ndarray:
    """Returns for each label which of SIGMAS_MM gives the lowest log loss on these slices: float64 of 6."""
    losses = np.stack(
        [
            label_log_losses(truth, smooth_along_z(probabilities, slices, [sigma_mm] * len(LABELS)))
            for sigma_mm in SIGMAS_MM
        ]
    )
    return np.array(SIGMAS_MM)[losses.argmin(axis=0)]


def _distances(slices: pd.DataFrame) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields the rows of every series, and how far apart its slices lie: T x T mm."""
    z_mm = slices["z_mm"].to_numpy(dtype=np.float64)
    for rows in list_series(slices):
        yield rows, np.abs(z_mm[rows][:, np.newaxis] - z_mm[rows])
