"""What an epoch draws from the training slices, and how its predictions are brought back to natural odds."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hemorrhage.data.labels import LABELS, label_index
from hemorrhage.errors import HemorrhageError


@dataclass(frozen=True)
class Draw:
    """How an epoch is drawn: shares of the slices kept by class, copies of epidural ones, and a share of the whole.

    `negative_keep` and `positive_keep` are the shares kept of the slices with `any` 0 and 1; `epidural_copies`
    adds each kept epidural slice that many times more; `fraction` shrinks an epoch without changing its odds.
    """

    negative_keep: float = 1.0
    positive_keep: float = 1.0
    epidural_copies: int = 0
    fraction: float = 1.0

    def __post_init__(self) -> None:
        for name in ("negative_keep", "positive_keep", "fraction"):
            if not 0 < getattr(self, name) <= 1:
                raise HemorrhageError(f"Expected {name} above 0 and at most 1, received {getattr(self, name)}.")
        if self.epidural_copies < 0:
            raise HemorrhageError(f"Expected epidural_copies of 0 or more, received {self.epidural_copies}.")


@dataclass(frozen=True)
class KeepRates:
    """How often a slice of each class appears in an epoch: `any` 0, `any` 1 without epidural, epidural."""

    negative: float
    positive: float
    epidural: float


NATURAL = KeepRates(1.0, 1.0, 1.0)


def balance_any(labels: pd.DataFrame, fraction: float = 1.0) -> Draw:
    """Returns the draw that keeps as many slices without hemorrhage as there are with it."""
    positives = int(labels["any"].sum())
    negatives = len(labels) - positives
    if positives == 0 or negatives == 0:
        raise HemorrhageError("Balancing 'any' needs slices with and without hemorrhage; one of the two is missing.")
    return Draw(negative_keep=min(1.0, positives / negatives), fraction=fraction)


def draw_epoch(labels: pd.DataFrame, draw: Draw, seed: int, epoch: int) -> np.ndarray:
    """Returns the rows of `labels` that an epoch shows: shuffled int64 positions, a function of the arguments alone."""
    rng = np.random.default_rng([seed, epoch])
    classes = _classes(labels)
    kept = [_keep(rng, rows, share) for rows, share in zip(classes, _shares(draw), strict=True)]
    rows = np.concatenate([*kept, *[kept[2]] * draw.epidural_copies])
    return rng.permutation(rows)


def draw_hard(
    labels: pd.DataFrame, losses: np.ndarray, fraction: float, seed: int, epoch: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the rows that an epoch shows, as draw_epoch does, and a float32 weight for each of them.

    `losses` has the loss that each slice had when it was predicted last, NaN where it was not. Within each of the
    three classes of KeepRates as many are drawn as a natural epoch has, with replacement: half of them evenly, half
    in proportion to their loss. A slice's weight is 1 / (its chance to be drawn), so that the weighted loss estimates
    the natural one; the even half keeps it below 2. Then the weights of each class are divided by their mean, so that
    natural odds are kept.
    """
    rng = np.random.default_rng([seed, epoch])
    drawn = [_draw_hard_class(rng, rows, losses[rows], fraction) for rows in _classes(labels)]
    rows, weights = (np.concatenate(parts) for parts in zip(*drawn, strict=True))
    order = rng.permutation(len(rows))
    return rows[order], weights[order].astype(np.float32)


def _draw_hard_class(
    rng: np.random.Generator, rows: np.ndarray, losses: np.ndarray, fraction: float
) -> tuple[np.ndarray, np.ndarray]:
    count = len(_keep(rng, rows, fraction))
    if not count:
        return rows[:0], np.empty(0)
    known = losses[np.isfinite(losses)]
    expected = np.where(np.isfinite(losses), losses, known.mean() if len(known) else 1.0)
    hard = expected / expected.sum() if expected.sum() > 0 else np.full(len(rows), 1 / len(rows))
    chances = 0.5 / len(rows) + 0.5 * hard
    places = rng.choice(len(rows), size=count, p=chances / chances.sum())
    weights = 1 / chances[places]
    return rows[places], weights / weights.mean()


def keep_rates(draw: Draw) -> KeepRates:
    """Returns how often the draw shows a slice of each class, copies counted."""
    return KeepRates(
        negative=draw.negative_keep,
        positive=draw.positive_keep,
        epidural=draw.positive_keep * (1 + draw.epidural_copies),
    )


def correct_resampling(probabilities: np.ndarray, rates: KeepRates) -> np.ndarray:
    """Returns what the probabilities of a network trained on such draws mean in the natural population.

    N x 6 in the order of LABELS in, float64 of the same shape out. With q0 = 1 - any', q1 = max(any' - epidural', 0)
    and q2 = epidural' of the network, the natural weights of the three classes are qi / ki (Bayes' rule: a class
    drawn k times as often has its odds raised by k). Other subtypes are p' any / any', which is exact unless epidural
    slices are copied: within `any` 1 their share is then as drawn.
    """
    network = probabilities.astype(np.float64)
    if rates.negative == rates.positive == rates.epidural:
        return network
    any_column, epidural_column = label_index("any"), label_index("epidural")
    any_drawn, epidural_drawn = network[:, any_column], network[:, epidural_column]
    weights = np.stack([1 - any_drawn, np.maximum(any_drawn - epidural_drawn, 0), epidural_drawn])
    weights /= np.array([[rates.negative], [rates.positive], [rates.epidural]])
    weights /= weights.sum(axis=0)
    any_natural = weights[1] + weights[2]
    # As any' goes to 0 the ratio goes to k0 / k1.
    limit = np.full_like(any_drawn, rates.negative / rates.positive)
    ratio = np.divide(any_natural, any_drawn, out=limit, where=any_drawn > 0)
    natural = np.minimum(network * ratio[:, np.newaxis], 1.0)
    natural[:, any_column], natural[:, epidural_column] = any_natural, weights[2]
    return natural


def _classes(labels: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    values = labels[list(LABELS)].to_numpy()
    has_any, has_epidural = values[:, label_index("any")] == 1, values[:, label_index("epidural")] == 1
    return np.flatnonzero(~has_any), np.flatnonzero(has_any & ~has_epidural), np.flatnonzero(has_epidural)


def _shares(draw: Draw) -> tuple[float, float, float]:
    positive = draw.positive_keep * draw.fraction
    return draw.negative_keep * draw.fraction, positive, positive


def _keep(rng: np.random.Generator, rows: np.ndarray, share: float) -> np.ndarray:
    # The whole part is exact; the rest is a chance, so that over the epochs the share is kept even of few slices.
    wanted = len(rows) * share
    count = int(wanted) + int(rng.random() < wanted - int(wanted))
    return rng.choice(rows, size=count, replace=False)
