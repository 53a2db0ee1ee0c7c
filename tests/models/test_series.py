"""Series models: the identity before training, blind to padding, and able to learn from neighbors."""

import keras
import numpy as np
import pytest

from hemorrhage.errors import HemorrhageError
from hemorrhage.models.losses import weighted_bce
from hemorrhage.models.series import (
    SERIES_MODELS,
    Shape,
    SliceSequence,
    build_series_model,
    common_length,
    pad,
    pad_sequences,
    predict_sequences,
    to_log_odds,
)
from hemorrhage.models.series_training import Course, Example, fit_series_model
from hemorrhage.models.weights import read_model, save_model

KINDS = pytest.mark.parametrize("kind", SERIES_MODELS)


def draw_sequence(slices: int, seed: int = 0) -> SliceSequence:
    rng = np.random.default_rng(seed)
    return SliceSequence(
        rng.normal(0, 2, (slices, 6)).astype(np.float32), rng.normal(0, 1, (slices, 3)).astype(np.float32)
    )


def disturb(model: keras.Model) -> keras.Model:
    """Weights that are not zero anywhere, as after training."""
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(0, 0.3, weight.shape) for weight in model.get_weights()])
    return model


def test_log_odds_of_known_probabilities():
    assert to_log_odds(np.array([0.5, 0.75, 0.0, 1.0])) == pytest.approx([0, np.log(3), -12, 12])


def test_sequences_are_padded_to_a_multiple_of_32():
    sequences = [draw_sequence(3), draw_sequence(33)]
    assert common_length(sequences) == 64
    assert common_length(sequences[:1]) == 32
    padded = pad_sequences(sequences, 64)
    assert padded["log_odds"].shape == (2, 64, 6)
    assert padded["features"].shape == (2, 64, 3)
    assert padded["mask"].sum(axis=1).tolist() == [3, 33]
    assert not padded["log_odds"][0, 3:].any()


@KINDS
def test_before_training_a_series_model_is_the_identity(kind):
    model = build_series_model(Shape(kind, 8, 0.1), features=3)
    sequence = draw_sequence(7)
    (found,) = predict_sequences(model, [sequence])
    assert found == pytest.approx(1 / (1 + np.exp(-sequence.log_odds.astype(np.float64))), abs=1e-6)


@KINDS
@pytest.mark.parametrize("slices", [1, 2, 31, 100])
def test_neither_padding_nor_other_series_change_anything(kind, slices):
    model = disturb(build_series_model(Shape(kind, 8, 0.1), features=3))
    sequence = draw_sequence(slices)
    (alone,) = predict_sequences(model, [sequence])
    together = predict_sequences(model, [draw_sequence(100, 1), sequence, draw_sequence(5, 2)])
    assert alone.shape == (slices, 6)
    assert together[1] == pytest.approx(alone, abs=1e-5)


@KINDS
def test_what_padding_holds_is_never_seen(kind):
    model = disturb(build_series_model(Shape(kind, 8, 0.1), features=3))
    inputs = pad_sequences([draw_sequence(10)], 32)
    littered = {name: values.copy() for name, values in inputs.items()}
    littered["log_odds"][0, 10:] = 5
    littered["features"][0, 10:] = -3
    clean, dirty = (np.asarray(model.predict_on_batch(each))[0, :10] for each in (inputs, littered))
    assert dirty == pytest.approx(clean, abs=1e-5)


@KINDS
def test_a_series_model_learns_what_only_neighbors_tell(kind):
    rng = np.random.default_rng(0)
    # Runs of eight slices, each label by itself: other labels tell nothing, slices nearby do.
    truth = np.repeat(rng.integers(0, 2, (64, 4, 6)), 8, axis=1).astype(np.float32)
    odds = ((2 * truth - 1) * 0.5 + rng.normal(0, 1.5, truth.shape)).astype(np.float32)
    sequences = [SliceSequence(one, np.zeros((32, 1), np.float32)) for one in odds]
    model = build_series_model(Shape(kind, 16, 0.0), features=1)
    before = np.mean((np.stack(predict_sequences(model, sequences)) > 0.5) == truth)
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss=weighted_bce)
    model.fit(pad_sequences(sequences, 32), pad(list(truth), 32), epochs=40, verbose=0)
    after = np.mean((np.stack(predict_sequences(model, sequences)) > 0.5) == truth)
    assert before < 0.7
    assert after > before + 0.1


@KINDS
def test_a_series_model_is_saved_and_read(kind, tmp_path):
    model = disturb(build_series_model(Shape(kind, 8, 0.1), features=3))
    save_model(model, tmp_path / "series.keras")
    read = read_model(tmp_path / "series.keras")
    sequence = draw_sequence(20)
    np.testing.assert_allclose(
        predict_sequences(read, [sequence])[0], predict_sequences(model, [sequence])[0], atol=1e-6
    )


def test_an_unknown_kind_is_refused():
    with pytest.raises(HemorrhageError, match=r"gru, conv, transformer; received 'lstm'"):
        build_series_model(Shape("lstm", 8, 0.1), features=3)


def test_series_of_any_lengths_are_learned_from_together():
    lengths = (100, 1, 40, 7, 64, 2)
    examples = [
        Example((draw_sequence(slices, seed),), np.zeros((slices, 6), np.float32))
        for seed, slices in enumerate(lengths)
    ]
    course = Course(epochs=2, batch=1, learning_rate=0.01, noise=0.1, seed=0)
    one, other = (fit_series_model(Shape("conv", 8, 0.1), examples, course) for _ in range(2))
    (before,), (after,) = (predict_sequences(model, [draw_sequence(9)]) for model in (one, other))
    assert after == pytest.approx(before, abs=1e-6)
    assert before.mean() < 1 / (1 + np.exp(-draw_sequence(9).log_odds)).mean()
