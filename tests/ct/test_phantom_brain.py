"""The brain without blood: cortex over white matter, fluid that age widens, and what is bright in health."""

from dataclasses import replace

import numpy as np
import pytest

from hemorrhage.ct.phantom.anatomy import Head, Place, build_head, locate
from hemorrhage.ct.phantom.brain import Brain, Pressure, shade_brain
from hemorrhage.ct.phantom.cerebrum import Cerebrum, draw_cerebrum
from hemorrhage.ct.phantom.cisterns import stem_inside_mm, sylvian_mm
from hemorrhage.ct.phantom.cortex import band_share, tightness
from hemorrhage.ct.phantom.crop import Crop, crop_to_cavity
from hemorrhage.ct.phantom.space import Plane

SIZE = 128


def look(head: Head, z_mm: float, size: int = SIZE) -> Place:
    """The points of a level slice, 200 mm wide."""
    grid_mm = (np.arange(size) - (size - 1) / 2) * 200 / size
    return locate(head, Plane(np.array([0.0, 0.0, z_mm]), np.array([1.0, 0, 0]), np.array([0, 1.0, 0]), grid_mm))


def shade(head: Head, place: Place, widen_mm: float = 0.0, dilate_mm: float = 0.0, shift_mm: float = 0.0) -> Brain:
    nothing = np.zeros_like(place.x)
    return shade_brain(head, place, Pressure(nothing, nothing + np.float32(widen_mm), dilate_mm, shift_mm))


def draw_head(seed: int, atrophy: float = 0.4) -> Head:
    """A head as old as `atrophy` says, without calcium, scars or cysts, which would get in the way."""
    head = build_head(np.random.default_rng(seed))
    plain = replace(head.cerebrum, calcium=(), scars=(), pools=(), pallor_hu=0.0)
    return replace(head, atrophy=atrophy, ventricle_scale=0.8 + atrophy, cerebrum=plain)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_grey_matter_lies_over_white_matter(seed: int) -> None:
    head = draw_head(seed, atrophy=0.0)
    place = look(head, 58)
    brain = shade(head, place)
    ribbon = brain.pixels_hu[(brain.depth_mm > 1.5) & (brain.depth_mm < 3) & (brain.cistern < 0.05)]
    oval = brain.pixels_hu[(np.abs(np.abs(place.x) - 28) < 4) & (np.abs(place.y) < 25) & (brain.cistern < 0.05)]
    assert np.median(ribbon) > np.median(oval) + 4
    assert abs(np.median(oval) - head.white_hu) < 3


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_sulci_reach_inward_from_the_surface_and_not_to_the_middle(seed: int) -> None:
    head = draw_head(seed, atrophy=0.8)
    place = look(head, 58)
    fluid = shade(head, place).cistern
    near = fluid[(np.abs(place.x) > 12) & (place.depth_mm > 6) & (place.depth_mm < 12)].mean()
    deep = fluid[(np.abs(np.abs(place.x) - 28) < 4) & (np.abs(place.y) < 25)].mean()
    assert near > 0.05
    assert deep < near / 2


@pytest.mark.parametrize("z_mm", [15, 58, 80])
def test_age_and_pressure_widen_the_fluid_about_the_brain(z_mm: float) -> None:
    young, old = (draw_head(4, atrophy) for atrophy in (0.1, 0.9))
    shares = [shade(head, look(head, z_mm)).cistern.sum() for head in (young, old)]
    widened = shade(young, look(young, z_mm), widen_mm=1.0).cistern.sum()
    assert shares[1] > 1.5 * shares[0]
    assert widened > 1.5 * shares[0]


def test_age_and_pressure_widen_the_ventricles() -> None:
    young, old = (draw_head(5, atrophy) for atrophy in (0.1, 0.9))
    shares = [shade(head, look(head, 30)).ventricle.sum() for head in (young, old)]
    assert shares[1] > 1.5 * shares[0]
    assert shade(young, look(young, 30), dilate_mm=2.0).ventricle.sum() > 1.3 * shares[0]


def test_ventricles_hold_fluid_and_lie_beside_the_midline() -> None:
    head = draw_head(6, atrophy=0.7)
    place = look(head, 36)
    brain = shade(head, place)
    inside = brain.ventricle > 0.99
    assert np.median(brain.pixels_hu[inside]) == pytest.approx(head.csf_hu, abs=2)
    for side in (-1, 1):
        assert np.count_nonzero(inside & (place.x * side > 0)) > 20
    assert np.abs(place.x[inside]).max() < 40


def test_a_shift_moves_the_ventricles() -> None:
    head = draw_head(7)
    place = look(head, 30)
    middles = [
        np.average(place.x, weights=shade(head, place, shift_mm=shift_mm).ventricle) for shift_mm in (-6.0, 0.0, 6.0)
    ]
    assert middles[0] + 3 < middles[1] < middles[2] - 3


