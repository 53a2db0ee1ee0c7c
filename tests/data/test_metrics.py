import math

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from hemorrhage.data.labels import LABELS, weight_vector
from hemorrhage.data.metrics import (
    constant_score,
    find_best_threshold,
    label_log_losses,
    measure_labels,
    weighted_log_loss,
)
from hemorrhage.errors import HemorrhageError


def test_three_images_by_hand() -> None:
    # Columns epidural, intraparenchymal, intraventricular, subarachnoid, subdural, any.
    truth = np.array([[0, 0, 0, 0, 1, 1], [0, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 1]])
    probability = np.array(
        [[0.5, 0.5, 0.5, 0.5, 0.8, 0.9], [0.5, 0.5, 0.5, 0.5, 0.2, 0.2], [0.25, 0.5, 0.5, 0.5, 0.5, 0.6]]
    )
    # epidural: -(ln 0.5 + ln 0.5 + ln 0.25) / 3 = (0.693147 + 0.693147 + 1.386294) / 3 = 0.924196
    # the three constant ones: ln 2 = 0.693147 each
    # subdural: -(ln 0.8 + ln 0.8 + ln 0.5) / 3 = (0.223144 + 0.223144 + 0.693147) / 3 = 0.379811
    # any: -(ln 0.9 + ln 0.8 + ln 0.6) / 3 = (0.105361 + 0.223144 + 0.510826) / 3 = 0.279777
    # score: (0.924196 + 3 * 0.693147 + 0.379811 + 2 * 0.279777) / 7 = 3.943002 / 7 = 0.563286
    losses = label_log_losses(truth, probability)
    assert losses == pytest.approx([0.924196, 0.693147, 0.693147, 0.693147, 0.379811, 0.279777], abs=1e-6)
    assert weighted_log_loss(truth, probability) == pytest.approx(0.563286, abs=1e-6)


def test_all_halves_score_ln_2() -> None:
    truth = np.random.default_rng(0).integers(0, 2, size=(100, 6))
    assert weighted_log_loss(truth, np.full((100, 6), 0.5)) == pytest.approx(math.log(2), abs=1e-15)


def test_the_training_prevalence_scores_what_is_known_of_it() -> None:
    # On the training set itself, by its published counts: 0.2311 to four places.
    positives = np.array([3145, 36118, 26205, 35675, 47166, 107933])
    prevalence = positives / 752_803
    entropy = -(prevalence * np.log(prevalence) + (1 - prevalence) * np.log(1 - prevalence))
    assert entropy @ weight_vector() == pytest.approx(0.2311, abs=5e-5)
    truth = np.zeros((7528, 6), dtype=int)
    for column, count in enumerate(np.round(prevalence * 7528).astype(int)):
        truth[:count, column] = 1
    assert constant_score(truth, prevalence) == pytest.approx(0.2311, abs=2e-4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_exact_zero_and_one_are_clipped_in_float64(dtype: type) -> None:
    # In float32 1 - 1e-15 is 1, so that a wrong 1 would cost infinity: -ln(1e-15) = 34.538776.
    truth = np.array([[1, 0, 1, 0, 1, 0]])
    probability = np.array([[0, 1, 1, 0, 1, 1]], dtype=dtype)
    # 1 - (1 - 1e-15) is 9.99e-16 in float64, hence 34.5396 for a wrong 1
    expected = [-math.log(1e-15), -math.log(1 - (1 - 1e-15)), 0, 0, 0, -math.log(1 - (1 - 1e-15))]
    assert label_log_losses(truth, probability) == pytest.approx(expected, abs=1e-9)


def test_the_score_equals_scikit_learns_on_the_clipped_values() -> None:
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 2, size=(500, 6))
    probability = rng.random((500, 6)) ** 8
    probability[:20] = rng.integers(0, 2, size=(20, 6))
    clipped = np.clip(probability, 1e-15, 1 - 1e-15)
    columns = [log_loss(truth[:, column], clipped[:, column], labels=[0, 1]) for column in range(6)]
    assert weighted_log_loss(truth, probability) == pytest.approx(weight_vector() @ columns, abs=1e-12)


def test_figures_by_label_and_the_reasons_for_none() -> None:
    truth = np.zeros((8, 6), dtype=int)
    truth[:3, 5] = 1
    truth[:, 4] = 1
    probability = np.tile(np.linspace(0.9, 0.2, 8)[:, np.newaxis], 6)
    by_label = {figures.label: figures for figures in measure_labels(truth, probability)}
    assert list(by_label) == list(LABELS)
    assert by_label["epidural"].undefined == "no positive slice"
    assert by_label["epidural"].auc is None
    assert by_label["epidural"].at_half.recall is None
    assert by_label["subdural"].undefined == "no negative slice"
    assert by_label["subdural"].at_half.specificity is None
    assert by_label["any"].auc == roc_auc_score(truth[:, 5], probability[:, 5]) == 1.0
    half = by_label["any"].at_half
    # 0.9, 0.8, 0.7 are right, 0.6 and 0.5 are called as well
    counts = (half.true_positives, half.false_positives, half.false_negatives, half.true_negatives)
    assert counts == (3, 2, 0, 3)
    assert (half.accuracy, half.precision, half.recall, half.specificity, half.f1) == (6 / 8, 3 / 5, 1, 3 / 5, 6 / 8)
    assert by_label["any"].at_best.threshold == pytest.approx(0.7)
    assert by_label["any"].at_best.f1 == 1


def test_the_best_threshold_has_the_highest_f1_of_all() -> None:
    rng = np.random.default_rng(2)
    truth = rng.random(200) < 0.2
    probability = np.round(rng.random(200) * 0.5 + truth * 0.3, 2)
    best = find_best_threshold(truth, probability)

    def f1(threshold: float) -> float:
        called = probability >= threshold
        return 2 * (called & truth).sum() / (called.sum() + truth.sum())

    assert f1(best) == max(f1(threshold) for threshold in np.unique(probability))


@pytest.mark.parametrize(
    ("truth", "probability", "cause"),
    [
        (np.zeros((2, 5)), np.zeros((2, 5)), "N x 6"),
        (np.zeros((2, 6)), np.zeros((3, 6)), "N x 6"),
        (np.zeros((0, 6)), np.zeros((0, 6)), "N x 6"),
        (np.full((2, 6), 0.5), np.zeros((2, 6)), "0 and 1"),
        (np.zeros((2, 6)), np.full((2, 6), np.nan), "not a number"),
        (np.zeros((2, 6)), np.full((2, 6), 1.01), "outside"),
    ],
)
def test_what_cannot_be_scored_is_refused(truth: np.ndarray, probability: np.ndarray, cause: str) -> None:
    with pytest.raises(HemorrhageError, match=cause):
        weighted_log_loss(truth, probability)
