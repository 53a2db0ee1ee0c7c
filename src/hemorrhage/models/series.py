"""Second-stage networks: what a slice network said of the slices of a series in, what it should have said out.

They start as the identity: the slice network's log odds go straight to the output, and what the sequence adds to them
is 0 before training. So a series model unlearns the slice model only where that pays on what it is trained on.
Flat models of Keras' own layers, as in models.backbones.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from hemorrhage.data.labels import LABELS
from hemorrhage.errors import HemorrhageError

CERTAIN_LOG_ODDS = 12.0
"""Log odds are kept within this, 6e-6 from 0 and 1: a probability of 0 has none."""

_LENGTH_STEP = 32
_BLOCKS = 2
_HEADS = 4


@dataclass(frozen=True)
class SliceSequence:
    """A series in order: T x 6 log odds of the slice network and T x F features of its slices, both float32."""

    log_odds: np.ndarray
    features: np.ndarray


@dataclass(frozen=True)
class Shape:
    """How large a series model is: one of SERIES_MODELS, units a layer, and the share of them that drops out."""

    kind: str
    units: int
    dropout: float


@dataclass(frozen=True)
class Reduction:
    """How many features become few before anything is learned: (features - mean) @ matrix, F and F x C, float32."""

    mean: np.ndarray
    matrix: np.ndarray


def build_series_model(shape: Shape, features: int, seed: int = 0, reduction: Reduction | None = None) -> keras.Model:
    """Returns an untrained series model for sequences of `features` features, its weights drawn from `seed`.

    Inputs "log_odds" (N x T x 6), "features" (N x T x F) and "mask" (N x T, true where there is a slice); output
    "probabilities" N x T x 6, float32, before training those of the log odds. What the mask hides changes nothing.
    Raises HemorrhageError for an unknown kind.
    """
    if shape.kind not in SERIES_MODELS:
        raise HemorrhageError(f"Expected a series model out of {', '.join(SERIES_MODELS)}; received {shape.kind!r}.")
    keras.utils.set_random_seed(seed)
    log_odds = keras.Input((None, len(LABELS)), name="log_odds")
    given = keras.Input((None, features), name="features")
    mask = keras.Input((None,), dtype="bool", name="mask")
    scaled = keras.layers.Rescaling(1 / 4, name="scaled_log_odds")(log_odds)
    kept = given if reduction is None else _reduce(given, reduction)
    inner = keras.layers.Concatenate(name="joined")([scaled, kept])
    inner = keras.layers.Dense(shape.units, activation="relu", name="projection")(inner)
    inner = SERIES_MODELS[shape.kind](inner, mask, shape)
    inner = keras.layers.Dropout(shape.dropout, name="dropout")(inner)
    change = keras.layers.Dense(len(LABELS), kernel_initializer="zeros", dtype="float32", name="change")(inner)
    total = keras.layers.Add(dtype="float32", name="sum")([log_odds, change])
    probabilities = keras.layers.Activation("sigmoid", dtype="float32", name="probabilities")(total)
    return keras.Model([log_odds, given, mask], probabilities, name=f"series_{shape.kind}")


def to_log_odds(probabilities: np.ndarray) -> np.ndarray:
    """Returns the log odds of probabilities, float32 of the same shape, within CERTAIN_LOG_ODDS of 0."""
    with np.errstate(divide="ignore"):
        odds = np.log(probabilities) - np.log1p(-probabilities)
    return np.clip(odds, -CERTAIN_LOG_ODDS, CERTAIN_LOG_ODDS).astype(np.float32)


def common_length(sequences: list[SliceSequence]) -> int:
    """Returns how many slices the longest has, as a multiple of 32: a backend compiles for every length anew."""
    longest = max(len(sequence.log_odds) for sequence in sequences)
    return -(-longest // _LENGTH_STEP) * _LENGTH_STEP


def pad_sequences(sequences: list[SliceSequence], length: int) -> dict[str, np.ndarray]:
    """Returns the inputs of a series model for some sequences: padded with zeros to `length`, and masked."""
    mask = np.zeros((len(sequences), length), dtype=bool)
    for row, sequence in enumerate(sequences):
        mask[row, : len(sequence.log_odds)] = True
    return {
        "log_odds": pad([sequence.log_odds for sequence in sequences], length),
        "features": pad([sequence.features for sequence in sequences], length),
        "mask": mask,
    }


def pad(parts: list[np.ndarray], length: int) -> np.ndarray:
    """Returns arrays of T x F as one of N x length x F, float32, zero beyond their ends."""
    padded = np.zeros((len(parts), length, parts[0].shape[1]), dtype=np.float32)
    for row, part in enumerate(parts):
        padded[row, : len(part)] = part
    return padded


def predict_sequences(model: keras.Model, sequences: list[SliceSequence], batch_size: int = 64) -> list[np.ndarray]:
    """Returns the probabilities of each sequence's slices, float64 T x 6."""
    found: list[np.ndarray] = []
    for start in range(0, len(sequences), batch_size):
        batch = sequences[start : start + batch_size]
        predicted = model.predict_on_batch(pad_sequences(batch, common_length(batch)))
        found += [np.asarray(rows[: len(one.log_odds)], np.float64) for rows, one in zip(predicted, batch, strict=True)]
    return found


