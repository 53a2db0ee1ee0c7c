"""The heads made from anatomy: repeatable, shaped like heads, and each blood where its name says."""

from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import pytest
from scipy import ndimage

from hemorrhage.ct.dicom import Header, to_hounsfield
from hemorrhage.ct.phantom import (
    HU_HIGH,
    HU_LOW,
    STORED_FORMS,
    SUBTYPES,
    Bleed,
    Head,
    RenderedSlice,
    Scan,
    StoredForm,
    build_circle,
    build_head,
    build_header,
    draw_bleeds,
    draw_scan,
    render_masks,
    render_series,
    to_raw,
)
from hemorrhage.ct.phantom.anatomy import locate
from hemorrhage.ct.phantom.scanner import build_plane
from hemorrhage.ct.phantom.space import Plane, draw_waves, sample_waves
from hemorrhage.ct.phantom.stored import lowest_hu
from hemorrhage.data import labels

SIZE = 96


def draw_patient(seed: int, subtypes: tuple[str, ...], severity: float = 0.6) -> tuple[Head, tuple[Bleed, ...], Scan]:
    rng = np.random.default_rng([seed, 77])
    head = build_head(rng)
    scan = draw_scan(rng, head)
    return head, draw_bleeds(rng, subtypes, severity), replace(scan, noise_hu=0.0)


@cache
def render_largest(seed: int, subtype: str, atrophy: float = 0.5) -> tuple[RenderedSlice, RenderedSlice, np.ndarray]:
    """The slice with the most blood of `subtype`, the same without blood, and the depth below the skull, mm."""
    head, bleeds, scan = draw_patient(seed, (subtype,))
    head = replace(head, atrophy=atrophy)
    areas = [np.count_nonzero(masks[subtype]) for masks in render_masks(head, bleeds, scan, 32)]
    only = replace(scan, first_z_mm=scan.z_mm(int(np.argmax(areas))), slices=1)
    rng = np.random.default_rng(0)
    depth_mm = locate(head, build_plane(head, only, only.first_z_mm, SIZE)).depth_mm
    bloody, without = (next(render_series(head, blood, only, SIZE, rng)) for blood in (bleeds, ()))
    return bloody, without, depth_mm


def scan_pixel_mm(depth_mm: np.ndarray) -> float:
    """About the size of a pixel: the steepest step of the depth, which grows by 1 mm a mm."""
    return float(np.percentile(np.abs(np.diff(depth_mm, axis=0)), 99))


def touches_bone(rendered: RenderedSlice, subtype: str) -> bool:
    grown = cv2.dilate(rendered.masks[subtype].astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return bool((grown & (rendered.pixels_hu > 250)).any())


def solidity(mask: np.ndarray) -> float:
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    largest = max(contours, key=cv2.contourArea)
    return cv2.contourArea(largest) / cv2.contourArea(cv2.convexHull(largest))


def test_subtypes_are_those_of_the_labels() -> None:
    assert SUBTYPES == labels.SUBTYPES


def test_the_same_seed_gives_the_same_series_and_another_seed_another() -> None:
    def render(seed: int) -> list[np.ndarray]:
        head, bleeds, scan = draw_patient(seed, ("epidural",))
        middle = replace(scan, first_z_mm=scan.z_mm(15), slices=4)
        return [each.pixels_hu for each in render_series(head, bleeds, middle, 32, np.random.default_rng(seed))]

    first, other, again = render(1), render(2), render(1)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])


def test_a_series_runs_from_the_skull_base_to_the_vertex() -> None:
    head, bleeds, scan = draw_patient(3, ())
    series = list(render_series(head, bleeds, scan, SIZE, np.random.default_rng(0)))
    heads = [np.count_nonzero(each.pixels_hu > -300) for each in series]
    assert 25 <= len(series) <= 40
    assert heads[-1] < 0.6 * max(heads)
    assert all(each.pixels_hu.dtype == np.int16 for each in series)
    assert HU_LOW <= min(each.pixels_hu.min() for each in series) < -950
    assert 700 < max(each.pixels_hu.max() for each in series) <= HU_HIGH
    assert not any(mask.any() for each in series for mask in each.masks.values())


