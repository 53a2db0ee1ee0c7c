"""Training images changed at random, the same way for the same (seed, epoch, index) whatever the threads."""

from collections.abc import Callable

import numpy as np

from hemorrhage.data.augment_opencv import OpencvEngine
from hemorrhage.data.recipes import RECIPES, Recipe, find_recipe

__all__ = ["RECIPES", "Augmentation", "Recipe", "find_recipe"]

Engine = Callable[[np.ndarray, np.random.SeedSequence], np.ndarray]


class Augmentation:
    """A recipe for images of one size, callable from any thread."""

    def __init__(self, recipe: Recipe, size: int, seed: int) -> None:
        self._seed = seed
        self._engine = _build_engine(recipe, size, seed)

    def __call__(self, image: np.ndarray, epoch: int, index: int) -> np.ndarray:
        """Returns the augmented image, uint8 H x W x C as it came; `index` is the image's place in the epoch's draw."""
        if self._engine is None:
            return image
        return self._engine(image, np.random.SeedSequence([self._seed, epoch, index]))


def _build_engine(recipe: Recipe, size: int, seed: int) -> Engine | None:
    if recipe.ranges is None:
        return None
    if recipe.engine == "opencv":
        return OpencvEngine(recipe.ranges, size, seed)
    # Imported where it is asked for: imgaug takes over a second to import, and Kaggle's image lacks it.
    from hemorrhage.data.augment_imgaug import ImgaugEngine

    return ImgaugEngine(recipe.ranges, size)
