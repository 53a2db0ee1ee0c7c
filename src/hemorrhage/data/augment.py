"""Training images changed at random, the same way for the same (seed, epoch, index) whatever the threads."""

from collections.abc import Callable

import numpy as np

from hemorrhage.data.augment_opencv import OpencvEngine
from hemorrhage.data.augment_steps import Erase
from hemorrhage.data.recipes import RECIPES, Erasing, Recipe, find_recipe

__all__ = ["RECIPES", "Augmentation", "Erasing", "Recipe", "find_recipe"]

_ERASING_STREAM = 0x457261
Engine = Callable[[np.ndarray, np.random.SeedSequence], np.ndarray]


class Augmentation:
    """A recipe for images of one size, and what is erased after it; callable from any thread."""

    def __init__(self, recipe: Recipe, size: int, seed: int, erasing: Erasing | None = None) -> None:
        self._seed = seed
        self._erasing = erasing
        self._engine = _build_engine(recipe, size, seed)

    def __call__(self, image: np.ndarray, epoch: int, index: int) -> np.ndarray:
        """Returns the augmented image, uint8 H x W x C as it came; `index` is the image's place in the epoch's draw."""
        changed = image
        if self._engine is not None:
            changed = self._engine(image, np.random.SeedSequence([self._seed, epoch, index]))
        if self._erasing is None:
            return changed
        # Draws of its own, so that the recipe does the same to an image whether or not a part is erased.
        rng = np.random.default_rng([self._seed, epoch, index, _ERASING_STREAM])
        return draw_erase(self._erasing, image.shape, rng)(changed.copy())


def draw_erase(erasing: Erasing, shape: tuple[int, ...], rng: np.random.Generator) -> Erase:
    """Returns what is erased of one image of the shape (H, W, C); a box without pixels where it is nothing.

    The box has the square roots of two draws from the scale as its shares of height and width; it is filled with
    normal noise of a deviation of 255, held in 0 to 255, as keras.layers.RandomErasing has it.
    """
    if rng.random() >= erasing.probability:
        return Erase(0, 0, np.empty((0, 0, shape[2]), np.uint8))
    rows, columns = (round(shape[axis] * erasing.scale.at(rng.random()) ** 0.5) for axis in (0, 1))
    top, left = rng.integers(0, [shape[0] - rows, shape[1] - columns], endpoint=True).tolist()
    noise = 255 * rng.standard_normal((rows, columns, shape[2]), np.float32)
    return Erase(left, top, np.clip(noise, 0, 255).astype(np.uint8))


def _build_engine(recipe: Recipe, size: int, seed: int) -> Engine | None:
    if recipe.ranges is None:
        return None
    if recipe.engine == "opencv":
        return OpencvEngine(recipe.ranges, size, seed)
    # Imported where it is asked for: imgaug takes over a second to import, and Kaggle's image lacks it.
    from hemorrhage.data.augment_imgaug import ImgaugEngine

    return ImgaugEngine(recipe.ranges, size)
