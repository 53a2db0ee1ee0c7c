"""Keras batches: uint8 images and float32 labels in the order of an epoch's draw."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras
import numpy as np

from hemorrhage.ct.dicom import DicomError
from hemorrhage.data.augment import Augmentation
from hemorrhage.data.mixing import Mixing, draw_pairs, mix_images, mix_labels
from hemorrhage.data.source import WindowedSource
from hemorrhage.errors import HemorrhageError

Batch = tuple[np.ndarray, np.ndarray] | tuple[np.ndarray, np.ndarray, np.ndarray]


class SliceBatches(keras.utils.PyDataset):
    """The batches of one epoch; the last one is short, never padded.

    The order is that of `image_ids` (keras' own shuffling draws from a global generator). Threads, not processes,
    read ahead: the images are uint8 and the decoder releases the lock. A slice that cannot be read is left out of
    its batch and kept in `unreadable` with its cause. `failure` keeps the error that ended the reading, since
    backends wrap what a reading thread raises in errors of their own; see unwrapping.
    """

    def __init__(
        self,
        source: WindowedSource,
        image_ids: np.ndarray,
        labels: np.ndarray,
        batch_size: int,
        augmentation: Augmentation | None = None,
        epoch: int = 0,
        workers: int = 1,
        mixing: Mixing | None = None,
        weights: np.ndarray | None = None,
    ) -> None:
        super().__init__(workers=workers, use_multiprocessing=False, max_queue_size=2 * workers + 2)
        self._source = source
        self._image_ids = image_ids
        self._labels = labels
        self._batch_size = batch_size
        self._augmentation = augmentation
        self._epoch = epoch
        self._mixing = mixing if mixing is not None and mixing.is_on else None
        self._weights = weights
        self.unreadable: dict[str, str] = {}
        self.failure: HemorrhageError | None = None

    def __len__(self) -> int:
        return -(-len(self._image_ids) // self._batch_size)

    @property
    def slice_count(self) -> int:
        """How many slices the epoch shows, copies counted, before unreadable ones are left out."""
        return len(self._image_ids)

    def __getitem__(self, index: int) -> Batch:
        """Returns batch `index`: uint8 N x size x size x C and float32 N x 6, N at most the batch size.

        With `weights`, one for each of the image ids, float32 N of those follow. Labels of images that `mixing` mixes
        are mixed as well.

        Where not one of its slices can be read, the next of the epoch that can stands in for them, since a batch
        cannot be empty. Raises HemorrhageError where there is none, or where the source is damaged.
        """
        first = index * self._batch_size
        try:
            images, places = self._read_batch(range(first, min(first + self._batch_size, len(self._image_ids))))
            if not places:
                images, places = self._read_next(first)
        except HemorrhageError as error:
            self.failure = error
            raise
        return self._label(images, places, index)

    def _label(self, images: np.ndarray, places: list[int], index: int) -> Batch:
        labels = self._labels[places].astype(np.float32)
        weights = np.ones(len(places), np.float32) if self._weights is None else self._weights[places]
        if self._mixing is not None:
            pairs = draw_pairs(self._mixing, images.shape, self._epoch, index)
            images = mix_images(images, pairs)
            labels, weights = mix_labels(labels, weights, pairs)
        return (images, labels) if self._weights is None else (images, labels, weights.astype(np.float32))

    @contextmanager
    def unwrapping(self) -> Iterator[None]:
        """Raises `failure`, where the reading failed within the block, in place of what a backend made of it."""
        try:
            yield
        except Exception as error:
            if self.failure is not None:
                raise self.failure from error
            raise

    def _read_batch(self, places: range) -> tuple[np.ndarray, list[int]]:
        """Returns the images of the places that can be read, and these places.

        The images are written straight into the one new array of the batch: arrays of their own, to be joined
        afterwards, would touch fresh memory twice, which costs about as much as looking the windows up.
        """
        images: np.ndarray | None = None
        read: list[int] = []
        for place in places:
            codes = self._read_codes(place)
            if codes is None:
                continue
            if images is None:
                images = np.empty((len(places), *self._source.shape_of(codes)), dtype=np.uint8)
            self._write_image(codes, place, images[len(read)])
            read.append(place)
        return (np.empty(0, dtype=np.uint8) if images is None else images[: len(read)]), read

    def _read_next(self, first: int) -> tuple[np.ndarray, list[int]]:
        for step in range(len(self._image_ids)):
            place = (first + step) % len(self._image_ids)
            images, places = self._read_batch(range(place, place + 1))
            if places:
                return images, places
        raise HemorrhageError(
            f"Not one of the {len(self._image_ids)} slices of an epoch could be read; first: "
            f"{self.unreadable[self._image_ids[first]]} Run 'hemorrhage audit' on the input."
        )

    def _read_codes(self, place: int) -> np.ndarray | None:
        image_id = self._image_ids[place]
        try:
            return self._source.read_codes(image_id)
        except DicomError as error:
            self.unreadable[image_id] = str(error)
            return None

    def _write_image(self, codes: np.ndarray, place: int, image: np.ndarray) -> None:
        if self._augmentation is None:
            self._source.look_up(codes, image)
        else:
            image[:] = self._augmentation(self._source.look_up(codes), self._epoch, place)
