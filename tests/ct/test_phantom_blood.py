"""Blood in the phantom: how far it reaches, where it may not go, how dense it is, and what only looks like it."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from hemorrhage.ct.phantom import SUBTYPES, Bleed, build_head, draw_bleeds, draw_scan, render_masks
from hemorrhage.ct.phantom.anatomy import locate
from hemorrhage.ct.phantom.brain import Brain, shade_brain
from hemorrhage.ct.phantom.clots import Clot
from hemorrhage.ct.phantom.dura import FalxLining
from hemorrhage.ct.phantom.linings import Filling, Lining, filling_hu, lining_mm
from hemorrhage.ct.phantom.mimics import Infarct, Spot, draw_mimics, shade_mimics
from hemorrhage.ct.phantom.place import Place
from hemorrhage.ct.phantom.scene import Scene, clotted_hu
from hemorrhage.ct.phantom.space import Plane, draw_waves
from hemorrhage.ct.phantom.stain import build_pressure, shade_bleeds, shift_mm
from hemorrhage.ct.phantom.sulcal import SulcalBlood
from hemorrhage.ct.phantom.surgery import Catheter, Opening
from hemorrhage.ct.phantom.vault import Patch
from hemorrhage.ct.phantom.ventricular import VentricleFill

GRID_MM = np.arange(96) * 2.2 - 104.5


def locate_level(z_mm: float, seed: int = 0) -> Place:
    """The points of a level plane `z_mm` above the sella in a head that is drawn from `seed`."""
    plane = Plane(np.array([0, 0, z_mm]), np.array([1.0, 0, 0]), np.array([0, 1.0, 0]), GRID_MM)
    return locate(build_head(np.random.default_rng(seed)), plane)


def shade(bleeds: tuple[Bleed, ...], place: Place, seed: int = 0) -> tuple[np.ndarray, dict[str, np.ndarray], Brain]:
    brain = shade_brain(build_head(np.random.default_rng(seed)), place, build_pressure(bleeds, place))
    return *shade_bleeds(bleeds, place, brain), brain


def draw_many(subtype: str, severity: float, count: int) -> Iterator[Bleed]:
    for seed in range(count):
        yield from draw_bleeds(np.random.default_rng(seed), [subtype], severity)


def count_slices(subtype: str, severity: float, seed: int) -> int:
    rng = np.random.default_rng([seed, 4])
    head = build_head(rng)
    scan = replace(draw_scan(rng, head), noise_hu=0.0)
    bleeds = draw_bleeds(np.random.default_rng(seed), [subtype], severity)
    return sum(bool(masks[subtype].any()) for masks in render_masks(head, bleeds, scan, 40))


@pytest.mark.parametrize("subtype", SUBTYPES)
def test_the_height_of_a_bleed_grows_with_its_severity_from_few_slices_to_most_of_the_brain(subtype: str) -> None:
    runs = [sum(count_slices(subtype, severity, seed) for seed in (1, 2)) / 2 for severity in (0.0, 0.5, 1.0)]
    assert runs[0] <= 4
    assert runs[0] < runs[1]
    assert runs[1] + 3 < runs[2]
    assert runs[2] >= 9


def test_each_subtype_takes_its_own_severity_and_leaves_the_others_as_they_are() -> None:
    both = ["epidural", "intraventricular"]
    small = draw_bleeds(np.random.default_rng(3), both, {"intraventricular": 0.5, "epidural": 0.1})
    large = draw_bleeds(np.random.default_rng(3), both, {"intraventricular": 0.5, "epidural": 0.3})
    assert repr(small[1]) == repr(large[1])
    lenses = (small[0], large[0])
    assert isinstance(lenses[0], Lining) and isinstance(lenses[1], Lining)
    assert lenses[0].thickness_mm < lenses[1].thickness_mm


def test_severities_that_are_missing_or_out_of_range_are_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="severity for subdural, received severities for \\['epidural'\\]"):
        draw_bleeds(rng, ["subdural"], {"epidural": 0.5})
    with pytest.raises(ValueError, match=r"received 1\.2"):
        draw_bleeds(rng, ["subdural"], 1.2)


def test_no_epidural_blood_at_the_side_crosses_the_coronal_or_the_lambdoid_suture() -> None:
    place = locate_level(40.0)
    for bleed in draw_many("epidural", 1.0, 12):
        assert isinstance(bleed, Lining)
        if bleed.compartment == "side":
            thick = lining_mm(bleed, place) > 0.05
            # At this height: the coronal suture at y -27, the lambdoid at 62.
            assert thick.any()
            assert place.y[thick].min() > -28
            assert place.y[thick].max() < 63
            assert (np.sign(place.x[thick]) == bleed.patch.side).all()  # type: ignore[union-attr]


def test_subdural_blood_crosses_sutures_but_not_the_midline() -> None:
    place = locate_level(50.0)
    patch = Patch(side=1, azimuth=0.0, z_mm=50.0, half_mm=(95.0, 40.0))
    crescent = Lining("subdural", patch, 8.0, Filling(60.0, draw_waves(np.random.default_rng(0), 20.0)))
    near_wall = (lining_mm(crescent, place) > 2) & (place.dome_mm > 0) & (place.dome_mm < 2)
    assert place.y[near_wall].min() < -40
    assert place.y[near_wall].max() > 70
    assert place.x[near_wall].min() > 0


@pytest.mark.parametrize(("hematocrit", "packing", "expected_hu"), [(45, 1.5, 67.5), (26, 1.4, 36.4), (52, 1.8, 82)])
def test_a_clot_is_as_dense_as_its_cells(hematocrit: float, packing: float, expected_hu: float) -> None:
    scene = Scene("trauma", 1, 0.0, 40.0, hematocrit, breaks_in=False)
    assert clotted_hu(scene, packing) == pytest.approx(expected_hu)


def test_subdural_blood_is_of_every_age_and_epidural_blood_is_fresh() -> None:
    old = np.array([bleed.filling.density_hu for bleed in draw_many("subdural", 0.5, 120)])  # type: ignore[union-attr]
    assert 0.4 < np.mean(old > 52) < 0.8
    assert np.mean((old > 30) & (old < 50)) > 0.1
    assert np.mean(old < 27) > 0.02
    fresh = [bleed.filling.density_hu for bleed in draw_many("epidural", 0.5, 120)]  # type: ignore[union-attr]
    assert 58 < np.median(fresh) < 72


def test_a_level_leaves_the_back_denser_than_the_front() -> None:
    place = locate_level(50.0)
    filling = Filling(35.0, draw_waves(np.random.default_rng(0), 20.0), layering_hu=20.0, level_mm=10.0)
    density_hu = filling_hu(filling, place)
    assert density_hu[place.y > 15].mean() - density_hu[place.y < 5].mean() == pytest.approx(20, abs=1)


@pytest.mark.parametrize("subtype", SUBTYPES)
def test_shares_are_parts_of_one_and_blood_lies_only_where_its_name_allows(subtype: str) -> None:
    for seed, z_mm in enumerate((8.0, 26.0, 44.0)):
        place = locate_level(z_mm)
        bleeds = draw_bleeds(np.random.default_rng(seed), [subtype], 0.9)
        pixels_hu, shares, brain = shade(bleeds, place)
        share = shares[subtype]
        assert share.dtype == np.float32
        assert pixels_hu.dtype == brain.pixels_hu.dtype
        assert share.min() >= 0
        assert share.max() <= 1
        if subtype == "intraventricular":
            assert (share <= brain.ventricle + 1e-6).all()
        elif subtype == "subarachnoid":
            assert (share <= brain.cistern + 1e-6).all()
        elif subtype == "intraparenchymal":
            assert (share <= 1 - brain.ventricle + 1e-6).all()
        unstained = place.depth_mm > 0
        for other in shares.values():
            unstained &= other == 0
        # Nothing becomes denser but by blood.
        assert (pixels_hu[unstained] <= brain.pixels_hu[unstained] + 1e-3).all()


def test_a_sediment_lies_at_the_back_of_the_horns() -> None:
    for fill in draw_many("intraventricular", 0.15, 6):
        assert isinstance(fill, VentricleFill)
        assert min(fill.levels_mm) > 42
        assert fill.heights_mm[0] < 28 < fill.heights_mm[1]
        assert fill.heights_mm[1] - fill.heights_mm[0] < 20


def test_a_large_clot_pushes_the_midline_away_and_a_small_one_does_not() -> None:
    for clot in draw_many("intraparenchymal", 0.95, 6):
        assert isinstance(clot, Clot)
        if abs(clot.center_mm[0]) > 6:
            assert shift_mm([clot]) * clot.center_mm[0] <= 0
    assert any(abs(shift_mm([clot])) > 2 for clot in draw_many("intraparenchymal", 0.95, 6))
    assert all(abs(shift_mm([clot])) < 2 for clot in draw_many("intraparenchymal", 0.0, 6))


def test_bleeds_after_a_blow_lie_on_the_same_side() -> None:
    for seed in range(8):
        bleeds = draw_bleeds(np.random.default_rng(seed), ["epidural", "intraparenchymal"], 0.4)
        sides = {np.sign(bleed.center_mm[0]) for bleed in bleeds if isinstance(bleed, Clot)}
        patch = next(bleed.patch for bleed in bleeds if isinstance(bleed, Lining))
        assert not isinstance(patch, Patch) or patch.side in sides


def test_blood_of_a_burst_aneurysm_lies_about_the_base_and_that_of_a_blow_on_one_side() -> None:
    bloods = [bleed for bleed in draw_many("subarachnoid", 0.4, 40) if isinstance(bleed, SulcalBlood)]
    aside_mm = np.array([abs(blood.center_mm[0]) for blood in bloods])
    assert np.mean(aside_mm < 20) > 0.2
    assert np.mean(aside_mm > 25) > 0.3
    density_hu = np.array([blood.density_hu for blood in bloods])
    assert density_hu.min() < 45 < 55 < density_hu.max() < 80


def test_about_a_quarter_of_heads_have_what_looks_like_blood() -> None:
    drawn = [draw_mimics(np.random.default_rng(seed)) for seed in range(600)]
    assert 0.18 < np.mean([bool(mimics) for mimics in drawn]) < 0.32
    kinds = {type(mimic) for mimics in drawn for mimic in mimics}
    assert {Spot, Infarct, Lining, FalxLining, Opening, Catheter} <= kinds
    assert all(mimic.subtype == "" for mimics in drawn for mimic in mimics if isinstance(mimic, Lining | FalxLining))


def test_mimics_are_repeatable_and_no_fluid_lies_where_a_bleed_does() -> None:
    assert repr(draw_mimics(np.random.default_rng(5))) == repr(draw_mimics(np.random.default_rng(5)))
    bleeds = draw_bleeds(np.random.default_rng(1), ["epidural"], 0.5)
    for seed in range(200):
        mimics = draw_mimics(np.random.default_rng(seed), bleeds)
        assert not any(isinstance(mimic, Lining | Opening) for mimic in mimics)


def test_a_head_without_mimics_is_left_as_it_is_and_a_drain_is_denser_than_blood() -> None:
    place = locate_level(40.0)
    pixels_hu, _, brain = shade((), place)
    assert np.array_equal(shade_mimics((), place, brain, pixels_hu), pixels_hu)
    drain = Catheter((40.0, -50.0, 90.0), (8.0, -10.0, 30.0), 2.5, 400.0)
    changed = shade_mimics((drain,), place, brain, pixels_hu)
    assert 100 < changed.max() <= 400
    assert 0 < np.count_nonzero(changed != pixels_hu) < 60


def test_a_hygroma_holds_fluid_and_an_infarct_darkens_the_brain() -> None:
    place = locate_level(50.0)
    rng = np.random.default_rng(0)
    hygroma = Lining("", Patch(1, 0.0, 50.0, (60.0, 30.0)), 9.0, Filling(10.0, draw_waves(rng, 20.0)))
    head = build_head(np.random.default_rng(0))
    brain = shade_brain(head, place, build_pressure((), place, (hygroma,)))
    pixels_hu = shade_mimics((hygroma,), place, brain, brain.pixels_hu)
    inside = (lining_mm(hygroma, place) > 7) & (place.depth_mm > 2) & (place.depth_mm < 5)
    assert inside.any()
    assert 4 < np.median(pixels_hu[inside]) < 16
    infarct = Infarct(Patch(-1, 0.0, 50.0, (50.0, 30.0)), 40.0, 10.0, draw_waves(rng, 24.0))
    darker = brain.pixels_hu - shade_mimics((infarct,), place, brain, brain.pixels_hu)
    assert -1e-3 <= darker.min() < 4 < darker.max() <= 10.1
    assert darker[place.x > 5].max() == pytest.approx(0, abs=1e-3)
