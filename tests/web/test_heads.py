"""Whether pixels are of a head, where the header does not say."""

import numpy as np
import pytest

from hemorrhage.web.heads import Measures, explain_not_head, measure_slice
from tests.web.making import draw_ellipses


def measure(pixels_hu: np.ndarray, spacing_mm: float = 1.8) -> Measures:
    """Returns the measures of a slice that has something in it."""
    measured = measure_slice(pixels_hu, (spacing_mm, spacing_mm))
    assert measured is not None
    return measured


def test_a_head_is_as_wide_as_it_is_drawn_and_passes() -> None:
    measured = measure(draw_ellipses())
    assert measured.width_mm == pytest.approx(2 * 55 * 1.8, rel=0.03)
    assert measured.air == 0
    assert measured.bone == pytest.approx(0.2, abs=0.02)
    assert explain_not_head([measured] * 5) == ""


def test_a_chest_is_wide_or_full_of_air() -> None:
    wide = measure(draw_ellipses(), spacing_mm=3.0)
    assert "327 mm wide" in explain_not_head([wide] * 5)
    lungs = measure(draw_ellipses(inside_hu=-800))
    assert lungs.air == pytest.approx(0.8, abs=0.03)
    assert "as much air as a chest" in explain_not_head([lungs] * 5)


def test_what_has_no_skull_is_no_head() -> None:
    assert "no skull" in explain_not_head([measure(draw_ellipses(bone_hu=40))] * 5)


def test_of_few_slices_too_little_is_seen() -> None:
    assert explain_not_head([measure(draw_ellipses(bone_hu=40))] * 4) == ""


def test_air_alone_has_no_measures() -> None:
    assert measure_slice(np.full((64, 64), -1000, np.int16), None) is None
