"""Slices as a radiologist looks at them: through windows, side by side, and one above the other through a head."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from hemorrhage.ct.codec import resize_hu
from hemorrhage.ct.crop import find_box, find_head
from hemorrhage.ct.dicom import read_slice
from hemorrhage.ct.windows import BONE, BRAIN, SUBDURAL, Window, apply_window
from hemorrhage.report.choosing import name_labels, path_of
from hemorrhage.report.picture import SLICE_COLORS, Picture, render

WINDOWS: Mapping[str, Window] = {"brain": BRAIN, "subdural": SUBDURAL, "bone": BONE}
SIDES = "Seen from the feet, as radiologists do: the patient's right is on the left."
SYNTHETIC = "SYNTHETIC heads, no patients"
WHERE_TO_LOOK = {
    "epidural": "a lens under the skull,\nbetween bone and dura",
    "intraparenchymal": "a bright spot within\nthe brain itself",
    "intraventricular": "blood in the dark\nchambers of the middle",
    "subarachnoid": "bright lines in grooves\nand cisterns",
    "subdural": "a crescent along the\ninside of the skull",
    "none": "no bleed, to compare",
}

_TILE = 176
_BLEED = "#d1495b"


def draw_examples(examples: Mapping[str, pd.DataFrame], synthetic: bool) -> Picture:
    """Returns a row for each label of `examples` (see choosing.choose_examples): a slice in three windows, another."""
    layout = ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.02, wspace=0, hspace=0)
    figure = Figure(figsize=(8.8, 1.86 * len(examples) + 0.9), layout=layout)
    figure.suptitle(_title("Each kind of bleed through three windows, and in another head", synthetic), fontsize=12)
    grid = figure.subplots(len(examples), 4, squeeze=False)
    for row, (label, slices) in zip(grid, examples.items(), strict=True):
        _draw_example(row, slices)
        row[0].set_ylabel(f"{label}\n{WHERE_TO_LOOK[label]}", fontsize=9, rotation=0, ha="right", va="center")
    titles = [
        *(f"{name} {window.center:g}/{window.width:g}" for name, window in WINDOWS.items()),
        "another head, brain",
    ]
    for axes, title in zip(grid[0], titles, strict=True):
        axes.set_title(title, fontsize=10)
    figure.supxlabel(f"{SIDES} Under a slice: all its labels. Window: center/width in HU.", fontsize=9)
    return render(figure, f"slices with {', '.join(examples)}, each in the windows {', '.join(WINDOWS)}", SLICE_COLORS)


def _draw_example(row: Sequence[Axes], slices: pd.DataFrame) -> None:
    pixels_hu = read_tile(slices.iloc[0])
    for axes, window in zip(row, WINDOWS.values(), strict=False):
        show(axes, apply_window(pixels_hu, window))
    row[0].set_xlabel(name_labels(slices.iloc[0]), fontsize=7)
    if len(slices) > 1:
        show(row[-1], apply_window(read_tile(slices.iloc[1]), BRAIN))
        row[-1].set_xlabel(name_labels(slices.iloc[1]), fontsize=7)
    else:
        show(row[-1], np.full((_TILE, _TILE), 255, dtype=np.uint8))
        row[-1].text(_TILE / 2, _TILE / 2, "no other\nseries has it", ha="center", va="center", fontsize=9, color="0.4")
        frame(row[-1], "0.9")


def draw_series(rows: pd.DataFrame, synthetic: bool, columns: int = 6) -> Picture:
    """Returns the slices of one series through the brain window, from below upwards, those with a bleed framed."""
    count = -(-len(rows) // columns)
    figure = Figure(figsize=(1.62 * columns, 1.86 * count + 0.8), layout="constrained")
    figure.suptitle(_title("One head from its base upwards, brain window; slices with a bleed are framed", synthetic))
    all_axes = list(figure.subplots(count, columns, squeeze=False).flat)
    tiles = _read_alike(rows)
    for axes, tile, (_, row) in zip(all_axes, tiles, rows.iterrows(), strict=False):
        show(axes, apply_window(tile, BRAIN))
        axes.set_title(f"{row['z_mm'] - rows['z_mm'].iloc[0]:+.0f} mm\n{name_labels(row)}", fontsize=7)
        if row["any"] == 1:
            frame(axes, _BLEED)
    for axes in all_axes[len(rows) :]:
        axes.set_axis_off()
    figure.supxlabel(SIDES, fontsize=9)
    bleeding = int(rows["any"].sum())
    return render(figure, f"{len(rows)} slices of one series by height, {bleeding} of them with a bleed", SLICE_COLORS)


def _read_alike(rows: pd.DataFrame) -> list[np.ndarray]:
    """Returns the slices as tiles of one scale: all are cut to the square around the widest of them."""
    slices = [read_slice(path_of(row)).pixels_hu for _, row in rows.iterrows()]
    widest = max(slices, key=lambda pixels_hu: int(find_head(pixels_hu).sum()))
    box = find_box(widest, "head")
    return [resize_hu(pixels_hu, _TILE, box) for pixels_hu in slices]


def draw_tiles(
    tiles: Sequence[np.ndarray], captions: Sequence[str], title: str, synthetic: bool, columns: int = 6
) -> Picture:
    """Returns the uint8 images side by side, at most `columns` in a row, each with its caption above."""
    columns = min(columns, len(tiles))
    count = -(-len(tiles) // columns)
    figure = Figure(figsize=(1.65 * columns, 2.05 * count + 0.6), layout="constrained")
    figure.suptitle(_title(title, synthetic), fontsize=11)
    all_axes = list(figure.subplots(count, columns, squeeze=False).flat)
    for axes in all_axes:
        axes.set_axis_off()
    for axes, tile, caption in zip(all_axes, tiles, captions, strict=False):
        show(axes, tile)
        axes.set_title(caption, fontsize=8)
    return render(figure, f"{len(tiles)} slices: {title}", SLICE_COLORS)


def read_tile(row: pd.Series) -> np.ndarray:
    """Returns the HU of a slice, cut to the head, at the size of a tile; raises DicomError where it cannot be read."""
    pixels_hu = read_slice(path_of(row)).pixels_hu
    return resize_hu(pixels_hu, _TILE, find_box(pixels_hu, "head"))


def show(axes: Axes, tile: np.ndarray) -> None:
    """Shows grey levels of 0 to 255 without ticks."""
    axes.imshow(tile, cmap="gray", vmin=0, vmax=255, interpolation="antialiased")
    axes.set(xticks=[], yticks=[])


def frame(axes: Axes, color: str) -> None:
    """Draws a frame around the axes."""
    for spine in axes.spines.values():
        spine.set(color=color, linewidth=3)


def _title(text: str, synthetic: bool) -> str:
    return f"{text}\n({SYNTHETIC})" if synthetic else text
