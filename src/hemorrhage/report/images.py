"""The slices behind the numbers: read from an input, seen through windows, with what a network looked at over them."""

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from PIL import Image

from hemorrhage.ct.codec import HU_MIN, decode
from hemorrhage.ct.crop import cut_box, find_head_box
from hemorrhage.ct.windows import SOFT_TISSUE, Window, apply_window
from hemorrhage.data.source import SliceSource
from hemorrhage.errors import HemorrhageError
from hemorrhage.pipeline.console import Console
from hemorrhage.pipeline.inputs import DicomInput, Input, find_input
from hemorrhage.report.elements import Html, element
from hemorrhage.report.gallery import WINDOWS
from hemorrhage.report.material import Material
from hemorrhage.report.overlay import build_colors

TILE = 192
"""Pixels a side of a slice on a page."""

_SIZE = 256
"""Pixels a side that slices are read at where they are decoded anew; a store has a size of its own."""

_QUALITY = 70
_PHANTOM_MARK = "phantom.json"


@dataclass(frozen=True)
class InputSlices:
    """The slices of a report that its input has: `facts` is their slice table, `source` has their pixels.

    `opener` makes a source of slices, a size and a crop.
    """

    folder: Path
    size: int
    facts: pd.DataFrame
    is_synthetic: bool
    source: SliceSource
    opener: Callable[[pd.DataFrame, int, str], SliceSource]

    def read_hu(self, image_id: str) -> np.ndarray:
        """Returns the HU of a slice, int16 size x size; raises DicomError where it cannot be read."""
        return decode(self.source.read_codes(image_id))


def read_input_slices(folder: Path, material: Material, console: Console) -> InputSlices:
    """Returns those of the report's slices that the data set or store in `folder` has.

    Raises HemorrhageError where it has none of them.
    """
    found = find_input(folder)
    known = found.list_training(console)
    wanted = set(material.found.slices["image_id"])
    facts = None if known is None else known[known["image_id"].isin(wanted) & known["error"].isna()]
    if facts is None or facts.empty:
        raise HemorrhageError(
            f"{folder}: expected the {len(wanted)} slices that {material.run.folder} was judged by, found none of "
            "them: it is another data set. Name the one that the run was trained on, or leave --input out."
        )
    if len(facts) < len(wanted):
        console.warn(f"{len(wanted) - len(facts)} of {len(wanted)} slices are not in {folder} and will not be shown.")
    crop = material.origins[0].config.crop if material.origins else "none"
    settled = {"size": _SIZE, "crop": crop} | found.defaults()
    size = int(str(settled["size"]))
    source = found.build_source(facts, size, str(settled["crop"]))
    return InputSlices(folder, size, facts, is_synthetic(found), source, found.build_source)


def is_synthetic(found: Input) -> bool:
    """Returns whether a data set is one that 'hemorrhage phantom' wrote; a store does not say so."""
    folder = found.data_set.train_folder if isinstance(found, DicomInput) else None
    # It lies beside the folder in Kaggle's layout.
    return folder is not None and any((place / _PHANTOM_MARK).is_file() for place in list(folder.parents)[:2])


def build_mosaic(pixels_hu: np.ndarray, heat: np.ndarray | None) -> np.ndarray:
    """Returns the head in a slice four times, uint8 2 TILE x 2 TILE x 3: in three windows, and under the `heat`.

    `heat` is float in 0 to 1, of the slice's shape, and lies over the brain window; without one the soft-tissue window
    has its place.
    """
    box = find_head_box(pixels_hu)
    tile = _resize(cut_box(pixels_hu, box, HU_MIN))
    seen = [_show_window(tile, window) for window in WINDOWS.values()]
    warm = None if heat is None else _resize(cut_box(heat, box, 0))
    fourth = _show_window(tile, SOFT_TISSUE) if warm is None else lay_heat(seen[0], warm)
    return np.concatenate(
        [np.concatenate([seen[0], seen[1]], axis=1), np.concatenate([seen[2], fourth], axis=1)], axis=0
    )


def lay_heat(image: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Returns an RGB image, uint8 H x W x 3, under the colors of overlay.build_colors for a heat of 0 to 1, H x W."""
    colors = build_colors()(np.clip(heat, 0, 1))
    share = colors[..., 3:]
    return np.rint((1 - share) * image + 255 * share * colors[..., :3]).astype(np.uint8)


def show_image(pixels: np.ndarray, alt: str) -> Html:
    """Returns the picture, uint8 H x W or H x W x 3, within the page itself."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", quality=_QUALITY)
    source = f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    return element("img", src=source, alt=alt, width=pixels.shape[1], height=pixels.shape[0])


def _show_window(pixels_hu: np.ndarray, window: Window) -> np.ndarray:
    return np.repeat(apply_window(pixels_hu, window)[:, :, np.newaxis], 3, axis=2)


def _resize(values: np.ndarray) -> np.ndarray:
    """The values as float32 TILE x TILE."""
    way = cv2.INTER_AREA if values.shape[0] > TILE else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(values.astype(np.float32), (TILE, TILE), interpolation=way))
