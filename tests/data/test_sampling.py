import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemorrhage.data.labels import LABELS
from hemorrhage.data.metrics import label_log_losses
from hemorrhage.data.sampling import (
    NATURAL,
    Draw,
    KeepRates,
    balance_any,
    correct_resampling,
    draw_epoch,
    draw_hard,
    keep_rates,
)
from hemorrhage.errors import HemorrhageError


def make_labels(negatives: int, positives: int, epidural: int) -> pd.DataFrame:
    table = pd.DataFrame(0, index=range(negatives + positives + epidural), columns=list(LABELS))
    table.loc[negatives:, "any"] = 1
    table.loc[negatives : negatives + positives - 1, "subdural"] = 1
    table.loc[negatives + positives :, "epidural"] = 1
    return table


def test_a_natural_epoch_shows_every_slice_once_in_a_new_order() -> None:
    labels = make_labels(80, 15, 5)
    rows = draw_epoch(labels, Draw(), seed=0, epoch=0)
    assert sorted(rows) == list(range(100))
    assert rows.tolist() != sorted(rows)


def test_a_draw_is_a_function_of_seed_and_epoch() -> None:
    labels = make_labels(80, 15, 5)
    draw = Draw(negative_keep=0.5)
    assert (draw_epoch(labels, draw, 0, 3) == draw_epoch(labels, draw, 0, 3)).all()
    assert (draw_epoch(labels, draw, 0, 3) != draw_epoch(labels, draw, 0, 4)).any()
    assert (draw_epoch(labels, draw, 0, 3) != draw_epoch(labels, draw, 1, 3)).any()


def test_keep_fractions_and_epidural_copies_are_counted_out() -> None:
    labels = make_labels(2000, 80, 20)
    draw = Draw(negative_keep=0.35, positive_keep=0.5, epidural_copies=1)
    counts = np.bincount(draw_epoch(labels, draw, 0, 0), minlength=2100)
    assert counts[:2000].sum() == 700
    assert counts[:2000].max() == 1
    assert counts[2000:2080].sum() == 40
    assert sorted(counts[2080:]) == [0] * 10 + [2] * 10
    assert keep_rates(draw) == KeepRates(negative=0.35, positive=0.5, epidural=1.0)


def test_balancing_any_keeps_as_many_negatives_as_positives() -> None:
    labels = make_labels(900, 80, 20)
    rows = draw_epoch(labels, balance_any(labels), 0, 0)
    assert labels.loc[rows, "any"].mean() == 0.5
    assert len(rows) == 200
    with pytest.raises(HemorrhageError, match="with and without"):
        balance_any(make_labels(10, 0, 0))


def test_a_fraction_shrinks_an_epoch_and_leaves_its_rates() -> None:
    labels = make_labels(600, 60, 6)
    rows = draw_epoch(labels, Draw(fraction=1 / 6), 0, 0)
    assert (labels.loc[rows, "any"].sum(), len(rows)) == (11, 111)
    assert keep_rates(Draw(fraction=1 / 6)) == NATURAL


def test_a_share_of_few_slices_is_kept_over_the_epochs() -> None:
    labels = make_labels(0, 3, 0)
    drawn = [len(draw_epoch(labels, Draw(positive_keep=0.5), 0, epoch)) for epoch in range(2000)]
    assert set(drawn) == {1, 2}
    assert np.mean(drawn) == pytest.approx(1.5, abs=0.05)


@pytest.mark.parametrize(
    "values", [{"negative_keep": 0}, {"positive_keep": 1.5}, {"fraction": 0}, {"epidural_copies": -1}]
)
def test_draws_out_of_range_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(HemorrhageError, match=next(iter(values))):
        Draw(**values)  # type: ignore[arg-type]


def test_the_correction_by_hand() -> None:
    # any' 0.6, epidural' 0.2: q = (0.4, 0.4, 0.2); kept (0.5, 0.8, 1.6): q / k = (0.8, 0.5, 0.125), sum 1.425
    corrected = correct_resampling(np.array([[0.2, 0.3, 0.0, 0.0, 0.12, 0.6]]), KeepRates(0.5, 0.8, 1.6))
    any_natural = 0.625 / 1.425
    expected = [0.125 / 1.425, 0.3 * any_natural / 0.6, 0, 0, 0.12 * any_natural / 0.6, any_natural]
    assert corrected[0] == pytest.approx(expected, abs=1e-15)


