"""The networks: 0..255 images in, six probabilities out, each with its own scaling inside the graph.

Every model is flat: the layers of the backbone are the model's own, so that Grad-CAM can reach any of them. Nothing
but Keras' own layers and operations is used, so that a `.keras` file opens with Keras alone.
"""

import keras
import numpy as np

from hemorrhage.data.labels import LABELS
from hemorrhage.errors import HemorrhageError
from hemorrhage.models.ends import FIRST_HEAD_LAYER, channel_statistics
from hemorrhage.models.families import APPLICATIONS, Builder, build_noisy_student_b4
from hemorrhage.models.names import MODEL_NAMES
from hemorrhage.models.residual import build_compact, build_resnet18, build_resnet34

_BUILDERS: dict[str, Builder] = {
    "compact": build_compact,
    "resnet18": build_resnet18,
    "resnet34": build_resnet34,
    "effb4-ns": build_noisy_student_b4,
    **APPLICATIONS,
}

MODELS: dict[str, Builder] = {name: _BUILDERS[name] for name in MODEL_NAMES}
"""The networks by name."""

SMALLEST_SIZE = 32
"""Every network computes from here up; of Xception keras.applications itself asks for 71 px, but not the layers."""

_HEAD_LAYERS = (FIRST_HEAD_LAYER, "max_pool", "pooled", "dropout", "probabilities")


def build_model(name: str, size: int, channels: int = 3, dropout: float = 0.2, seed: int = 0) -> keras.Model:
    """Returns the network called `name` with random weights drawn from `seed`.

    Its input "images" takes N x size x size x channels, uint8 or float values 0..255; its output "probabilities" is
    N x 6 in the order of LABELS, float32 under any precision policy. The draw sets the global seeds of Python, NumPy
    and the backend to `seed`, because the initializers of keras.applications know no other source.
    Raises HemorrhageError for an unknown name or a size below 32 px.
    """
    if name not in MODELS:
        raise HemorrhageError(f"Expected a model named one of {', '.join(MODELS)}, received {name!r}.")
    if size < SMALLEST_SIZE or channels < 1:
        raise HemorrhageError(
            f"{name}: expected images of at least {SMALLEST_SIZE} px and 1 channel, received {size} px and {channels}."
        )
    keras.utils.set_random_seed(seed)
    backbone = MODELS[name](keras.Input((size, size, channels), name="images"))
    pooled = keras.layers.Dropout(dropout, name="dropout")(backbone.output)
    # A float16 sigmoid rounds small probabilities to 0, and log loss punishes exactly those.
    head = keras.layers.Dense(len(LABELS), activation="sigmoid", dtype="float32", name="probabilities")
    model = keras.Model(backbone.input, head(pooled), name=name)
    reset_normalization(model)
    return model


def backbone_of(model: keras.Model) -> keras.Model:
    """Returns the part of `model` before its pooling, sharing its layers: images in, N x h x w x features out."""
    return keras.Model(model.input, model.get_layer(FIRST_HEAD_LAYER).input, name=f"{model.name}_backbone")


def head_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """Returns the layers after the backbone, in order: pooling, dropout and the six probabilities."""
    return [layer for layer in model.layers if layer.name in _HEAD_LAYERS]


def set_backbone_trainable(model: keras.Model, trainable: bool) -> None:
    """Freezes or frees every layer of `model` but its head; takes effect when the model is compiled next.

    A frozen BatchNormalization also runs in inference mode, on the means and variances that it was loaded with.
    """
    head = head_layers(model)
    for layer in model.layers:
        if layer not in head:
            layer.trainable = trainable


def seed_layers(model: keras.Model, seed: int, epoch: int, step: int) -> None:
    """Sets what the layers that draw at random, such as dropout, draw from here on: a function of (seed, epoch, step).

    Keras does not save the state of its seed generators, so that a run which is resumed would draw something else.
    """
    generators = [layer.seed_generator for layer in model.layers if hasattr(layer, "seed_generator")]
    states = np.random.SeedSequence([seed, epoch, step]).generate_state(len(generators))
    for generator, state in zip(generators, states, strict=True):
        # A state is a seed, kept within 31 bits for every backend's dtype, and a count of draws.
        generator.state.assign([int(state) % 2**31, 0])


def reset_normalization(model: keras.Model) -> None:
    """Sets EfficientNet's inner Normalization so that its input becomes (x/255 - mean) / deviation; others have none.

    To be called after weights are loaded: keras.applications' ImageNet files hold the deviation in the variance's
    place and rely on one more Rescaling, which is in the graph with weights="imagenet" alone; files saved from random
    weights hold mean 0 and variance 1.
    """
    mean, deviation = channel_statistics(model.input_shape[-1])
    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.adapt_mean.assign(mean)
            layer.adapt_variance.assign([value**2 for value in deviation])
            layer.finalize_state()
