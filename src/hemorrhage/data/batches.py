"""Keras batches: uint8 images and float32 labels in the order of an epoch's draw."""

import keras
import numpy as np

from hemorrhage.ct.dicom import DicomError
from hemorrhage.data.augment import Augmentation
from hemorrhage.data.source import WindowedSource
from hemorrhage.errors import HemorrhageError


class SliceBatches(keras.utils.PyDataset):
    """The batches of one epoch; the last one is short, never padded.

    The order is that of `image_ids` (keras' own shuffling draws from a global generator). Threads, not processes,
    read ahead: the images are uint8 and the decoder releases the lock. A slice that cannot be read is left out of
    its batch and kept in `unreadable` with its cause. `failure` keeps the error that ended the reading, since
    backends wrap what a reading thread raises in errors of their own.
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
    ) -> None:
        super().__init__(workers=workers, use_multiprocessing=False, max_queue_size=2 * workers + 2)
        self._source = source
        self._image_ids = image_ids
        self._labels = labels
        self._batch_size = batch_size
        self._augmentation = augmentation
        self._epoch = epoch
        self.unreadable: dict[str, str] = {}
        self.failure: HemorrhageError | None = None

    def __len__(self) -> int:
        return -(-len(self._image_ids) // self._batch_size)

    @property
    def slice_count(self) -> int:
        """How many slices the epoch shows, copies counted, before unreadable ones are left out."""
        return len(self._image_ids)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns batch `index`: uint8 N x size x size x C and float32 N x 6, N at most the batch size.

        Where not one of its slices can be read, the next of the epoch that can stands in for them, since a batch
        cannot be empty. Raises HemorrhageError where there is none.
        """
        places = range(index * self._batch_size, min((index + 1) * self._batch_size, len(self._image_ids)))
        images = {place: image for place in places if (image := self._read(place)) is not None}
        if not images:
            images = self._read_next(places[0])
        return np.stack(list(images.values())), self._labels[list(images)].astype(np.float32)

    def _read_next(self, first: int) -> dict[int, np.ndarray]:
        for step in range(len(self._image_ids)):
            place = (first + step) % len(self._image_ids)
            if (image := self._read(place)) is not None:
                return {place: image}
        self.failure = HemorrhageError(
            f"Not one of the {len(self._image_ids)} slices of an epoch could be read; first: "
            f"{self.unreadable[self._image_ids[first]]} Run 'hemorrhage audit' on the input."
        )
        raise self.failure

    def _read(self, place: int) -> np.ndarray | None:
        image_id = self._image_ids[place]
        try:
            image = self._source.read_image(image_id)
        except DicomError as error:
            self.unreadable[image_id] = str(error)
            return None
        if self._augmentation is None:
            return image
        return self._augmentation(image, self._epoch, place)
