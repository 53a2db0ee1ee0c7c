"""What a run says along a series from below upwards, with the truth under it."""

import numpy as np

from hemorrhage.data.labels import LABELS
from hemorrhage.data.series import list_series
from hemorrhage.report.charts import Axes, Line, build_legend, draw_frame, draw_line, place_x
from hemorrhage.report.elements import Html, build_table, element, hide, join, note, show_figure
from hemorrhage.report.material import Material, name_truth
from hemorrhage.report.numbers import show_decimal, show_probability
from hemorrhage.report.scales import UNIT, Scale

_MOST = 3
_FEWEST_SLICES = 3
_SHOWN_FROM = 0.1
_ROW = 9


def choose_strips(material: Material) -> dict[str, list[np.ndarray]]:
    """Returns the rows of the slices of some series, by z: the worst, the best that bleed, and the best that do not.

    A series counts by the mean loss of its slices, and needs three that can be placed.
    """
    able = [rows for rows in list_series(material.found.slices) if len(rows) >= _FEWEST_SLICES]
    ranked = sorted(able, key=lambda rows: float(material.losses[rows].mean()))
    bleeding = [rows for rows in ranked if material.found.truth[rows, -1].any()]
    worst = ranked[::-1][:_MOST]
    shown = {int(rows[0]) for rows in worst}
    best = [rows for rows in bleeding if int(rows[0]) not in shown][:_MOST]
    return {"The worst": worst, "The best of those that bleed": best}


def build_strips(material: Material) -> Html:
    """Returns a chart for each chosen series: probabilities over z, and bars where a slice truly has the label."""
    chosen = choose_strips(material)
    if not any(chosen.values()):
        return note("No series has three slices whose z is known: there is nothing to be drawn along z.")
    parts = []
    for title, series in chosen.items():
        figures = [draw_strip(material, rows) for rows in series]
        parts += [
            element("h3", title),
            element("div", *figures, class_="many") if figures else note("There is no other."),
        ]
    return join(parts)


def choose_labels(truth: np.ndarray, probability: np.ndarray) -> list[int]:
    """Returns the columns that a series has anything of, in truth or said with 0.1 or more; always `any`."""
    found = (truth.max(axis=0) == 1) | (probability.max(axis=0) >= _SHOWN_FROM)
    return [*np.flatnonzero(found[:-1]).tolist(), len(LABELS) - 1]


def draw_strip(material: Material, rows: np.ndarray) -> Html:
    """Returns the chart of one series, whose slices are `rows` in the order of z."""
    truth, probability = material.found.truth[rows], material.found.probability[rows]
    slices = material.found.slices.iloc[rows]
    z_mm = slices["z_mm"].to_numpy(dtype=np.float64)
    columns = choose_labels(truth, probability)
    axes = Axes("z in mm, from below upwards", "probability", Scale(z_mm[0], max(z_mm[-1], z_mm[0] + 1)), UNIT)
    loss = show_decimal(float(material.losses[rows].mean()))
    lines = [Line(LABELS[column], z_mm, probability[:, column], column, column % 4, True) for column in columns]
    words = _describe(str(slices["series_id"].iloc[0]), str(slices["patient_id"].iloc[0]), truth, loss)
    bars = [
        bar for place, column in enumerate(columns) for bar in _draw_bars(axes.x, z_mm, truth[:, column], place, column)
    ]
    drawn = [draw_line(axes, line) for line in lines]
    named = element("text", "truth", x=4, y=_ROW - 1)
    chart = draw_frame(words, axes, drawn, below=join([named, *bars]), room=_ROW * len(columns) + 4)
    legend = build_legend([(line.name, line.color, line.dash) for line in lines])
    return show_figure(words, chart, legend, below=_hide_data(material, rows, columns))


def _describe(series: str, patient: str, truth: np.ndarray, loss: str) -> str:
    bleeding = int(truth[:, -1].sum())
    named = name_truth(truth.max(axis=0))
    return f"Series {series} of patient {patient}: {bleeding} of {len(truth)} slices bleed ({named}). Mean loss {loss}."


def _draw_bars(scale: Scale, z_mm: np.ndarray, truth: np.ndarray, place: int, column: int) -> list[Html]:
    """A bar under each slice that has the label, as wide as its share of the way to its neighbors."""
    edges = np.concatenate([z_mm[:1], (z_mm[1:] + z_mm[:-1]) / 2, z_mm[-1:]])
    places = place_x(scale, edges)
    return [
        element(
            "rect",
            x=f"{places[row]:.1f}",
            y=place * _ROW,
            width=f"{max(places[row + 1] - places[row], 1.5):.1f}",
            height=_ROW - 3,
            class_=f"f{column}",
        )
        for row in np.flatnonzero(truth == 1)
    ]


def _hide_data(material: Material, rows: np.ndarray, columns: list[int]) -> Html:
    slices = material.found.slices.iloc[rows]
    series = str(slices["series_id"].iloc[0])
    table = [
        (
            str(image_id),
            f"{z:.1f}",
            name_truth(material.found.truth[row]),
            *(show_probability(float(material.found.probability[row, column])) for column in columns),
        )
        for row, image_id, z in zip(rows, slices["image_id"], slices["z_mm"], strict=True)
    ]
    head = ("slice", "z in mm", "truth", *(LABELS[column] for column in columns))
    return hide("Data", build_table(f"Slices of series {series}", head, table))
