import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from hemorrhage.data.ranking import Ranking

TRUTH = np.array([1, 0, 1, 0])
PROBABILITY = np.array([0.9, 0.8, 0.7, 0.1])


def test_area_and_precision_by_hand() -> None:
    # Pairs (positive, negative): 0.9 stands above both, 0.7 above one of the two: 3 of 4. Precision at the positives
    # is 1/1 and 2/3, each a half of the recall.
    assert Ranking.build(TRUTH, PROBABILITY).measure(np.ones(4)) == pytest.approx((3 / 4, (1 + 2 / 3) / 2))


def test_a_weight_of_two_is_the_slice_twice_and_of_zero_none() -> None:
    ranking = Ranking.build(TRUTH, PROBABILITY)
    # The negative of 0.8 counts twice: pairs 2 + 2 + 0 + 0 + 1 + 1 = 4 of 6 (0.9 above three, 0.7 above one).
    assert ranking.measure(np.array([1.0, 2.0, 1.0, 1.0]))[0] == pytest.approx(4 / 6)
    assert ranking.measure(np.array([1.0, 0.0, 1.0, 1.0])) == pytest.approx((1.0, 1.0))
    assert np.isnan(ranking.measure(np.array([1.0, 0.0, 1.0, 0.0]))).all()


def test_sensitivity_keeps_the_specificity_at_least() -> None:
    truth = np.array([1, 0, 1, 1] + [0] * 9)
    probability = np.array([0.9, 0.8, 0.7, 0.05] + [0.1] * 9)
    ranking = Ranking.build(truth, probability)
    # One of ten negatives stands above 0.7, which leaves a specificity of 0.9 to the bit; for 0.95 none may.
    assert ranking.sensitivity_at(0.90) == pytest.approx(2 / 3)
    assert ranking.sensitivity_at(0.95) == pytest.approx(1 / 3)
    assert Ranking.build(np.array([0, 1]), np.array([0.9, 0.1])).sensitivity_at(0.9) == 0
    assert np.isnan(Ranking.build(np.ones(2), np.array([0.9, 0.1])).sensitivity_at(0.9))


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(0, 6), st.integers(0, 3)),
        min_size=2,
        max_size=40,
    )
)
def test_weighted_figures_are_those_of_scikit_learn(rows: list[tuple[bool, int, int]]) -> None:
    truth, probability, weights = (np.array(column) for column in zip(*rows, strict=True))
    found = Ranking.build(truth, probability / 6).measure(weights.astype(float))
    if not (weights[truth].sum() and weights[~truth].sum()):
        assert np.isnan(found).all()
        return
    expected = (
        metrics.roc_auc_score(truth, probability, sample_weight=weights),
        metrics.average_precision_score(truth, probability, sample_weight=weights),
    )
    assert found == pytest.approx(expected, abs=1e-12)
