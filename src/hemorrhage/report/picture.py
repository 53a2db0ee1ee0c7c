"""A figure as bytes that a notebook shows and a file keeps, small enough to be kept with a notebook."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from hemorrhage.files import replacing

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
