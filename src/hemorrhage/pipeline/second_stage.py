"""What a second stage is given of slices, and what it makes of them; nothing is read or written here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import pandas as pd

from hemorrhage.data.blending import blend, fit_weights
from hemorrhage.data.labels import LABELS
from hemorrhage.data.series import PLACE_FEATURES, describe_places, fit_smoothing, list_series, smooth_along_z
from hemorrhage.errors import HemorrhageError
from hemorrhage.models.series import SERIES_MODELS, Shape, SliceSequence, predict_sequences, to_log_odds
from hemorrhage.models.series_training import Course, Example, fit_reduction, fit_series_model
from hemorrhage.pipeline.settings import require

SOURCES = ("probabilities", "embeddings")

PARTS = ("slice", "smoothed", "series")
"""What the output of a second stage is a mixture of."""


@dataclass(frozen=True)
class SeriesConfig:
    """Every value of a second stage, saved in its run's series.json."""

    on: str = "probabilities"
    model: str = "gru"
    units: int = 32
    dropout: float = 0.3
    epochs: int = 40
    batch: int = 8
    learning_rate: float = 3e-3
    # The deviation of what is added to log odds in training.
    noise: float = 0.3
    # On probabilities: how many parts the patients are split into. On embeddings they are the networks' own folds.
    folds: int = 5
    # Of embeddings: how many principal components are kept.
    components: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        require(self.on in SOURCES, "on", f"one of {', '.join(SOURCES)}", self.on)
        require(self.model in SERIES_MODELS, "model", f"one of {', '.join(SERIES_MODELS)}", self.model)
        for key, (low, high) in _RANGES.items():
            value = getattr(self, key)
            require(low <= value <= high, key, f"a value from {low:g} to {high:g}", value)

    @property
    def shape(self) -> Shape:
        return Shape(self.model, self.units, self.dropout)

    @property
    def course(self) -> Course:
        return Course(self.epochs, self.batch, self.learning_rate, self.noise, self.seed)


_RANGES: dict[str, tuple[float, float]] = {
    "units": (4, 1024),
    "dropout": (0, 0.95),
    "epochs": (1, 1000),
    "batch": (1, 1024),
    "learning_rate": (1e-9, 1),
    "noise": (0, 10),
    "folds": (2, 100),
    "components": (1, 4096),
    "seed": (0, 2**31 - 1),
}


@dataclass(frozen=True)
class Output:
    """N slices seen one way: the slice networks' probabilities N x 6, and N x F features beside them."""

    probabilities: np.ndarray
    features: np.ndarray


@dataclass(frozen=True)
class Seen:
    """What a second stage is given of N slices: image_id, patient_id, series_id and z_mm, and one Output or more."""

    table: pd.DataFrame
    views: tuple[Output, ...]

    def select(self, chosen: np.ndarray) -> "Seen":
        """Returns what is given of the slices that are `chosen`, bool N."""
        views = tuple(Output(view.probabilities[chosen], view.features[chosen]) for view in self.views)
        return Seen(self.table[chosen].reset_index(drop=True), views)

    @property
    def probabilities(self) -> np.ndarray:
        """The mean of the slice networks' probabilities over the views, float64 N x 6."""
        return np.mean([view.probabilities for view in self.views], axis=0)


def see_predictions(tables: Sequence[pd.DataFrame]) -> Seen:
    """Returns what prediction tables of one or more runs, row by row of the same slices, give: one view.

    Slices that one of them could not read are left out. With more than one run the features are each run's log odds.
    """
    if any(table["image_id"].tolist() != tables[0]["image_id"].tolist() for table in tables):
        raise HemorrhageError("Expected predictions of the same slices in one order, received others.")
    values = [table[list(LABELS)].to_numpy(dtype=np.float64) for table in tables]
    is_known = ~np.isnan(values).any(axis=(0, 2))
    known = [each[is_known] for each in values]
    apart = [to_log_odds(each) / 4 for each in known] if len(tables) > 1 else []
    features = np.concatenate(apart, axis=1) if apart else np.empty((len(known[0]), 0), dtype=np.float32)
    table = tables[0][["image_id", "patient_id", "series_id", "z_mm"]]
    return Seen(table[pd.Series(is_known)].reset_index(drop=True), (Output(np.mean(known, axis=0), features),))


