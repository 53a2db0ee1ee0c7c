"""The networks: 0..255 images in, six probabilities out, each with its own scaling inside the graph.

Every model is flat: the layers of the backbone are the model's own, so that Grad-CAM can reach any of them. Nothing
but Keras' own layers and operations is used, so that a `.keras` file opens with Keras alone.
"""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np

from hemorrhage.data.labels import LABELS
from hemorrhage.errors import HemorrhageError

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)
"""Of the RGB channels in 0..1, as keras.applications and efficientnet both have them."""

CAFFE_MEAN_BGR = (103.939, 116.779, 123.68)
"""Of the channels in 0..255, in the order that ResNet50's ImageNet weights want (keras.applications, mode "caffe")."""

SMALLEST_SIZE = 32

_FIRST_HEAD_LAYER = "average_pool"
_HEAD_LAYERS = (_FIRST_HEAD_LAYER, "max_pool", "pooled", "dropout", "probabilities")


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
    return keras.Model(model.input, model.get_layer(_FIRST_HEAD_LAYER).input, name=f"{model.name}_backbone")


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
    mean, deviation = _statistics(model.input_shape[-1])
    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.adapt_mean.assign(mean)
            layer.adapt_variance.assign([value**2 for value in deviation])
            layer.finalize_state()


def _statistics(channels: int) -> tuple[list[float], list[float]]:
    """Returns each channel's mean and deviation in 0..1: ImageNet's for three, else those that lead to -1..1."""
    if channels == len(IMAGENET_MEAN):
        return list(IMAGENET_MEAN), list(IMAGENET_DEVIATION)
    return [0.5] * channels, [0.5] * channels


def _resnet50(images: Any) -> keras.Model:
    if images.shape[-1] == len(CAFFE_MEAN_BGR):
        bgr = keras.ops.flip(images, axis=-1)
        scaled = keras.layers.Rescaling(1.0, offset=[-mean for mean in CAFFE_MEAN_BGR], name="scaling")(bgr)
    else:
        scaled = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="scaling")(images)
    network = keras.applications.ResNet50(include_top=False, weights=None, input_tensor=scaled)
    return keras.Model(images, _average(network.output))


def _efficientnet_b2(images: Any) -> keras.Model:
    network = keras.applications.EfficientNetB2(include_top=False, weights=None, input_tensor=images)
    return keras.Model(images, _average(network.output))


def _efficientnet_b4(images: Any) -> keras.Model:
    network = keras.applications.EfficientNetB4(include_top=False, weights=None, input_tensor=images)
    return keras.Model(images, _average(network.output))


def _efficientnet_b4_noisy_student(images: Any) -> keras.Model:
    """Builds the `efficientnet` package's B4, whose layers differ in padding and order from keras.applications'."""
    try:
        from efficientnet import model as efficientnet
    except ImportError as error:  # Kaggle's image lacks the package, and the package does not declare `six`.
        raise HemorrhageError(
            f"effb4-ns: expected the packages efficientnet and six, received: {error}. "
            f"Run `pip install efficientnet six`, or use the model effb4."
        ) from error
    mean, deviation = _statistics(images.shape[-1])
    scale = [1 / (255 * d) for d in deviation]
    offset = [-m / d for m, d in zip(mean, deviation, strict=True)]
    scaled = keras.layers.Rescaling(scale, offset=offset, name="scaling")(images)
    network = efficientnet.EfficientNetB4(
        include_top=False, weights=None, input_tensor=scaled, **_keras_for_efficientnet()
    )
    return keras.models.clone_model(keras.Model(images, _average(network.output)), clone_function=_as_keras_layer)


def _keras_for_efficientnet() -> dict[str, Any]:
    """Returns the modules that the package wants handed in: Keras 3 for any backend, where it would take tf.keras."""
    backend = SimpleNamespace(
        backend=lambda: "any",  # For "tensorflow" the package would import tensorflow.python.keras, which is Keras 2.
        image_data_format=keras.config.image_data_format,
        is_keras_tensor=keras.utils.is_keras_tensor,
        sigmoid=keras.ops.sigmoid,
    )
    return {"backend": backend, "layers": keras.layers, "models": keras.models, "utils": keras.utils}


def _as_keras_layer(layer: keras.layers.Layer) -> keras.layers.Layer:
    """Returns a new layer like `layer`, with the package's own swish and FixedDropout replaced by Keras' equals."""
    config = layer.get_config()
    if isinstance(layer, keras.layers.Dropout):
        return keras.layers.Dropout.from_config(config)
    if getattr(getattr(layer, "activation", None), "__name__", "") == "swish":
        config["activation"] = "silu"
    return type(layer).from_config(config)


def _compact(images: Any) -> keras.Model:
    """Builds a residual network of 0.2 million parameters for 64..160 px, small enough to train on two CPU cores.

    Maxima are pooled beside the means, since a bleed may fill a few cells of the last 6 x 6 and vanish in a mean.
    """
    features = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="scaling")(images)
    features = _convolve(features, 16, kernel=5, stride=2, name="stem")
    for stage, filters in enumerate((16, 32, 64, 96), start=1):
        features = _residual(features, filters, stride=1 if stage == 1 else 2, name=f"stage{stage}")
    largest = keras.layers.GlobalMaxPooling2D(name="max_pool")(features)
    return keras.Model(images, keras.layers.Concatenate(name="pooled")([_average(features), largest]))


def _residual(features: Any, filters: int, stride: int, name: str) -> Any:
    """Two convolutions beside a shortcut, which is pooled and projected where the shape changes (ResNet-D)."""
    inner = _convolve(features, filters, kernel=3, stride=stride, name=f"{name}_a")
    inner = _convolve(inner, filters, kernel=3, stride=1, name=f"{name}_b", activate=False)
    if stride > 1:
        features = keras.layers.AveragePooling2D(stride, padding="same", name=f"{name}_shortcut_pool")(features)
    if features.shape[-1] != filters:
        features = _convolve(features, filters, kernel=1, stride=1, name=f"{name}_shortcut", activate=False)
    return keras.layers.ReLU(name=f"{name}_out")(keras.layers.Add(name=f"{name}_add")([features, inner]))


def _convolve(features: Any, filters: int, kernel: int, stride: int, name: str, activate: bool = True) -> Any:
    convolution = keras.layers.Conv2D(
        filters, kernel, strides=stride, padding="same", use_bias=False, kernel_initializer="he_normal", name=name
    )
    features = keras.layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(convolution(features))
    return keras.layers.ReLU(name=f"{name}_relu")(features) if activate else features


def _average(features: Any) -> Any:
    return keras.layers.GlobalAveragePooling2D(name=_FIRST_HEAD_LAYER)(features)


MODELS: dict[str, Callable[[Any], keras.Model]] = {
    "compact": _compact,
    "resnet50": _resnet50,
    "effb2": _efficientnet_b2,
    "effb4": _efficientnet_b4,
    "effb4-ns": _efficientnet_b4_noisy_student,
}
"""By name, what makes of an input tensor the model that ends in pooled features, N x features."""
