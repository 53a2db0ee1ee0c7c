"""The course of a training, epoch by epoch."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from hemorrhage.report.gallery import SYNTHETIC
from hemorrhage.report.picture import Picture, render


def draw_course(histories: Mapping[str, Sequence[Mapping[str, Any]]], synthetic: bool) -> Picture:
    """Returns curves of training loss and validation score over the epochs of each network (rows of history.csv)."""
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    axes = figure.subplots()
    title = "Course of the training"
    axes.set_title(f"{title} ({SYNTHETIC})" if synthetic else title, fontsize=11)
    begun = {name: rows for name, rows in histories.items() if rows}
    for index, (name, rows) in enumerate(begun.items()):
        epochs, color = [int(row["epoch"]) for row in rows], f"C{index}"
        axes.plot(epochs, _column(rows, "validation"), "o-", color=color, label=f"{name}: held-out patients")
        axes.plot(epochs, _column(rows, "loss"), "--", color=color, alpha=0.6, label=f"{name}: training loss")
        axes.axhline(
            _column(rows, "constant")[0], color=color, linewidth=1, linestyle=":", label=f"{name}: constant prevalence"
        )
    if begun:
        axes.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    else:
        axes.text(0.5, 0.5, "no epoch is done yet", ha="center", transform=axes.transAxes)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="epoch", ylabel="weighted log loss (lower is better)")
    axes.spines[["top", "right"]].set_visible(False)
    return render(figure, f"weighted log loss of {len(begun)} networks by epoch")


def _column(rows: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    return [float(row[name]) for row in rows]
