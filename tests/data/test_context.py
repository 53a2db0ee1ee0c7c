"""Which slices count as neighbors, and what an image made of three slices looks like."""

import numpy as np
import pandas as pd
import pytest

from hemorrhage.ct.codec import encode
from hemorrhage.ct.dicom import DicomError
from hemorrhage.ct.windows import BRAIN, SUBDURAL
from hemorrhage.data.context import Context, find_neighbors
from hemorrhage.data.source import WindowedSource


def make_slices(z_mm: list[float | None], series: str = "s", patient: str = "p") -> pd.DataFrame:
    ids = [f"{patient}{series}{place}" for place in range(len(z_mm))]
    return pd.DataFrame(
        {"image_id": ids, "patient_id": patient, "series_id": series, "z_mm": np.array(z_mm, dtype=float)}
    )


def pairs(slices: pd.DataFrame, distance_mm: float = 5.0) -> dict[str, tuple[str, str]]:
    found = find_neighbors(slices, distance_mm)
    assert found["image_id"].tolist() == slices["image_id"].tolist()
    return {row.image_id: (row.below_id, row.above_id) for row in found.itertuples()}


def test_the_ends_of_a_series_are_their_own_neighbors():
    assert pairs(make_slices([0, 5, 10])) == {
        "ps0": ("ps0", "ps1"),
        "ps1": ("ps0", "ps2"),
        "ps2": ("ps1", "ps2"),
    }


def test_order_of_rows_does_not_matter():
    slices = make_slices([0, 5, 10, 15]).sample(frac=1, random_state=1)
    assert pairs(slices)["ps2"] == ("ps1", "ps3")


def test_neighbors_are_at_a_distance_in_mm_not_a_slice_further_on():
    thin = make_slices([0, 2.5, 5, 7.5, 10])
    assert pairs(thin)["ps2"] == ("ps0", "ps4")
    assert pairs(thin, distance_mm=2.5)["ps2"] == ("ps1", "ps3")


def test_across_a_gap_there_is_no_neighbor():
    gap = pairs(make_slices([0, 5, 12.6, 17.6]))
    assert gap["ps1"] == ("ps0", "ps1")
    assert gap["ps2"] == ("ps2", "ps3")
    assert pairs(make_slices([0, 7.5]))["ps0"] == ("ps0", "ps1")


def test_series_of_different_patients_with_one_id_are_kept_apart():
    slices = pd.concat([make_slices([0, 10], patient="a"), make_slices([5], patient="b")], ignore_index=True)
    assert all(pair == (one, one) for one, pair in pairs(slices).items())


def test_slices_at_one_z_take_the_first_by_id_beyond_and_never_each_other():
    assert pairs(make_slices([0, 0, 5, 5])) == {
        "ps0": ("ps0", "ps2"),
        "ps1": ("ps1", "ps2"),
        "ps2": ("ps0", "ps2"),
        "ps3": ("ps0", "ps3"),
    }


def test_a_slice_without_z_or_series_has_none():
    slices = make_slices([0, None, 5])
    slices.loc[2, "series_id"] = None
    assert all(pair == (one, one) for one, pair in pairs(slices).items())


class PlainSource:
    """Slices of one HU each; `bad` cannot be read."""

    def __init__(self, hu_of: dict[str, int], bad: str = "") -> None:
        self._hu_of = hu_of
        self._bad = bad

    def read_codes(self, image_id: str) -> np.ndarray:
        if image_id == self._bad:
            raise DicomError("somewhere", "cut short")
        return encode(np.full((4, 4), self._hu_of[image_id]))


HU_OF = {"ps0": 0, "ps1": 40, "ps2": 80}


def build(kind: str, bad: str = "") -> WindowedSource:
    context = Context.build(kind, make_slices([0, 5, 10]), 5.0)
    return WindowedSource(PlainSource(HU_OF, bad), [BRAIN, SUBDURAL], context)


def test_a_stack_has_the_windows_of_below_own_and_above():
    image = build("stack").read_image("ps1")
    assert build("stack").channels == 6
    # Brain 40/80: 0, 40 and 80 HU are 0, 127.5 and 255. Subdural 80/200 begins at -20.
    assert image.shape == (4, 4, 6)
    assert image[0, 0, ::2].tolist() == pytest.approx([0, 127.5, 255], abs=0.5)
    assert image[0, 0, 1::2].tolist() == pytest.approx([20 / 200 * 255, 60 / 200 * 255, 100 / 200 * 255], abs=1)


def test_a_mean_counts_the_own_slice_twice():
    image = build("mean").read_image("ps0")
    assert image.shape == (4, 4, 2)
    # Below the first there is none: (3 x 0 + 127.5) / 4.
    assert image[0, 0, 0] == 32


def test_a_neighbor_that_cannot_be_read_is_replaced_and_an_own_slice_is_not():
    image = build("stack", bad="ps2").read_image("ps1")
    np.testing.assert_array_equal(image[..., 4:], image[..., 2:4])
    with pytest.raises(DicomError):
        build("stack", bad="ps1").read_image("ps1")


def test_slices_that_stood_in_for_a_neighbor_are_noted_at_every_size():
    source = build("mean", bad="ps2")
    source.read_image("ps0")
    assert source.stand_ins == set()
    source.resized(2).read_image("ps1")
    assert source.stand_ins == {"ps1"}


def test_without_context_the_image_is_as_ever():
    np.testing.assert_array_equal(build("none").read_image("ps1"), build("stack").read_image("ps1")[..., 2:4])
