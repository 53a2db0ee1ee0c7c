"""Where in a slice the evidence for a label lies: Grad-CAM and its kin, of every network, in closed form.

Every network ends in pooling, means alone or means beside maxima, and one Dense layer. So the gradient of a logit by
the last features needs no backend: at each place it is the kernel of the mean over the number of places, and where a
feature has its maximum the kernel of the maximum beside it. These lines serve TensorFlow, JAX and PyTorch, nothing is
traced anew for a label, and a sigmoid that is saturated, whose own gradient is nothing, is left out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import keras
import numpy as np

from hemorrhage.data.labels import LABELS, label_index
from hemorrhage.errors import HemorrhageError
from hemorrhage.models.backbones import head_layers
from hemorrhage.models.ends import FIRST_HEAD_LAYER

# Features are some thousand numbers a place; so many images at a time bound what they take.
_BATCHES_A_CALL = 4


@dataclass(frozen=True)
class Head:
    """The kernels of the last layer, float32 F x 6: of the features' means, and of their maxima where it has them."""

    of_means: np.ndarray
    of_maxima: np.ndarray | None


@dataclass(frozen=True)
class Explained:
    """Of N images float32 N x labels x h x w maps, as explain_images has them, and N x 6 probabilities."""

    maps: np.ndarray
    probabilities: np.ndarray


@dataclass(frozen=True)
class ExplainableNetwork:
    """A network whose last features can be seen: `seen` gives them, N x h x w x F, and the probabilities."""

    seen: keras.Model
    head: Head

    def explain(
        self, images: np.ndarray, labels: Sequence[str], method: str = "grad-cam", batch_size: int = 32
    ) -> Explained:
        """Returns maps and probabilities of uint8 images N x H x W x C; the rest is as in explain_images."""
        require_method(method)
        require_labels(labels)
        self._require_images(images)
        height, width = self.seen.output_shape[0][1:3]
        parts = [Explained(np.empty((0, len(labels), height, width), np.float32), np.empty((0, len(LABELS))))]
        for start in range(0, len(images), batch_size * _BATCHES_A_CALL):
            chunk = images[start : start + batch_size * _BATCHES_A_CALL]
            features, probabilities = self.seen.predict(chunk, batch_size=batch_size, verbose=0)
            maps = [draw_maps(features, self.head, label, method) for label in labels]
            parts.append(Explained(np.stack(maps, axis=1) if maps else parts[0].maps, probabilities))
        return Explained(
            np.concatenate([part.maps for part in parts]), np.concatenate([part.probabilities for part in parts])
        )

    def _require_images(self, images: np.ndarray) -> None:
        if images.ndim != 4 or images.shape[1:] != self.seen.input_shape[1:]:
            expected = " x ".join(map(str, self.seen.input_shape[1:]))
            raise HemorrhageError(
                f"{self.seen.name}: expected images N x {expected}, received {' x '.join(map(str, images.shape))}."
            )


def explain_images(
    model: keras.Model, images: np.ndarray, labels: Sequence[str], method: str = "grad-cam", batch_size: int = 32
) -> np.ndarray:
    """Returns where in each image the evidence for each label lies, float32 N x len(labels) x h x w.

    `images` are uint8 N x H x W x C as the network sees them; h x w are the places of its last features. No map is
    below 0, and its maximum is 1, or 0 where nothing speaks for the label: it says where, not how probable. `method`
    is "grad-cam" (Selvaraju et al. 2017, arXiv:1610.02391), "grad-cam++" (Chattopadhay et al. 2018, arXiv:1710.11063)
    or "hires-cam" (Draelos and Carin 2020, arXiv:2011.08891). Raises HemorrhageError for another method, an unknown
    label, images of another shape, or a network that does not end in pooling and one Dense layer.
    """
    return open_explainable(model).explain(images, labels, method, batch_size).maps


def open_explainable(model: keras.Model) -> ExplainableNetwork:
    """Returns `model`, sharing its layers, ready to explain; errors as in explain_images. To be kept for many calls."""
    features = model.get_layer(FIRST_HEAD_LAYER).input
    seen = keras.Model(model.input, [features, model.output], name=model.name)
    return ExplainableNetwork(seen, read_head(model))


