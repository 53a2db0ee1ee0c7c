"""Right and wrong calls at an operating point, which labels come together, and which are taken for which."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hemorrhage.data.labels import LABELS
from hemorrhage.data.metrics import Confusion, confuse, find_best_threshold
from hemorrhage.report.counts import count_together
from hemorrhage.report.elements import Content, Html, build_table, element, join, paragraph
from hemorrhage.report.numbers import NOTHING, show_count, show_decimal, show_probability


@dataclass(frozen=True)
class Operating:
    """`calls` are bool N x 6, each by a threshold that other patients chose where `is_crossed`; `thresholds` are of all
    slices, float64 of 6, and `ranges` the lowest and highest that was used of each label.
    """

    calls: np.ndarray
    thresholds: np.ndarray
    ranges: np.ndarray
    is_crossed: bool


def choose_operating(truth: np.ndarray, probability: np.ndarray, folds: np.ndarray | None) -> Operating:
    """Returns the operating point of highest F1 by label, N x 6 in; `folds` keep patients apart.

    Each fold's slices are called by the thresholds that are best on all others; without folds by their own, which
    flatters.
    """
    own = _find_thresholds(truth, probability)
    if folds is None:
        return Operating(probability >= own, own, np.stack([own, own], axis=1), False)
    used = np.empty_like(probability)
    for fold in np.unique(folds):
        others = folds != fold
        used[~others] = _find_thresholds(truth[others], probability[others])
    return Operating(probability >= used, own, np.stack([used.min(axis=0), used.max(axis=0)], axis=1), True)


def _find_thresholds(truth: np.ndarray, probability: np.ndarray) -> np.ndarray:
    columns = range(len(LABELS))
    return np.array([find_best_threshold(truth[:, column] == 1, probability[:, column]) for column in columns])


def build_confusion(truth: np.ndarray, chosen: Operating) -> Html:
    """Returns the counts of right and wrong calls by label, and how the operating point was chosen."""
    how = (
        "Operating point: for each label the threshold of highest F1. The patients are split into folds, and each fold "
        "is called by the thresholds that are best on the others, so that the counts do not flatter; the column "
        "'threshold' has the lowest and the highest of these."
        if chosen.is_crossed
        else "Operating point: for each label the threshold of highest F1 on these very slices, which flatters: there "
        "is one patient alone, and nobody to choose it for another."
    )
    head = ("label", "threshold", "true positive", "false positive", "missed", "true negative")
    ratios = ("sensitivity", "specificity", "precision", "F1")
    rows = [_show_confusion(truth[:, column] == 1, chosen, column) for column in range(len(LABELS))]
    return join([paragraph(how), build_table("Calls at the operating point", (*head, *ratios), rows)])


def _show_confusion(truth: np.ndarray, chosen: Operating, column: int) -> list[Content]:
    counts: Confusion = confuse(truth, chosen.calls[:, column].astype(np.float64), 0.5)
    low, high = (show_probability(value) for value in chosen.ranges[column])
    return [
        LABELS[column],
        low if low == high else f"{low} to {high}",
        show_count(counts.true_positives),
        show_count(counts.false_positives),
        show_count(counts.false_negatives),
        show_count(counts.true_negatives),
        *(show_decimal(one, 3) for one in (counts.recall, counts.specificity, counts.precision, counts.f1)),
    ]


def build_together(truth: np.ndarray, chosen: Operating) -> Html:
    """Returns which labels come together in truth, and which are called on the slices of each."""
    labels = pd.DataFrame(truth, columns=list(LABELS))
    words = (
        "A row stands for the slices that truly have its label, a column for the per cent of them that have another "
        "label as well, or that are called so at the operating point. A dash: no slice has the label."
    )
    first = _shade("Labels that are true together, %", count_together(labels).to_numpy())
    second = _shade("Labels that are called, %", count_calls(truth, chosen.calls))
    return join([paragraph(words), first, second])


def count_calls(truth: np.ndarray, calls: np.ndarray) -> np.ndarray:
    """Returns the share of the slices of each label (row) on which each label (column) is called, NaN without any."""
    positive = truth.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(positive.T @ calls / positive.sum(axis=0)[:, np.newaxis])


def _shade(caption: str, shares: np.ndarray) -> Html:
    rows: list[list[Content]] = [
        [label, *(_cell(value) for value in row)] for label, row in zip(LABELS, shares, strict=True)
    ]
    return build_table(caption, ("", *LABELS), rows)


def _cell(value: float) -> Html:
    """A cell whose ground is the stronger the higher its share, in steps of ten per cent."""
    if np.isnan(value):
        return element("td", NOTHING, class_="number")
    return element("td", f"{100 * value:.0f}", class_=f"number heat{int(10 * value)}")
