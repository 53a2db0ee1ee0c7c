"""A browser, a server and two studies for all browser tests; every test has a session of its own."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, StorageState, expect, sync_playwright

from tests.web.browser.reader import open_study
from tests.web.browser.studies import Study, write_study

ROOT = Path(__file__).parents[3]
SCREENSHOTS = ROOT / "build" / "web-screenshots"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
DESK = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
START_SECONDS = 120

# Longer than a page needs, for machines that do more than test it.
expect.set_options(timeout=20_000)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Returns the browser of this system; ends the tests with the package's name where there is none."""
    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        pytest.exit(
            f"No browser on PATH ({', '.join(BROWSERS)}). Install Debian's package: apt-get install chromium", 2
        )
    with sync_playwright() as playwright:
        # A sandbox of its own needs rights that root in a container has not.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"] if os.getuid() == 0 else [])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Returns the address of a server of the shipped run."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("server") / "log"
    with log.open("w") as output:
        command = [sys.executable, "-m", "tests.web.browser.serving", str(port)]
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output)
        try:
            _wait_for(f"http://127.0.0.1:{port}/", process, log)
            yield f"http://127.0.0.1:{port}/"
        finally:
            process.terminate()
            process.wait(20)


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise RuntimeError(f"The server did not start: {log.read_text()[-2000:]}")


@pytest.fixture(scope="session")
def bleeding(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Returns a study of 14 slices with two kinds of blood."""
    return write_study(tmp_path_factory.mktemp("studies") / "bleeding", 5, 14, ("intraparenchymal", "subdural"))


@pytest.fixture(scope="session")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Returns a study of 12 slices without blood."""
    return write_study(tmp_path_factory.mktemp("studies") / "quiet", 6, 12, ())


@pytest.fixture(scope="session")
def quiet_visitor(browser: Browser, server: str, quiet: Study) -> StorageState:
    """Returns the cookie of a session that has read the quiet study; tests that change nothing there share it."""
    return _read_once(browser, server, quiet)


@pytest.fixture(scope="session")
def bleeding_visitor(browser: Browser, server: str, bleeding: Study) -> StorageState:
    """Returns the cookie of a session that has read the bleeding study."""
    return _read_once(browser, server, bleeding)


def _read_once(browser: Browser, server: str, study: Study) -> StorageState:
    context = browser.new_context()
    page = context.new_page()
    page.goto(server)
    page.wait_for_selector("#run:not(:empty)")
    open_study(page, study.paths)
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def visit(browser: Browser, server: str) -> Iterator[Callable[..., Page]]:
    """Returns a function that opens the page in a session of its own; errors of its scripts fail the test."""
    contexts, faults = [], []

    def open_page(**facts: object) -> Page:
        context = browser.new_context(**{"viewport": DESK, "color_scheme": "dark", **facts})  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(server)
        page.wait_for_selector("#run:not(:empty)", state="attached")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []


@pytest.fixture
def page(visit: Callable[..., Page]) -> Page:
    """Returns the page on a desk, dark."""
    return visit()


@pytest.fixture
def picture() -> Callable[[Page, str], None]:
    """Returns a function that keeps a screenshot for a person to look at."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)

    def take(page: Page, name: str) -> None:
        page.wait_for_timeout(150)
        page.screenshot(path=SCREENSHOTS / f"{name}.png")

    return take
