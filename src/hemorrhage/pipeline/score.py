"""The verb score: a submission and the answers in, the competition's score and what stands beside it out."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hemorrhage.data.labels import LABELS, read_labels, read_probabilities, require_agreement
from hemorrhage.data.metrics import Confusion, LabelMetrics, constant_score, measure_labels, weighted_log_loss
from hemorrhage.errors import HemorrhageError


@dataclass(frozen=True)
class Score:
    """The weighted log loss, that of the answers' own constant prevalence, and the figures by label."""

    slices: int
    weighted_log_loss: float
    constant: float
    labels: list[LabelMetrics]
    threshold: float | None


def score(submission: Path, answers: Path, threshold: float | None = None) -> Score:
    """Returns how well `submission` meets `answers`, both long CSVs over the same images.

    `threshold` is where the second confusion table is taken; None takes each label's best F1 on these answers.
    Raises HemorrhageError where a file is malformed or the images differ.
    """
    truth_table = require_agreement(read_labels(answers), answers).table.set_index("image_id")
    probability_table = read_probabilities(submission).set_index("image_id")
    missing = truth_table.index.difference(probability_table.index)
    extra = probability_table.index.difference(truth_table.index)
    if len(missing) or len(extra):
        raise HemorrhageError(
            f"{submission}: expected the {len(truth_table)} images of {answers}; {len(missing)} are missing "
            f"({', '.join(missing[:3])}), {len(extra)} are unknown ({', '.join(extra[:3])})."
        )
    if threshold is not None and not 0 <= threshold <= 1:
        raise HemorrhageError(f"Expected a threshold in [0, 1], received {threshold}.")
    truth = truth_table[list(LABELS)].to_numpy()
    probability = probability_table.loc[truth_table.index, list(LABELS)].to_numpy()
    return Score(
        slices=len(truth),
        weighted_log_loss=weighted_log_loss(truth, probability),
        constant=constant_score(truth, truth.mean(axis=0)),
        labels=measure_labels(truth, probability, threshold),
        threshold=threshold,
    )


def score_to_json(result: Score) -> dict[str, Any]:
    """Returns the score as a dictionary of JSON values; what is undefined is null with its reason in `undefined`."""
    return {
        "slices": result.slices,
        "weighted_log_loss": result.weighted_log_loss,
        "constant_prevalence": result.constant,
        "labels": {
            figures.label: {
                "positives": figures.positives,
                "log_loss": figures.log_loss,
                "auc": figures.auc,
                "average_precision": figures.average_precision,
                "undefined": figures.undefined,
                "at_0.5": _confusion_to_json(figures.at_half),
                "at_threshold": _confusion_to_json(figures.at_best),
            }
            for figures in result.labels
        },
    }


def format_score(result: Score) -> str:
    """Returns the score as text for a terminal; its last line is `weighted log loss` and the value to five places."""
    chosen = "of highest F1 here (flatters)" if result.threshold is None else f"{result.threshold:g} as asked"
    lines = [
        f"{result.slices} slices",
        "",
        f"{'label':17}{'positives':>9}{'log loss':>10}{'AUC':>8}{'av. prec.':>11}",
        *(_format_label(figures) for figures in result.labels),
        "",
        "at 0.5",
        *_format_confusions([(figures.label, figures.at_half) for figures in result.labels]),
        "",
        f"at the threshold {chosen}",
        *_format_confusions([(figures.label, figures.at_best) for figures in result.labels]),
        "",
        *_format_reasons(result.labels),
        f"constant prevalence of these answers {result.constant:.5f}",
        f"weighted log loss {result.weighted_log_loss:.5f}",
    ]
    return "\n".join(lines)


def _format_label(figures: LabelMetrics) -> str:
    return (
        f"{figures.label:17}{figures.positives:>9}{figures.log_loss:>10.5f}{_figure(figures.auc):>8}"
        f"{_figure(figures.average_precision):>11}"
    )


def _format_confusions(confusions: list[tuple[str, Confusion]]) -> list[str]:
    columns = ("threshold", "accuracy", "F1", "precision", "recall", "specificity", "TP", "FP", "FN", "TN")
    header = (
        f"{'label':17}" + "".join(f"{column:>12}" for column in columns[:6]) + "".join(f"{c:>7}" for c in columns[6:])
    )
    return [header, *(_format_confusion(label, confusion) for label, confusion in confusions)]


def _format_confusion(label: str, confusion: Confusion) -> str:
    ratios = (confusion.accuracy, confusion.f1, confusion.precision, confusion.recall, confusion.specificity)
    counts = (
        confusion.true_positives,
        confusion.false_positives,
        confusion.false_negatives,
        confusion.true_negatives,
    )
    return (
        f"{label:17}{confusion.threshold:>12.4g}"
        + "".join(f"{_figure(ratio):>12}" for ratio in ratios)
        + "".join(f"{count:>7}" for count in counts)
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


def _confusion_to_json(confusion: Confusion) -> dict[str, Any]:
    names = ("accuracy", "f1", "precision", "recall", "specificity")
    return asdict(confusion) | {name: getattr(confusion, name) for name in names}
