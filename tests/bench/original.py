"""The original's Keras generator, made again from its description, faults of speed included: the measure of the feed.

Every slice is decoded once for each window, windowed in float64 at its full size, then resized. Nothing here is to be
copied: hemorrhage.ct reads a slice once, and mends wrapped values in whole numbers.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import keras
import numpy as np
import pydicom
from pydicom.dataset import FileDataset

from hemorrhage.ct.windows import BRAIN, SOFT_TISSUE, SUBDURAL, Window
from hemorrhage.data.augment import Augmentation

ORIGINAL_WINDOWS = (BRAIN, SUBDURAL, SOFT_TISSUE)


class OriginalBatches(keras.utils.PyDataset):
    """Batches of float images in 0 to 1; with an augmentation, images go through it as grey levels."""

    def __init__(
        self,
        paths: Mapping[str, Path],
        image_ids: Sequence[str],
        labels: np.ndarray,
        batch_size: int,
        size: int,
        augmentation: Augmentation | None = None,
    ) -> None:
        super().__init__()
        self._paths = paths
        self._image_ids = image_ids
        self._labels = labels
        self._batch_size = batch_size
        self._size = size
        self._augmentation = augmentation

    def __len__(self) -> int:
        return -(-len(self._image_ids) // self._batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns batch `index`: float64 N x size x size x 3 and the labels, N x 6."""
        places = range(index * self._batch_size, min((index + 1) * self._batch_size, len(self._image_ids)))
        images = np.empty((len(places), self._size, self._size, len(ORIGINAL_WINDOWS)))
        for row, place in enumerate(places):
            images[row] = self._augment(read_original(self._paths[self._image_ids[place]], self._size), place)
        return images, self._labels[places.start : places.stop]

    def _augment(self, image: np.ndarray, place: int) -> np.ndarray:
        if self._augmentation is None:
            return image
        return self._augmentation((image * 255).astype(np.uint8), 0, place) / 255


def read_original(path: Path, size: int) -> np.ndarray:
    """Returns the slice in the original's three windows, float64 size x size x 3 in 0 to 1."""
    return np.stack([_read_window(path, window, size) for window in ORIGINAL_WINDOWS], axis=-1)


def read_plain(path: Path, size: int) -> np.ndarray:
    """Returns what read_original does after one reading and one resize: what pydicom alone can do."""
    pixels_hu = cv2.resize(_to_hounsfield(pydicom.dcmread(path)), (size, size), interpolation=cv2.INTER_LINEAR)
    return np.stack([_apply_window(pixels_hu, window) for window in ORIGINAL_WINDOWS], axis=-1)


def _read_window(path: Path, window: Window, size: int) -> np.ndarray:
    windowed = _apply_window(_to_hounsfield(pydicom.dcmread(path)), window)
    return cv2.resize(windowed, (size, size), interpolation=cv2.INTER_LINEAR)


def _apply_window(pixels_hu: np.ndarray, window: Window) -> np.ndarray:
    return (np.clip(pixels_hu, window.low, window.high) - window.low) / window.width


def _to_hounsfield(dataset: FileDataset) -> np.ndarray:
    raw = dataset.pixel_array
    if dataset.BitsStored == 12 and dataset.PixelRepresentation == 0 and int(dataset.RescaleIntercept) > -100:
        shifted = raw.astype(np.int32) + 1000
        shifted[shifted >= 4096] -= 4096
        return shifted - 1000.0
    return raw * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)
