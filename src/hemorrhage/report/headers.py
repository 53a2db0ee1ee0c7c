"""Charts of what headers say: the groups of scanners, and the repair of those whose negative values wrapped round."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hemorrhage.ct.dicom import read_slice
from hemorrhage.ct.windows import BRAIN, apply_window
from hemorrhage.report.choosing import name_groups, path_of
from hemorrhage.report.gallery import SYNTHETIC, show
from hemorrhage.report.picture import Picture, render

GROUP_COLUMNS = ("bits_stored", "pixel_representation", "rescale_intercept")
_WRAPPED, _GOOD, _TEST = "#d1495b", "#30638e", "#a9bcd0"
_SPAN = 4096
"""Values that 12 bits can say."""


def draw_groups(train: pd.DataFrame, test: pd.DataFrame, synthetic: bool) -> Picture:
    """Returns bars of how many slices each group of headers has, the groups to be repaired in another color."""
    counted = name_groups(train, GROUP_COLUMNS)
    tested = name_groups(test, GROUP_COLUMNS).reindex(counted.index).fillna(0) if len(test) else 0 * counted
    wrapped = set(name_groups(train[train["is_wrapped"].fillna(False).astype(bool)], GROUP_COLUMNS).index)
    figure = Figure(figsize=(9, 0.42 * len(counted) + 1.6), layout="constrained")
    axes = figure.subplots()
    title = "How pixels are stored: bits / signed (1) or not (0) / intercept"
    axes.set_title(f"{title} ({SYNTHETIC})" if synthetic else title, fontsize=11)
    places = np.arange(len(counted))
    colors = [_WRAPPED if name in wrapped else _GOOD for name in counted.index]
    bars = axes.barh(places - 0.2, counted, height=0.4, color=colors, label="train")
    axes.barh(places + 0.2, tested, height=0.4, color=_TEST, label="test")
    axes.bar_label(
        bars,
        [f"{count:,}" + (" to be repaired" if name in wrapped else "") for name, count in counted.items()],
        padding=3,
        fontsize=9,
    )
    axes.set_yticks(places, counted.index)
    axes.invert_yaxis()
    axes.set(xlabel="slices (dark: train; light: test)", xlim=(0, 1.25 * float(counted.max())))
    axes.spines[["top", "right"]].set_visible(False)
    return render(figure, f"{len(counted)} groups of headers, {len(wrapped)} of them to be repaired")


def unrepair(pixels_hu: np.ndarray, intercept: float) -> np.ndarray:
    """Returns the HU that a wrapped slice would have without the repair: stored value + intercept, int32."""
    return pixels_hu.astype(np.int32) % _SPAN + int(intercept)


def draw_repair(row: pd.Series | None, synthetic: bool) -> Picture:
    """Returns a wrapped slice and its histogram before and after the repair; words alone where there is none."""
    figure = Figure(figsize=(9, 5.4 if row is not None else 1), layout="constrained")
    if row is None:
        figure.text(0.5, 0.5, "No slice here needs the repair.", ha="center", va="center")
        return render(figure, "no slice here needs the repair")
    after = read_slice(path_of(row)).pixels_hu
    before = unrepair(after, row["rescale_intercept"])
    title = "A slice whose negative values wrapped round, before and after the repair"
    figure.suptitle(f"{title}\n({SYNTHETIC})" if synthetic else title)
    (top_left, top_right), (left, right) = figure.subplots(2, 2, height_ratios=(1.25, 1))
    for axes, pixels_hu, name in ((top_left, before, "before"), (top_right, after, "after")):
        show(axes, apply_window(pixels_hu, BRAIN))
        axes.set_title(f"{name}: brain window", fontsize=10)
    _draw_histogram(left, before, "before: air where metal would be, above 3,000")
    _draw_histogram(right, after, "after: air at -1,000, brain 20 to 45, bone from 300")
    return render(figure, "a wrapped slice before and after the repair, with histograms of its HU")


def _draw_histogram(axes: Axes, pixels_hu: np.ndarray, title: str) -> None:
    axes.hist(pixels_hu.ravel(), bins=list(range(-1100, 4200, 50)), color=_GOOD)
    axes.axvspan(BRAIN.low, BRAIN.high, color=_WRAPPED, alpha=0.6, linewidth=0)
    axes.set(yscale="log", xlabel="HU (red: the brain window)", ylabel="pixels", xlim=(-1150, 4150))
    axes.set_title(title, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
