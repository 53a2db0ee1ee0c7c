"""Training images changed at random, the same way for the same (seed, epoch, index) whatever the threads."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hemorrhage.data.imgaug_numpy2 import augmenters
from hemorrhage.errors import HemorrhageError


@dataclass(frozen=True)
class Recipe:
    """A named way to augment: how its imgaug augmenter is built for an image size, and what it shows a network."""

    name: str
    shows: frozenset[str]
    build: Callable[[int], augmenters.Augmenter] | None


def _build_original(size: int) -> augmenters.Augmenter:
    """The original author's recipe for EfficientNet-B4 at 256 px; its crop of up to 25 px grows with the size."""
    return augmenters.Sequential(
        [
            augmenters.Fliplr(0.25),
            augmenters.Flipud(0.10),
            augmenters.AdditiveGaussianNoise(scale=(0, 0.05 * 255), per_channel=0.5),
            augmenters.Sometimes(0.5, augmenters.GaussianBlur(sigma=(0, 0.5))),
            augmenters.LinearContrast((0.75, 1.5)),
            augmenters.Sometimes(0.25, augmenters.Crop(px=(0, round(25 * size / 256)), keep_size=True)),
        ],
        random_order=True,
    )


def _build_geometric(size: int) -> augmenters.Augmenter:
    """Where and how large the head lies, and a little contrast; one warp, so that pixels are resampled once."""
    return augmenters.Sequential(
        [
            augmenters.Fliplr(0.5),
            augmenters.Affine(
                rotate=(-30, 30), scale=(0.9, 1.15), translate_percent={"x": (-0.05, 0.05), "y": (-0.05, 0.05)}
            ),
            augmenters.Sometimes(0.5, augmenters.Crop(px=(0, max(1, size // 10)), keep_size=True)),
            augmenters.LinearContrast((0.85, 1.15)),
        ]
    )


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe("none", frozenset(), None),
        Recipe("original", frozenset({"mirror", "crop"}), _build_original),
        Recipe("geometric", frozenset({"mirror", "turn", "crop"}), _build_geometric),
    )
}


def find_recipe(name: str) -> Recipe:
    """Returns the recipe of that name; raises HemorrhageError, listing the known ones, for another."""
    if name not in RECIPES:
        raise HemorrhageError(f"Expected an augmentation out of {', '.join(RECIPES)}; received {name!r}.")
    return RECIPES[name]


class Augmentation:
    """A recipe for images of one size, callable from any thread.

    imgaug's augmenters carry their random state, so each thread builds its own and seeds it for every image.
    """

    def __init__(self, recipe: Recipe, size: int, seed: int) -> None:
        self._recipe = recipe
        self._size = size
        self._seed = seed
        self._of_thread = threading.local()

    def __call__(self, image: np.ndarray, epoch: int, index: int) -> np.ndarray:
        """Returns the augmented image, uint8 H x W x C as it came; `index` is the image's place in the epoch's draw."""
        if self._recipe.build is None:
            return image
        augmenter = self._augmenter()
        augmenter.seed_(int(np.random.SeedSequence([self._seed, epoch, index]).generate_state(1)[0]))
        return augmenter(image=image)

    def _augmenter(self) -> augmenters.Augmenter:
        if not hasattr(self._of_thread, "augmenter") and self._recipe.build is not None:
            self._of_thread.augmenter = self._recipe.build(self._size)
        return self._of_thread.augmenter
