"""How well each label is told: the table of figures, ROC, precision and recall, and reliability."""

import numpy as np

from hemorrhage.data.calibration import BINS, measure_reliability
from hemorrhage.data.labels import LABELS
from hemorrhage.data.metrics import LabelMetrics
from hemorrhage.data.ranking import Ranking
from hemorrhage.data.uncertainty import SPECIFICITIES
from hemorrhage.pipeline.score import Score
from hemorrhage.report.charts import Axes, Line, build_legend, draw_chart
from hemorrhage.report.elements import Content, Html, build_table, element, hide, join, note, paragraph, show_figure
from hemorrhage.report.numbers import show_count, show_decimal, show_interval, show_probability, show_share
from hemorrhage.report.scales import UNIT, Scale

_POINTS = 160
_LOWEST = 1e-4
_RELIABLE = Scale(_LOWEST, 1.0, is_log=True)
_LEGEND = [(label, column, column % 4) for column, label in enumerate(LABELS)]


def build_metrics(score: Score) -> Html:
    """Returns a table of the figures of each label with intervals by patient."""
    sensitivities = [f"sensitivity at {100 * share:.0f} % specificity" for share in SPECIFICITIES]
    head = ("label", "positive", "share", "log loss", "AUC (95 %)", "average precision (95 %)")
    rows = [_show_label(figures, score) for figures in score.labels]
    undefined = [f"{one.label}: {one.undefined}" for one in score.labels if one.undefined]
    return join(
        [
            build_table("Figures by label", (*head, *sensitivities, "calibration error"), rows),
            paragraph(
                "The calibration error is the expected one over "
                f"{BINS} bins of equally many slices. A sensitivity is that of the best threshold with at least that "
                "specificity on these very slices."
            ),
            *([note(f"AUC and average precision are undefined: {'; '.join(undefined)}.")] if undefined else []),
        ]
    )


def _show_label(figures: LabelMetrics, score: Score) -> list[Content]:
    label, intervals = figures.label, score.intervals
    return [
        label,
        show_count(figures.positives),
        show_share(figures.positives / score.slices),
        show_decimal(figures.log_loss),
        show_interval(figures.auc, intervals.auc[label], 3),
        show_interval(figures.average_precision, intervals.average_precision[label], 3),
        *(show_decimal(value, 3) for value in score.sensitivities[label]),
        show_decimal(score.calibration_errors[label]),
    ]


def build_rankings(truth: np.ndarray, probability: np.ndarray, score: Score) -> Html:
    """Returns the ROC and the precision-recall curves of the labels; truth and probability are N x 6."""
    known = [column for column in range(len(LABELS)) if 0 < truth[:, column].sum() < len(truth)]
    if not known:
        return note("No label has both positive and negative slices: there are no curves.")
    rankings = {column: Ranking.build(truth[:, column], probability[:, column]) for column in known}
    areas = ", ".join(f"{one.label} {one.auc:.3f}" for one in score.labels if one.auc is not None)
    precisions = ", ".join(
        f"{one.label} {one.average_precision:.3f}" for one in score.labels if one.average_precision is not None
    )
    roc = [_line(column, *trace_roc(ranking)) for column, ranking in rankings.items()]
    precision = [_line(column, *trace_precision(ranking)) for column, ranking in rankings.items()]
    first = draw_chart(f"ROC curves. Area: {areas}.", Axes("1 - specificity", "sensitivity", UNIT, UNIT), roc)
    second = draw_chart(f"Average precision: {precisions}.", Axes("recall", "precision", UNIT, UNIT), precision)
    legend = build_legend([_LEGEND[column] for column in known])
    figures = [
        show_figure(f"ROC. Area under the curve: {areas}.", first),
        show_figure(f"Precision against recall. Average precision: {precisions}.", second),
    ]
    return join([legend, element("div", *figures, class_="two")])


def _line(column: int, x: np.ndarray, y: np.ndarray) -> Line:
    return Line(LABELS[column], x, y, column, column % 4)


def trace_roc(ranking: Ranking) -> tuple[np.ndarray, np.ndarray]:
    """Returns false and true positive rates from (0, 0) to (1, 1), thinned to what an eye can tell apart."""
    hits, falses = _count(ranking)
    x, y = np.append(0, falses / falses[-1]), np.append(0, hits / hits[-1])
    return _thin(x, y, x + y)


def trace_precision(ranking: Ranking) -> tuple[np.ndarray, np.ndarray]:
    """Returns recalls, rising, and the precision at each, thinned."""
    hits, falses = _count(ranking)
    recall, precision = hits / hits[-1], hits / (hits + falses)
    return _thin(recall, precision, recall + falses / falses[-1])


def _count(ranking: Ranking) -> tuple[np.ndarray, np.ndarray]:
    """How many positives and negatives are above each threshold."""
    hits = np.cumsum(ranking.is_positive)[ranking.ends].astype(np.float64)
    return hits, ranking.ends + 1 - hits


def _thin(x: np.ndarray, y: np.ndarray, along: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The last point of each of _POINTS equal steps `along` (which rises), and the first of all."""
    steps = np.floor(along * _POINTS)
    kept = np.append(np.diff(steps) > 0, True)
    kept[0] = True
    return x[kept], y[kept]


def build_reliability(truth: np.ndarray, probability: np.ndarray) -> Html:
    """Returns a reliability curve for each label, both axes logarithmic, with its data."""
    words = (
        f"Of each of {BINS} bins of about equally many slices, what was said and what was true. A bin above the dashed "
        "line has more positive slices than said. Both axes are logarithmic; none, and less than 0.0001, is at the end."
    )
    figures = [_draw_reliability(truth, probability, column) for column in range(len(LABELS))]
    return join([paragraph(words), element("div", *figures, class_="many")])


def _draw_reliability(truth: np.ndarray, probability: np.ndarray, column: int) -> Html:
    curve, label = measure_reliability(truth[:, column], probability[:, column]), LABELS[column]
    lines = [
        Line("what it should be", np.array([_LOWEST, 1.0]), np.array([_LOWEST, 1.0]), 6, 1),
        Line(label, curve.said, curve.true, column, marks=True),
    ]
    axes = Axes("mean probability of a bin", "share of positive slices", _RELIABLE, _RELIABLE)
    rows = [
        (show_probability(said), show_probability(true), show_count(int(slices)))
        for said, true, slices in zip(curve.said, curve.true, curve.slices, strict=True)
    ]
    data = build_table(f"Reliability of {label}", ("mean probability", "share positive", "slices"), rows, words=0)
    caption = f"{label}: calibration error {curve.error:.4f}"
    chart = draw_chart(f"Reliability of {caption}. The dashed line is what it should be.", axes, lines)
    return show_figure(caption, chart, below=hide("Data", data))