def draw_population(count: int, rates: KeepRates) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns labels drawn from known probabilities, those probabilities, and what a perfect network trained on the
    resampled draws would say.

    A slice is one of: nothing, epidural, subdural, subdural with subarachnoid. Its class chances are known, so
    Bayes' rule gives the chances among the draws, class by class, without the formula that is tested.
    """
    rng = np.random.default_rng(0)
    chances = rng.dirichlet([6, 0.4, 1.2, 0.8], size=count)
    labels_of_class = np.array(
        [[0, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 1], [0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 1]], dtype=float
    )
    truth_class = (rng.random((count, 1)) > chances.cumsum(axis=1)).sum(axis=1).clip(max=3)
    drawn = chances * [rates.negative, rates.epidural, rates.positive, rates.positive]
    drawn /= drawn.sum(axis=1, keepdims=True)
    return labels_of_class[truth_class], chances @ labels_of_class, drawn @ labels_of_class


def test_every_label_is_back_at_its_natural_log_loss() -> None:
    rates = KeepRates(negative=0.35, positive=0.5, epidural=0.5)
    truth, natural, network = draw_population(200_000, rates)
    corrected = correct_resampling(network, rates)
    assert np.abs(corrected - natural).max() < 1e-12
    best = label_log_losses(truth, natural)
    assert label_log_losses(truth, corrected) == pytest.approx(best, abs=1e-12)
    assert (label_log_losses(truth, network)[3:] > best[3:] + 0.002).all()


def test_with_epidural_copies_any_and_epidural_are_exact() -> None:
    rates = KeepRates(negative=0.5, positive=1.0, epidural=3.0)
    _, natural, network = draw_population(20_000, rates)
    corrected = correct_resampling(network, rates)
    assert np.abs(corrected - natural)[:, [0, 5]].max() < 1e-12


def test_natural_draws_are_left_alone_to_the_bit() -> None:
    network = np.random.default_rng(0).random((10, 6))
    assert (correct_resampling(network, KeepRates(0.5, 0.5, 0.5)) == network).all()


@given(
    st.lists(st.floats(0, 1, width=32), min_size=6, max_size=6),
    st.tuples(st.floats(0.01, 1), st.floats(0.01, 1), st.floats(0.01, 3)),
)
def test_the_correction_of_anything_is_a_probability(row: list[float], rates: tuple[float, float, float]) -> None:
    corrected = correct_resampling(np.array([row], dtype=np.float32), KeepRates(*rates))
    assert corrected.dtype == np.float64
    assert np.isfinite(corrected).all()
    assert ((corrected >= 0) & (corrected <= 1)).all()


def test_hard_slices_are_drawn_in_proportion_to_half_their_loss() -> None:
    labels = make_labels(4, 0, 0)
    losses = np.array([3.0, 1.0, 0.0, 0.0])
    # 0.5 / 4 + 0.5 * 3 / 4, and so on.
    chances = np.array([0.5, 0.25, 0.125, 0.125])
    drawn = np.concatenate([draw_hard(labels, losses, 1.0, 0, epoch)[0] for epoch in range(2000)])
    assert np.bincount(drawn) / len(drawn) == pytest.approx(chances, abs=0.02)
    rows, weights = draw_hard(labels, losses, 1.0, seed=0, epoch=5)
    assert len(rows) == 4
    assert weights.mean() == pytest.approx(1)
    assert weights * chances[rows] == pytest.approx(np.full(4, weights[0] * chances[rows[0]]))


def test_hard_draws_keep_natural_numbers_and_weights_of_each_class() -> None:
    labels = make_labels(60, 30, 10)
    losses = np.linspace(0.1, 2, 100)
    rows, weights = draw_hard(labels, losses, 0.5, seed=0, epoch=0)
    sorts = np.digitize(rows, [60, 90])
    assert np.bincount(sorts).tolist() == [30, 15, 5]
    assert [weights[sorts == sort].mean() for sort in range(3)] == pytest.approx([1, 1, 1])
    assert (weights < 2.5).all()


def test_a_weighted_hard_draw_estimates_the_natural_mean() -> None:
    labels, losses = make_labels(200, 0, 0), np.random.default_rng(0).exponential(size=200)
    means = []
    for epoch in range(300):
        rows, weights = draw_hard(labels, losses, 1.0, 0, epoch)
        means.append((weights * losses[rows]).mean())
    assert np.mean(means) == pytest.approx(losses.mean(), rel=0.01)


def test_a_hard_draw_follows_from_its_arguments_and_knows_slices_without_a_loss() -> None:
    labels = make_labels(6, 3, 0)
    losses = np.array([1.0, np.nan, 1, 1, 1, 1, np.nan, np.nan, np.nan])
    one, other = (draw_hard(labels, losses, 1.0, 7, 2) for _ in range(2))
    assert (one[0] == other[0]).all()
    # All alike, or nothing known: an even draw.
    assert one[1] == pytest.approx(np.ones(9))
    assert draw_hard(labels, np.zeros(9), 1.0, 7, 2)[1] == pytest.approx(np.ones(9))
