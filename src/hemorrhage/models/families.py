"""The networks of keras.applications and of efficientnet, each behind the scaling that its weights were trained on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from types import SimpleNamespace
from typing import Any

import keras

from hemorrhage.errors import HemorrhageError
from hemorrhage.models.ends import average, center, center_by_128, keep, standardize, subtract_caffe_means

Builder = Callable[[Any], keras.Model]
"""Makes of an input tensor the model that ends in pooled features, N x features."""


@dataclass(frozen=True)
class Application:
    """A network of keras.applications, and the scaling and settings that belong to it."""

    build: Callable[..., keras.Model]
    scale: Callable[[Any], Any]
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, images: Any) -> keras.Model:
        network = self.build(include_top=False, weights=None, input_tensor=self.scale(images), **self.settings)
        return _flatten(keras.Model(images, average(network.output)))


_OURS = {"include_preprocessing": False}
"""The scaling within is left out for our own, which takes any number of channels."""

APPLICATIONS = {
    "resnet50": Application(keras.applications.ResNet50, subtract_caffe_means),
    "effb0": Application(keras.applications.EfficientNetB0, keep),
    "effb2": Application(keras.applications.EfficientNetB2, keep),
    "effb4": Application(keras.applications.EfficientNetB4, keep),
    "effv2s": Application(keras.applications.EfficientNetV2S, center_by_128, _OURS),
    "densenet121": Application(keras.applications.DenseNet121, standardize),
    "densenet169": Application(keras.applications.DenseNet169, standardize),
    "convnext-t": Application(keras.applications.ConvNeXtTiny, standardize, _OURS),
    "xception": Application(keras.applications.Xception, center),
    "vgg16": Application(keras.applications.VGG16, subtract_caffe_means),
    "mobilenetv3": Application(keras.applications.MobileNetV3Large, center, _OURS),
    "mobilenetv3-small": Application(keras.applications.MobileNetV3Small, center, _OURS),
}


def build_as_published(name: str, size: int, channels: int) -> keras.Model | None:
    """Returns the bare network called `name` with its layers as in files of its weights; None where those fit ours.

    In order its weights are those of the flat network, but that kernels may have their axis of size 1 elsewhere.
    """
    if name != "convnext-t":
        return None
    application = APPLICATIONS[name]
    return application.build(
        include_top=False, weights=None, input_shape=(size, size, channels), **application.settings
    )


def _flatten(model: keras.Model) -> keras.Model:
    """Returns `model` with the layers of its Sequential parts as its own, and depthwise ones named so: ConvNeXt's.

    Its weights are drawn anew. A model without such parts returns as it is.
    """
    if not any(isinstance(layer, keras.Sequential) for layer in model.layers):
        return model

    def call(layer: keras.layers.Layer, *inputs: Any, **settings: Any) -> Any:
        if isinstance(layer, keras.Sequential):
            return reduce(lambda features, inner: inner(features), layer.layers, *inputs)
        return layer(*inputs, **settings)

    return keras.models.clone_model(model, call_function=call, clone_function=_copy)


def _copy(layer: keras.layers.Layer) -> keras.layers.Layer:
    """Returns a new layer like `layer`; for a convolution with a group a channel, the layer that is made for that.

    TensorFlow computes the former many times slower on a CPU.
    """
    if isinstance(layer, keras.layers.Conv2D) and layer.groups > 1 and layer.kernel.shape[2:] == (1, layer.groups):
        return keras.layers.DepthwiseConv2D(
            layer.kernel_size, strides=layer.strides, padding=layer.padding, use_bias=layer.use_bias, name=layer.name
        )
    return type(layer).from_config(layer.get_config())


def build_noisy_student_b4(images: Any) -> keras.Model:
    """Builds the `efficientnet` package's B4, whose layers differ in padding and order from keras.applications'."""
    try:
        from efficientnet import model as efficientnet
    except ImportError as error:  # Kaggle's image lacks the package, and the package does not declare `six`.
        raise HemorrhageError(
            f"effb4-ns: expected the packages efficientnet and six, received: {error}. "
            f"Run `pip install efficientnet six`, or use the model effb4."
        ) from error
    network = efficientnet.EfficientNetB4(
        include_top=False, weights=None, input_tensor=standardize(images), **_keras_for_efficientnet()
    )
    return keras.models.clone_model(keras.Model(images, average(network.output)), clone_function=_as_keras_layer)


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
