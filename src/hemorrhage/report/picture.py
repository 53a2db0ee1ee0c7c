"""A figure as bytes that a notebook shows and a file keeps, small enough to be kept with a notebook."""

import io
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from hemorrhage.errors import HemorrhageError
from hemorrhage.files import make_folder, replacing

CHART_COLORS, SLICE_COLORS = 200, 48
"""Of a picture's palette, a third of the bytes that full color takes. The noise of slices is what takes them."""


@dataclass(frozen=True)
class Picture:
    """A PNG, and what it shows in words, for readers who do not see it."""

    png: bytes
    words: str

    def _repr_png_(self) -> bytes:
        return self.png

    def __repr__(self) -> str:
        return f"[picture: {self.words}]"

    def write(self, path: Path) -> None:
        """Writes the PNG; raises HemorrhageError where the folder cannot be written."""
        with replacing(path) as temporary:
            temporary.write_bytes(self.png)


def render(figure: Figure, words: str, colors: int | None = CHART_COLORS, dpi: int = 86) -> Picture:
    """Returns the figure as a picture of so many colors, None for all; `words` say what it shows."""
    figure.set_dpi(dpi)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3]
    image = Image.fromarray(pixels)
    if colors is not None:
        image = image.quantize(colors, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return Picture(buffer.getvalue(), words)


def require_picture(out: Path) -> None:
    """Raises HemorrhageError where `out` is not the name of a PNG in a folder that can be written."""
    if out.suffix.lower() != ".png" or out.is_dir():
        raise HemorrhageError(f"{out}: expected the name of a picture to write that ends in .png.")
    # Before minutes of work, not after them.
    if not os.access(make_folder(out.parent), os.W_OK):
        raise HemorrhageError(f"{out.parent}: expected a folder that can be written. Name another by --out.")