def test_the_brain_has_white_and_grey_matter_and_fluid() -> None:
    _, without, depth_mm = render_largest(4, "intraventricular")
    brain_hu = without.pixels_hu[depth_mm > 5]
    low, middle, high = np.percentile(brain_hu, [1, 50, 95])
    assert low < 18
    assert 24 < middle < 40
    assert middle + 3 < high < 50


@pytest.mark.parametrize("subtype", SUBTYPES)
@pytest.mark.parametrize("seed", [1, 2])
def test_blood_is_inside_the_skull_and_denser_than_what_it_replaces(subtype: str, seed: int) -> None:
    bloody, without, depth_mm = render_largest(seed, subtype)
    mask = bloody.masks[subtype]
    assert mask.any()
    assert not any(other.any() for name, other in bloody.masks.items() if name != subtype)
    assert depth_mm[mask].min() > -2 * scan_pixel_mm(depth_mm)
    rise_hu = np.median(bloody.pixels_hu[mask]) - np.median(without.pixels_hu[depth_mm > 3])
    # An old subdural hematoma is as dense as brain, or less; see test_phantom_blood.
    assert rise_hu > 10 or subtype == "subdural"


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_epidural_blood_is_a_lens_on_the_skull(seed: int) -> None:
    bloody, _, depth_mm = render_largest(seed, "epidural")
    mask = bloody.masks["epidural"]
    assert touches_bone(bloody, "epidural")
    assert solidity(mask) > 0.75
    # Thickest in the middle, thin at both ends.
    deepest = np.array(np.nonzero(mask & (depth_mm == depth_mm[mask].max())))[:, 0]
    middle = np.array(np.nonzero(mask)).mean(axis=1)
    reach = np.ptp(np.array(np.nonzero(mask)), axis=1).max()
    assert np.linalg.norm(deepest - middle) < 0.35 * reach


def test_subdural_blood_is_a_crescent_on_the_skull_that_stays_on_its_side() -> None:
    rng = np.random.default_rng(5)
    head = build_head(rng)
    scan = replace(draw_scan(rng, head), noise_hu=0.0, pose=(0.0, 0.0, 0.0), offset_mm=(0.0, 0.0), tilt=0.0)
    crescents = (next(b for k in range(9) for b in draw_bleeds(np.random.default_rng(k), ["subdural"], 0.9)[:1]),)
    best = max(
        render_series(head, crescents, scan, SIZE, rng), key=lambda each: np.count_nonzero(each.masks["subdural"])
    )
    mask = best.masks["subdural"]
    assert touches_bone(best, "subdural")
    assert solidity(mask) < 0.8
    columns = np.nonzero(mask)[1]
    assert columns.max() < SIZE / 2 + 2 or columns.min() > SIZE / 2 - 2


def test_subdural_blood_can_reach_farther_along_the_skull_than_it_is_thick() -> None:
    bloody, _, _ = render_largest(2, "subdural")
    mask = bloody.masks["subdural"]
    thickness = ndimage.distance_transform_edt(mask).max() * 2
    rows = np.nonzero(mask.any(axis=1))[0]
    assert rows[-1] - rows[0] > 2.5 * thickness


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_ventricular_and_subarachnoid_blood_lie_where_fluid_was(seed: int) -> None:
    for subtype, limit_hu in (("intraventricular", 20), ("subarachnoid", 28)):
        bloody, without, _ = render_largest(seed, subtype, atrophy=1.0)
        assert bloody.masks[subtype].any()
        assert np.median(without.pixels_hu[bloody.masks[subtype]]) < limit_hu


def test_ventricular_blood_settles_at_the_back() -> None:
    rng = np.random.default_rng(8)
    head = build_head(rng)
    scan = replace(draw_scan(rng, head), noise_hu=0.0, pose=(0.0, 0.0, 0.0))
    bleeds = draw_bleeds(rng, ["intraventricular"], 0.3)
    settled = [masks["intraventricular"] for masks in render_masks(head, bleeds, scan, SIZE)]
    rows = np.concatenate([np.nonzero(mask)[0] for mask in settled])
    assert len(rows) > 0
    assert rows.mean() > SIZE * 0.55


def test_clots_lie_in_a_darker_rim() -> None:
    # On average: a fresh clot has hardly any.
    darker_hu = []
    for seed in (1, 2, 3):
        bloody, without, depth_mm = render_largest(seed, "intraparenchymal")
        mask = bloody.masks["intraparenchymal"]
        near = ndimage.binary_dilation(mask, iterations=4) & ~ndimage.binary_dilation(mask, iterations=2)
        near &= depth_mm > 8
        darker_hu.append(np.mean(without.pixels_hu[near]) - np.mean(bloody.pixels_hu[near]))
    assert np.mean(darker_hu) > 0.5


