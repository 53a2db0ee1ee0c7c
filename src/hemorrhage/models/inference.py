"""From networks and slices to probabilities: the mean over views and networks, corrected for resampling."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import keras
import numpy as np

from hemorrhage.ct.dicom import DicomError
from hemorrhage.data.labels import LABELS
from hemorrhage.data.sampling import KeepRates, correct_resampling
from hemorrhage.data.source import WindowedSource
from hemorrhage.data.views import View, apply_view

# Slices go through a network this many batches at a time, so that the cost of a call to predict is shared.
_BATCHES_A_CALL = 8


@dataclass(frozen=True)
class Member:
    """A network, its share in the mean, and how its training draws were resampled."""

    model: keras.Model
    weight: float
    rates: KeepRates


@dataclass(frozen=True)
class SlicePredictions:
    """Float64 N x 6 probabilities of the slices that could be read, in their order, and why the others could not."""

    image_ids: np.ndarray
    probabilities: np.ndarray
    unreadable: dict[str, str]


def predict_slices(
    networks: Sequence[Member],
    source: WindowedSource,
    image_ids: np.ndarray,
    views: Sequence[View],
    batch_size: int,
    workers: int = 1,
    advance: Callable[[int], object] | None = None,
) -> SlicePredictions:
    """Returns the weighted mean of the networks' probabilities over `views`.

    Each slice is read once, by `workers` threads that read ahead of the networks. Every network's output is
    corrected to natural odds before it enters the mean. `advance` is told how many slices were done.
    """
    unreadable: dict[str, str] = {}
    read_ids: list[str] = []
    parts = [np.empty((0, len(LABELS)))]
    for images in _read_images(source, image_ids, batch_size, workers, unreadable, advance):
        read_ids += images
        parts.append(_predict_mean(networks, np.stack(list(images.values())), views, batch_size))
    return SlicePredictions(np.array(read_ids, dtype=object), np.concatenate(parts), unreadable)


def _predict_mean(networks: Sequence[Member], images: np.ndarray, views: Sequence[View], batch_size: int) -> np.ndarray:
    total = np.zeros((len(images), len(LABELS)))
    for view in views:
        seen = np.stack([apply_view(image, view) for image in images])
        for member in networks:
            network = member.model.predict(seen, batch_size=batch_size, verbose=0)
            total += member.weight * correct_resampling(network, member.rates)
    return total / (len(views) * sum(member.weight for member in networks))


@dataclass(frozen=True)
class Embedding:
    """What one network made of N slices in one view: features before its head, float16 N x F, and probabilities.

    These are float64 N x 6, corrected to natural odds.
    """

    features: np.ndarray
    probabilities: np.ndarray


@dataclass(frozen=True)
class SliceEmbeddings:
    """The slices that could be read, an Embedding of them in each view, and why the others could not."""

    image_ids: np.ndarray
    views: list[Embedding]
    unreadable: dict[str, str]


def embed_slices(
    network: Member,
    source: WindowedSource,
    image_ids: np.ndarray,
    views: Sequence[View],
    batch_size: int,
    workers: int = 1,
    advance: Callable[[int], object] | None = None,
) -> SliceEmbeddings:
    """Returns what the network made of the slices in each of `views`; the rest is as in predict_slices."""
    both = keras.Model(network.model.input, [network.model.get_layer("dropout").input, network.model.output])
    unreadable: dict[str, str] = {}
    read_ids: list[str] = []
    parts: list[list[Embedding]] = [[] for _ in views]
    for images in _read_images(source, image_ids, batch_size, workers, unreadable, advance):
        read_ids += images
        for part, view in zip(parts, views, strict=True):
            seen = np.stack([apply_view(image, view) for image in images.values()])
            features, probabilities = both.predict(seen, batch_size=batch_size, verbose=0)
            natural = correct_resampling(probabilities, network.rates)
            part.append(Embedding(features.astype(np.float16), natural))
    return SliceEmbeddings(np.array(read_ids, dtype=object), [_join(part) for part in parts], unreadable)


def _join(parts: Sequence[Embedding]) -> Embedding:
    if not parts:
        return Embedding(np.empty((0, 0), np.float16), np.empty((0, len(LABELS))))
    return Embedding(
        np.concatenate([part.features for part in parts]), np.concatenate([part.probabilities for part in parts])
    )


def _read_images(
    source: WindowedSource,
    image_ids: np.ndarray,
    batch_size: int,
    workers: int,
    unreadable: dict[str, str],
    advance: Callable[[int], object] | None,
) -> Iterator[dict[str, np.ndarray]]:
    """Yields the images that can be read, some batches at a time, and adds to `unreadable` why others cannot.

    `advance` is told of each lot when the caller has come back for the next.
    """
    for chunk in _read_chunks(source, image_ids, batch_size * _BATCHES_A_CALL, workers):
        images = {image_id: image for image_id, image in chunk if isinstance(image, np.ndarray)}
        unreadable |= {image_id: error.cause for image_id, error in chunk if isinstance(error, DicomError)}
        if images:
            yield images
        if advance is not None:
            advance(len(chunk))


_Read = tuple[str, np.ndarray | DicomError]


def _read_chunks(source: WindowedSource, image_ids: np.ndarray, chunk_size: int, workers: int) -> Iterator[list[_Read]]:
    """Yields the slices in order, a chunk at a time, while the next chunk is being read."""
    with ThreadPoolExecutor(workers) as pool:
        pending: list[Future[_Read]] = []
        for start in range(0, len(image_ids), chunk_size):
            following = [pool.submit(_try_read, source, one) for one in image_ids[start : start + chunk_size]]
            if pending:
                yield [future.result() for future in pending]
            pending = following
        if pending:
            yield [future.result() for future in pending]


def _try_read(source: WindowedSource, image_id: str) -> _Read:
    try:
        return image_id, source.read_image(image_id)
    except DicomError as error:
        return image_id, error
