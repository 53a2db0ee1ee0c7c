"""The steps of which OpenCV makes an augmentation: each one pass over an image.

A step does to a uint8 image what imgaug 0.4.0's augmenter of the same numbers does, to the grey level; but an affine
change and the crop after it are one resampling instead of two. Where it can, it writes into the image it is given:
on the way through the steps, fresh memory costs as much as the arithmetic.
"""

from dataclasses import dataclass
from math import cos, radians, sin

import cv2
import numpy as np

# To the 8 bits of OpenCV's kernels for uint8 images, a Gaussian of a smaller sigma has one weight: it changes nothing.
_SMALLEST_BLUR_SIGMA = 0.28
_BLUR_KERNEL = (5, 5)  # what imgaug takes below a sigma of 1.8
_STRIP_ROWS = 64


@dataclass(frozen=True)
class Frame:
    """What of an image is seen, and how it lies: mirrored, flipped, then turned clockwise, enlarged and shifted about
    the center, then cropped and enlarged to the size it had. Shifts and crops are in pixels; what lies outside is 0.
    """

    mirror: bool = False
    flip: bool = False
    turn_degrees: float = 0.0
    zoom: float = 1.0
    shift_right: float = 0.0
    shift_down: float = 0.0
    top: int = 0
    right: int = 0
    bottom: int = 0
    left: int = 0

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Returns the image, uint8 H x W x C, in the frame; slices and flips do where nothing is turned or moved."""
        if (self.turn_degrees, self.zoom, self.shift_right, self.shift_down) != (0, 1, 0, 0):
            return _warp(image, self.matrix(*image.shape[:2]))
        return self._crop(self._mirror(image))

    def matrix(self, rows: int, columns: int) -> np.ndarray:
        """Returns the 2 x 3 matrix from pixel centers (x, y) of the image to those of the framed one."""
        along, aside = self.zoom * cos(radians(self.turn_degrees)), self.zoom * sin(radians(self.turn_degrees))
        x_sign, y_sign = 1 - 2 * self.mirror, 1 - 2 * self.flip
        turn = np.array([[along * x_sign, -aside * y_sign], [aside * x_sign, along * y_sign]])
        center = np.array([(columns - 1) / 2, (rows - 1) / 2])
        moved = center + np.array([self.shift_right, self.shift_down]) - turn @ center
        enlarged = np.array([columns / (columns - self.left - self.right), rows / (rows - self.top - self.bottom)])
        # Enlarging keeps the outer edges of pixels in place, which lie half a pixel before their centers.
        offset = enlarged * (moved + 0.5 - (self.left, self.top)) - 0.5
        return np.column_stack([enlarged[:, np.newaxis] * turn, offset])

    def _mirror(self, image: np.ndarray) -> np.ndarray:
        if not (self.mirror or self.flip):
            return image
        return cv2.flip(image, -1 if self.mirror and self.flip else int(self.mirror))

    def _crop(self, image: np.ndarray) -> np.ndarray:
        if not (self.top or self.right or self.bottom or self.left):
            return image
        rows, columns = image.shape[:2]
        part = image[self.top : rows - self.bottom, self.left : columns - self.right]
        # imgaug enlarges with INTER_AREA.
        return cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA)


@dataclass(frozen=True)
class AddNoise:
    """Adds `deviation` times the normal numbers: float32, one a pixel for all channels alike, or one a value."""

    deviation: float
    normals: np.ndarray

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Returns the image, uint8 H x W x C, with the noise rounded and added and the sum held in 0 to 255."""
        if self.normals.size == image.size:
            return self._add(image, self.normals.reshape(image.shape))
        normals = self.normals.reshape(image.shape[:2])
        # In strips, since spread over the channels as float32 the numbers would take four times the image's memory.
        for rows in (slice(top, top + _STRIP_ROWS) for top in range(0, len(image), _STRIP_ROWS)):
            self._add(image[rows], cv2.merge([normals[rows]] * image.shape[2]))
        return image

    def _add(self, part: np.ndarray, normals: np.ndarray) -> np.ndarray:
        return cv2.addWeighted(part, 1, normals, self.deviation, 0, dst=part, dtype=cv2.CV_8U)


@dataclass(frozen=True)
class Soften:
    """Blurs by a Gaussian of `sigma` pixels."""

    sigma: float

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Returns the image, uint8 H x W x C, blurred; beyond its edges it is taken to be mirrored."""
        if self.sigma < _SMALLEST_BLUR_SIGMA:
            return image
        return cv2.GaussianBlur(image, _BLUR_KERNEL, self.sigma, sigmaY=self.sigma, borderType=cv2.BORDER_REFLECT_101)


@dataclass(frozen=True)
class SetContrast:
    """Moves grey levels away from 127 by a factor."""

    factor: float

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Returns the image, uint8 H x W x C, through the table."""
        return cv2.LUT(image, self.table(), dst=image)

    def table(self) -> np.ndarray:
        """Returns the 256 new grey levels, uint8; imgaug cuts fractions off, and counts in float32, so this does."""
        levels = np.arange(256, dtype=np.float32)
        return np.clip(127 + np.float32(self.factor) * (levels - 127), 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Erase:
    """Fills a box, left and top included, right and bottom not, with `fill`: uint8 of the box's shape."""

    left: int
    top: int
    fill: np.ndarray

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Returns the image, uint8 H x W x C, with the box filled."""
        rows, columns = self.fill.shape[:2]
        image[self.top : self.top + rows, self.left : self.left + columns] = self.fill
        return image


def _warp(image: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    size = (image.shape[1], image.shape[0])
    if image.shape[2] > 4:
        # OpenCV promises no more than four channels here.
        parts = [image[:, :, start : start + 4] for start in range(0, image.shape[2], 4)]
        return np.concatenate([_warp(part, matrix).reshape(part.shape) for part in parts], axis=-1)
    if image.shape[2] != 3:
        return cv2.warpAffine(np.ascontiguousarray(image), matrix, size, flags=cv2.INTER_LINEAR)
    # The same values in three quarters of the time: OpenCV reads a pixel of four bytes in one go.
    wide = cv2.warpAffine(cv2.cvtColor(image, cv2.COLOR_BGR2BGRA), matrix, size, flags=cv2.INTER_LINEAR)
    return cv2.cvtColor(wide, cv2.COLOR_BGRA2BGR)
