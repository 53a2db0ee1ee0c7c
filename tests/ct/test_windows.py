import numpy as np
import pytest

from hemorrhage.ct.windows import BONE, BRAIN, SOFT_TISSUE, SUBDURAL, Window, apply_window, parse_windows, stack_windows
from hemorrhage.errors import HemorrhageError


@pytest.mark.parametrize(
    ("window", "pixels_hu", "expected"),
    [
        # 255 / 80 = 3.1875 a HU: 1 -> 3.19, 8 -> 25.5 (to even), 24 -> 76.5 (to even), 40 -> 127.5 (to even)
        (BRAIN, [-1024, 0, 1, 8, 24, 40, 80, 81], [0, 0, 3, 26, 76, 128, 255, 255]),
        # 255 / 200 = 1.275 a HU from -20: 0 -> 25.5, 80 -> 127.5
        (SUBDURAL, [-20, 0, 80, 180, 3071], [0, 26, 128, 255, 255]),
        # 255 / 2800 = 0.0911 a HU from -800: 0 -> 72.86
        (BONE, [-800, 0, 600, 2000], [0, 73, 128, 255]),
        # 255 / 380 = 0.671 a HU from -150: 40 -> 127.5, 0 -> 100.66
        (SOFT_TISSUE, [-150, 0, 40, 230], [0, 101, 128, 255]),
    ],
)
def test_window_levels_by_hand(window: Window, pixels_hu: list[int], expected: list[int]) -> None:
    assert apply_window(np.array(pixels_hu, dtype=np.int16), window).tolist() == expected


def test_the_default_stack_is_brain_subdural_bone() -> None:
    channels = stack_windows(np.full((2, 3), 80, dtype=np.int16))
    assert channels.shape == (2, 3, 3)
    assert channels.dtype == np.uint8
    # bone: 880 * 255 / 2800 = 80.14
    assert channels[0, 0].tolist() == [255, 128, 80]


def test_windows_are_asked_for_by_name_or_by_center_and_width() -> None:
    assert parse_windows("brain,soft_tissue, 80/200") == (BRAIN, SOFT_TISSUE, SUBDURAL)


@pytest.mark.parametrize("text", ["brains", "", "40/0", "40/-5", "40/x", "nan/80", "brain,,bone"])
def test_bad_windows_are_refused(text: str) -> None:
    with pytest.raises(HemorrhageError, match=r"[Ww]indow"):
        parse_windows(text)
