"""Recipes carried out by OpenCV: imgaug's pictures, drawn alike, in a small part of its time."""

from collections.abc import Callable

import numpy as np

from hemorrhage.data.augment_steps import AddNoise, Frame, SetContrast, Soften
from hemorrhage.data.recipes import Affine, Blur, Crop, Noise, Ranges

Step = Callable[[np.ndarray], np.ndarray]

# Drawing normal numbers is most of imgaug's time for the original recipe. They are drawn once instead, and every image
# adds a stretch of them that starts at random. Within an image they are as independent, and as normal, as fresh ones;
# two images can share numbers, but the same number at the same pixel only once in some 4 million pairs.
_BANK_LENGTH = 2**22


class OpencvEngine:
    """Changes images by the ranges of a recipe; callable from any thread, since it keeps no random state."""

    def __init__(self, ranges: Ranges, size: int, seed: int) -> None:
        self._ranges = ranges
        self._size = size
        self._bank = np.random.default_rng(seed).standard_normal(_BANK_LENGTH if ranges.noise else 0, np.float32)

    def __call__(self, image: np.ndarray, seeds: np.random.SeedSequence) -> np.ndarray:
        """Returns the changed image, uint8 H x W x C as it came; equal seeds draw the same change."""
        # An SFC64 is ready in a third of the time of NumPy's default generator.
        rng = np.random.Generator(np.random.SFC64(seeds))
        changed = image.copy()
        for step in self.draw_steps(image.shape, rng):
            # OpenCV drops the last axis of an image of one channel.
            changed = step(changed).reshape(image.shape)
        return changed

    def draw_steps(self, shape: tuple[int, ...], rng: np.random.Generator) -> list[Step]:
        """Returns what happens, in order, to one image of the shape (H, W, C).

        Where imgaug shuffles its augmenters, mirroring and flipping are left in one step with the crop: they change
        places with all others without a difference, as noise and crops do not tell left from right.
        """
        ranges = self._ranges
        steps: list[Step] = [_draw_frame(ranges, self._size, shape, rng), SetContrast(ranges.contrast.at(rng.random()))]
        if ranges.blur is not None:
            steps[1:1] = _draw_blur(ranges.blur, rng)
        if ranges.noise is not None:
            steps.insert(1, self._draw_noise(ranges.noise, shape, rng))
        return [steps[place] for place in rng.permutation(len(steps))] if ranges.random_order else steps

    def _draw_noise(self, noise: Noise, shape: tuple[int, ...], rng: np.random.Generator) -> Step:
        deviation = noise.deviation.at(rng.random())
        rows, columns, channels = shape
        count = rows * columns * (channels if rng.random() < noise.per_channel else 1)
        if 2 * count > len(self._bank):
            return AddNoise(deviation, rng.standard_normal(count, np.float32))
        start = int(rng.random() * (len(self._bank) - count))
        return AddNoise(deviation, self._bank[start : start + count])


def _draw_frame(ranges: Ranges, size: int, shape: tuple[int, ...], rng: np.random.Generator) -> Frame:
    mirror, flip = rng.random() < ranges.mirror, rng.random() < ranges.flip
    turn_degrees, zoom, shift_right, shift_down = _draw_affine(ranges.affine, shape, rng)
    top, right, bottom, left = _draw_crop(ranges.crop, size, rng)
    return Frame(mirror, flip, turn_degrees, zoom, shift_right, shift_down, top, right, bottom, left)


def _draw_affine(affine: Affine | None, shape: tuple[int, ...], rng: np.random.Generator) -> tuple[float, ...]:
    if affine is None:
        return 0.0, 1.0, 0.0, 0.0
    turn, zoom, right, down = rng.random(4).tolist()
    shift_right, shift_down = affine.shift.at(right) * shape[1], affine.shift.at(down) * shape[0]
    return affine.turn_degrees.at(turn), affine.zoom.at(zoom), shift_right, shift_down


def _draw_crop(crop: Crop | None, size: int, rng: np.random.Generator) -> tuple[int, ...]:
    if crop is None or rng.random() >= crop.probability:
        return 0, 0, 0, 0
    return tuple(rng.integers(0, crop.limit(size), 4, endpoint=True).tolist())


def _draw_blur(blur: Blur, rng: np.random.Generator) -> list[Step]:
    return [Soften(blur.sigma.at(rng.random()))] if rng.random() < blur.probability else []
