"""The optimizer of a network, the moving average of weights that it keeps, and what of both outlives a change."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras


def build_optimizer(ema: float = 0.0, accumulate: int = 1) -> keras.optimizers.Optimizer:
    """Returns Adam; with `ema`, it keeps an average of the weights (see using_average).

    The average follows the weights after every batch: it is `ema` times itself and 1 - `ema` times them. With
    `accumulate`, so many batches' mean gradient makes one update. Both live in the optimizer's variables, which a
    `.keras` file holds.
    """
    average: dict[str, Any] = {"use_ema": True, "ema_momentum": ema} if ema else {}
    return keras.optimizers.Adam(gradient_accumulation_steps=accumulate if accumulate > 1 else None, **average)


def set_rate(model: keras.Model, rate: float) -> None:
    """Sets the learning rate from the next step on; may be called by a callback while `fit` is at work."""
    # While JAX fits, the variables' values are elsewhere and have to be fetched before one of them is changed.
    fetch = getattr(model, "jax_state_sync", None)
    if fetch is not None:
        fetch()
    model.optimizer.learning_rate = rate


class KeepRawWeights(keras.callbacks.Callback):
    """Keeps `fit` from putting the average into the model when it ends, since training goes on with the raw weights.

    Keras does so between the end of the last epoch and the end of training where the optimizer's use_ema is set.
    """

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._set(False)

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        self._set(True)

    def _set(self, value: bool) -> None:
        if _has_average(self.model):
            _inner(self.model).use_ema = value


@contextmanager
def using_average(model: keras.Model) -> Iterator[None]:
    """Has `model` hold the average of its weights within the block, where its optimizer keeps one.

    A model that is saved meanwhile keeps the raw weights where the average was; swap_average brings them back.
    The running means of BatchNormalization are averages already and stay.
    """
    swap_average(model)
    try:
        yield
    finally:
        swap_average(model)


def swap_average(model: keras.Model) -> None:
    """Exchanges, to the bit, the weights of `model` with the average that its optimizer keeps, if it keeps one."""
    if not _has_average(model):
        return
    optimizer = _inner(model)
    # By its only name: Keras has no public one, and its own SwapEMAWeights reaches for this as well.
    for weight, average in zip(optimizer._trainable_variables, optimizer._model_variables_moving_average, strict=True):
        kept = keras.ops.convert_to_numpy(weight).copy()
        weight.assign(average)
        average.assign(kept)


def carry_over(old: keras.Model, new: keras.Model) -> keras.Model:
    """Returns `new`, built as `old` but for the size of its images, after giving it weights and optimizer of `old`."""
    new.set_weights(old.get_weights())
    if old.optimizer is None:
        return new
    for before, after in zip(old.layers, new.layers, strict=True):
        after.trainable = before.trainable
    optimizer = type(old.optimizer).from_config(old.optimizer.get_config())
    new.compile(optimizer=optimizer, loss=old.loss)
    if old.optimizer.built:
        optimizer.build(new.trainable_variables)
        for kept, variable in zip(old.optimizer.variables, optimizer.variables, strict=True):
            variable.assign(kept)
    return new


def _has_average(model: keras.Model) -> bool:
    return hasattr(_inner(model), "_model_variables_moving_average")


def _inner(model: keras.Model) -> Any:
    """The optimizer itself, which mixed precision wraps into one that scales the loss."""
    return getattr(model.optimizer, "inner_optimizer", model.optimizer)
