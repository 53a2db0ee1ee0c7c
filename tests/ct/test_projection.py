"""What a network saw at a place lies at that place of the slice, padded or cropped."""

import numpy as np
import pytest

from hemorrhage.ct.codec import resize_hu
from hemorrhage.ct.crop import Box, cut_box, find_box, paste_box
from hemorrhage.ct.projection import project_maps, upsample_maps
from hemorrhage.errors import HemorrhageError
from tests.ct.test_crop import draw_head


def test_a_map_is_enlarged_between_the_middles_of_its_places() -> None:
    # Middles at 1.5 and 5.5 of 8 pixels: level outside them, a straight line between.
    (line,) = upsample_maps(np.array([[0.0, 1.0]]), 1, 8)
    np.testing.assert_allclose(line, [0, 0, 0.125, 0.375, 0.625, 0.875, 1, 1])
    assert upsample_maps(np.zeros((3, 6, 2, 2)), 5, 7).shape == (3, 6, 5, 7)


def test_a_wide_slice_takes_the_middle_rows_of_its_square() -> None:
    # 4 x 8 is padded by two rows on either side.
    whole = np.arange(8.0)[:, None] * np.ones((1, 8))
    np.testing.assert_allclose(project_maps(whole, np.zeros((4, 8), np.int16), "none"), whole[2:6])


def test_what_was_cut_is_put_back_with_nothing_around_it() -> None:
    pixels = np.arange(1, 13).reshape(3, 4)
    box = Box(top=1, left=-1, side=3)
    put_back = paste_box(np.stack([cut_box(pixels, box, 0)] * 2), box, 3, 4)
    assert put_back.tolist() == [[[0, 0, 0, 0], [5, 6, 0, 0], [9, 10, 0, 0]]] * 2


@pytest.mark.parametrize("crop", ["none", "head"])
@pytest.mark.parametrize(("rows", "columns"), [(96, 96), (96, 128), (120, 80)])
def test_a_bright_spot_comes_back_to_where_it_was(rows: int, columns: int, crop: str) -> None:
    pixels_hu = draw_head(rows, columns, (rows // 2 + 5, columns // 2 - 4), 34)
    spot = (rows // 2 - 8, columns // 2 + 12)
    pixels_hu[spot[0] - 2 : spot[0] + 3, spot[1] - 2 : spot[1] + 3] = 3000
    seen = resize_hu(pixels_hu, 64, find_box(pixels_hu, crop)) - 1000.0
    found = project_maps(np.maximum(seen, 0), pixels_hu, crop)
    assert found.shape == (rows, columns) and found.dtype == np.float32
    weights = found / found.sum()
    middle = (weights.sum(1) @ np.arange(rows), weights.sum(0) @ np.arange(columns))
    np.testing.assert_allclose(middle, spot, atol=0.3)


def test_an_unknown_crop_is_refused() -> None:
    with pytest.raises(HemorrhageError, match="'tight'"):
        project_maps(np.zeros((2, 2)), np.zeros((4, 4), np.int16), "tight")
