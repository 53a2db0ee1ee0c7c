"""Each step of the fast engine against imgaug's augmenter of the same numbers."""

import cv2
import numpy as np
import pytest

from hemorrhage.data.augment_steps import AddNoise, Frame, SetContrast, Soften
from hemorrhage.data.imgaug_numpy2 import augmenters

SPECKLE = np.random.default_rng(0).integers(0, 256, size=(64, 64, 3), dtype=np.uint8)
SMOOTH = cv2.normalize(cv2.GaussianBlur(SPECKLE, (0, 0), 4), None, 0, 255, cv2.NORM_MINMAX)


def test_the_contrast_table_is_that_of_imgaug_for_every_grey_level() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    for factor in np.linspace(0.75, 1.5, 151):
        expected = augmenters.adjust_contrast_linear(levels, factor).ravel()
        assert (SetContrast(factor).table() == expected).all()
        assert (SetContrast(factor)(levels.copy()).ravel() == expected).all()


def test_contrast_by_hand() -> None:
    table = SetContrast(1.5).table()
    # 127 + 1.5 * (v - 127): 100 becomes 86.5, whose fraction is cut off
    assert table[[0, 42, 100, 127, 200, 255]].tolist() == [0, 0, 86, 127, 236, 255]


@pytest.mark.parametrize("sigma", [0.0, 0.1, 0.2, 0.27, 0.279, 0.281, 0.29, 0.35, 0.42, 0.5])
def test_a_blur_is_that_of_imgaug_where_it_is_left_out_as_well(sigma: float) -> None:
    stark = (SPECKLE > 127).astype(np.uint8) * 255
    for image in (SPECKLE, stark):
        assert (Soften(sigma)(image.copy()) == augmenters.GaussianBlur(sigma)(image=image)).all()


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 6])
def test_noise_is_rounded_and_added_as_imgaug_does(channels: int) -> None:
    image = np.random.default_rng(1).integers(0, 256, size=(70, 64, channels), dtype=np.uint8)
    for count in (1, channels):
        normals = np.random.default_rng(2).standard_normal((70, 64, count), np.float32)
        expected = augmenters.arithmetic.add_elementwise(image, np.float32(9.5) * normals)
        assert (AddNoise(9.5, normals.ravel())(image.copy()) == expected).all()


@pytest.mark.parametrize("sides", [(0, 0, 0, 0), (3, 5, 1, 6), (0, 6, 6, 0), (2, 0, 0, 0)])
def test_a_crop_is_that_of_imgaug(sides: tuple[int, int, int, int]) -> None:
    top, right, bottom, left = sides
    cropped = Frame(top=top, right=right, bottom=bottom, left=left)(SPECKLE)
    assert (cropped == augmenters.Crop(px=sides, keep_size=True)(image=SPECKLE)).all()


@pytest.mark.parametrize(("mirror", "flip"), [(True, False), (False, True), (True, True)])
def test_mirrors_and_flips_are_exact(mirror: bool, flip: bool) -> None:
    expected = augmenters.Sequential([augmenters.Fliplr(float(mirror)), augmenters.Flipud(float(flip))])(image=SPECKLE)
    assert (Frame(mirror, flip)(SPECKLE) == expected).all()


@pytest.mark.parametrize(("turn", "zoom", "right", "down"), [(17, 1, 0, 0), (-30, 0.9, 3, -1.5), (0, 1.15, -2, 3)])
def test_an_affine_change_is_that_of_imgaug(turn: float, zoom: float, right: float, down: float) -> None:
    shift = {"x": right / 64, "y": down / 64}
    expected = augmenters.Affine(rotate=turn, scale=zoom, translate_percent=shift)(image=SMOOTH)
    changed = Frame(turn_degrees=turn, zoom=zoom, shift_right=right, shift_down=down)(SMOOTH)
    assert np.abs(changed.astype(int) - expected).max() <= 1


def test_one_warp_lies_as_the_four_augmenters_one_after_the_other() -> None:
    steps = [
        augmenters.Fliplr(1.0),
        augmenters.Affine(rotate=21, scale=1.1, translate_percent={"x": 3 / 64, "y": -2 / 64}),
        augmenters.Crop(px=(5, 2, 1, 6), keep_size=True),
    ]
    expected = augmenters.Sequential(steps)(image=SMOOTH).astype(int)
    changed = Frame(True, False, 21, 1.1, 3, -2, top=5, right=2, bottom=1, left=6)(SMOOTH).astype(int)
    # imgaug resamples twice, and enlarges by INTER_AREA; a shift by half a pixel would differ by 2.5 on average.
    assert np.abs(changed - expected).mean() < 1.2
    assert abs((changed - expected).mean()) < 0.3


@pytest.mark.parametrize(("channels", "tolerance"), [(1, 1), (2, 4), (4, 0), (7, 4)])
def test_any_number_of_channels_is_framed_as_three_are(channels: int, tolerance: int) -> None:
    wide = np.repeat(SMOOTH[..., :1], channels, axis=2)
    frame = Frame(True, True, 11, 1.05, 1, 2, top=3)
    framed = frame(wide).reshape(wide.shape).astype(int)
    # For 2 or more than 4 channels OpenCV rounds places to a 32nd of a pixel.
    assert np.abs(framed - frame(SMOOTH)[..., :1]).max() <= tolerance
    assert (Frame(flip=True, left=4)(wide).reshape(wide.shape) == Frame(flip=True, left=4)(SMOOTH)[..., :1]).all()