def fit_stage(seen: Seen, truth: np.ndarray, config: SeriesConfig) -> keras.Model:
    """Returns a series model that has learned from slices and their labels, N x 6."""
    examples = [Example(tuple(sequences), truth[rows].astype(np.float32)) for rows, sequences in _list_sequences(seen)]
    reduction = None
    if config.on == "embeddings":
        features = np.concatenate([example.views[0].features for example in examples])
        reduction = fit_reduction(features, config.components, len(PLACE_FEATURES), config.seed)
    return fit_series_model(config.shape, examples, config.course, reduction)


def apply_stage(models: Sequence[keras.Model], seen: Seen) -> np.ndarray:
    """Returns the mean of the models' probabilities over the views, float64 N x 6."""
    total = np.zeros((len(seen.table), len(LABELS)))
    found = _list_sequences(seen)
    for model in models:
        for place in range(len(seen.views)):
            predicted = predict_sequences(model, [sequences[place] for _, sequences in found])
            for (rows, _), values in zip(found, predicted, strict=True):
                total[rows] += values
    return total / (len(models) * len(seen.views))


@dataclass(frozen=True)
class Mixture:
    """How the outputs of PARTS become one: `weights` 6 x 3, and `sigmas_mm`, float64 of 6, that smooth the slices'."""

    sigmas_mm: np.ndarray
    weights: np.ndarray

    def apply(self, slices: pd.DataFrame, slice_output: np.ndarray, series_output: np.ndarray) -> np.ndarray:
        """Returns the mixture, float64 N x 6, of what was said of `slices`, whole series with patient_id and z_mm."""
        smoothed = smooth_along_z(slice_output, slices, self.sigmas_mm)
        return blend(np.stack([slice_output, smoothed, series_output]), "weighted", self.weights)

    def to_json(self) -> dict[str, list[object]]:
        return {"sigmas_mm": self.sigmas_mm.tolist(), "weights": self.weights.tolist()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Mixture":
        """Returns what to_json described; raises ValueError where it is damaged."""
        try:
            sigmas_mm = np.array(value["sigmas_mm"], dtype=np.float64)
            weights = np.array(value["weights"], dtype=np.float64)
        except (KeyError, TypeError) as error:
            raise ValueError(f"{type(error).__name__} {error}") from error
        shapes = (sigmas_mm.shape, weights.shape)
        if shapes != ((len(LABELS),), (len(LABELS), len(PARTS))) or not np.all(np.append(sigmas_mm, weights) >= 0):
            raise ValueError(f"sigmas and weights of the shapes {shapes}, or some that are below 0 or no number")
        return cls(sigmas_mm, weights)


def fit_mixture(
    truth: np.ndarray, slices: pd.DataFrame, slice_output: np.ndarray, series_output: np.ndarray
) -> Mixture:
    """Returns the mixture of the lowest log loss by label: of held-out slices, or what saw them takes it all."""
    sigmas_mm = fit_smoothing(truth, slice_output, slices)
    smoothed = smooth_along_z(slice_output, slices, sigmas_mm)
    return Mixture(sigmas_mm, fit_weights(truth, np.stack([slice_output, smoothed, series_output])))


@dataclass(frozen=True)
class Stage:
    """A series model, and what becomes of its output."""

    model: keras.Model
    mixture: Mixture

    def answer(self, seen: Seen) -> np.ndarray:
        """Returns the second stage's probabilities, float64 N x 6."""
        return self.mixture.apply(seen.table, seen.probabilities, apply_stage([self.model], seen))


def _list_sequences(seen: Seen) -> list[tuple[np.ndarray, list[SliceSequence]]]:
    """The rows of every series in order, and its sequence in each view; the places come last among the features."""
    z_mm = seen.table["z_mm"].to_numpy(dtype=np.float64)
    odds = [to_log_odds(view.probabilities) for view in seen.views]
    found = []
    for rows in list_series(seen.table):
        places = describe_places(np.nan_to_num(z_mm[rows]))
        views = zip(odds, seen.views, strict=True)
        found.append((rows, [_join(each[rows], view.features[rows], places) for each, view in views]))
    return found


def _join(log_odds: np.ndarray, features: np.ndarray, places: np.ndarray) -> SliceSequence:
    return SliceSequence(log_odds, np.concatenate([features.astype(np.float32), places], axis=1))
