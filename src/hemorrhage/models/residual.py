"""Residual networks that keras.applications lacks, written from Keras' layers: compact, ResNet18 and ResNet34."""

from collections.abc import Sequence
from typing import Any

import keras

from hemorrhage.models.ends import average, center, standardize


def build_compact(images: Any) -> keras.Model:
    """Builds a residual network of 0.2 million parameters for 64..160 px, small enough to train on two CPU cores.

    Maxima are pooled beside the means, since a bleed may fill a few cells of the last 6 x 6 and vanish in a mean.
    """
    features = _convolve(center(images), 16, kernel=5, stride=2, name="stem")
    for stage, filters in enumerate((16, 32, 64, 96), start=1):
        features = _residual(features, filters, stride=1 if stage == 1 else 2, name=f"stage{stage}")
    largest = keras.layers.GlobalMaxPooling2D(name="max_pool")(features)
    return keras.Model(images, keras.layers.Concatenate(name="pooled")([average(features), largest]))


def build_resnet18(images: Any) -> keras.Model:
    """Builds ResNet18 (He et al. 2015, arXiv:1512.03385, table 1)."""
    return _resnet(images, blocks=(2, 2, 2, 2))


def build_resnet34(images: Any) -> keras.Model:
    """Builds ResNet34 (He et al. 2015, arXiv:1512.03385, table 1)."""
    return _resnet(images, blocks=(3, 4, 6, 3))


def _resnet(images: Any, blocks: Sequence[int]) -> keras.Model:
    """Builds a ResNet of basic blocks, with projections where the shape changes (the paper's option B)."""
    features = _convolve(standardize(images), 64, kernel=7, stride=2, name="stem")
    features = keras.layers.MaxPooling2D(3, strides=2, padding="same", name="stem_pool")(features)
    for stage, (count, filters) in enumerate(zip(blocks, (64, 128, 256, 512), strict=True), start=1):
        for block in range(1, count + 1):
            stride = 2 if stage > 1 and block == 1 else 1
            features = _residual(features, filters, stride, f"stage{stage}_block{block}", pool_shortcut=False)
    return keras.Model(images, average(features))


def _residual(features: Any, filters: int, stride: int, name: str, pool_shortcut: bool = True) -> Any:
    """Two convolutions beside a shortcut, which is projected where the shape changes.

    Before that it is pooled (ResNet-D), or else the projection takes one place of each 2 x 2 (ResNet).
    """
    inner = _convolve(features, filters, kernel=3, stride=stride, name=f"{name}_a")
    inner = _convolve(inner, filters, kernel=3, stride=1, name=f"{name}_b", activate=False)
    if stride > 1 and pool_shortcut:
        features = keras.layers.AveragePooling2D(stride, padding="same", name=f"{name}_shortcut_pool")(features)
        stride = 1
    if features.shape[-1] != filters:
        features = _convolve(features, filters, kernel=1, stride=stride, name=f"{name}_shortcut", activate=False)
    return keras.layers.ReLU(name=f"{name}_out")(keras.layers.Add(name=f"{name}_add")([features, inner]))


def _convolve(features: Any, filters: int, kernel: int, stride: int, name: str, activate: bool = True) -> Any:
    convolution = keras.layers.Conv2D(
        filters, kernel, strides=stride, padding="same", use_bias=False, kernel_initializer="he_normal", name=name
    )
    features = keras.layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(convolution(features))
    return keras.layers.ReLU(name=f"{name}_relu")(features) if activate else features
