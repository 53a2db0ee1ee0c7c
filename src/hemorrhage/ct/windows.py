"""From Hounsfield units to the grey levels a radiologist looks at."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hemorrhage.errors import HemorrhageError


@dataclass(frozen=True)
class Window:
    """A grey-level window in HU: its lower edge is shown as 0, its upper edge as 255."""

    center: float
    width: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.center) and np.isfinite(self.width) and self.width > 0):
            raise HemorrhageError(
                f"A window needs a finite center and a width above 0. Received: {self.center}/{self.width}."
            )

    @property
    def low(self) -> float:
        return self.center - self.width / 2

    @property
    def high(self) -> float:
        return self.center + self.width / 2


BRAIN = Window(center=40, width=80)
SUBDURAL = Window(center=80, width=200)
BONE = Window(center=600, width=2800)
SOFT_TISSUE = Window(center=40, width=380)

NAMED_WINDOWS = {"brain": BRAIN, "subdural": SUBDURAL, "bone": BONE, "soft_tissue": SOFT_TISSUE}
DEFAULT_WINDOWS = (BRAIN, SUBDURAL, BONE)


def apply_window(pixels_hu: np.ndarray, window: Window) -> np.ndarray:
    """Returns the grey levels of `pixels_hu` in `window`.

    Any shape and numeric dtype goes in, uint8 of the same shape comes out: (HU - low) * 255 / width, clipped
    to [0, 255] and rounded half to even.
    """
    levels = (pixels_hu.astype(np.float64) - window.low) * 255.0 / window.width
    return np.rint(np.clip(levels, 0.0, 255.0)).astype(np.uint8)


def stack_windows(pixels_hu: np.ndarray, windows: Sequence[Window] = DEFAULT_WINDOWS) -> np.ndarray:
    """Returns one channel a window: H x W in, uint8 H x W x len(windows) out."""
    return np.stack([apply_window(pixels_hu, window) for window in windows], axis=-1)


def parse_windows(text: str) -> tuple[Window, ...]:
    """Returns the windows named by `text`: comma-separated names, or center/width pairs such as 40/80.

    Raises HemorrhageError for an unknown name or a pair that is not two numbers.
    """
    return tuple(_parse_window(part.strip()) for part in text.split(","))


def _parse_window(text: str) -> Window:
    if text in NAMED_WINDOWS:
        return NAMED_WINDOWS[text]
    center, slash, width = text.partition("/")
    try:
        if not slash:
            raise ValueError(text)
        return Window(center=float(center), width=float(width))
    except ValueError as error:
        raise HemorrhageError(
            f"Expected windows as names out of {', '.join(NAMED_WINDOWS)} or as center/width such as 40/80. "
            f"Received: {text!r}."
        ) from error
