"""Slices, window, zoom and ruler do what they say, and the image is what Python computes of the same HU."""

import re
from collections.abc import Callable

import numpy as np
import pytest
from playwright.sync_api import Page, StorageState, expect

from hemorrhage.ct.windows import BONE, BRAIN, SOFT_TISSUE, SUBDURAL, Window, apply_window
from tests.web.browser.reader import (
    add_files,
    check_pixels,
    drag,
    slice_number,
    wait_for_image,
    wait_for_studies,
    wait_to_read,
    window_shown,
)
from tests.web.browser.studies import Study

STROKE = Window(40, 40)


@pytest.fixture
def page(visit: Callable[..., Page], quiet_visitor: StorageState) -> Page:
    """Returns the page with the quiet study open and the focus on the image."""
    page = visit(storage_state=quiet_visitor)
    wait_to_read(page)
    return page


def test_every_slice_is_the_one_of_the_file_in_the_window_that_python_computes(page: Page, quiet: Study) -> None:
    page.keyboard.press("Home")
    for number, pixels_hu in enumerate(quiet.pixels_hu, 1):
        assert slice_number(page) == number
        check_pixels(page, pixels_hu, BRAIN)
        page.keyboard.press("ArrowDown")


def test_number_keys_and_buttons_choose_the_presets(page: Page, quiet: Study) -> None:
    middle = quiet.pixels_hu[6]
    for key, window in zip("12345", (BRAIN, SUBDURAL, BONE, STROKE, SOFT_TISSUE), strict=True):
        page.keyboard.press(key)
        check_pixels(page, middle, window)
    page.get_by_role("button", name="Subdural", exact=True).click()
    check_pixels(page, middle, SUBDURAL)
    expect(page.get_by_role("button", name="Subdural", exact=True)).to_have_attribute("aria-pressed", "true")


def test_grey_levels_agree_with_python_at_every_hu_and_half(page: Page) -> None:
    levels = np.arange(-1100, 3100, dtype=np.int16)
    script = """async ([center, width, first, count]) => {
        const { greyOf } = await import("/static/windowing.js");
        return Array.from({ length: count }, (_, at) => greyOf(first + at, { center, width }));
    }"""
    # Width 170 puts levels exactly between two greys: there rounding half to even tells.
    for window in (BRAIN, BONE, Window(40, 170), Window(35, 51), Window(0, 1)):
        shown = page.evaluate(script, [window.center, window.width, int(levels[0]), len(levels)])
        np.testing.assert_array_equal(shown, apply_window(levels, window))


def test_the_right_button_drags_the_window(page: Page, quiet: Study) -> None:
    page.keyboard.press("2")
    drag(page, (60, -40), button="right")
    # Half a HU a pixel at a width of 200: right widens, up lowers the center.
    assert window_shown(page) == Window(80 - 20, 200 + 30)
    expect(page.locator("#corner-window")).to_have_text("C 60 W 230")
    check_pixels(page, quiet.pixels_hu[6], Window(60, 230))


def test_the_window_tool_drags_with_the_left_button_and_fields_take_numbers(page: Page, quiet: Study) -> None:
    page.get_by_role("button", name="Window", exact=True).click()
    drag(page, (80, 80))
    check_pixels(page, quiet.pixels_hu[6], Window(60, 100))
    page.fill("#window-width", "150")
    page.keyboard.press("Enter")
    check_pixels(page, quiet.pixels_hu[6], Window(60, 150))
    page.fill("#window-width", "0")
    page.keyboard.press("Tab")
    assert window_shown(page) == Window(60, 150)


def test_wheel_drag_and_keys_go_through_the_slices_and_stop_at_the_ends(page: Page, quiet: Study) -> None:
    page.locator("#stage").hover()
    page.mouse.wheel(0, 100)
    expect(page.locator("#corner-slice")).not_to_have_text("Slice 7 / 12")
    assert slice_number(page) == 9
    page.mouse.wheel(0, -40)
    expect(page.locator("#corner-slice")).to_have_text("Slice 8 / 12")
    for key, number in {"ArrowUp": 7, "ArrowRight": 8, "PageUp": 3, "PageDown": 8, "End": 12, "Home": 1}.items():
        page.keyboard.press(key)
        assert slice_number(page) == number
    page.keyboard.press("ArrowUp")
    assert slice_number(page) == 1
    drag(page, (0, 200))
    assert slice_number(page) > 3
    check_pixels(page, quiet.pixels_hu[slice_number(page) - 1], BRAIN)


