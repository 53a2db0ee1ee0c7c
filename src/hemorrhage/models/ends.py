"""Both ends of every backbone: how images of 0..255 are scaled for it, and how its last features are averaged."""

from typing import Any

import keras

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)
"""Of the RGB channels in 0..1, as keras.applications (mode "torch") and efficientnet both have them."""

CAFFE_MEAN_BGR = (103.939, 116.779, 123.68)
"""Of the channels in 0..255, in the order that the ImageNet weights of keras.applications' mode "caffe" want."""

FIRST_HEAD_LAYER = "average_pool"


def keep(images: Any) -> Any:
    """Returns `images` as they are: the network scales them itself."""
    return images


def center(images: Any) -> Any:
    """Returns `images` in -1..1 (mode "tf" of keras.applications)."""
    return keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="scaling")(images)


def center_by_128(images: Any) -> Any:
    """Returns images / 128 - 1, as EfficientNetV2-S was trained on: 255 becomes 0.992."""
    return keras.layers.Rescaling(1 / 128, offset=-1.0, name="scaling")(images)


def standardize(images: Any) -> Any:
    """Returns (images / 255 - mean) / deviation (mode "torch"), as channel_statistics has these."""
    mean, deviation = channel_statistics(images.shape[-1])
    scale = [1 / (255 * one) for one in deviation]
    offset = [-m / d for m, d in zip(mean, deviation, strict=True)]
    return keras.layers.Rescaling(scale, offset=offset, name="scaling")(images)


def subtract_caffe_means(images: Any) -> Any:
    """Returns every three channels in BGR less ImageNet's means (mode "caffe"); numbers of others in -1..1."""
    channels = images.shape[-1]
    if channels % 3:
        return center(images)
    offset = [-mean for mean in CAFFE_MEAN_BGR] * (channels // 3)
    turned = [channel for first in range(0, channels, 3) for channel in (first + 2, first + 1, first)]
    return keras.layers.Rescaling(1.0, offset=offset, name="scaling")(keras.ops.take(images, turned, axis=-1))


def channel_statistics(channels: int) -> tuple[list[float], list[float]]:
    """Returns each channel's mean and deviation in 0..1: ImageNet's for every three, else those that lead to -1..1."""
    if channels % 3 == 0:
        return list(IMAGENET_MEAN) * (channels // 3), list(IMAGENET_DEVIATION) * (channels // 3)
    return [0.5] * channels, [0.5] * channels


def average(features: Any) -> Any:
    """Returns the mean of N x h x w x F features over their places, N x F."""
    return keras.layers.GlobalAveragePooling2D(name=FIRST_HEAD_LAYER)(features)
