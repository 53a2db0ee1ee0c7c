"""How a run learned: loss and score by epoch, and the learning rate step by step."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hemorrhage.data.labels import LABELS
from hemorrhage.pipeline.config import Config
from hemorrhage.pipeline.schedule import learning_rate_at
from hemorrhage.report.charts import Axes, Line, build_legend, draw_chart
from hemorrhage.report.elements import Html, build_table, element, hide, join, note, show_figure
from hemorrhage.report.material import Material, Origin
from hemorrhage.report.numbers import show_decimal, show_short
from hemorrhage.report.scales import Scale, span

_STEPS_AN_EPOCH = 24


def build_learning(material: Material) -> Html:
    """Returns the curves of each run of 'train' that the run is, or is made of."""
    if not material.origins:
        return note("The runs it was made of are no longer there, and with them how they learned.")
    stage = f"Its own second stage keeps no history; what it was made of, {', '.join(_names(material))}, learned so:"
    parts = [note(stage)] if material.run.kind == "series" else []
    return join([*parts, *(_build_origin(origin) for origin in material.origins)])


def _names(material: Material) -> list[str]:
    return [origin.run.folder.name for origin in material.origins]


def _build_origin(origin: Origin) -> Html:
    name = origin.run.folder.name
    begun = {fold: rows for fold, rows in origin.histories.items() if rows}
    if not begun:
        return note(f"{name} has no history.csv: how it learned is not known.")
    figures = [_draw_losses(name, begun, origin.config), _draw_rate(name, origin.config, begun)]
    return join(
        [element("h3", f"Course of {name}"), element("div", *figures, class_="two"), _hide_history(name, begun)]
    )


def _draw_losses(name: str, histories: Mapping[str, Sequence[Mapping[str, Any]]], config: Config) -> Html:
    lines = [
        line
        for place, (fold, rows) in enumerate(histories.items())
        for line in (
            Line(f"{fold}, held-out patients", *_read(rows, "validation"), place % 6, 0, marks=True),
            Line(f"{fold}, training loss", *_read(rows, "loss"), place % 6, 1),
        )
    ]
    constant = float(np.mean([float(rows[0]["constant"]) for rows in histories.values()]))
    ends = np.array([0.5, config.epochs + 0.5])
    lines.append(Line("constant prevalence", ends, np.full(2, constant), 6, 2))
    axes = Axes("epoch", "weighted log loss", _epochs(config), span(np.concatenate([line.y for line in lines])))
    last = "; ".join(f"{fold} {float(rows[-1]['validation']):.4f}" for fold, rows in histories.items())
    words = f"Loss of {name} by epoch. Held-out patients at the last epoch: {last}; constant prevalence {constant:.4f}."
    legend = build_legend([(line.name, line.color, line.dash) for line in lines])
    return show_figure(words, draw_chart(words, axes, lines), legend)


def _epochs(config: Config) -> Scale:
    return Scale(0.5, config.epochs + 0.5, is_whole=True)


def _read(rows: Sequence[Mapping[str, Any]], column: str) -> tuple[np.ndarray, np.ndarray]:
    return np.array([float(row["epoch"]) for row in rows]), np.array([float(row[column]) for row in rows])


def _draw_rate(name: str, config: Config, histories: Mapping[str, Sequence[Mapping[str, Any]]]) -> Html:
    steps = [(epoch, step) for epoch in range(config.epochs) for step in range(_STEPS_AN_EPOCH)]
    rates = np.array([learning_rate_at(config, epoch, step, _STEPS_AN_EPOCH) for epoch, step in steps])
    epochs = np.array([0.5 + epoch + step / (_STEPS_AN_EPOCH - 1) for epoch, step in steps])
    done = max(len(rows) for rows in histories.values())
    words = (
        f"Learning rate of {name}: from {show_short(rates[0])}, at most {show_short(rates.max())}, to "
        f"{show_short(rates[-1])} (schedule {config.schedule}, {done} of {config.epochs} epochs done)."
    )
    axes = Axes("epoch", "learning rate", _epochs(config), span(rates))
    return show_figure(words, draw_chart(words, axes, [Line("rate", epochs, rates, 0)]))


def _hide_history(name: str, histories: Mapping[str, Sequence[Mapping[str, Any]]]) -> Html:
    head = ("network", "epoch", "learning rate", "training loss", "held-out patients", *LABELS, "images a second")
    rows = [
        (
            fold,
            row["epoch"],
            show_short(float(row["learning_rate"])),
            *(
                show_decimal(float(row[key]))
                for key in ("loss", "validation", *(f"validation_{one}" for one in LABELS))
            ),
            show_decimal(float(row["images_per_second"]), 1),
        )
        for fold, kept in histories.items()
        for row in kept
    ]
    return hide("Data", build_table(f"History of {name}", head, rows))
