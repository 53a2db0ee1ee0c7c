"""Contact sheets: a batch as the network sees it, a whole series, the slices of a label."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from hemorrhage.ct.codec import HU_MIN, decode
from hemorrhage.ct.crop import cut_box, find_head, find_head_box
from hemorrhage.ct.windows import BRAIN, apply_window
from hemorrhage.data.labels import LABELS
from hemorrhage.data.source import SliceSource
from hemorrhage.errors import HemorrhageError
from hemorrhage.pipeline.config import Config
from hemorrhage.report.choosing import choose_series, name_labels
from hemorrhage.report.gallery import SIDES, SYNTHETIC, WINDOWS, draw_tiles, show
from hemorrhage.report.numbers import show_probability
from hemorrhage.report.picture import SLICE_COLORS, Picture, render

SIZE = 256
"""Pixels a side that slices are read at where they are decoded anew."""

_MOST_SLICES = 60


def find_series(labelled: pd.DataFrame, series_id: str | None, patient_id: str | None) -> pd.DataFrame:
    """Returns the slices of one series by z, of all that are `labelled` (see choosing.join_labels).

    Of a patient the series with the most positive slices; without either id that of all. Raises HemorrhageError where
    there is no such series or patient.
    """
    known = labelled
    for column, wanted in (("series_id", series_id), ("patient_id", patient_id)):
        if wanted is not None:
            known = known[known[column] == wanted]
            if known.empty:
                first = labelled[column].iloc[0] if len(labelled) else "none"
                raise HemorrhageError(
                    f"Expected a {column} of the {labelled[column].nunique()} in the input, such as {first}; received "
                    f"{wanted!r}."
                )
    return choose_series(known, _MOST_SLICES)


def draw_series_sheet(
    rows: pd.DataFrame, source: SliceSource, said: Mapping[str, np.ndarray], synthetic: bool
) -> Picture:
    """Returns the slices of a series from below upwards, brain window, with labels and what a run `said` of each.

    `said` has six probabilities by image id, and may have none.
    """
    slices = [decode(source.read_codes(image_id)) for image_id in rows["image_id"]]
    # One square for all, around the widest, so that all are of one scale.
    box = find_head_box(max(slices, key=lambda pixels_hu: int(find_head(pixels_hu).sum())))
    tiles = [apply_window(cut_box(pixels_hu, box, HU_MIN), BRAIN) for pixels_hu in slices]
    captions = [_caption(row, rows["z_mm"].iloc[0], said) for _, row in rows.iterrows()]
    series, patient = rows["series_id"].iloc[0], rows["patient_id"].iloc[0]
    return draw_tiles(tiles, captions, f"Series {series} of patient {patient}, brain window", synthetic, columns=8)


def _caption(row: pd.Series, lowest_mm: float, said: Mapping[str, np.ndarray]) -> str:
    lines = [f"{row['z_mm'] - lowest_mm:+.0f} mm", name_labels(row).replace(", ", ",\n")]
    if row["image_id"] in said:
        lines.append(f"any {show_probability(float(said[row['image_id']][-1]))}")
    return "\n".join(lines)


def choose_of_label(labelled: pd.DataFrame, label: str, count: int) -> pd.DataFrame:
    """Returns `count` slices with the label at most, of as many patients as can be: the first of each, then the second.

    Raises HemorrhageError where no slice has it.
    """
    found = labelled[labelled[label] == 1]
    if found.empty:
        raise HemorrhageError(f"Expected slices with {label}, none of the {len(labelled)} in the input has it.")
    middle = found.groupby("series_id", sort=False).cumcount()
    size = found.groupby("series_id", sort=False)["image_id"].transform("size")
    # A slice in the midst of its bleed shows most of it.
    turn = (middle - size // 2).abs()
    return found.assign(turn=turn).sort_values("turn", kind="stable").head(count).drop(columns="turn")


def draw_label_sheet(rows: pd.DataFrame, source: SliceSource, label: str, synthetic: bool) -> Picture:
    """Returns the slices, a row each, in the windows that radiologists look through."""
    images = []
    for image_id in rows["image_id"]:
        whole = decode(source.read_codes(image_id))
        pixels_hu = cut_box(whole, find_head_box(whole), HU_MIN)
        images.append([apply_window(pixels_hu, window) for window in WINDOWS.values()])
    names = [f"{row['image_id']}\n{name_labels(row)}" for _, row in rows.iterrows()]
    columns = [f"{name} {window.center:g}/{window.width:g}" for name, window in WINDOWS.items()]
    return draw_grid(images, names, columns, f"Slices with {label}", synthetic)


def draw_batch_sheet(
    versions: Mapping[str, np.ndarray], image_ids: Sequence[str], labels: np.ndarray, config: Config, synthetic: bool
) -> Picture:
    """Returns images of a batch, a row each, and each of their channels as a picture of its own.

    `versions` are uint8 N x H x W x C by name, such as "augmented"; `labels` N x 6 may be mixed.
    """
    channels = name_channels(config)
    columns = [f"{channel}\n{version}" for version in versions for channel in channels]
    images = [
        [image[row, :, :, place] for image in versions.values() for place in range(len(channels))]
        for row in range(len(image_ids))
    ]
    names = [f"{image_id}\n{describe_labels(truth)}" for image_id, truth in zip(image_ids, labels, strict=True)]
    title = f"A batch as {config.model} sees it, {config.size} px, augmentation {config.augment!r}"
    return draw_grid(images, names, columns, title, synthetic)


def name_channels(config: Config) -> list[str]:
    """Returns what each channel of an image of this config is, in their order."""
    windows = [name.strip() for name in config.windows.split(",")]
    if config.context != "stack":
        return windows
    return [f"{window} {place}" for place in ("below", "own", "above") for window in windows]


def describe_labels(truth: np.ndarray) -> str:
    """Returns the labels of one image that are not 0, with their share where they are mixed; "no bleed" without."""
    named = [
        name if value == 1 else f"{value:.2f} {name}" for name, value in zip(LABELS, truth, strict=True) if value > 0
    ]
    return ", ".join(named[:-1] or named) or "no bleed"


def draw_grid(
    images: Sequence[Sequence[np.ndarray]], rows: Sequence[str], columns: Sequence[str], title: str, synthetic: bool
) -> Picture:
    """Returns uint8 images in rows and columns that have names."""
    figure = Figure(figsize=(1.55 * len(columns) + 1.9, 1.62 * len(rows) + 1.1), layout="constrained")
    figure.suptitle(f"{title}\n({SYNTHETIC})" if synthetic else title, fontsize=11)
    grid = figure.subplots(len(rows), len(columns), squeeze=False)
    for axes_row, seen, name in zip(grid, images, rows, strict=True):
        for axes, image in zip(axes_row, seen, strict=True):
            show(axes, image)
        axes_row[0].set_ylabel(name, fontsize=7, rotation=0, ha="right", va="center")
    for axes, name in zip(grid[0], columns, strict=True):
        axes.set_title(name, fontsize=8)
    figure.supxlabel(SIDES, fontsize=8)
    return render(figure, f"{title}: {len(rows)} slices, each as {', '.join(columns)}".replace("\n", " "), SLICE_COLORS)
