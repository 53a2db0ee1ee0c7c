"""A network of one convolution in compact's place: what a verb does with a network costs by its layers, not by pixels.

It has what the verbs can tell apart: a norm with statistics, both poolings, and the head with its dropout.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import pytest

from hemorrhage.models.backbones import MODELS
from hemorrhage.models.ends import average, center

FEATURES = 32
"""How many numbers the network makes of an image before its head."""


def build_small(images: Any) -> keras.Model:
    """Builds the network: 16 filters of 5 x 5, their means and their maxima."""
    convolution = keras.layers.Conv2D(16, 5, strides=2, use_bias=False, kernel_initializer="he_normal", name="stem")
    features = keras.layers.BatchNormalization(momentum=0.9, name="stem_norm")(convolution(center(images)))
    features = keras.layers.ReLU(name="stem_relu")(features)
    largest = keras.layers.GlobalMaxPooling2D(name="max_pool")(features)
    return keras.Model(images, keras.layers.Concatenate(name="pooled")([average(features), largest]))


@contextlib.contextmanager
def small_network() -> Iterator[None]:
    """Builds the small network wherever a model called compact is asked for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(MODELS, "compact", build_small)
        yield
