"""What is read of a study, and what a person is told of the rest."""

import pytest

from hemorrhage.web.facts import Facts
from hemorrhage.web.limits import Limits
from hemorrhage.web.sorting import Choice, sort_files
from tests.web.making import make_facts

LIMITS = Limits()


def sort(*series: list[Facts]) -> list[Choice]:
    """Returns the choices of the one study that the series make."""
    facts = [one for each in series for one in each]
    (choices,) = sort_files({f"{number:03d}": one for number, one in enumerate(facts)}, LIMITS).values()
    return choices


def head(count: int = 30, step_mm: float = 5.0, **texts: str) -> list[Facts]:
    """Returns the facts of a head series."""
    return [make_facts(number, position=f"0\\0\\{step_mm * number}", **texts) for number in range(count)]


def test_a_plain_head_is_read() -> None:
    (choice,) = sort(head())
    assert choice.chosen
    assert choice.why == "axial head CT, 30 slices 5 mm apart"


def test_a_single_slice_is_read_where_there_is_no_more() -> None:
    (choice,) = sort(head(1))
    assert choice.chosen
    assert choice.why == "axial head CT, 1 slice"


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        ({"modality": "MR"}, "MR images (magnetic resonance); the network reads CT alone"),
        ({"modality": ""}, "files without a modality"),
        ({"modality": "SR"}, "a report, not images"),
        ({"modality": "XX"}, "images of modality XX"),
        ({"sop_class": "1.2.840.10008.5.1.4.1.1.7"}, "secondary captures: pictures of a screen"),
        ({"pixels": ""}, "no pixels, a report perhaps"),
        ({"samples": "3"}, "colour images; CT slices are grey"),
        ({"frames": "40"}, "many images in one file"),
        ({"image_type": "ORIGINAL\\PRIMARY\\LOCALIZER"}, "a localizer (scout view)"),
        ({"orientation": "1\\0\\0\\0\\0\\-1"}, "coronal or sagittal slices"),
        ({"orientation": "0\\1\\0\\0\\0\\-1"}, "coronal or sagittal slices"),
        ({"image_type": "DERIVED\\SECONDARY\\MIP"}, "computed images (MIP)"),
        ({"body_part": "CHEST"}, "not a head: its header says chest"),
        ({"series_description": "Abdomen 5mm"}, "not a head: its header says abdom"),
        ({"spacing": "0.9\\0.9"}, "a field of 461 mm"),
        ({"rows": "4096", "columns": "4096"}, "4096 x 4096 pixels a slice"),
    ],
)
def test_what_is_no_axial_head_ct_is_left_out_with_words(texts: dict[str, str], words: str) -> None:
    (choice,) = sort(head(**texts))
    assert not choice.chosen
    assert words in choice.why


def test_a_tilted_gantry_is_still_axial() -> None:
    assert sort(head(orientation="1\\0\\0\\0\\0.906\\-0.423"))[0].chosen


def test_what_is_nearest_to_the_image_says_which_part_it_is() -> None:
    assert sort(head(body_part="HEAD", study_description="CT head and chest"))[0].chosen
    assert not sort(head(body_part="CHEST", study_description="CT head and chest"))[0].chosen


def test_a_localizer_within_the_series_leaves_the_slices_readable() -> None:
    scout = make_facts(0, image_type="ORIGINAL\\PRIMARY\\LOCALIZER", orientation="0\\1\\0\\0\\0\\-1")
    choices = sort([scout], head())
    assert [(choice.chosen, len(choice.group.names)) for choice in choices] == [(False, 1), (True, 30)]


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (head(series_number="2", kernel="H60s"), "sharp kernel, for bone"),
        (head(series_number="2", kernel="FC30"), "sharp kernel, for bone"),
        (head(series_number="2", kernel="BONEPLUS"), "sharp kernel, for bone"),
        (head(series_number="2", series_description="Head BONE 5mm"), "sharp kernel, for bone"),
        (head(240, 0.625, series_number="2"), "thin slices, 0.625 mm apart"),
        (head(2, series_number="2"), "too few slices (2)"),
        (head(series_number="2", contrast="Iomeron"), "contrast agent, which is bright as blood is"),
        (head(20, series_number="2"), "reaches as far or farther"),
    ],
)
def test_of_two_head_series_the_one_like_training_is_read(other: list[Facts], words: str) -> None:
    for choices in (sort(head(series_number="1"), other), sort(other, head(series_number="1"))):
        kept, left = sorted(choices, key=lambda choice: not choice.chosen)
        assert (kept.chosen, kept.group.series, left.chosen) == (True, "1", False)
        assert words in left.why


def test_soft_kernels_of_the_makers_are_soft() -> None:
    for kernel in ("H30s", "J40s", "Hr38\\3", "FC21", "STANDARD", "UB"):
        (choice,) = sort(head(kernel=kernel))
        assert "bone" not in choice.why, kernel


def test_a_bone_series_alone_is_read_and_says_what_it_is() -> None:
    (choice,) = sort(head(kernel="H60s"))
    assert choice.chosen
    assert "kernel is one for bone" in choice.why


def test_two_acquisitions_at_the_same_places_become_two_series() -> None:
    choices = sort(head(10, acquisition="1"), head(10, acquisition="2"))
    assert [(choice.chosen, len(choice.group.names), choice.group.part) for choice in choices] == [
        (True, 10, "1"),
        (False, 10, "2"),
    ]
    assert "second pass" in choices[1].why


def test_two_passes_without_acquisition_numbers_are_told_apart_by_instance() -> None:
    first = [make_facts(number, instance=str(number)) for number in range(10)]
    second = [make_facts(number, instance=str(100 + number)) for number in range(10)]
    choices = sort([one for pair in zip(second, first, strict=True) for one in pair])
    assert [facts.text("instance") for facts in choices[0].group.facts] == [str(number) for number in range(10)]
    assert not choices[1].chosen


def test_slices_are_in_order_of_z_from_below_whatever_their_names() -> None:
    (choice,) = sort(list(reversed(head(12))))
    assert choice.group.z_mm == [5.0 * number for number in range(12)]


def test_studies_are_kept_apart() -> None:
    one, two = make_facts(0), make_facts(1)
    other = Facts(two.texts, {**two.ids, "study": "other"})
    assert [len(choices) for choices in sort_files({"a": one, "b": other}, LIMITS).values()] == [1, 1]
