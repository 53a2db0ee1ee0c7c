"""The two losses, computed from probabilities so that a saved model and a score read the same numbers."""

from collections.abc import Callable
from typing import Any

import keras

from hemorrhage.data.labels import LABELS, weight_vector
from hemorrhage.errors import HemorrhageError

EPSILON = 1e-7
"""Probabilities are clipped to [EPSILON, 1 - EPSILON]: the smallest power of ten that float32 tells apart from 1."""

Loss = Callable[[Any, Any], Any]


@keras.saving.register_keras_serializable(package="hemorrhage")
def weighted_bce(y_true: Any, y_pred: Any) -> Any:
    """Returns each image's cross-entropy with the competition's weights: `any` 2/7, every other label 1/7.

    `y_true` and `y_pred` are N x 6 in the order of LABELS, the second holding probabilities. The result is float32
    of length N; Keras takes its mean over the images, which is the competition's score but for the clipping.
    """
    weights = keras.ops.convert_to_tensor(weight_vector(), dtype="float32")
    return keras.ops.sum(_cross_entropy(y_true, y_pred) * weights, axis=-1)


@keras.saving.register_keras_serializable(package="hemorrhage")
def bce(y_true: Any, y_pred: Any) -> Any:
    """Returns each image's cross-entropy with all six labels counting the same: float32 of length N.

    `y_true` and `y_pred` are N x 6 in the order of LABELS, the second holding probabilities.
    """
    return keras.ops.sum(_cross_entropy(y_true, y_pred), axis=-1) / len(LABELS)


LOSSES: dict[str, Loss] = {"weighted_bce": weighted_bce, "bce": bce}


def find_loss(name: str) -> Loss:
    """Returns the loss called `name`; raises HemorrhageError, listing the known ones, where there is none."""
    if name not in LOSSES:
        raise HemorrhageError(f"Expected a loss named {' or '.join(LOSSES)}, received {name!r}.")
    return LOSSES[name]


def _cross_entropy(y_true: Any, y_pred: Any) -> Any:
    """Returns the N x 6 cross-entropies, in float32 whatever the precision policy."""
    truth = keras.ops.cast(y_true, "float32")
    probability = keras.ops.clip(keras.ops.cast(y_pred, "float32"), EPSILON, 1 - EPSILON)
    return -(truth * keras.ops.log(probability) + (1 - truth) * keras.ops.log(1 - probability))
