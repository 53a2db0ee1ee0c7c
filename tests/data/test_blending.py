"""Blends by hand, and weights that find the better member."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemorrhage.data.blending import BLENDS, blend, fit_weights, measure_members
from hemorrhage.data.metrics import label_log_losses
from hemorrhage.errors import HemorrhageError


def column(*values: float) -> np.ndarray:
    return np.tile(np.array(values)[:, np.newaxis], (1, 6))


TWO = np.stack([column(0.1, 0.5, 0.9), column(0.3, 0.2, 0.7)])


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("mean", (0.2, 0.35, 0.8)),
        ("max", (0.3, 0.5, 0.9)),
        ("min", (0.1, 0.2, 0.7)),
        # Ranks 1 2 3 and 2 1 3: means 1.5 1.5 3; equal ranks get equal probabilities.
        ("rank", (0.275, 0.275, 0.8)),
    ],
)
def test_blends_by_hand(how: str, expected: tuple[float, ...]) -> None:
    assert blend(TWO, how) == pytest.approx(column(*expected))


def test_ranks_decide_the_order_and_the_mean_the_probabilities() -> None:
    # Ranks 1 2 3 and 1 3 2 and 1 3 2: the second slice is last by ranks, though its mean is the second.
    values = np.stack([column(0.1, 0.2, 0.99), column(0.1, 0.3, 0.2), column(0.1, 0.3, 0.2)])
    mean = [0.1, 0.8 / 3, 1.39 / 3]
    assert blend(values, "rank")[:, 0] == pytest.approx([mean[0], mean[2], mean[1]])


def test_weights_by_label_are_used() -> None:
    weights = np.tile([0.25, 0.75], (6, 1))
    weights[2] = [1, 0]
    found = blend(TWO, "weighted", weights)
    assert found[:, 0] == pytest.approx([0.25, 0.275, 0.75])
    assert found[:, 2] == pytest.approx([0.1, 0.5, 0.9])


def test_of_a_good_member_and_a_useless_one_the_good_one_counts() -> None:
    rng = np.random.default_rng(0)
    chance = rng.uniform(0.02, 0.98, (4000, 6))
    truth = (rng.random(chance.shape) < chance).astype(int)
    weights = fit_weights(truth, np.stack([chance, rng.random(chance.shape)]))
    assert (weights[:, 0] > 0.93).all()
    assert weights.sum(axis=1) == pytest.approx(1)


def test_equal_errors_that_are_independent_get_equal_weights() -> None:
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 2, (4000, 6))
    values = np.clip(truth + rng.normal(0, 0.5, (2, *truth.shape)), 0.05, 0.95)
    assert fit_weights(truth, values) == pytest.approx(0.5, abs=0.06)


def test_a_label_that_never_varies_gets_equal_weights() -> None:
    truth = np.zeros((3, 6), dtype=int)
    assert fit_weights(truth, TWO) == pytest.approx(0.5)


@given(st.integers(1, 4), st.integers(2, 30), st.integers(0, 1000))
def test_fitted_weights_are_no_worse_than_any_member_or_the_mean(members: int, slices: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values, truth = rng.random((members, slices, 6)), rng.integers(0, 2, (slices, 6))
    weights = fit_weights(truth, values)
    assert (weights >= 0).all()
    found = label_log_losses(truth, blend(values, "weighted", weights))
    best = np.min([label_log_losses(truth, one) for one in [*values, values.mean(axis=0)]], axis=0)
    varies = truth.min(axis=0) < truth.max(axis=0)
    assert (found[varies] <= best[varies] + 1e-4).all()


def test_what_a_member_adds() -> None:
    truth = column(0, 1, 1).astype(int)
    adds = measure_members(truth, np.stack([column(0.1, 0.9, 0.9), column(0.5, 0.5, 0.5)]), "mean")
    with_both = -np.log(0.7)
    assert adds == pytest.approx([-np.log(0.5) - with_both, -np.log(0.9) - with_both])
    assert np.isnan(measure_members(truth, TWO[:1], "mean")).all()


def test_an_unknown_blend_is_refused() -> None:
    with pytest.raises(HemorrhageError, match=f"out of {', '.join(BLENDS)}"):
        blend(TWO, "median")
