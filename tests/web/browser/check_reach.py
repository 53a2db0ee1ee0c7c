"""The page by keyboard alone, on a phone, in light and dark, for eyes that need contrast and no motion."""

import re
from collections.abc import Callable, Sequence

import pytest
from playwright.sync_api import Page, StorageState, expect

from hemorrhage.ct.windows import BONE
from tests.web.browser.conftest import PHONE, ROOT
from tests.web.browser.reader import (
    add_files,
    check_pixels,
    slice_number,
    wait_for_image,
    wait_for_studies,
    wait_to_read,
)
from tests.web.browser.studies import Study

WARNING = "Research use only. Not for clinical decisions."
ON_A_PHONE = {"viewport": PHONE, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}


def open_quiet(visit: Callable[..., Page], visitor: StorageState) -> Page:
    """Returns the page with the quiet study open and the focus on the image."""
    page = visit(storage_state=visitor)
    wait_to_read(page)
    return page


LOWEST_CONTRAST = """() => {
    const rgba = (text) => text.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b]
        .map((value) => value / 255)
        .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
        .reduce((sum, value, at) => sum + value * [0.2126, 0.7152, 0.0722][at], 0);
    const ground = (element) => {
        for (let at = element; at; at = at.parentElement) {
            const colour = rgba(getComputedStyle(at).backgroundColor);
            if (colour.length === 3 || colour[3] === 1) return colour;
        }
        return [0, 0, 0];
    };
    const found = [...document.querySelectorAll("body *")]
        .filter((element) => element.checkVisibility({ visibilityProperty: true }) && !element.closest("#stage"))
        .filter((element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()))
        .filter((element) => !element.disabled && element.localName !== "option")
        .map((element) => {
            const [one, other] = [light(rgba(getComputedStyle(element).color)), light(ground(element))];
            const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
            return [ratio, element.textContent.trim().slice(0, 40)];
        });
    return found.sort((one, other) => one[0] - other[0])[0];
}"""


def focused(page: Page) -> str:
    """Returns the id or the text of what has the focus."""
    return str(page.evaluate("() => document.activeElement.id || document.activeElement.textContent.trim()"))


def tab_to(page: Page, wanted: str, most: int = 60) -> None:
    """Presses Tab until `wanted` has the focus."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if focused(page) == wanted:
            return
    raise AssertionError(f"{wanted} is not reached by Tab.")


def test_a_study_is_read_by_keyboard_alone(page: Page, quiet: Study, picture: Callable[[Page, str], None]) -> None:
    # The browser is told early that the choice is made here: it hears of it some time after it was said.
    page.on("filechooser", lambda chooser: None)
    tab_to(page, "choose-files")
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files([str(path) for path in quiet.paths])
    wait_for_studies(page, 1)
    page.locator(".skip").focus()
    page.keyboard.press("Enter")
    assert focused(page) == "stage"
    page.keyboard.press("3")
    page.keyboard.press("End")
    assert slice_number(page) == 12
    check_pixels(page, quiet.pixels_hu[11], BONE)
    measure_by_keys(page, quiet)
    picture(page, "desk-keyboard")
    page.keyboard.press("?")
    expect(page.locator("#keys-dialog")).to_be_visible()
    assert read_keys(page) == documented_keys()
    picture(page, "desk-keys")
    page.keyboard.press("Escape")
    tab_to(page, "CSV")
    tab_to(page, "saliency-off")


def read_keys(page: Page) -> list[tuple[str, str]]:
    """Returns the page's list of keys, and what they do."""
    return list(zip(*[page.locator(f"#keys {part}").all_inner_texts() for part in ("dt", "dd")], strict=True))


def documented_keys() -> list[tuple[str, str]]:
    """Returns the list of keys in the documentation."""
    rows = re.findall(r"^\| `(.+)` \| (.+) \|$", (ROOT / "docs" / "web.md").read_text(), flags=re.MULTILINE)
    return [(shown, does) for shown, does in rows]


def measure_by_keys(page: Page, study: Study) -> None:
    """Measures twenty pixels to the right with the ruler's keys."""
    page.keyboard.press("r")
    page.keyboard.press("Enter")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator(".ruler-length")).to_have_text(f"{20 * study.spacing_mm:.1f} mm")
    assert slice_number(page) == 12


def test_everything_in_the_tab_order_shows_that_it_has_the_focus(
    visit: Callable[..., Page], quiet_visitor: StorageState
) -> None:
    page = open_quiet(visit, quiet_visitor)
    page.locator(".skip").focus()
    script = """() => {
        const style = getComputedStyle(document.activeElement);
        const after = getComputedStyle(document.activeElement, "::after");
        return style.outlineStyle !== "none" || (after.content !== "none" && after.borderTopWidth === "2px");
    }"""
    seen = []
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement === document.body"):
            break
        assert page.evaluate(script), focused(page)
        seen.append(focused(page))
    assert {"choose-files", "stage", "saliency-method", "Structured report"} <= set(seen)


