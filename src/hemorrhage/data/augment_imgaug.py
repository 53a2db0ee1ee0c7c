"""Recipes carried out by imgaug itself: what the faster engine is held against."""

import threading

import numpy as np

from hemorrhage.data.imgaug_numpy2 import augmenters
from hemorrhage.data.recipes import Affine, Blur, Crop, Noise, Ranges, Span


class ImgaugEngine:
    """Changes images as imgaug does; callable from any thread.

    imgaug's augmenters carry their random state, so each thread builds its own and seeds it for every image.
    """

    def __init__(self, ranges: Ranges, size: int) -> None:
        self._ranges = ranges
        self._size = size
        self._of_thread = threading.local()

    def __call__(self, image: np.ndarray, seeds: np.random.SeedSequence) -> np.ndarray:
        """Returns the changed image, uint8 H x W x C as it came; equal seeds draw the same change."""
        augmenter = self._augmenter()
        augmenter.seed_(int(seeds.generate_state(1)[0]))
        return augmenter(image=image)

    def _augmenter(self) -> augmenters.Augmenter:
        if not hasattr(self._of_thread, "augmenter"):
            self._of_thread.augmenter = build_augmenter(self._ranges, self._size)
        return self._of_thread.augmenter


def build_augmenter(ranges: Ranges, size: int) -> augmenters.Augmenter:
    """Returns imgaug's augmenter for the ranges and images of `size` pixels."""
    children = [augmenters.Fliplr(ranges.mirror)]
    if ranges.flip:
        children.append(augmenters.Flipud(ranges.flip))
    if ranges.affine is not None:
        children.append(_build_affine(ranges.affine))
    if ranges.crop is not None:
        children.append(_build_crop(ranges.crop, size))
    if ranges.noise is not None:
        children.append(_build_noise(ranges.noise))
    if ranges.blur is not None:
        children.append(_build_blur(ranges.blur))
    children.append(augmenters.LinearContrast(_pair(ranges.contrast)))
    return augmenters.Sequential(children, random_order=ranges.random_order)


def _build_affine(affine: Affine) -> augmenters.Augmenter:
    shift = {"x": _pair(affine.shift), "y": _pair(affine.shift)}
    return augmenters.Affine(rotate=_pair(affine.turn_degrees), scale=_pair(affine.zoom), translate_percent=shift)


def _build_crop(crop: Crop, size: int) -> augmenters.Augmenter:
    return augmenters.Sometimes(crop.probability, augmenters.Crop(px=(0, crop.limit(size)), keep_size=True))


def _build_noise(noise: Noise) -> augmenters.Augmenter:
    return augmenters.AdditiveGaussianNoise(scale=_pair(noise.deviation), per_channel=noise.per_channel)


def _build_blur(blur: Blur) -> augmenters.Augmenter:
    return augmenters.Sometimes(blur.probability, augmenters.GaussianBlur(sigma=_pair(blur.sigma)))


def _pair(span: Span) -> tuple[float, float]:
    return span.low, span.high