def _reduce(given: Any, reduction: Reduction) -> Any:
    layer = keras.layers.Dense(reduction.matrix.shape[1], trainable=False, name="reduction")
    reduced = layer(given)
    layer.set_weights([reduction.matrix, -reduction.mean @ reduction.matrix])
    return reduced


def _gru(inner: Any, mask: Any, shape: Shape) -> Any:
    for block in range(_BLOCKS):
        both = keras.layers.Bidirectional(
            keras.layers.GRU(shape.units, return_sequences=True, name=f"gru{block}"), name=f"both_ways{block}"
        )
        inner = keras.layers.Concatenate(name=f"kept{block}")([inner, both(inner, mask=mask)])
        inner = keras.layers.Dropout(shape.dropout, name=f"dropout{block}")(inner)
    return inner


def _convolution(inner: Any, mask: Any, shape: Shape) -> Any:
    shown = _as_column(mask)
    for block, dilation in enumerate((1, 2, 4)):
        # What lies beyond the end is 0 before every convolution, as it is beyond the padding.
        hidden = keras.layers.Multiply(name=f"shown{block}")([inner, shown])
        convolved = keras.layers.Conv1D(
            shape.units, 5, padding="same", dilation_rate=dilation, activation="relu", name=f"convolution{block}"
        )(hidden)
        inner = keras.layers.Add(name=f"sum{block}")([inner, convolved])
        inner = keras.layers.Dropout(shape.dropout, name=f"dropout{block}")(inner)
    return inner


def _transformer(inner: Any, mask: Any, shape: Shape) -> Any:
    visible = keras.ops.expand_dims(mask, 1)
    waves = keras.layers.Dense(shape.units, name="places")(_waves(mask, shape.units))
    inner = keras.layers.Add(name="placed")([inner, waves])
    for block in range(_BLOCKS):
        inner = _attend(inner, visible, shape, block)
    return inner


def _attend(inner: Any, visible: Any, shape: Shape, block: int) -> Any:
    """A transformer's block, normalised before attention and before the dense layers (Xiong et al. 2020)."""
    normed = keras.layers.LayerNormalization(name=f"norm{block}")(inner)
    width = max(shape.units // _HEADS, 1)
    attention = keras.layers.MultiHeadAttention(_HEADS, width, dropout=shape.dropout, name=f"attention{block}")
    inner = keras.layers.Add(name=f"attended{block}")([inner, attention(normed, normed, attention_mask=visible)])
    normed = keras.layers.LayerNormalization(name=f"inner_norm{block}")(inner)
    wide = keras.layers.Dense(2 * shape.units, activation="gelu", name=f"wide{block}")(normed)
    narrow = keras.layers.Dense(shape.units, name=f"narrow{block}")(wide)
    kept = keras.layers.Dropout(shape.dropout, name=f"dropout{block}")(narrow)
    return keras.layers.Add(name=f"sum{block}")([inner, kept])


def _waves(mask: Any, units: int) -> Any:
    """Sines and cosines of a slice's number in its series, of wave lengths from 3 to 200 slices: N x T x units."""
    numbers = keras.ops.expand_dims(keras.ops.cumsum(keras.ops.cast(mask, "float32"), axis=1), -1)
    frequencies = 2 * np.pi / np.geomspace(3, 200, max(units // 2, 1), dtype=np.float32)
    angles = numbers * keras.ops.convert_to_tensor(frequencies)
    return keras.ops.concatenate([keras.ops.sin(angles), keras.ops.cos(angles)], axis=-1)


def _as_column(mask: Any) -> Any:
    return keras.ops.expand_dims(keras.ops.cast(mask, "float32"), -1)


SERIES_MODELS: dict[str, Callable[[Any, Any, Shape], Any]] = {
    "gru": _gru,
    "conv": _convolution,
    "transformer": _transformer,
}
"""By name, what makes of a sequence and its mask another sequence."""
