"""The verb headers: how well the six labels are predicted without a look at a single pixel.

Which scanner made a slice goes with its label in the competition's data, since scanners stand in different clinics. A
network can learn that shortcut from padding and noise; this says how much there is to gain by it.
"""

import itertools
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier

from hemorrhage.data.folds import split_folds
from hemorrhage.data.labels import LABELS, label_index
from hemorrhage.data.metrics import label_log_losses, weighted_log_loss
from hemorrhage.data.ranking import Ranking
from hemorrhage.data.series import describe_places, list_series
from hemorrhage.data.uncertainty import Interval, measure_intervals
from hemorrhage.errors import HemorrhageError
from hemorrhage.pipeline.config import Config
from hemorrhage.pipeline.console import Console
from hemorrhage.pipeline.inputs import find_input
from hemorrhage.pipeline.score_text import format_with_interval

FIELDS = (
    "rows",
    "columns",
    "bits_stored",
    "pixel_representation",
    "rescale_intercept",
    "is_wrapped",
)
"""Columns of the slice table, of files and of stores, that say something of a scanner and nothing of a head."""

SERIES_FIELDS = ("slices", "step_mm")
"""Of the whole series: how many labelled slices it has, and the median distance between them."""

ROUNDS = 100
"""Trees at most; header fields tell patients apart, and other patients say when it becomes learning by heart."""

FEWEST_PATIENTS = 20
"""Positive patients of a label, below which its figures are mostly chance: an AUC of 0.5 has, of n positives among many
negatives, the standard error 1 / sqrt(12 n) (Mann and Whitney 1947): 0.065 of 20 positives, an interval of +-0.13."""


@dataclass(frozen=True)
class HeaderBaseline:
    """What header fields give patients that the model has not seen, beside the prevalence of the others.

    The log losses are float64 of 6; `auc` and the intervals, by patient, are of the model, by label.
    """

    slices: int
    patients: int
    fields: tuple[str, ...]
    positives: dict[str, int]
    positive_patients: dict[str, int]
    prior_losses: np.ndarray
    losses: np.ndarray
    prior: float
    weighted_log_loss: float
    interval: Interval
    auc: dict[str, float]
    auc_intervals: dict[str, Interval]


def measure_headers(input_folder: Path, with_position: bool, folds: int, console: Console) -> HeaderBaseline:
    """Returns how well gradient boosting on header fields predicts the labels of `input_folder`, by patient folds.

    `with_position` adds where a slice lies, which is anatomy and no shortcut. Raises HemorrhageError where there is no
    labelled data, fewer patients than `folds`, or fewer than three of these.
    """
    table = find_input(input_folder).read_training(Config().max_missing, console).table
    return judge_headers(table, with_position, folds, console)


def judge_headers(table: pd.DataFrame, with_position: bool, folds: int, console: Console) -> HeaderBaseline:
    """Returns the baseline of a slice table with labels."""
    if folds < 3:
        raise HemorrhageError(
            f"Expected --folds of 3 or more, one to learn, one to stop and one to judge; received {folds}."
        )
    features = build_features(table, with_position)
    fold_of_slice = split_folds(table, folds, seed=0)["fold"].to_numpy()
    truth = table[list(LABELS)].to_numpy()
    prior, probability = np.empty(truth.shape), np.empty(truth.shape)
    jobs = [(fold, column) for fold in range(folds) for column in range(len(LABELS))]
    for fold, column in console.track(jobs, len(jobs), "header models"):
        held_out, judging = fold_of_slice == fold, fold_of_slice == (fold + 1) % folds
        known = truth[~held_out, column]
        prior[held_out, column] = _smooth_share(known)
        probability[held_out, column] = predict_label(
            features[~held_out], known, judging[~held_out], features[held_out]
        )
    result = _describe(table, tuple(features.columns), truth, prior, probability)
    _warn_of_few(result, console)
    return result


def _warn_of_few(result: HeaderBaseline, console: Console) -> None:
    few = [f"{label} {found}" for label, found in result.positive_patients.items() if found < FEWEST_PATIENTS]
    if few:
        console.warn(
            f"fewer than {FEWEST_PATIENTS} patients are positive of {', '.join(few)}: what headers give there, more or "
            "less than the prevalence, is mostly chance. Give more patients before a conclusion."
        )


def build_features(table: pd.DataFrame, with_position: bool) -> pd.DataFrame:
    """Returns what the model sees of each slice, float64, NaN where a header does not say."""
    features = table[list(FIELDS)].astype("float64").reset_index(drop=True)
    z_mm = table["z_mm"].to_numpy(dtype=np.float64)
    described = np.full((len(table), len(SERIES_FIELDS)), np.nan)
    position = np.full(len(table), np.nan)
    for rows in list_series(table.reset_index(drop=True)):
        described[rows] = len(rows), np.median(np.diff(z_mm[rows])) if len(rows) > 1 else np.nan
        position[rows] = describe_places(z_mm[rows])[:, 0]
    features[list(SERIES_FIELDS)] = described
    if with_position:
        features = features.assign(position=position, z_mm=z_mm)
    return features