def test_the_falx_and_the_sagittal_sinus_are_denser_than_brain() -> None:
    head = replace(draw_head(8, atrophy=0.0), falx_hu=60.0)
    place = look(head, 75)
    brain = shade(head, place)
    row = (np.abs(place.y) < 20) & (place.depth_mm > 8)
    falx = brain.pixels_hu[row & (np.abs(place.x) < 0.8)]
    assert np.median(falx) > head.grey_hu + 3
    low = look(head, 40)
    sinus = shade(head, low).pixels_hu[(np.abs(low.x) < 1.5) & (low.y > 60) & (low.depth_mm > 1.5) & (low.depth_mm < 4)]
    assert np.median(sinus) > head.cerebrum.sinus_hu - 6


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_fluid_lies_before_the_pons_in_the_young_too(seed: int) -> None:
    head = draw_head(seed, atrophy=0.1)
    place = look(head, -4)
    stem_mm = stem_inside_mm(place.points)
    gap = (stem_mm < -1) & (stem_mm > -3) & (np.abs(place.x) < 8) & (place.y < 8)
    assert shade(head, place).cistern[gap].mean() > 0.5


def test_sulci_get_narrower_towards_the_vertex() -> None:
    assert tightness(np.array([30.0, 52.0, 74.0, 107.0])) == pytest.approx([1.0, 1.0, 0.6, 0.45])


def test_the_insula_is_not_the_same_on_both_sides() -> None:
    y = np.linspace(-25, 15, 81)
    right, left = (sylvian_mm((side * np.full_like(y, 38.0), y, np.full_like(y, 24.0))) for side in (-1.0, 1.0))
    assert np.abs(right[0] - left[0]).max() > 0.3
    assert np.abs(right[1] - left[1]).max() > 0.2


def test_furrows_of_the_cerebellum_darken_it_in_old_age_and_hardly_in_youth() -> None:
    darker_hu = []
    for atrophy in (0.0, 1.0):
        head = draw_head(3, atrophy)
        place = look(head, 2)
        brain = shade(head, place)
        part = (place.y > 36) & (place.y < 58) & (np.abs(place.x) < 30)
        darker_hu.append(float(np.ptp(np.percentile(brain.pixels_hu[part], [5, 50]))))
    assert darker_hu[0] < 3
    assert darker_hu[1] > 6


def test_fluid_surrounds_the_brain_stem() -> None:
    head = draw_head(9, atrophy=0.6)
    place = look(head, 5)
    star = (np.abs(place.x) < 8) & (np.abs(place.y + 9) < 5)
    assert shade(head, place).cistern[star].mean() > 0.5


@pytest.mark.parametrize("z_mm", [-45, -20, 5, 30, 70, 95, 130])
def test_every_level_is_finite_float32_and_within_the_range_of_tissue(z_mm: float) -> None:
    head = build_head(np.random.default_rng(10))
    brain = shade(head, look(head, z_mm))
    for values in (brain.pixels_hu, brain.depth_mm, brain.cistern, brain.ventricle):
        assert values.dtype == np.float32
        assert values.shape == (SIZE, SIZE)
        assert np.isfinite(values).all()
    assert -30 < brain.pixels_hu.min() <= brain.pixels_hu.max() < 700
    for share in (brain.cistern, brain.ventricle):
        assert 0 <= share.min() <= share.max() <= 1


def draw_many(atrophy: float) -> list[Cerebrum]:
    return [draw_cerebrum(np.random.default_rng(seed), atrophy) for seed in range(300)]


def share_with_pineal_calcium(brains: list[Cerebrum]) -> float:
    return float(
        np.mean([any(abs(s.center_mm[0]) < 3 and 22 < s.center_mm[1] < 30 for s in b.calcium) for b in brains])
    )


def test_two_adults_of_three_have_a_calcified_pineal_body_and_fewer_of_the_young() -> None:
    assert 0.6 < share_with_pineal_calcium(draw_many(0.6)) < 0.85
    assert share_with_pineal_calcium(draw_many(0.0)) < 0.35


def test_scars_come_with_age() -> None:
    young, old = (sum(len(brain.scars) for brain in draw_many(atrophy)) for atrophy in (0.05, 0.95))
    assert old > 5 * young


def test_a_thin_band_covers_as_much_of_a_pixel_as_it_is_wide() -> None:
    distances_mm = np.array([0.0, 0.4, 5.0], dtype=np.float32)
    assert band_share(distances_mm, 0.25, 1.0) == pytest.approx([0.5, 0.35, 0.0])
    assert band_share(distances_mm, 2.0, 1.0) == pytest.approx([1.0, 1.0, 0.0])


def test_a_crop_gives_back_its_square_and_keeps_where_its_points_lie() -> None:
    head = draw_head(11)
    place = look(head, 70)
    crop = crop_to_cavity(place, 1.5)
    assert crop.size < SIZE
    assert crop.size % 16 == 0
    near = crop.cut_place(place)
    assert near.plane.axis(0) == pytest.approx(crop.cut(place.plane.axis(0)), abs=1e-3)
    assert near.plane.axis(1) == pytest.approx(crop.cut(place.plane.axis(1)), abs=1e-3)
    pasted = crop.paste(crop.cut(place.x), np.zeros_like(place.x))
    assert np.array_equal(crop.cut(pasted), crop.cut(place.x))
    assert np.count_nonzero(pasted) <= crop.size**2
    assert place.depth_mm[pasted == 0].max() < 0


def test_a_plane_without_cavity_is_not_cropped() -> None:
    assert crop_to_cavity(look(draw_head(12), 130), 1.5) == Crop(0, 0, SIZE)
