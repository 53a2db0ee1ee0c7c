"""How often each probability is given: to slices that a network learned from, to held-out ones, and to test slices."""

from collections.abc import Mapping

import numpy as np

from hemorrhage.data.labels import LABELS
from hemorrhage.pipeline.checked_tables import read_predictions
from hemorrhage.pipeline.runs import read_folds
from hemorrhage.report.charts import Axes, Line, build_legend, draw_chart
from hemorrhage.report.elements import Html, build_table, element, hide, join, note, show_figure
from hemorrhage.report.material import Material
from hemorrhage.report.numbers import show_probability, show_share
from hemorrhage.report.scales import UNIT, Scale

_BINS = 20
_COLOR = {"learned from": 1, "out of fold": 0, "test": 4}


def read_learned(material: Material) -> np.ndarray | None:
    """Returns what the networks of a run said of the slices that they learned from, N x 6; None where nothing kept it.

    Only 'predict --embeddings' keeps it, of a run of 'train': the first view of each network.
    """
    folds = read_folds(material.run).set_index("image_id")["fold"]
    found = []
    for folder in sorted(material.run.folder.glob("embeddings/fold-*")):
        views = sorted(folder.glob("train-*.parquet"))
        if views:
            table = read_predictions(views[0], "Run 'hemorrhage predict' with --embeddings again.")
            fold_of = folds.reindex(table["image_id"]).to_numpy()
            is_learned = ~np.isnan(fold_of) & (fold_of != int(folder.name.removeprefix("fold-")))
            found.append(table.loc[is_learned & table["any"].notna().to_numpy(), list(LABELS)].to_numpy())
    return np.concatenate(found) if found else None


def build_histograms(material: Material) -> Html:
    """Returns for each label how often each probability is given, and a line for each part that is not known."""
    learned = read_learned(material)
    tested = material.test[material.test["any"].notna()] if material.test is not None else None
    parts = {"learned from": learned, "out of fold": material.found.probability}
    parts["test"] = tested[list(LABELS)].to_numpy() if tested is not None and len(tested) else None
    missing = {
        "learned from": "What it says of slices that it learned from is not kept; 'hemorrhage predict --embeddings' "
        "keeps it of a run of 'train'.",
        "test": "There are no test predictions: 'hemorrhage predict' writes them where the input has test slices.",
    }
    lines = [note(missing[name]) for name, values in parts.items() if values is None]
    return join([*lines, draw_histograms({name: values for name, values in parts.items() if values is not None})])


def draw_histograms(parts: Mapping[str, np.ndarray]) -> Html:
    """Returns a chart a label of how often each probability is given; `parts` are N x 6 by the name of their slices."""
    named = [(f"{name} ({len(values):,} slices)", _COLOR[name]) for name, values in parts.items()]
    legend = build_legend([(name, color, place) for place, (name, color) in enumerate(named)])
    figures = [_draw_histogram(parts, column) for column in range(len(LABELS))]
    return join([legend, element("div", *figures, class_="many")])


def _draw_histogram(parts: Mapping[str, np.ndarray], column: int) -> Html:
    edges = np.linspace(0, 1, _BINS + 1)
    shares = {name: count_shares(values[:, column]) for name, values in parts.items()}
    lowest = 10 ** min(np.floor(np.log10(min(share[share > 0].min() for share in shares.values()))), -1)
    lines = [
        Line(name, np.repeat(edges, 2)[1:-1], np.repeat(np.maximum(share, lowest), 2), _COLOR[name], place)
        for place, (name, share) in enumerate(shares.items())
    ]
    axes = Axes("probability", "share of slices", UNIT, Scale(lowest, 1.0, is_log=True))
    means = "; ".join(f"{name} {show_probability(values[:, column].mean())}" for name, values in parts.items())
    label = LABELS[column]
    rows = [
        (f"{edges[place]:.2f} to {edges[place + 1]:.2f}", *(show_share(share[place]) for share in shares.values()))
        for place in range(_BINS)
    ]
    data = build_table(f"Probabilities of {label}", ("probability", *parts), rows)
    chart = draw_chart(f"How often each probability of {label} is given. Means: {means}.", axes, lines)
    return show_figure(f"{label}. Mean: {means}", chart, below=hide("Data", data))


def count_shares(values: np.ndarray) -> np.ndarray:
    """Returns the share of probabilities in each of 20 bins of equal width, float64 of 20."""
    return np.histogram(values, np.linspace(0, 1, _BINS + 1))[0] / len(values)
