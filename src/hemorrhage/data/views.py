"""The fixed views of an image that test-time augmentation averages over."""

from dataclasses import dataclass

import cv2
import numpy as np

from hemorrhage.data.augment import Recipe
from hemorrhage.errors import HemorrhageError


@dataclass(frozen=True)
class View:
    """One way to look at an image: mirrored left to right, turned anticlockwise, and enlarged about its center."""

    name: str
    mirror: bool = False
    turn_degrees: float = 0.0
    zoom: float = 1.0

    @property
    def kinds(self) -> frozenset[str]:
        """What a network must have been shown in training to know this view."""
        used = {"mirror": self.mirror, "turn": self.turn_degrees != 0, "crop": self.zoom != 1}
        return frozenset(kind for kind, is_used in used.items() if is_used)


IDENTITY = View("identity")
VIEWS = {
    view.name: view
    for view in (
        IDENTITY,
        View("mirror", mirror=True),
        View("turn_left", turn_degrees=8),
        View("turn_right", turn_degrees=-8),
        View("crop", zoom=1.1),
        View("mirror_crop", mirror=True, zoom=1.1),
    )
}


def parse_views(text: str) -> tuple[View, ...]:
    """Returns the views named by the comma-separated `text`; raises HemorrhageError for an unknown or repeated one."""
    names = [name.strip() for name in text.split(",")]
    if len(set(names)) != len(names) or not set(names) <= set(VIEWS):
        raise HemorrhageError(f"Expected different views out of {', '.join(VIEWS)}; received {text!r}.")
    return tuple(VIEWS[name] for name in names)


def apply_view(image: np.ndarray, view: View) -> np.ndarray:
    """Returns `image` (uint8 H x W x C) seen in `view`, of the same shape; what lies outside it is 0, as air is."""
    seen = image[:, ::-1] if view.mirror else image
    if view.turn_degrees == 0 and view.zoom == 1:
        return np.ascontiguousarray(seen)
    rows, columns = seen.shape[:2]
    matrix = cv2.getRotationMatrix2D(((columns - 1) / 2, (rows - 1) / 2), view.turn_degrees, view.zoom)
    # OpenCV promises no more than four channels here.
    parts = [seen[:, :, start : start + 4] for start in range(0, image.shape[2], 4)]
    turned = [
        cv2.warpAffine(np.ascontiguousarray(part), matrix, (columns, rows), flags=cv2.INTER_LINEAR).reshape(part.shape)
        for part in parts
    ]
    return np.concatenate(turned, axis=-1)


def find_unfamiliar_views(views: tuple[View, ...], recipe: Recipe) -> list[str]:
    """Returns the names of the views that show a network what its training recipe never did."""
    return [view.name for view in views if not view.kinds <= recipe.shows]