def test_the_slice_is_spoken_once_the_reader_rests(page: Page, quiet: Study) -> None:
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#spoken")).to_have_text(re.compile(r"^Slice 2 of 12, any hemorrhage <?\d+ %$"))


def test_zoom_keeps_what_lies_under_the_pointer_and_fit_undoes_it(page: Page, quiet: Study) -> None:
    box = page.locator("#stage").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2 + 80, box["y"] + box["height"] / 2 + 50)
    under = page.inner_text("#corner-probe")
    assert re.fullmatch(r"-?\d+ HU at \d+, \d+", under)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -120)
    page.keyboard.up("Control")
    expect(page.locator("#corner-zoom")).to_have_text("182 % of fit")
    page.mouse.move(box["x"] + box["width"] / 2 + 81, box["y"] + box["height"] / 2 + 50)
    page.mouse.move(box["x"] + box["width"] / 2 + 80, box["y"] + box["height"] / 2 + 50)
    assert page.inner_text("#corner-probe") == under
    page.keyboard.press("0")
    expect(page.locator("#corner-zoom")).to_have_text("100 % of fit")


def test_the_probe_says_the_hu_of_the_file(page: Page, quiet: Study) -> None:
    page.locator("#stage").hover(position={"x": 400, "y": 300})
    found = re.fullmatch(r"(-?\d+) HU at (\d+), (\d+)", page.inner_text("#corner-probe"))
    assert found is not None
    hu, column, row = map(int, found.groups())
    assert quiet.pixels_hu[6][row, column] == hu


def test_the_ruler_measures_in_mm_of_the_header(page: Page, quiet: Study) -> None:
    page.keyboard.press("r")
    drag(page, (120, 160), start=(-50, -80))
    scale = page.locator("#stage").evaluate("stage => stage.clientHeight") / 256
    said = float((page.locator(".ruler-length").text_content() or "").removesuffix(" mm"))
    assert abs(said - 200 / scale * quiet.spacing_mm) < 0.06
    page.keyboard.press("ArrowDown")
    expect(page.locator(".ruler-length")).to_have_count(0)
    page.keyboard.press("ArrowUp")
    expect(page.locator(".ruler-length")).to_have_count(1)
    page.keyboard.press("Delete")
    expect(page.locator(".ruler-length")).to_have_count(0)


def test_the_ruler_says_where_there_is_no_spacing_and_knows_oblong_pixels(page: Page) -> None:
    script = """async ([from, to, spacing]) => (await import("/static/ruler.js")).measure(from, to, spacing)"""
    here, there = {"x": 0, "y": 0}, {"x": 30, "y": 40}
    assert page.evaluate(script, [here, there, [0.5, 0.5]]) == "25.0 mm"
    # Rows 2 mm apart, columns 1 mm: (30, 80).
    assert page.evaluate(script, [here, there, [2, 1]]) == "85.4 mm"
    assert page.evaluate(script, [here, there, None]) == "50.0 px (the header gives no pixel spacing)"


def test_the_sides_of_the_patient_stand_at_the_edges(page: Page, quiet: Study) -> None:
    marks = {side: page.inner_text(f"#mark-{side}") for side in ("left", "right", "top", "bottom")}
    assert marks == {"left": "R", "right": "L", "top": "A", "bottom": "P"}


def test_a_worklist_of_two_has_the_more_urgent_first_and_changes_between_them(
    visit: Callable[..., Page], bleeding: Study, quiet: Study, picture: Callable[[Page, str], None]
) -> None:
    page = visit()
    add_files(page, quiet.paths)
    wait_for_studies(page, 1)
    add_files(page, bleeding.paths)
    wait_for_studies(page, 2)
    urgencies = [percent(text) for text in page.locator(".work-urgency").all_inner_texts()]
    assert urgencies == sorted(urgencies, reverse=True)
    page.locator(".work", has_text="Study 2").click()
    expect(page.locator("#corner-slice")).to_have_text("Slice 8 / 14")
    wait_for_image(page)
    page.focus("#stage")
    page.keyboard.press("m")
    picture(page, "desk-two-studies")
    page.keyboard.press("n" if page.locator(".work").first.get_attribute("aria-current") == "true" else "b")
    expect(page.locator("#corner-slice")).to_have_text("Slice 7 / 12")


def percent(text: str) -> float:
    """Returns the number of a percentage; what is just off an end counts as half a percent off it."""
    number = float(text.strip("<> %"))
    return number - 0.5 if text.startswith("<") else number + 0.5 if text.startswith(">") else number