def read_head(model: keras.Model) -> Head:
    """Returns the kernels of the model's head; raises HemorrhageError for one that is not as in models.backbones."""
    layers = {layer.name: layer for layer in head_layers(model)}
    average, last = layers.get(FIRST_HEAD_LAYER), layers.get("probabilities")
    if not isinstance(average, keras.layers.GlobalAveragePooling2D) or not isinstance(last, keras.layers.Dense):
        raise HemorrhageError(f"{model.name}: expected a head of pooling and one Dense layer, found {list(layers)}.")
    kernel = keras.ops.convert_to_numpy(last.kernel).astype(np.float32)
    features = average.input.shape[-1]
    rows = features * (2 if "max_pool" in layers else 1)
    if len(kernel) != rows:
        raise HemorrhageError(f"{model.name}: expected a last kernel of {rows} rows, received {len(kernel)}.")
    return Head(kernel[:features], kernel[features:] if "max_pool" in layers else None)


def draw_maps(features: np.ndarray, head: Head, label: str, method: str) -> np.ndarray:
    """Returns the maps of one label, float32 N x h x w, of N x h x w x F features; see explain_images."""
    # Half precision would lose what is summed over hundreds of places.
    features = features.astype(np.float32)
    weights = _METHODS[method](features, differentiate_head(features, head, label))
    maps = np.maximum((features * weights).sum(axis=-1), 0)
    largest = maps.max(axis=(1, 2), keepdims=True)
    return np.divide(maps, largest, out=np.zeros_like(maps), where=largest > 0)


def differentiate_head(features: np.ndarray, head: Head, label: str) -> np.ndarray:
    """Returns the gradient of the label's logit by the features, float32 N x h x w x F like these.

    Where several places share a feature's maximum, they share its gradient, as in TensorFlow, JAX and PyTorch.
    """
    column = label_index(label)
    _, height, width, _ = features.shape
    gradients = np.broadcast_to(head.of_means[:, column] / (height * width), features.shape)
    if head.of_maxima is None:
        return gradients
    is_largest = features == features.max(axis=(1, 2), keepdims=True)
    sharing = is_largest.sum(axis=(1, 2), keepdims=True, dtype=np.float32)
    return gradients + is_largest * (head.of_maxima[:, column] / sharing)


def weigh_by_mean(features: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """Returns Grad-CAM's weight of each feature, N x 1 x 1 x F: its mean gradient (equation 1 of the paper)."""
    return gradients.mean(axis=(1, 2), keepdims=True)


def weigh_by_positive(features: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """Returns Grad-CAM++'s weight of each feature, N x 1 x 1 x F: a sum of positive gradients, weighted.

       Equations 5 and 19 of the paper.
    The score is the exponential of the logit, as in the paper. Its own factor is the same for all features of an image
       and goes with the scaling of the map.
    """
    squares = gradients**2
    below = 2 * squares + features.sum(axis=(1, 2), keepdims=True) * gradients**3
    # The paper has features behind a ReLU, and so a denominator above 0. Others get no weight where it is not.
    shares = np.divide(squares, below, out=np.zeros_like(squares), where=below > 0)
    return (shares * np.maximum(gradients, 0)).sum(axis=(1, 2), keepdims=True)


def weigh_each_place(features: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """Returns HiResCAM's weights, N x h x w x F: the gradients themselves, each at its own place.

    Where heads also pool maxima, only this puts what a maximum adds to the logit where the maximum is: the whole map
    before its cut at 0 sums to the logit without its bias.
    """
    return gradients


_METHODS: Mapping[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "grad-cam": weigh_by_mean,
    "grad-cam++": weigh_by_positive,
    "hires-cam": weigh_each_place,
}


def require_method(method: str) -> None:
    """Raises HemorrhageError for an unknown method."""
    if method not in _METHODS:
        raise HemorrhageError(f"Expected a method out of {', '.join(_METHODS)}; received {method!r}.")


def require_labels(labels: Sequence[str]) -> None:
    """Raises HemorrhageError for an unknown label."""
    unknown = [label for label in labels if label not in LABELS]
    if unknown:
        raise HemorrhageError(f"Expected labels out of {', '.join(LABELS)}; received {', '.join(map(repr, unknown))}.")
