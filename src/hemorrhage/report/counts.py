"""Charts of the label table: how frequent each label is, and which come together."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hemorrhage.data.labels import LABELS
from hemorrhage.report.gallery import SYNTHETIC
from hemorrhage.report.picture import Picture, render


def count_together(labels: pd.DataFrame) -> pd.DataFrame:
    """Returns for each label (row) the share of its slices that have each label (column), NaN where none has it."""
    truth = labels[list(LABELS)].to_numpy(dtype=np.float64)
    together = truth.T @ truth
    with np.errstate(invalid="ignore"):
        shares = together / np.diag(together)[:, None]
    return pd.DataFrame(shares, index=list(LABELS), columns=list(LABELS))


def draw_labels(labels: pd.DataFrame, synthetic: bool) -> Picture:
    """Returns bars of how many slices have each label, beside a table of which labels come together."""
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    title = f"Labels of {len(labels):,} training slices"
    figure.suptitle(f"{title} ({SYNTHETIC})" if synthetic else title)
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.15))
    _draw_bars(left, labels)
    _draw_together(right, count_together(labels))
    shares = ", ".join(f"{label} {labels[label].mean():.1%}" for label in LABELS)
    return render(figure, f"shares of slices by label: {shares}")


def _draw_bars(axes: Axes, labels: pd.DataFrame) -> None:
    shares = [100 * labels[label].mean() for label in LABELS]
    bars = axes.barh(LABELS, shares, color=["#30638e"] * 5 + ["#d1495b"])
    axes.bar_label(
        bars,
        [f"{share:.2f} % ({int(labels[label].sum()):,})" for label, share in zip(LABELS, shares, strict=True)],
        padding=3,
        fontsize=9,
    )
    axes.invert_yaxis()
    axes.set(xlabel="% of all slices (number of slices)", xlim=(0, 1.45 * max(*shares, 1e-9)))
    axes.set_title("How frequent", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_together(axes: Axes, shares: pd.DataFrame) -> None:
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, values in enumerate(shares.to_numpy()):
        for column, value in enumerate(values):
            text = "-" if np.isnan(value) else f"{100 * value:.0f}"
            axes.text(column, row, text, ha="center", va="center", color="white" if value > 0.6 else "black")
    names = [label[:9] + "." if len(label) > 10 else label for label in LABELS]
    axes.set_xticks(range(len(LABELS)), names, rotation=30, ha="right", fontsize=9)
    axes.set_yticks(range(len(LABELS)), LABELS, fontsize=9)
    axes.set_title("Of slices with the row's label,\n% with the column's as well", fontsize=10)
