"""A token where the server wants one, and studies from a PACS; the server's side of both is played here."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, Request, Route, expect

from tests.web.browser.reader import alerts

TOKEN = "a-token-of-the-server"


def test_a_server_that_wants_a_token_is_given_it_once(browser: Browser, server: str) -> None:
    page = browser.new_page()
    given: list[str | None] = []
    page.route("**/api/about", lambda route: answer_about(route, given))
    page.route("**/api/session", lambda route: answer_session(route, given))
    page.goto(server)
    expect(page.locator("#token-dialog")).to_be_visible()
    expect(page.locator("#token-why")).to_contain_text("wants the token")
    expect(page.locator("#warning")).to_be_visible()
    page.keyboard.type("a wrong one")
    page.keyboard.press("Enter")
    expect(page.locator("#token")).to_have_value("")
    expect(page.locator("#token-dialog")).to_be_visible()
    page.fill("#token", TOKEN)
    page.keyboard.press("Enter")
    expect(page.locator("#run")).to_contain_text("@phantom")
    assert given[:2] == ["Bearer a wrong one", f"Bearer {TOKEN}"]
    assert TOKEN not in page.url
    page.context.close()


def answer_about(route: Route, given: list[str | None]) -> None:
    """Answers as a server does that wants a token."""
    if f"Bearer {TOKEN}" in given:
        route.continue_()
    else:
        route.fulfill(status=401, json={"error": "This server wants the token that it printed."})


def answer_session(route: Route, given: list[str | None]) -> None:
    """Lets in who brings the token."""
    given.append(route.request.headers.get("authorization"))
    if f"Bearer {TOKEN}" in given:
        route.continue_()
    else:
        route.fulfill(status=401, json={"error": "wrong"})


@pytest.fixture
def page(visit: Callable[..., Page], server: str) -> Page:
    """Returns the page of a server that knows a PACS with two studies."""
    page = visit()
    studies = [
        {"study": "one", "date": "20260112", "description": "CT HEAD", "modalities": "CT", "series": 3},
        {"study": "two", "date": "20260113", "description": "", "modalities": "CT, SR", "series": 1},
    ]
    page.route("**/api/about", lambda route: route.fulfill(json=route.fetch().json() | {"pacs": {"name": "pacs:8042"}}))
    page.route("**/api/pacs/studies?*", lambda route: route.fulfill(json=studies))
    page.goto(server)
    expect(page.locator("#pacs-name")).to_have_text("pacs:8042")
    return page


def test_studies_of_a_pacs_are_listed_between_days_and_pulled(page: Page, picture: Callable[[Page, str], None]) -> None:
    upload = {"state": "done", "done": 3, "total": 3, "message": "", "studies": ["x"], "left_out": [], "error": None}
    page.route("**/api/pacs/studies/one/pull", lambda route: route.fulfill(status=202, json={"upload": "pulled"}))
    page.route("**/api/uploads/pulled", lambda route: route.fulfill(json=upload))
    page.fill("#pacs-from", "2026-01-01")
    with page.expect_request("**/api/pacs/studies?*") as asked:
        page.get_by_role("button", name="List").click()
    assert asked.value.url.endswith("?from=20260101")
    expect(page.locator("#pacs-studies li")).to_have_count(2)
    picture(page, "desk-pacs")
    with page.expect_request("**/pull") as pulled:
        page.get_by_role("button", name="Read CT HEAD, 2026-01-12").click()
    assert is_guarded(pulled.value)
    expect(page.locator(".upload-head")).to_contain_text("CT HEAD, 2026-01-12: 1 study")


def is_guarded(request: Request) -> bool:
    """Returns whether a request is one that another site could not send."""
    return request.method == "POST" and request.headers.get("x-hemorrhage") == "1"


def test_a_pacs_that_fails_is_an_alert_and_blocks_nothing(page: Page) -> None:
    words = {"error": "pacs:8042 does not answer. See whether it runs."}
    page.route("**/api/pacs/studies?*", lambda route: route.fulfill(status=502, json=words))
    page.get_by_role("button", name="List").click()
    expect(alerts(page)).to_have_text(re.compile("does not answer"))
    expect(page.get_by_role("button", name="List")).to_be_enabled()
    expect(page.get_by_role("button", name="Choose files")).to_be_enabled()
