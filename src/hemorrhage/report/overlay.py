"""A map over a slice: the slice in grey, what the map says in color, a line around the upper half of it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from hemorrhage.ct.orientation import Edges
from hemorrhage.ct.windows import Window, apply_window
from hemorrhage.report.gallery import WINDOWS, show
from hemorrhage.report.picture import Picture, render

NOT_CLINICAL = "Research use only, not for clinical decisions."
WHERE_NOT_WHETHER = (
    "A map says where a network looked for a label, not how probable it is: its maximum is 1 at any probability."
)
CONTOUR = 0.5
"""Of the map's range: where the line is drawn."""

_STRENGTH = 0.6
_INK = "#e8e8e8"


@dataclass(frozen=True)
class ExplainedSlice:
    """A slice, float or int HU rows x columns, its maps by label at its own resolution, and what is said of it.

    `probabilities` are the run's by label; `facts` are lines beside the picture; `edges` are None where the header
    names no orientation.
    """

    pixels_hu: np.ndarray
    maps: Mapping[str, np.ndarray]
    probabilities: Mapping[str, float]
    edges: Edges | None
    title: str
    facts: tuple[str, ...]


def draw_explanation(explained: ExplainedSlice) -> Picture:
    """Returns the slice through three windows, and under it each label's map over it; of one label over all three."""
    rows = 1 + -(-len(explained.maps) // 3)
    layout = ConstrainedLayoutEngine(w_pad=0.03, h_pad=0.03, wspace=0.01, hspace=0.02)
    figure = Figure(figsize=(9.0, 2.75 * rows + 1.3), layout=layout, facecolor="#141414")
    figure.suptitle(f"{explained.title}\n{NOT_CLINICAL}", fontsize=11, color=_INK)
    grid = figure.subplots(rows, 3, squeeze=False)
    for axes, (name, window) in zip(grid[0], WINDOWS.items(), strict=True):
        _draw_slice(axes, explained, window, f"{name} {window.center:g}/{window.width:g}")
    _draw_maps(grid[1:], explained)
    _draw_bar(figure, grid)
    figure.supxlabel("\n".join((*explained.facts, WHERE_NOT_WHETHER)), fontsize=8, color=_INK)
    said = ", ".join(f"{label} {explained.probabilities[label]:.2f}" for label in explained.maps)
    return render(figure, f"{explained.title}: maps over the slice of {said}. {NOT_CLINICAL}", None, dpi=110)


def _draw_maps(grid: np.ndarray, explained: ExplainedSlice) -> None:
    """One label goes over each of the three windows, several over the brain window alone."""
    single = len(explained.maps) == 1
    cells = [(label, name) for label in explained.maps for name in (WINDOWS if single else ("brain",))]
    for axes in grid.flat[len(cells) :]:
        axes.set_axis_off()
    for axes, (label, name) in zip(grid.flat, cells, strict=False):
        nothing = "" if explained.maps[label].any() else ", nothing for it"
        _draw_slice(axes, explained, WINDOWS[name], f"{label} {explained.probabilities[label]:.2f}{nothing}")
        lay_over(axes, explained.maps[label])


def lay_over(axes: Axes, saliency: np.ndarray) -> None:
    """Lays a map of values 0 to 1 over the slice in `axes`, the more opaque the higher, and a line at CONTOUR."""
    axes.imshow(saliency, cmap=_build_colors(), vmin=0, vmax=1, interpolation="nearest")
    if saliency.min() < CONTOUR < saliency.max():
        axes.contour(saliency, levels=[CONTOUR], colors="#4cc9f0", linewidths=0.9)


def _draw_slice(axes: Axes, explained: ExplainedSlice, window: Window, title: str) -> None:
    show(axes, apply_window(explained.pixels_hu, window))
    axes.set_title(title, fontsize=10, color=_INK)
    edges = explained.edges
    for place, letter in _place_letters(edges).items() if edges else ():
        align = {0.0: "left", 1.0: "right"}.get(place[0], "center"), {0.0: "bottom", 1.0: "top"}.get(place[1], "center")
        axes.text(
            *place, f" {letter} ", transform=axes.transAxes, color="#ffd166", fontsize=10, ha=align[0], va=align[1]
        )


def _place_letters(edges: Edges) -> dict[tuple[float, float], str]:
    return {(0.0, 0.5): edges.left, (1.0, 0.5): edges.right, (0.5, 1.0): edges.top, (0.5, 0.0): edges.bottom}


def _draw_bar(figure: Figure, grid: np.ndarray) -> None:
    bar = figure.colorbar(ScalarMappable(cmap=_build_colors()), ax=grid[1:].ravel().tolist(), fraction=0.025, pad=0.01)
    bar.set_label("map, share of its maximum", fontsize=8, color=_INK)
    bar.ax.axhline(CONTOUR, color="#4cc9f0", linewidth=1.2)
    bar.ax.tick_params(labelsize=8, colors=_INK)
    bar.ax.set_facecolor("#808080")


def _build_colors() -> ListedColormap:
    """Returns the colors of a map, from clear to nearly opaque."""
    colors = colormaps["inferno"](np.linspace(0.25, 1, 256))
    colors[:, 3] = _STRENGTH * np.linspace(0, 1, 256)
    return ListedColormap(colors)
