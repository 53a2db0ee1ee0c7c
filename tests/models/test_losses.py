import keras
import numpy as np
import pytest

from hemorrhage.errors import HemorrhageError
from hemorrhage.models.losses import EPSILON, LOSSES, bce, find_loss, weighted_bce

TRUTH = np.array([[0, 0, 0, 0, 1, 1], [0, 0, 0, 0, 0, 0]], dtype="uint8")
HALF = np.full((2, 6), 0.5, dtype="float32")


def to_numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


def test_all_one_half_costs_ln_two_whatever_the_weights():
    np.testing.assert_allclose(to_numpy(weighted_bce(TRUTH, HALF)), [np.log(2)] * 2, rtol=1e-6)
    np.testing.assert_allclose(to_numpy(bce(TRUTH, HALF)), [np.log(2)] * 2, rtol=1e-6)


def test_a_miss_of_any_counts_twice_a_miss_of_another_label():
    truth = np.array([[1, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1]])
    missed = np.where(truth, 0.1, 1e-7).astype("float32")
    np.testing.assert_allclose(to_numpy(weighted_bce(truth, missed)), np.log(10) * np.array([1, 2]) / 7, rtol=1e-5)
    np.testing.assert_allclose(to_numpy(bce(truth, missed)), np.log(10) * np.array([1, 1]) / 6, rtol=1e-5)


def test_a_certain_error_is_clipped_and_stays_finite():
    cost = to_numpy(bce(np.ones((1, 6)), np.zeros((1, 6))))
    np.testing.assert_allclose(cost, [-np.log(EPSILON)], rtol=1e-5)
    assert np.isfinite(to_numpy(bce(np.zeros((1, 6)), np.ones((1, 6))))).all()


def test_float16_probabilities_are_judged_in_float32():
    assert keras.backend.standardize_dtype(weighted_bce(TRUTH, HALF.astype("float16")).dtype) == "float32"


def test_the_equal_weights_loss_is_keras_binary_crossentropy():
    rng = np.random.default_rng(0)
    truth, probability = rng.integers(0, 2, (8, 6)).astype("float32"), rng.uniform(0.01, 0.99, (8, 6)).astype("float32")
    expected = to_numpy(keras.losses.binary_crossentropy(truth, probability))
    np.testing.assert_allclose(to_numpy(bce(truth, probability)), expected, rtol=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_losses_are_found_by_name_and_survive_serialization(name):
    loss = find_loss(name)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert again is loss


def test_an_unknown_loss_lists_the_known_ones():
    with pytest.raises(HemorrhageError, match="weighted_bce or bce, received 'focal'"):
        find_loss("focal")
