from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hemorrhage.ct.codec import resize_hu
from hemorrhage.ct.dicom import read_slice
from hemorrhage.ct.windows import BRAIN, SUBDURAL, stack_windows
from hemorrhage.data.augment import Augmentation, find_recipe
from hemorrhage.data.batches import SliceBatches
from hemorrhage.data.mixing import Mixing, draw_pairs, mix_images, mix_labels
from hemorrhage.data.source import DicomSource, WindowedSource
from hemorrhage.errors import HemorrhageError

IDS = np.array([f"ID_{number}" for number in range(5)])
LABELS_OF_IDS = np.arange(30).reshape(5, 6) % 2


@pytest.fixture
def paths(make_dicom: Callable[..., Path]) -> dict[str, Path]:
    rng = np.random.default_rng(0)
    return {one: make_dicom(1024 + rng.integers(0, 100, size=(64, 64)), f"{one}.dcm") for one in IDS}


@pytest.fixture
def source(paths: dict[str, Path]) -> WindowedSource:
    return WindowedSource(DicomSource(paths, 32), [BRAIN, SUBDURAL])


def test_batches_are_uint8_images_and_float32_labels_and_the_last_is_short(source: WindowedSource) -> None:
    batches = SliceBatches(source, IDS, LABELS_OF_IDS, batch_size=2)
    assert len(batches) == 3
    images, labels = batches[1]
    assert (images.shape, images.dtype) == ((2, 32, 32, 2), np.uint8)
    assert (labels.shape, labels.dtype) == ((2, 6), np.float32)
    assert (labels == LABELS_OF_IDS[2:4]).all()
    assert batches[2][0].shape == (1, 32, 32, 2)


def test_an_image_is_hu_resized_rounded_and_windowed(source: WindowedSource, paths: dict[str, Path]) -> None:
    images, _ = SliceBatches(source, IDS, LABELS_OF_IDS, batch_size=5)[0]
    direct = stack_windows(resize_hu(read_slice(paths["ID_3"]).pixels_hu, 32), [BRAIN, SUBDURAL])
    assert (images[3] == direct).all()


def test_the_order_is_the_one_given_copies_included(source: WindowedSource) -> None:
    order = np.array([4, 0, 4])
    images, labels = SliceBatches(source, IDS[order], LABELS_OF_IDS[order], batch_size=3)[0]
    assert (images[0] == images[2]).all()
    assert (images[0] != images[1]).any()
    assert (labels == LABELS_OF_IDS[order]).all()


def test_copies_of_a_slice_are_augmented_apart(source: WindowedSource) -> None:
    augmentation = Augmentation(find_recipe("geometric"), 32, seed=0)
    order = np.array([1, 1])
    images, _ = SliceBatches(source, IDS[order], LABELS_OF_IDS[order], 2, augmentation, epoch=0)[0]
    assert (images[0] != images[1]).any()


def test_an_unreadable_slice_is_left_out_and_named(source: WindowedSource, paths: dict[str, Path]) -> None:
    paths["ID_1"].write_text("no longer DICOM")
    batches = SliceBatches(source, IDS, LABELS_OF_IDS, batch_size=5)
    images, labels = batches[0]
    assert len(images) == 4
    assert (labels == LABELS_OF_IDS[[0, 2, 3, 4]]).all()
    assert list(batches.unreadable) == ["ID_1"]
    assert "not a DICOM file" in batches.unreadable["ID_1"]


def test_every_batch_is_an_array_of_its_own(source: WindowedSource) -> None:
    batches = SliceBatches(source, IDS, LABELS_OF_IDS, batch_size=2)
    kept = [batches[0][0] for _ in range(2)]
    copy = kept[1].copy()
    kept[0][:] = 7
    batches[1]
    assert (kept[1] == copy).all()


def test_the_next_readable_slice_stands_in_for_a_batch_without_any(
    source: WindowedSource, paths: dict[str, Path]
) -> None:
    for name in ("ID_2", "ID_3"):
        paths[name].write_text("no longer DICOM")
    batches = SliceBatches(source, IDS, LABELS_OF_IDS, batch_size=2)
    images, labels = batches[1]
    assert (images == batches[2][0]).all()
    assert (labels == LABELS_OF_IDS[4:]).all()
    assert sorted(batches.unreadable) == ["ID_2", "ID_3"]


def test_an_epoch_without_any_readable_slice_is_an_error(source: WindowedSource, paths: dict[str, Path]) -> None:
    for path in paths.values():
        path.unlink()
    batches = SliceBatches(source, IDS, LABELS_OF_IDS, batch_size=5)
    with pytest.raises(HemorrhageError, match="Not one of the 5 slices"):
        batches[0]
    assert batches.failure is not None


class DamagedSource:
    def read_codes(self, image_id: str) -> np.ndarray:
        raise HemorrhageError(f"{image_id} is damaged")


def test_a_damaged_source_is_named_whatever_a_backend_makes_of_its_error() -> None:
    batches = SliceBatches(WindowedSource(DamagedSource(), [BRAIN]), IDS, LABELS_OF_IDS, batch_size=5)
    with pytest.raises(HemorrhageError, match="ID_0 is damaged"), batches.unwrapping():
        try:
            batches[0]
        except HemorrhageError as error:
            raise RuntimeError("135 lines of a backend") from error
    with pytest.raises(ZeroDivisionError), SliceBatches(DamagedSource(), IDS, LABELS_OF_IDS, 5).unwrapping():
        raise ZeroDivisionError


def test_batches_are_mixed_by_epoch_and_index_with_their_labels(source: WindowedSource) -> None:
    mixing = Mixing(mixup=0.4, seed=5)
    plain, _ = SliceBatches(source, IDS, LABELS_OF_IDS, batch_size=2)[1]
    mixed, labels = SliceBatches(source, IDS, LABELS_OF_IDS, batch_size=2, epoch=3, mixing=mixing)[1]
    pairs = draw_pairs(mixing, plain.shape, epoch=3, index=1)
    assert (mixed == mix_images(plain, pairs)).all()
    assert (labels == mix_labels(LABELS_OF_IDS[2:4].astype(np.float32), np.ones(2, np.float32), pairs)[0]).all()
    assert labels.dtype == np.float32
    off = SliceBatches(source, IDS, LABELS_OF_IDS, batch_size=2, mixing=Mixing())[1]
    assert (off[0] == plain).all()


def test_weights_go_with_their_slices(source: WindowedSource, paths: dict[str, Path]) -> None:
    paths["ID_1"].write_text("no longer DICOM")
    weights = np.arange(5, dtype=np.float32)
    batch = SliceBatches(source, IDS, LABELS_OF_IDS, batch_size=5, weights=weights)[0]
    assert len(batch) == 3
    assert batch[2].tolist() == [0, 2, 3, 4]


def test_a_source_makes_images_smaller_as_the_mean_over_areas(source: WindowedSource) -> None:
    small, large = source.resized(16), source
    shown = small.read_image("ID_3")
    areas = large.read_image("ID_3").astype(float).reshape(16, 2, 16, 2, 2).mean(axis=(1, 3))
    assert shown.shape == (16, 16, 2)
    assert np.abs(shown - areas).max() <= 0.501
    images, _ = SliceBatches(small, IDS, LABELS_OF_IDS, batch_size=5)[0]
    assert (images[3] == shown).all()
    assert (small.resized(32).read_image("ID_3") == large.read_image("ID_3")).all()
