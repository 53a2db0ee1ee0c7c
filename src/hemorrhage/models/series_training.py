"""Fitting one series model: sequences in a new order each epoch, noise on what the slice network said."""

import math
from dataclasses import dataclass

import keras
import numpy as np
from sklearn.decomposition import PCA

from hemorrhage.models.backbones import seed_layers
from hemorrhage.models.losses import weighted_bce
from hemorrhage.models.series import (
    Reduction,
    Shape,
    SliceSequence,
    build_series_model,
    common_length,
    pad,
    pad_sequences,
)

_WARM_UP = 0.1
_PCA_ROWS = 20_000


@dataclass(frozen=True)
class Course:
    """How a series model is fitted: `noise` is the deviation of what is added to log odds, `seed` draws everything."""

    epochs: int
    batch: int
    learning_rate: float
    noise: float
    seed: int


@dataclass(frozen=True)
class Example:
    """One series to learn from: the same slices in one or more views, and their labels T x 6, 0 and 1."""

    views: tuple[SliceSequence, ...]
    truth: np.ndarray


def fit_series_model(
    shape: Shape, examples: list[Example], course: Course, reduction: Reduction | None = None
) -> keras.Model:
    """Returns a series model fitted to `examples`: a function of its arguments, but for the backend's rounding.

    The rate rises over the first tenth of the epochs and falls along a cosine; the loss is the competition's, over
    slices.
    """
    model = build_series_model(shape, examples[0].views[0].features.shape[1], course.seed, reduction)
    model.compile(optimizer=keras.optimizers.AdamW(clipnorm=1.0), loss=weighted_bce)
    for epoch in range(course.epochs):
        model.optimizer.learning_rate = course.learning_rate * rate_share(epoch, course.epochs)
        seed_layers(model, course.seed, epoch, 0)
        model.fit(SeriesBatches(examples, course, epoch), epochs=1, verbose=0, shuffle=False)
    return model


def rate_share(epoch: int, epochs: int) -> float:
    """Returns the share of the highest learning rate that an epoch (from 0) of so many has: up, then down a cosine."""
    rising = max(1, round(_WARM_UP * epochs))
    if epoch < rising:
        return (epoch + 1) / (rising + 1)
    return 0.5 + 0.5 * math.cos(math.pi * (epoch - rising) / max(epochs - rising, 1))


class SeriesBatches(keras.utils.PyDataset):
    """The batches of one epoch over series: padded inputs, labels, and 1 as the weight of each slice that there is."""

    def __init__(self, examples: list[Example], course: Course, epoch: int) -> None:
        super().__init__()
        self._examples = examples
        self._course = course
        self._epoch = epoch
        # One for all batches: TensorFlow takes the shape of the first for that of the rest.
        self._length = common_length([example.views[0] for example in examples])
        self._order = np.random.default_rng([course.seed, epoch]).permutation(len(examples))

    def __len__(self) -> int:
        return -(-len(self._examples) // self._course.batch)

    def __getitem__(self, index: int) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
        rows = self._order[index * self._course.batch : (index + 1) * self._course.batch]
        chosen = [self._examples[row] for row in rows]
        rng = np.random.default_rng([self._course.seed, self._epoch, index])
        inputs = pad_sequences([self._draw(rng, example) for example in chosen], self._length)
        truth = pad([example.truth for example in chosen], self._length)
        return inputs, truth, inputs["mask"].astype(np.float32)

    def _draw(self, rng: np.random.Generator, example: Example) -> SliceSequence:
        """One view of the series, its log odds disturbed: as a whole, as a network errs on a patient, and by slice."""
        view = example.views[int(rng.integers(len(example.views)))]
        whole = rng.normal(0, self._course.noise, (1, view.log_odds.shape[1]))
        single = rng.normal(0, self._course.noise, view.log_odds.shape)
        return SliceSequence((view.log_odds + whole + single).astype(np.float32), view.features)


def fit_reduction(features: np.ndarray, components: int, kept: int, seed: int = 0) -> Reduction:
    """Returns the principal components of N x F features; the last `kept` columns pass as they are.

    At most `components` are taken, divided by the deviation along the first, so that they are some 1 in size. Rows
    beyond 20,000 are left out by chance.
    """
    width = features.shape[1] - kept
    rows = np.random.default_rng(seed).permutation(len(features))[:_PCA_ROWS]
    taken = features[np.sort(rows), :width].astype(np.float32)
    pca = PCA(min(components, *taken.shape), random_state=seed).fit(taken)
    scale = max(float(np.sqrt(pca.explained_variance_[0])), 1e-6)
    matrix = np.zeros((width + kept, len(pca.components_) + kept), dtype=np.float32)
    matrix[:width, : len(pca.components_)] = pca.components_.T / scale
    matrix[width:, len(pca.components_) :] = np.eye(kept)
    return Reduction(np.append(pca.mean_, np.zeros(kept)).astype(np.float32), matrix)
