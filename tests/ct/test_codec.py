from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemorrhage.ct.codec import (
    LEVELS_HU,
    build_window_table,
    decode,
    encode,
    encode_slice,
    resize_hu,
    window_codes,
)
from hemorrhage.ct.dicom import read_slice
from hemorrhage.ct.windows import BONE, BRAIN, DEFAULT_WINDOWS, SOFT_TISSUE, SUBDURAL, Window, stack_windows

ALL_HU = np.arange(-1024, 3072, dtype=np.int16)
BOUNDS = [(BRAIN, 0), (SUBDURAL, 2), (BONE, 2), (SOFT_TISSUE, 6)]


def test_the_table_has_245_rising_levels_from_air_to_2040() -> None:
    assert len(LEVELS_HU) == 245
    assert (np.diff(LEVELS_HU) > 0).all()
    assert (LEVELS_HU[0], LEVELS_HU[1], LEVELS_HU[-1]) == (-1024, -800, 2040)
    assert set(range(0, 101)) <= set(LEVELS_HU.tolist())


def test_coding_takes_the_nearest_level_and_is_monotone() -> None:
    nearest = np.abs(ALL_HU[:, np.newaxis].astype(int) - LEVELS_HU).min(axis=1)
    assert (np.abs(decode(encode(ALL_HU)).astype(int) - ALL_HU) == nearest).all()
    assert (np.diff(encode(ALL_HU).astype(int)) >= 0).all()


def test_values_beyond_the_range_are_clipped() -> None:
    assert decode(encode(np.array([-32768, 30540], dtype=np.int16))).tolist() == [-1024, 2040]


@pytest.mark.parametrize(("window", "bound"), BOUNDS)
def test_windows_of_every_hu_survive_the_code(window: Window, bound: int) -> None:
    direct = stack_windows(ALL_HU, [window]).astype(int)
    coded = window_codes(encode(ALL_HU)[np.newaxis], build_window_table([window]))[0].astype(int)
    assert np.abs(direct - coded).max() <= bound


def test_windows_by_look_up_equal_windows_of_the_decoded_hu() -> None:
    codes = np.arange(245, dtype=np.uint8).reshape(5, 49)
    windows = [*DEFAULT_WINDOWS, SOFT_TISSUE, Window(50, 100)]
    looked_up = window_codes(codes, build_window_table(windows))
    assert (looked_up == stack_windows(decode(codes), windows)).all()
    one = window_codes(codes, build_window_table([BRAIN]))
    assert one.shape == (5, 49, 1)


def test_halving_is_the_rounded_mean_of_four_pixels() -> None:
    pixels_hu = np.array([[0, 1, 10, 20], [2, 3, 30, 41], [-1, -1, 7, 7], [-2, -1, 7, 8]], dtype=np.int16)
    # means 1.5, 25.25, -1.25, 7.25, rounded half to even
    assert resize_hu(pixels_hu, 2).tolist() == [[2, 25], [-1, 7]]


def test_metal_and_padding_are_clipped_before_they_are_averaged() -> None:
    pixels_hu = np.array([[-3024, 0], [0, 29516]], dtype=np.int16)
    # (-1024 + 0 + 0 + 3071) / 4 = 511.75
    assert resize_hu(pixels_hu, 1).tolist() == [[512]]


def test_a_slice_that_is_not_square_is_padded_with_air_and_keeps_its_proportions() -> None:
    resized = resize_hu(np.full((490, 638), 40, dtype=np.int16), 64)
    assert resized.shape == (64, 64)
    rows = np.flatnonzero(resized[:, 32] == 40)
    assert len(rows) == pytest.approx(64 * 490 / 638, abs=2)
    assert (resized[:6] == -1024).all()
    assert (resized[-6:] == -1024).all()


@given(st.integers(1, 70), st.integers(1, 70), st.integers(32, 80))
def test_any_shape_comes_out_at_the_size_asked_for(rows: int, columns: int, size: int) -> None:
    codes = encode_slice(np.full((rows, columns), 35, dtype=np.int16), size)
    assert codes.shape == (size, size)
    assert codes.dtype == np.uint8


def test_real_slices_keep_their_windows_through_the_code(real_slices: list[Path]) -> None:
    windows = [window for window, _ in BOUNDS]
    table = build_window_table(windows)
    worst = np.zeros(len(windows), dtype=int)
    for path in real_slices[::5]:
        pixels_hu = read_slice(path).pixels_hu
        clipped = np.clip(pixels_hu.astype(np.int32), -1024, 3071).astype(np.float32)
        rounded = np.rint(cv2.resize(clipped, (256, 256), interpolation=cv2.INTER_AREA))
        direct = stack_windows(rounded, windows).astype(int)
        coded = window_codes(encode_slice(pixels_hu, 256), table).astype(int)
        worst = np.maximum(worst, np.abs(direct - coded).max(axis=(0, 1)))
    assert (worst <= [bound for _, bound in BOUNDS]).all()