def predict_label(features: pd.DataFrame, truth: np.ndarray, is_judging: np.ndarray, asked: pd.DataFrame) -> np.ndarray:
    """Returns the probability of one label for the slices `asked`, learned from `features` and their `truth`.

    The slices that are `is_judging`, bool N, of patients of their own, are not learned from: they say how many trees
    are best. Where none is best, or the truth is all of one class, the answer is the smoothed share.
    """
    share = _smooth_share(truth)
    learned = truth[~is_judging]
    if learned.min() == learned.max():
        return np.full(len(asked), share)
    model = HistGradientBoostingClassifier(max_iter=ROUNDS, learning_rate=0.1, early_stopping=False, random_state=0)
    model.fit(features[~is_judging], learned)
    judged, right = features[is_judging], truth[is_judging]
    losses = [_log_loss(right, np.full(len(right), share))]
    losses += [_log_loss(right, staged[:, 1]) for staged in model.staged_predict_proba(judged)]
    best = int(np.argmin(losses))
    if best == 0:
        return np.full(len(asked), share)
    return np.asarray(next(itertools.islice(model.staged_predict_proba(asked), best - 1, None))[:, 1])


def _smooth_share(truth: np.ndarray) -> float:
    """The share of positives as (k + 1) / (N + 2), never 0 or 1."""
    return float((truth.sum() + 1) / (len(truth) + 2))


def _log_loss(truth: np.ndarray, probability: np.ndarray) -> float:
    return float(-np.log(np.where(truth == 1, probability, 1 - probability)).mean())


def _describe(
    table: pd.DataFrame, fields: tuple[str, ...], truth: np.ndarray, prior: np.ndarray, probability: np.ndarray
) -> HeaderBaseline:
    intervals = measure_intervals(truth, probability, table["patient_id"].to_numpy(dtype=str))
    whole = np.ones(len(truth))
    return HeaderBaseline(
        slices=len(truth),
        patients=int(table["patient_id"].nunique()),
        fields=fields,
        positives={label: int(truth[:, column].sum()) for column, label in enumerate(LABELS)},
        positive_patients={label: int(table.loc[table[label] == 1, "patient_id"].nunique()) for label in LABELS},
        prior_losses=label_log_losses(truth, prior),
        losses=label_log_losses(truth, probability),
        prior=weighted_log_loss(truth, prior),
        weighted_log_loss=weighted_log_loss(truth, probability),
        interval=intervals.weighted_log_loss,
        auc={
            label: Ranking.build(truth[:, column], probability[:, column]).measure(whole)[0]
            for column, label in enumerate(LABELS)
        },
        auc_intervals=dict(intervals.auc),
    )


def headers_to_json(result: HeaderBaseline) -> dict[str, Any]:
    """Returns the baseline as a dictionary of JSON values; an undefined AUC is null."""
    return {
        "slices": result.slices,
        "patients": result.patients,
        "fields": list(result.fields),
        "prior": result.prior,
        "weighted_log_loss": result.weighted_log_loss,
        "weighted_log_loss_interval": list(result.interval),
        "labels": {
            label: {
                "positives": result.positives[label],
                "positive_patients": result.positive_patients[label],
                "prior_log_loss": float(result.prior_losses[column]),
                "log_loss": float(result.losses[column]),
                "auc": None if np.isnan(result.auc[label]) else result.auc[label],
                "auc_interval": None if np.isnan(result.auc[label]) else list(result.auc_intervals[label]),
            }
            for column, label in enumerate(LABELS)
        },
    }


def format_headers(result: HeaderBaseline) -> str:
    """Returns the baseline as text; the last line is about `any`, which says how much a shortcut could give."""
    rows = [
        f"{label:16}{result.positives[label]:>10}{result.prior_losses[column]:>12.5f}{result.losses[column]:>12.5f}"
        f"{format_with_interval(result.auc[label], result.auc_intervals[label]):>28}"
        for column, label in enumerate(LABELS)
    ]
    column = label_index("any")
    return "\n".join(
        [
            f"{result.slices} slices of {result.patients} patients; gradient boosting, judged by patients held out, on",
            *textwrap.wrap(", ".join(result.fields), 100),
            "",
            f"{'log loss':16}{'positives':>10}{'prevalence':>12}{'headers':>12}{'AUC (95 % interval)':>28}",
            *rows,
            "",
            f"weighted log loss: headers {result.weighted_log_loss:.5f} "
            f"({result.interval[0]:.5f} to {result.interval[1]:.5f}), prevalence {result.prior:.5f}",
            f"any: log loss: headers {result.losses[column]:.5f}, prevalence {result.prior_losses[column]:.5f}; "
            f"AUC {format_with_interval(result.auc['any'], result.auc_intervals['any'])}",
        ]
    )