def test_a_letter_typed_in_a_side_panel_moves_nothing(visit: Callable[..., Page], quiet_visitor: StorageState) -> None:
    page = open_quiet(visit, quiet_visitor)
    page.locator("#choose-files").focus()
    page.keyboard.press("End")
    page.keyboard.press("3")
    assert slice_number(page) == 7
    expect(page.locator("#corner-preset")).to_have_text("Brain")


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_every_text_has_the_contrast_of_wcag_aa(
    visit: Callable[..., Page], bleeding_visitor: StorageState, picture: Callable[[Page, str], None], scheme: str
) -> None:
    page = visit(color_scheme=scheme, storage_state=bleeding_visitor)
    wait_to_read(page)
    page.keyboard.press("m")
    wait_for_image(page)
    picture(page, f"desk-{scheme}")
    ratio, text = page.evaluate(LOWEST_CONTRAST)
    assert ratio >= 4.5, text
    assert page.locator("#stage").evaluate("stage => getComputedStyle(stage).backgroundColor") == "rgb(0, 0, 0)"


def test_nothing_moves_for_those_who_want_no_motion(visit: Callable[..., Page]) -> None:
    page = visit(reduced_motion="reduce")
    script = """() => [...document.querySelectorAll("*")].filter((element) => {
        const style = getComputedStyle(element);
        return style.transitionDuration !== "0s" || style.animationName !== "none";
    }).length"""
    assert page.evaluate(script) == 0


def test_names_and_roles_are_there_for_a_screen_reader(visit: Callable[..., Page], quiet_visitor: StorageState) -> None:
    page = open_quiet(visit, quiet_visitor)
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, a")].filter((element) =>
            element.checkVisibility() && !element.textContent.trim() && !element.ariaLabel && !element.labels?.length
        ).map((element) => element.outerHTML)"""
    )
    assert nameless == []
    for role, name in {"main": "Viewer", "navigation": None, "application": re.compile("CT image")}.items():
        found = page.locator(f"{role}, [role={role}], {'nav' if role == 'navigation' else 'main'}")
        assert found.count() >= 1, name
    assert page.locator("[aria-live=polite]").count() == 1


def test_on_a_phone_one_pane_shows_at_a_time_and_nothing_is_wider_than_the_screen(
    visit: Callable[..., Page], bleeding: Study, picture: Callable[[Page, str], None]
) -> None:
    page = visit(**ON_A_PHONE)
    picture(page, "phone-empty")
    add_files(page, bleeding.paths)
    wait_for_image(page)
    expect(page.locator(".answer-label")).to_have_count(5)
    page.locator("[data-go=studies]").tap()
    wait_for_studies(page, 1)
    for pane in ("studies", "answer", "image"):
        page.locator(f"[data-go={pane}]").tap()
        assert page.evaluate("() => document.documentElement.scrollWidth") == PHONE["width"]
        expect(page.locator("#warning")).to_have_text(WARNING)
        expect(page.locator("#warning")).to_be_in_viewport()
        picture(page, f"phone-{pane}")
    expect(page.locator("#worklist")).to_be_hidden()
    expect(page.locator("#stage")).to_be_in_viewport(ratio=1)


class Fingers:
    """The fingers on a phone."""

    def __init__(self, page: Page) -> None:
        self._devtools = page.context.new_cdp_session(page)

    def move(self, *path: Sequence[tuple[float, float]]) -> None:
        """Puts fingers down at the first points, moves them through the others, and lifts them."""
        for kind, points in zip(["touchStart", *["touchMove"] * (len(path) - 1)], path, strict=True):
            self._send(kind, points)
        self._send("touchEnd", ())

    def _send(self, kind: str, points: Sequence[tuple[float, float]]) -> None:
        fingers = [{"x": x, "y": y, "id": finger} for finger, (x, y) in enumerate(points)]
        self._devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})


def test_a_swipe_goes_through_the_slices_and_two_fingers_zoom(
    visit: Callable[..., Page], quiet_visitor: StorageState
) -> None:
    page = visit(**ON_A_PHONE, storage_state=quiet_visitor)
    wait_for_image(page)
    box = page.locator("#stage").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    fingers = Fingers(page)
    fingers.move([(x, y)], [(x, y + 60)])
    expect(page.locator("#corner-slice")).to_have_text("Slice 9 / 12")
    fingers.move([(x - 40, y), (x + 40, y)], [(x - 80, y), (x + 80, y)])
    expect(page.locator("#corner-zoom")).to_have_text("200 % of fit")
    assert slice_number(page) == 9
