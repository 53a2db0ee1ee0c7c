"""Studies come in by button, by drop, as folders and as zips; what cannot be read is said and blocks nothing."""

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.web.browser.reader import READ_MS, add_files, alerts, open_study, wait_for_image, wait_for_studies
from tests.web.browser.serving import LIMIT_BYTES
from tests.web.browser.studies import PATIENT_NAME, Study, write_bomb, write_damaged, write_zip


def drop(page: Page, path: Path) -> None:
    """Drops a file or a folder on the page as a file manager does."""
    devtools = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        devtools.send("Input.dispatchDragEvent", {"type": kind, "x": 600, "y": 400, "data": data})
        if kind == "dragOver":
            expect(page.locator(".dropping-veil")).to_be_visible()
    expect(page.locator(".dropping-veil")).to_be_hidden()


def test_chosen_files_show_their_progress_and_become_a_study(
    page: Page, bleeding: Study, picture: Callable[[Page, str], None]
) -> None:
    picture(page, "desk-empty")
    add_files(page, bleeding.paths)
    expect(page.locator(".upload progress")).to_be_visible()
    expect(page.locator(".upload-message")).to_have_text(re.compile("sending|unpacking|looking at|reading|predicting"))
    picture(page, "desk-progress")
    wait_for_studies(page, 1)
    expect(page.locator(".upload-head")).to_contain_text("14 files: 1 study")
    expect(page.locator("#corner-slice")).to_have_text("Slice 8 / 14")


def test_a_dropped_folder_is_walked_and_read(page: Page, quiet: Study) -> None:
    drop(page, quiet.folder.parent)
    expect(page.locator(".upload-head")).to_contain_text("12 files")
    wait_for_studies(page, 1)
    expect(page.locator("#corner-slice")).to_have_text("Slice 7 / 12")


def test_a_dropped_zip_is_unpacked(page: Page, quiet: Study, tmp_path: Path) -> None:
    drop(page, write_zip(quiet, tmp_path / "study.zip"))
    wait_for_studies(page, 1)
    expect(page.locator("#corner-slice")).to_have_text("Slice 7 / 12")


def test_a_cut_slice_and_a_text_are_named_and_the_rest_is_read(
    page: Page, quiet: Study, tmp_path: Path, picture: Callable[[Page, str], None]
) -> None:
    open_study(page, write_damaged(quiet, tmp_path / "damaged"))
    expect(page.locator("#stage-message")).to_contain_text("Slice 7 could not be read:")
    assert page.locator("#stage.has-image").count() == 0
    expect(page.locator("#charts-note")).to_have_text("1 unreadable")
    assert page.locator(".chart .unreadable").count() == 6
    page.locator(".left-out summary").click()
    # The name of a file is text: were it markup, there would be an image of it.
    expect(page.locator(".left-out")).to_contain_text("<img src=x onerror=alert(1)>.txt")
    assert page.locator(".left-out img").count() == 0
    picture(page, "desk-unreadable")
    page.keyboard.press("Home")
    page.focus("#stage")
    page.keyboard.press("Home")
    wait_for_image(page)
    expect(page.locator("#corner-slice")).to_have_text("Slice 1 / 12")


def test_text_of_a_header_is_never_markup_and_the_patient_is_never_named(page: Page, quiet: Study) -> None:
    open_study(page, quiet.paths)
    expect(page.locator("#study-description")).to_have_text("CT HEAD <b>PHANTOM</b>")
    assert page.locator("#study-description b").count() == 0
    for part in PATIENT_NAME.split("^"):
        assert part not in page.content()


def test_files_beyond_the_limit_are_refused_before_they_are_sent(page: Page, tmp_path: Path) -> None:
    large = tmp_path / "large.dcm"
    with large.open("wb") as file:
        file.truncate(LIMIT_BYTES + 1)
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    add_files(page, [large])
    expect(alerts(page)).to_have_text(re.compile("24 MB are more than the 24 MB that are taken at once"))
    assert not [url for url in requests if url.endswith("/api/uploads")]


def test_what_the_server_refuses_is_shown_in_its_words(page: Page, tmp_path: Path, server: str) -> None:
    # A page that believes in a larger limit than the server has.
    page.route("**/api/about", lambda route: route.fulfill(json=raised(route.fetch().json())))
    page.goto(server)
    page.wait_for_selector("#run:not(:empty)")
    large = tmp_path / "large.dcm"
    with large.open("wb") as file:
        file.truncate(LIMIT_BYTES + 1_000_000)
    add_files(page, [large])
    expect(alerts(page)).to_have_text(re.compile("24 MB"), timeout=READ_MS)
    expect(page.locator(".upload")).to_have_count(0)
    page.get_by_role("button", name="Dismiss").click()
    expect(alerts(page)).to_have_count(0)


def raised(about: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    """Returns what the server says of itself with a hundred times the limit."""
    return about | {"limits": about["limits"] | {"bytes": 100 * LIMIT_BYTES}}


def test_a_deflate_bomb_costs_one_sentence(page: Page, quiet: Study, tmp_path: Path) -> None:
    add_files(page, [write_bomb(tmp_path / "bomb.dcm"), *quiet.paths])
    wait_for_studies(page, 1)
    page.locator(".left-out summary").click()
    expect(page.locator(".left-out p")).to_have_count(1)
    expect(page.locator(".left-out p")).to_contain_text("bomb.dcm")
    expect(page.locator("#corner-slice")).to_have_text("Slice 7 / 12")
