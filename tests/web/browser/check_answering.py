"""The answer, the charts under the image, the saliency upon it, and what can be taken away."""

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from playwright.sync_api import Page, StorageState, expect

from hemorrhage.ct.windows import BRAIN
from tests.web.browser.reader import check_pixels, read_canvas, slice_number, wait_for_image, wait_to_read
from tests.web.browser.studies import Study

WARNING = "Research use only. Not for clinical decisions."


@pytest.fixture
def page(visit: Callable[..., Page], bleeding_visitor: StorageState) -> Page:
    """Returns the page with the bleeding study open and the focus on the image."""
    page = visit(storage_state=bleeding_visitor)
    wait_to_read(page)
    return page


def bar_heights(page: Page, label: str) -> list[float]:
    """Returns the heights of a label's bars, 0 to 1."""
    bars = page.locator(".chart", has=page.get_by_role("button", name=label, exact=True)).locator(".bar")
    return [float(bar.get_attribute("height") or 0) for bar in bars.all()]


def test_a_click_on_a_chart_goes_to_that_slice(page: Page, bleeding: Study) -> None:
    plot = page.locator(".chart-plot").nth(4)
    box = plot.bounding_box()
    assert box is not None
    for index in (0, 10, 13):
        page.mouse.click(box["x"] + box["width"] * (index + 0.5) / 14, box["y"] + 10)
        assert slice_number(page) == index + 1
        check_pixels(page, bleeding.pixels_hu[index], BRAIN)
    assert plot.get_attribute("aria-valuenow") == "14"


def test_the_peak_of_a_chart_is_reached_by_key_and_its_value_is_said(page: Page, bleeding: Study) -> None:
    heights = bar_heights(page, "any")
    assert len(heights) == 14
    page.keyboard.press("m")
    assert slice_number(page) == int(np.argmax(heights)) + 1
    page.keyboard.press("Home")
    page.locator(".chart-plot").nth(5).focus()
    page.keyboard.press("Enter")
    assert slice_number(page) == int(np.argmax(heights)) + 1
    said = page.locator(".chart-plot").nth(5).get_attribute("aria-valuetext")
    assert said is not None
    assert re.fullmatch(rf"Slice {slice_number(page)} of 14: [<>]?\d+ %", said)


def test_the_answer_says_what_it_is_worth(page: Page, bleeding: Study) -> None:
    words = page.locator("#answer-words")
    expect(words).to_contain_text("@phantom")
    expect(words).to_contain_text("synthetic heads alone")
    expect(words).to_contain_text(re.compile("Not calibrated|Calibrated on"))
    expect(page.locator("#answer-any")).to_have_text(re.compile(r"^[<>]?\d+ %$"))
    expect(page.locator(".answer-label")).to_have_count(5)
    expect(page.locator("#facts")).to_contain_text("120 kV")
    expect(page.locator("#series")).to_contain_text("axial head CT, 14 slices")


def test_saliency_is_off_until_a_slider_or_button_turns_it_on(
    page: Page, bleeding: Study, picture: Callable[[Page, str], None]
) -> None:
    page.keyboard.press("m")
    wait_for_image(page)
    assert not read_canvas(page, "overlay").any()
    page.get_by_role("slider", name="any", exact=True).fill("80")
    expect(page.locator("#saliency-message")).to_have_text("", timeout=20_000)
    full = read_canvas(page, "overlay")
    assert full[..., 3].max() > 0.7 * 255
    page.get_by_role("slider", name="any", exact=True).fill("40")
    page.wait_for_timeout(200)
    half = read_canvas(page, "overlay")
    assert abs(int(half[..., 3].max()) - int(full[..., 3].max()) / 2) <= 1
    expect(page.get_by_role("button", name="any", exact=True)).to_have_attribute("aria-pressed", "true")
    picture(page, "desk-saliency")
    check_pixels(page, bleeding.pixels_hu[slice_number(page) - 1], BRAIN)
    page.get_by_role("button", name="All off").click()
    assert not read_canvas(page, "overlay").any()


def test_an_overlay_has_its_label_s_colour_and_the_saliency_as_its_alpha(page: Page) -> None:
    script = """async () => {
        const { colour } = await import("/static/overlay.js");
        return [...colour(new Uint8Array([0, 128, 255]), [10, 20, 30])];
    }"""
    assert page.evaluate(script) == [10, 20, 30, 0, 10, 20, 30, 128, 10, 20, 30, 255]


def test_the_table_is_exported_with_the_warning_and_the_charts_values(
    page: Page, bleeding: Study, tmp_path: Path
) -> None:
    text = export(page, "CSV", tmp_path).read_text()
    assert WARNING in text
    rows = list(csv.reader(io.StringIO(text)))
    slices = [dict(zip(rows[1], row, strict=True)) for row in rows[2:] if row[0] == "slice"]
    values = [float(one["calibrated_subdural"] or one["p_subdural"]) for one in slices]
    shown = bar_heights(page, "subdural")
    assert len(shown) == 14
    # The lowest bars are drawn a little higher, so that they can be seen.
    np.testing.assert_allclose(shown, np.maximum(values, 0.02), atol=1e-6)


def test_the_structured_report_and_the_picture_are_dicom_and_say_the_warning(
    page: Page, bleeding: Study, tmp_path: Path
) -> None:
    report = pydicom.dcmread(export(page, "Structured report", tmp_path))
    assert report.Modality == "SR"
    assert WARNING in str(report)
    picture = pydicom.dcmread(export(page, "Picture", tmp_path))
    assert "Secondary Capture" in picture.SOPClassUID.name
    assert WARNING in str(picture)


def export(page: Page, name: str, folder: Path) -> Path:
    """Clicks an export and returns the file that comes."""
    with page.expect_download(timeout=120_000) as download:
        page.get_by_role("link", name=name, exact=True).click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    assert "research" in path.name
    return path