def test_blood_covers_consecutive_slices_and_more_of_them_when_severe() -> None:
    spans = []
    for severity in (0.2, 0.95):
        head, _, scan = draw_patient(6, ())
        bleeds = draw_bleeds(np.random.default_rng(11), ["epidural"], severity)
        positive = [masks["epidural"].any() for masks in render_masks(head, bleeds, scan, 64)]
        where = np.nonzero(positive)[0]
        assert len(where) == where[-1] - where[0] + 1
        spans.append(len(where))
    assert 1 <= spans[0] < spans[1]


def test_an_unknown_subtype_is_refused() -> None:
    with pytest.raises(ValueError, match="received \\['any'\\]"):
        draw_bleeds(np.random.default_rng(0), ["any"], 0.5)


def test_waves_are_smooth_and_of_unit_variance_whether_sampled_coarsely_or_not() -> None:
    grid_mm = np.arange(128) - 63.5
    plane = Plane(np.zeros(3), np.array([1.0, 0, 0]), np.array([0, 1.0, 0]), grid_mm)
    for length_mm in (6.0, 14.0, 30.0):
        field = sample_waves(draw_waves(np.random.default_rng(1), length_mm), plane)
        assert field.shape == (128, 128)
        assert 0.7 < field.std() < 1.3
        assert np.abs(np.diff(field, axis=0)).mean() < 2 * np.pi / length_mm


def build_form_header(form: StoredForm, size: int) -> Header:
    _, _, scan = draw_patient(1, ())
    return build_header(form, scan, 3, size, "ID_000000001", ("ID_00000001", "ID_0000000002", "ID_0000000003"))


@pytest.mark.parametrize("form", STORED_FORMS)
def test_every_stored_form_gives_back_the_hu(form: StoredForm) -> None:
    pixels_hu = np.linspace(HU_LOW, HU_HIGH, 64 * 64).round().astype(np.int16).reshape(64, 64)
    header = build_form_header(form, 64)
    raw = to_raw(pixels_hu, header, form.padding_raw)
    bits = 2**form.bits_stored
    assert raw.min() >= (-bits // 2 if form.pixel_representation else 0)
    assert raw.max() < (bits // 2 if form.pixel_representation else bits)
    back = to_hounsfield(raw, header)
    circle = build_circle(64)
    assert np.array_equal(back[circle], np.maximum(pixels_hu, lowest_hu(header))[circle])
    assert form.padding_raw is None or (raw[~circle] == form.padding_raw).all()


def test_air_goes_down_to_minus_1024_but_for_an_intercept_of_minus_1000_and_the_wrapped_forms() -> None:
    lowest = [lowest_hu(build_form_header(form, 64)) for form in STORED_FORMS]
    assert lowest == [-1024, -1024, -1000, -1000, -1000, -1024, -1024]


def test_only_signed_forms_of_16_bits_have_padding() -> None:
    # None of the 92 real slices of 12 bits has any.
    assert all((form.padding_raw is None) == (form.bits_stored == 12) for form in STORED_FORMS)


def test_only_the_two_forms_with_high_intercepts_wrap() -> None:
    wrapped = [form.rescale_intercept for form in STORED_FORMS if build_form_header(form, 64).is_wrapped]
    assert sorted(wrapped) == [0, 1]


def test_a_header_places_the_first_pixel_so_that_the_image_is_centred_on_the_head() -> None:
    _, _, scan = draw_patient(1, ())
    scan = replace(scan, tilt=0.3, offset_mm=(4.0, -6.0), field_mm=256.0)
    header = build_header(STORED_FORMS[0], scan, 2, 512, "ID_000000001", ("ID_00000001", "ID_2", "ID_3"))
    assert header.pixel_spacing_mm == (0.5, 0.5)
    assert header.orientation == pytest.approx((1, 0, 0, 0, np.cos(0.3), -np.sin(0.3)))
    half = 0.5 * 511 / 2
    assert header.position_mm == pytest.approx(
        (-4.0 - half, 6.0 - half * np.cos(0.3), scan.z_mm(2) + half * np.sin(0.3))
    )
