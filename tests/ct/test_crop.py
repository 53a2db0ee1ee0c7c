import numpy as np
import pytest

from hemorrhage.ct.crop import Box, cut_box, find_box, find_head_box
from hemorrhage.errors import HemorrhageError


def draw_head(rows: int, columns: int, center: tuple[int, int], radius: int) -> np.ndarray:
    row, column = np.mgrid[:rows, :columns]
    inside = np.hypot(row - center[0], column - center[1]) <= radius
    return np.where(inside, 40, -1000).astype(np.int16)


def test_the_box_is_the_heads_extent_and_a_margin() -> None:
    pixels_hu = draw_head(512, 512, (200, 300), 150)
    # 301 pixels across and 4 % on either side: 325
    box = find_head_box(pixels_hu)
    # The opening takes a few pixels off the rim of so small a pole.
    assert box.side == pytest.approx(325, abs=8)
    assert (box.top + box.side / 2, box.left + box.side / 2) == pytest.approx((200, 300), abs=2)


def test_the_table_below_the_head_is_left_out() -> None:
    pixels_hu = draw_head(512, 512, (200, 256), 150)
    without = find_head_box(pixels_hu)
    pixels_hu[420:424, 50:460] = 200
    pixels_hu[350:421, 255:258] = 200
    assert find_head_box(pixels_hu) == without


def test_a_vertex_is_not_blown_up_and_a_slice_without_head_keeps_its_square() -> None:
    assert find_head_box(draw_head(512, 512, (256, 256), 20)).side == 256
    assert find_head_box(np.full((490, 638), -1000, dtype=np.int16)) == Box(top=-74, left=0, side=638)


def test_what_lies_outside_the_slice_is_air() -> None:
    pixels_hu = np.arange(12, dtype=np.int16).reshape(3, 4)
    cut = cut_box(pixels_hu, Box(top=-1, left=2, side=4), air_hu=-1024)
    assert cut.tolist() == [[-1024] * 4, [2, 3, -1024, -1024], [6, 7, -1024, -1024], [10, 11, -1024, -1024]]


def test_unknown_crops_are_refused() -> None:
    assert find_box(np.zeros((4, 4)), "none") is None
    with pytest.raises(HemorrhageError, match="none, head"):
        find_box(np.zeros((4, 4)), "brain")
