from pathlib import Path

import keras
import numpy as np
import pytest

from hemorrhage.models.backbones import build_model, set_backbone_trainable
from hemorrhage.models.losses import weighted_bce
from hemorrhage.models.optimizers import (
    KeepRawWeights,
    build_optimizer,
    carry_over,
    set_rate,
    swap_average,
    using_average,
)
from hemorrhage.models.weights import read_model, save_model

IMAGES = np.zeros((4, 1), np.float32)
ONES = np.ones((4, 1), np.float32)


def build_line(optimizer: keras.optimizers.Optimizer) -> keras.Model:
    """A network of one number, its bias, which the mean absolute error to 1 draws up by Adam's rate a step."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, name="line")])
    model.compile(optimizer=optimizer, loss="mae")
    return model


def fit(model: keras.Model, steps: int = 1) -> float:
    """Returns the bias after so many steps of one batch each."""
    for _ in range(steps):
        model.fit(IMAGES, ONES, batch_size=4, verbose=0, callbacks=[KeepRawWeights()])
    return bias_of(model)


def bias_of(model: keras.Model) -> float:
    return float(model.get_layer("line").bias.numpy()[0])


def test_training_goes_on_with_raw_weights_beside_their_average() -> None:
    model = build_line(build_optimizer(ema=0.75))
    set_rate(model, 0.1)
    # Adam's first steps have the size of the rate, whatever the gradient.
    assert [fit(model) for _ in range(3)] == pytest.approx([0.1, 0.2, 0.3], abs=1e-5)
    # The average starts at the weights after the first step: 0.1, then 0.125, then 0.16875.
    with using_average(model):
        assert bias_of(model) == pytest.approx(0.16875, abs=1e-5)
    assert bias_of(model) == pytest.approx(0.3, abs=1e-5)


def test_a_model_saved_as_its_average_gives_the_raw_weights_back_to_the_bit(tmp_path: Path) -> None:
    model = build_line(build_optimizer(ema=0.9))
    fit(model, 3)
    raw = bias_of(model)
    with using_average(model):
        average = bias_of(model)
        save_model(model, tmp_path / "m.keras")
    assert average != raw
    assert bias_of(read_model(tmp_path / "m.keras")) == average
    read = read_model(tmp_path / "m.keras", compiled=True)
    swap_average(read)
    assert bias_of(read) == raw
    assert fit(read) == fit(model)
    with using_average(read), using_average(model):
        assert bias_of(read) == bias_of(model)


def test_without_an_average_nothing_is_swapped() -> None:
    model = build_line(build_optimizer())
    before = fit(model)
    with using_average(model):
        assert bias_of(model) == before


def test_gradients_of_several_batches_make_one_update_and_wait_in_the_file(tmp_path: Path) -> None:
    model = build_line(build_optimizer(accumulate=3))
    set_rate(model, 0.1)
    assert fit(model, 2) == 0
    save_model(model, tmp_path / "m.keras")
    read = read_model(tmp_path / "m.keras", compiled=True)
    assert fit(read) == fit(model) == pytest.approx(0.1, abs=1e-5)


def test_a_rate_can_be_set_between_the_steps_of_one_fit() -> None:
    class Rates(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch: int, logs: object = None) -> None:
            set_rate(self.model, [0.1, 0.01][batch])

    model = build_line(build_optimizer())
    model.fit(np.zeros((2, 1)), np.ones((2, 1)), batch_size=1, verbose=0, callbacks=[Rates()])
    assert bias_of(model) == pytest.approx(0.11, abs=1e-5)


def test_a_model_for_another_size_goes_on_with_weights_and_optimizer() -> None:
    images, labels = np.full((2, 32, 32, 3), 99, np.uint8), np.eye(6, dtype=np.float32)[:2]
    old, new = (build_model("compact", size, seed=seed) for size, seed in ((32, 0), (48, 1)))
    set_backbone_trainable(old, trainable=False)
    old.compile(optimizer=build_optimizer(ema=0.9), loss=weighted_bce)
    old.fit(images, labels, verbose=0, callbacks=[KeepRawWeights()])
    carried = carry_over(old, new)
    assert carried.input_shape[1] == 48
    assert [layer.trainable for layer in carried.layers] == [layer.trainable for layer in old.layers]
    ours, theirs = ([value.numpy() for value in model.optimizer.variables] for model in (carried, old))
    assert all((one == other).all() for one, other in zip(ours, theirs, strict=True))
    assert all((one == other).all() for one, other in zip(carried.get_weights(), old.get_weights(), strict=True))
    swap_average(carried)
    swap_average(old)
    assert all((one == other).all() for one, other in zip(carried.get_weights(), old.get_weights(), strict=True))
