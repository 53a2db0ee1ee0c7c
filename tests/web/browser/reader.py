"""What a person does at the page, for tests that read like what they check."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Locator, Page, expect

from hemorrhage.ct.windows import Window, apply_window

READ_MS = 60_000
"""How long a study may take; the machine may be busy."""


def add_files(page: Page, paths: Sequence[Path]) -> None:
    """Chooses files by the button."""
    page.set_input_files("#input-files", [str(path) for path in paths])


def wait_for_studies(page: Page, number: int) -> None:
    """Waits until so many studies have their answer."""
    expect(page.locator("#worklist li[data-state=done]")).to_have_count(number, timeout=READ_MS)


def wait_for_image(page: Page) -> None:
    """Waits until a slice is shown, and not another one's."""
    expect(page.locator("#stage.has-image")).to_be_attached(timeout=10_000)
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def open_study(page: Page, paths: Sequence[Path]) -> None:
    """Adds a study, waits for its answer, and puts the focus on the image."""
    add_files(page, paths)
    wait_to_read(page)


def wait_to_read(page: Page) -> None:
    """Waits for the answer of the only study, and puts the focus on the image."""
    wait_for_studies(page, 1)
    expect(page.locator("#corner-slice")).not_to_be_empty()
    # A slice that cannot be read has a message in the place of an image.
    expect(page.locator("#stage.has-image, #stage-message:not(:empty)").first).to_be_attached()
    page.focus("#stage")


def read_canvas(page: Page, canvas: str = "slice") -> np.ndarray:
    """Returns what a canvas holds: uint8 rows x columns x 4 (RGBA)."""
    script = """(id) => {
        const canvas = document.getElementById(id);
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        let text = "";
        for (let at = 0; at < data.length; at += 32768) text += String.fromCharCode(...data.subarray(at, at + 32768));
        return [canvas.height, canvas.width, btoa(text)];
    }"""
    rows, columns, text = page.evaluate(script, canvas)
    return np.frombuffer(base64.b64decode(text), dtype=np.uint8).reshape(rows, columns, 4)


def slice_number(page: Page) -> int:
    """Returns the number of the slice shown, from 1."""
    return int(page.inner_text("#corner-slice").split()[1])


def window_shown(page: Page) -> Window:
    """Returns the window that the toolbar says."""
    return Window(float(page.input_value("#window-center")), float(page.input_value("#window-width")))


def check_pixels(page: Page, pixels_hu: np.ndarray, window: Window) -> None:
    """Fails where the image is another than Python computes of int16 `pixels_hu`, by a single grey level."""
    wait_for_image(page)
    shown = read_canvas(page)
    np.testing.assert_array_equal(shown[..., 0], apply_window(pixels_hu, window))
    assert (shown[..., :3] == shown[..., :1]).all()
    assert (shown[..., 3] == 255).all()


def drag(page: Page, move: tuple[int, int], button: Any = "left", start: tuple[int, int] = (0, 0)) -> None:
    """Drags over the image by so many pixels, from `start` off its middle."""
    box = page.locator("#stage").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2 + start[0], box["y"] + box["height"] / 2 + start[1]
    page.mouse.move(x, y)
    page.mouse.down(button=button)
    page.mouse.move(x + move[0] / 2, y + move[1] / 2)
    page.mouse.move(x + move[0], y + move[1])
    page.mouse.up(button=button)


def alerts(page: Page) -> Locator:
    """Returns the error messages that are shown."""
    return page.locator("#messages [role=alert] p")
