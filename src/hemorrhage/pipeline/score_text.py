"""A score as text for a terminal and as JSON values."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from hemorrhage.data.calibration import BINS
from hemorrhage.data.metrics import Confusion, LabelMetrics
from hemorrhage.data.uncertainty import ROUNDS, SPECIFICITIES, Interval, Intervals, StudyFigures
from hemorrhage.pipeline.score import Score


def score_to_json(result: Score) -> dict[str, Any]:
    """Returns the score as a dictionary of JSON values; what is undefined is null with its reason in `undefined`."""
    return {
        "slices": result.slices,
        "patients": result.patients,
        "weighted_log_loss": result.weighted_log_loss,
        "weighted_log_loss_interval": _interval_to_json(result.intervals.weighted_log_loss),
        "intervals": {"share": 0.95, "by": _drawn(result), "rounds": ROUNDS},
        "constant_prevalence": result.constant,
        "labels": {figures.label: _label_to_json(figures, result) for figures in result.labels},
        "studies": None if result.studies is None else _studies_to_json(result.studies),
    }


def _label_to_json(figures: LabelMetrics, result: Score) -> dict[str, Any]:
    label = figures.label
    return {
        "positives": figures.positives,
        "log_loss": figures.log_loss,
        "auc": figures.auc,
        "auc_interval": _interval_to_json(result.intervals.auc[label]),
        "average_precision": figures.average_precision,
        "average_precision_interval": _interval_to_json(result.intervals.average_precision[label]),
        "undefined": figures.undefined,
        "calibration_error": result.calibration_errors[label],
        "sensitivity_at_specificity": {
            f"{specificity:.2f}": _defined(value)
            for specificity, value in zip(SPECIFICITIES, result.sensitivities[label], strict=True)
        },
        "at_0.5": _confusion_to_json(figures.at_half),
        "at_threshold": _confusion_to_json(figures.at_best),
    }


def _studies_to_json(figures: StudyFigures) -> dict[str, Any]:
    return {
        "studies": figures.studies,
        "labels": {
            label: {"positives": figures.positives[label]}
            | {
                name: {"auc": _defined(area.auc), "auc_interval": _interval_to_json(area.interval)}
                for name, area in areas.items()
            }
            for label, areas in figures.areas.items()
        },
    }


def format_score(result: Score) -> str:
    """Returns the score as text of 100 columns; its last line is `weighted log loss` and the value to five places."""
    chosen = "of highest F1 here (flatters)" if result.threshold is None else f"{result.threshold:g} as asked"
    lines = [
        f"{result.slices} slices" + (f" of {result.patients} patients" if result.patients is not None else ""),
        "",
        f"{'label':16}{'positives':>10}{'log loss':>10}{'AUC (95 % interval)':>26}{'av. prec. (95 % interval)':>28}",
        *(_format_label(figures, result.intervals) for figures in result.labels),
        "",
        *_format_reliability(result),
        "",
        "at 0.5",
        *_format_confusions([(figures.label, figures.at_half) for figures in result.labels]),
        "",
        f"at the threshold {chosen}",
        *_format_confusions([(figures.label, figures.at_best) for figures in result.labels]),
        "",
        *([*format_studies(result.studies), ""] if result.studies is not None else []),
        *_format_reasons(result.labels),
        f"constant prevalence of these answers {result.constant:.5f}",
        _format_interval_line(result),
        f"weighted log loss {result.weighted_log_loss:.5f}",
    ]
    return "\n".join(lines)


def format_studies(figures: StudyFigures) -> list[str]:
    """Returns the lines that say how well each answer ranks the studies."""
    names = list(next(iter(figures.areas.values())))
    wide = 24 if len(names) < 4 else 18
    shown = format_with_interval if len(names) < 4 else _format_short
    header = f"{'label':16}{'positives':>10}" + "".join(f"{name:>{wide}}" for name in names)
    rows = [
        f"{label:16}{figures.positives[label]:>10}"
        + "".join(f"{shown(area.auc, area.interval):>{wide}}" for area in areas.values())
        for label, areas in figures.areas.items()
    ]
    return [f"AUC over {figures.studies} studies (a series; positive where a slice is)", header, *rows]


def format_with_interval(value: float | None, interval: Interval) -> str:
    """Returns such as `0.9123 (0.9012-0.9234)`, and `-` where the value is undefined."""
    if value is None or math.isnan(value):
        return "-"
    return f"{value:.4f} ({interval[0]:.4f}-{interval[1]:.4f})"


def _format_short(value: float, interval: Interval) -> str:
    return "-" if math.isnan(value) else f"{value:.3f} ({interval[0]:.2f}-{interval[1]:.2f})"


def _format_interval_line(result: Score) -> str:
    low, high = result.intervals.weighted_log_loss
    how = f"{ROUNDS} draws of whole patients"
    if result.patients is None:
        how = "by slice, hence too narrow; --patients TABLE draws whole patients"
    return f"95 % interval {low:.5f} to {high:.5f} ({how})"


def _drawn(result: Score) -> str:
    return "slice" if result.patients is None else "patient"


def _format_label(figures: LabelMetrics, intervals: Intervals) -> str:
    area = format_with_interval(figures.auc, intervals.auc[figures.label])
    precision = format_with_interval(figures.average_precision, intervals.average_precision[figures.label])
    return f"{figures.label:16}{figures.positives:>10}{figures.log_loss:>10.5f}{area:>26}{precision:>28}"


def _format_reliability(result: Score) -> list[str]:
    names = [f"sensitivity at {specificity:.0%} specificity" for specificity in SPECIFICITIES]
    header = f"{'label':16}{'calibration error':>20}" + "".join(f"{name:>32}" for name in names)
    rows = [
        f"{label:16}{error:>20.5f}" + "".join(f"{_figure(_defined(one)):>32}" for one in result.sensitivities[label])
        for label, error in result.calibration_errors.items()
    ]
    return [header, *rows, f"(calibration error: expected, over {BINS} bins of equally many slices)"]


_RATIOS: Sequence[tuple[str, int, Callable[[Confusion], float | None]]] = (
    ("accuracy", 9, lambda one: one.accuracy),
    ("F1", 7, lambda one: one.f1),
    ("precision", 10, lambda one: one.precision),
    ("recall", 7, lambda one: one.recall),
    ("specificity", 12, lambda one: one.specificity),
)
_COUNTS: Sequence[tuple[str, Callable[[Confusion], int]]] = (
    ("TP", lambda one: one.true_positives),
    ("FP", lambda one: one.false_positives),
    ("FN", lambda one: one.false_negatives),
    ("TN", lambda one: one.true_negatives),
)


def _format_confusions(confusions: list[tuple[str, Confusion]]) -> list[str]:
    header = (
        f"{'label':16}{'threshold':>10}"
        + "".join(f"{name:>{wide}}" for name, wide, _ in _RATIOS)
        + "".join(f"{name:>7}" for name, _ in _COUNTS)
    )
    return [header, *(_format_confusion(label, confusion) for label, confusion in confusions)]


def _format_confusion(label: str, confusion: Confusion) -> str:
    return (
        f"{label:16}{confusion.threshold:>10.3g}"
        + "".join(f"{_figure(take(confusion)):>{wide}}" for _, wide, take in _RATIOS)
        + "".join(f"{take(confusion):>7}" for _, take in _COUNTS)
    )


def _format_reasons(labels: list[LabelMetrics]) -> list[str]:
    reasons = [f"AUC and average precision of {one.label}: - ({one.undefined})" for one in labels if one.undefined]
    ratios = [figures.at_half for figures in labels] + [figures.at_best for figures in labels]
    if any(None in (one.precision, one.recall, one.specificity, one.f1) for one in ratios):
        reasons.append("precision is - where no slice was called positive, recall where none is, F1 where neither;")
        reasons.append("specificity is - where every slice is positive")
    return [*reasons, ""] if reasons else []


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _defined(value: float) -> float | None:
    return None if math.isnan(value) else value


def _interval_to_json(interval: Interval) -> list[float] | None:
    return None if math.isnan(interval[0]) else list(interval)


def _confusion_to_json(confusion: Confusion) -> dict[str, Any]:
    names = ("accuracy", "f1", "precision", "recall", "specificity")
    return asdict(confusion) | {name: getattr(confusion, name) for name in names}
