import numpy as np
import pytest

from hemorrhage.data.augment import find_recipe
from hemorrhage.data.views import VIEWS, apply_view, find_unfamiliar_views, parse_views
from hemorrhage.errors import HemorrhageError

IMAGE = np.random.default_rng(0).integers(0, 256, size=(33, 33, 3), dtype=np.uint8)


def test_identity_and_mirror_are_exact() -> None:
    assert (apply_view(IMAGE, VIEWS["identity"]) == IMAGE).all()
    assert (apply_view(IMAGE, VIEWS["mirror"]) == IMAGE[:, ::-1]).all()


def test_turning_left_goes_anticlockwise_about_the_center() -> None:
    image = np.zeros((33, 33, 1), dtype=np.uint8)
    image[16, 28] = 255
    row, column = np.argwhere(apply_view(image, VIEWS["turn_left"])[..., 0] > 60).mean(axis=0)
    # 12 px right of the center, turned by 8 degrees: 12 sin 8 = 1.67 up, 12 cos 8 = 11.9 right
    assert row == pytest.approx(16 - 1.67, abs=0.6)
    assert column == pytest.approx(16 + 11.9, abs=0.6)
    assert apply_view(IMAGE, VIEWS["turn_left"])[16, 16].tolist() == IMAGE[16, 16].tolist()


def test_crop_enlarges_about_the_center() -> None:
    image = np.zeros((101, 101, 3), dtype=np.uint8)
    image[30:71, 30:71] = 255
    assert (apply_view(image, VIEWS["crop"])[50, :, 0] > 127).sum() == pytest.approx(41 * 1.1, abs=1.5)


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
@pytest.mark.parametrize("name", list(VIEWS))
def test_every_view_keeps_shape_and_dtype(name: str, channels: int) -> None:
    seen = apply_view(np.zeros((20, 20, channels), dtype=np.uint8), VIEWS[name])
    assert seen.shape == (20, 20, channels)
    assert seen.dtype == np.uint8


@pytest.mark.parametrize("text", ["identity,upside_down", "mirror,mirror", ""])
def test_unknown_and_repeated_views_are_refused(text: str) -> None:
    with pytest.raises(HemorrhageError, match="identity, mirror"):
        parse_views(text)


def test_views_that_training_never_showed_are_found() -> None:
    views = parse_views("identity,mirror,turn_left,mirror_crop")
    assert find_unfamiliar_views(views, find_recipe("geometric")) == []
    assert find_unfamiliar_views(views, find_recipe("original")) == ["turn_left"]
    assert find_unfamiliar_views(views, find_recipe("none")) == ["mirror", "turn_left", "mirror_crop"]
