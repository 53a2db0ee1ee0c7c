"""Line charts as SVG: arrays in, markup out. Colors are the page's, so that a chart is light or dark as the page is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hemorrhage.report.elements import EMPTY, Html, element, join
from hemorrhage.report.numbers import show_short
from hemorrhage.report.scales import Scale

WIDTH, HEIGHT = 380, 270
"""Of a chart in units of its own; the page makes it as wide as there is room."""

_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 12, 10, 42


@dataclass(frozen=True)
class Line:
    """Points of one series in order; `color` is one of the page's six, `dash` one of its four kinds of line."""

    name: str
    x: np.ndarray
    y: np.ndarray
    color: int
    dash: int = 0
    marks: bool = False


@dataclass(frozen=True)
class Axes:
    """What the two directions of a chart mean, and their scales."""

    x_name: str
    y_name: str
    x: Scale
    y: Scale


def draw_chart(words: str, axes: Axes, lines: Sequence[Line], height: int = HEIGHT) -> Html:
    """Returns the lines in their axes as SVG; `words` say what it shows, to those who do not see it."""
    return draw_frame(words, axes, [draw_line(axes, line, height) for line in lines], height)


def draw_frame(
    words: str, axes: Axes, drawn: Sequence[Html], height: int = HEIGHT, below: Html = EMPTY, room: int = 0
) -> Html:
    """Returns an SVG with axes, ticks and what is `drawn` in them; `below` is drawn under it and has so much room."""
    bottom = height - _BOTTOM
    grid = [*_draw_x_ticks(axes.x, bottom), *_draw_y_ticks(axes.y, height)]
    middle = (_TOP + bottom) / 2
    names = [
        element("text", axes.x_name, x=(_LEFT + WIDTH - _RIGHT) // 2, y=height - 6, text_anchor="middle"),
        element("text", axes.y_name, text_anchor="middle", transform=f"translate(12 {middle:.0f}) rotate(-90)"),
    ]
    return element(
        "svg",
        *grid,
        *names,
        *drawn,
        element("g", below, transform=f"translate(0 {height})"),
        viewBox=f"0 0 {WIDTH} {height + room}",
        role="img",
        aria_label=words,
        class_="chart",
    )


def place_x(scale: Scale, values: np.ndarray) -> np.ndarray:
    """Returns where values lie across a chart, in its units."""
    return _LEFT + scale.place(values) * (WIDTH - _LEFT - _RIGHT)


def place_y(scale: Scale, values: np.ndarray, height: int = HEIGHT) -> np.ndarray:
    """Returns where values lie from the top of a chart, in its units."""
    return height - _BOTTOM - scale.place(values) * (height - _BOTTOM - _TOP)


def draw_line(axes: Axes, line: Line, height: int = HEIGHT) -> Html:
    """Returns one line in its axes."""
    x, y = place_x(axes.x, line.x), place_y(axes.y, line.y, height)
    points = " ".join(f"{across:.1f},{down:.1f}" for across, down in zip(x, y, strict=True))
    curve = element("polyline", points=points, class_=f"c{line.color} d{line.dash}")
    if not line.marks:
        return curve
    dots = [
        element("circle", cx=f"{across:.1f}", cy=f"{down:.1f}", r=2, class_=f"f{line.color}")
        for across, down in zip(x, y, strict=True)
    ]
    return join([curve, *dots])


def _draw_x_ticks(scale: Scale, bottom: int) -> list[Html]:
    places = place_x(scale, np.array(scale.ticks()))
    return [
        join(
            [
                element("line", x1=f"{x:.1f}", x2=f"{x:.1f}", y1=_TOP, y2=bottom, class_="grid"),
                element("text", show_short(value), x=f"{x:.1f}", y=bottom + 15, text_anchor="middle"),
            ]
        )
        for value, x in zip(scale.ticks(), places, strict=True)
    ]


def _draw_y_ticks(scale: Scale, height: int) -> list[Html]:
    places = place_y(scale, np.array(scale.ticks()), height)
    return [
        join(
            [
                element("line", x1=_LEFT, x2=WIDTH - _RIGHT, y1=f"{y:.1f}", y2=f"{y:.1f}", class_="grid"),
                element("text", show_short(value), x=_LEFT - 6, y=f"{y + 4:.1f}", text_anchor="end"),
            ]
        )
        for value, y in zip(scale.ticks(), places, strict=True)
    ]


def build_legend(lines: Sequence[tuple[str, int, int]]) -> Html:
    """Returns what each (name, color, dash) of a chart's lines means."""
    rows = [
        element("li", element("svg", _draw_swatch(color, dash), viewBox="0 0 28 10", aria_hidden="true"), name)
        for name, color, dash in lines
    ]
    return element("ul", *rows, class_="legend")


def _draw_swatch(color: int, dash: int) -> Html:
    return element("line", x1=1, x2=27, y1=5, y2=5, class_=f"c{color} d{dash}")
