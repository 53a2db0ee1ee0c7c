"""What one person loads no other sees; it stays over a reload and goes when it is erased."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.web.browser.reader import add_files, open_study, wait_for_image, wait_for_studies
from tests.web.browser.studies import Study


def test_two_people_at_once_see_their_own_studies_alone(
    visit: Callable[..., Page], bleeding: Study, quiet: Study
) -> None:
    one, other = visit(), visit()
    add_files(one, bleeding.paths)
    add_files(other, quiet.paths)
    wait_for_studies(one, 1)
    wait_for_studies(other, 1)
    expect(one.locator("#corner-slice")).to_have_text("Slice 8 / 14")
    expect(other.locator("#corner-slice")).to_have_text("Slice 7 / 12")
    study, series = ids_of(one)
    for path in (f"/api/studies/{study}", f"/api/series/{series}/slices/0/pixels", f"/api/studies/{study}/export.csv"):
        assert status(one, path) == 200
        assert status(other, path) == 404


def ids_of(page: Page) -> tuple[str, str]:
    """Returns the ids of the first study and of its series that is read."""
    script = """async () => {
        const [{ study }] = await (await fetch("/api/worklist")).json();
        const { series } = await (await fetch(`/api/studies/${study}`)).json();
        return [study, series.find((one) => one.chosen).series];
    }"""
    study, series = page.evaluate(script)
    return study, series


def status(page: Page, path: str) -> int:
    """Returns what the server answers to a page that asks for `path`."""
    return int(page.evaluate("async (path) => (await fetch(path)).status", path))


def test_a_page_that_is_loaded_again_keeps_its_studies(page: Page, quiet: Study) -> None:
    open_study(page, quiet.paths)
    page.reload()
    wait_for_studies(page, 1)
    wait_for_image(page)


def test_erasing_takes_everything_from_page_and_server(
    page: Page, quiet: Study, picture: Callable[[Page, str], None]
) -> None:
    open_study(page, quiet.paths)
    study, series = ids_of(page)
    page.get_by_role("button", name="Erase session").click()
    picture(page, "desk-erase")
    page.get_by_role("button", name="Keep").click()
    expect(page.locator("#worklist li")).to_have_count(1)
    page.get_by_role("button", name="Erase session").click()
    page.get_by_role("button", name="Erase", exact=True).click()
    expect(page.locator("#worklist li")).to_have_count(0)
    expect(page.locator("#stage.has-image")).to_have_count(0)
    expect(page.locator(".upload")).to_have_count(0)
    assert status(page, f"/api/studies/{study}") == 404
    assert status(page, f"/api/series/{series}/slices/0/pixels") == 404
    add_files(page, quiet.paths)
    wait_for_studies(page, 1)


def test_nothing_of_the_files_is_in_an_address_or_kept_by_the_browser(page: Page, quiet: Study) -> None:
    urls: list[str] = []
    page.on("request", lambda request: urls.append(request.url))
    open_study(page, quiet.paths)
    page.keyboard.press("ArrowDown")
    assert not [url for url in urls if "IM00" in url or "1.2.826" in url or "Phantom" in url]
    kept = page.evaluate("async () => [localStorage.length, sessionStorage.length, (await caches.keys()).length]")
    assert kept == [0, 0, 0]
    cookies = page.context.cookies()
    assert len(cookies) == 1
    assert cookies[0]["httpOnly"]
    assert cookies[0]["sameSite"] == "Strict"
