"""The verb probe: quick baselines, linear models on what a frozen network makes of slices.

A network that is named (with ImageNet weights, say) gives features of slices of all patients. A run gives them of the
slices that its networks did not learn from, each by its fold's, since features of learned patients would tell their
labels. Over either, linear models are fitted and scored by folds of patients.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hemorrhage.data.folds import split_folds
from hemorrhage.data.labels import LABELS
from hemorrhage.data.metrics import label_log_losses, measure_labels, weighted_log_loss
from hemorrhage.data.sampling import Draw, keep_rates
from hemorrhage.data.source import WindowedSource
from hemorrhage.data.views import IDENTITY
from hemorrhage.errors import HemorrhageError
from hemorrhage.models.backbones import build_model
from hemorrhage.models.inference import Member
from hemorrhage.models.weights import IMAGENET, NO_WEIGHTS, load_weights
from hemorrhage.pipeline.config import Config
from hemorrhage.pipeline.console import Console
from hemorrhage.pipeline.inputs import Input
from hemorrhage.pipeline.linear import PROBES, Guess, Material
from hemorrhage.pipeline.predictors import NetworkPredictor, open_networks
from hemorrhage.pipeline.runs import Run, read_folds


@dataclass(frozen=True)
class LabelFigures:
    """The figures of one label; `auc` is the mean over the folds that have both answers, None where none has.

    Over all slices at once an AUC would compare the prevalences of folds as well.
    """

    label: str
    positives: int
    log_loss: float
    auc: float | None


@dataclass(frozen=True)
class Probed:
    """How one way of guessing scored on all slices, each held out in its turn.

    `constant` counts the pairs of fold and label that got the other folds' prevalence: all of the prior's, and
    those for which the other folds had too few patients to learn from.
    """

    name: str
    weighted_log_loss: float
    labels: list[LabelFigures]
    constant: int


@dataclass(frozen=True)
class ProbeResult:
    """What was probed, on how much, and the ways of guessing: the prior first."""

    network: str
    slices: int
    patients: int
    features: int
    ways: list[Probed]


@dataclass(frozen=True)
class Features:
    """What one network made of slices: their table with labels, and float32 N x F."""

    slices: pd.DataFrame
    values: np.ndarray


def probe_model(found: Input, config: Config, limit: int, console: Console) -> ProbeResult:
    """Returns the baselines on the features of config.model with config.weights, over at most `limit` slices.

    Raises HemorrhageError for weights that cannot be had, or too few patients for config.folds.
    """
    _require_limit(limit)
    _warn_of_trained(config.weights, console)
    training = found.read_training(config.max_missing, console).table
    slices = draw_slices(training, limit, config.seed)
    folds = split_folds(slices, config.folds, config.seed)["fold"].to_numpy()
    model = build_model(config.model, config.size, config.channels, config.dropout, config.seed)
    load_weights(model, config.model, config.weights)
    network = Member(model, 1.0, keep_rates(Draw()))
    predictor = NetworkPredictor(config, {0: [network]}, (IDENTITY,), console)
    images = predictor.open_images(training, found.build_source)
    features = _embed(predictor, 0, slices.assign(fold=folds), images)
    return _probe(f"{config.model}, weights {config.weights}, {config.size} px", [features], config.seed)


def probe_run(run: Run, found: Input, limit: int, folds: int, seed: int, console: Console) -> ProbeResult:
    """Returns the baselines on the features of a trained run's last networks, each over slices it did not learn from.

    Each network's held-out patients are split into `folds` of their own. Raises HemorrhageError where none of the
    run's slices is in the input, or training has not come to its end.
    """
    _require_limit(limit)
    predictor = open_networks(run, IDENTITY.name, console)
    _warn_of_trained(predictor.config.weights, console)
    known = read_folds(run)[["image_id", "fold"]].rename(columns={"fold": "run_fold"})
    training = found.read_training(predictor.config.max_missing, console).table.merge(known, on="image_id")
    # Of all slices, since those that are not drawn may be neighbors of those that are.
    images = predictor.open_images(training, found.build_source)
    share = max(limit // len(predictor.networks), 2)
    parts = []
    for fold in predictor.networks:
        held_out = training[training["run_fold"] == fold].reset_index(drop=True)
        if held_out.empty:
            raise HemorrhageError(
                f"{run.folder}: expected slices of its fold {fold} in this input, found none. Name the data set that "
                "the run was trained on."
            )
        slices = draw_slices(held_out, share, seed)
        places = split_folds(slices, folds, seed)["fold"].to_numpy()
        parts.append(_embed(predictor, fold, slices.assign(fold=places), images))
    return _probe(f"run {run.folder}, {predictor.config.model} at {predictor.config.size} px, held out", parts, seed)


def draw_slices(slices: pd.DataFrame, limit: int, seed: int) -> pd.DataFrame:
    """Returns at most `limit` rows in the order of image_id, each combination of labels in its share.

    Rows are put in the order of their labels, by chance within equals, and taken at even distances.
    """
    ordered = slices.sort_values("image_id", ignore_index=True)
    if len(ordered) <= limit:
        return ordered
    patterns = ordered[list(LABELS)].to_numpy() @ (1 << np.arange(len(LABELS)))
    chance = np.random.default_rng(seed).random(len(ordered))
    places = np.lexsort((chance, patterns))
    taken = places[np.arange(limit) * len(ordered) // limit]
    return ordered.iloc[np.sort(taken)].reset_index(drop=True)


def _require_limit(limit: int) -> None:
    if limit < 2:
        raise HemorrhageError(f"Expected --limit of 2 slices or more, received {limit}.")


def _warn_of_trained(weights: str, console: Console) -> None:
    """Warns of weights that may have been learned from patients of this data: those of a run, or of its folder."""
    if weights not in (NO_WEIGHTS, IMAGENET) and not weights.endswith((".h5", ".hdf5")):
        console.warn(
            f"{weights} was trained; where it learned from these patients, the figures are too good. A run is probed "
            "by its name on the slices that it did not learn from."
        )


def _embed(predictor: NetworkPredictor, fold: int, slices: pd.DataFrame, images: WindowedSource) -> Features:
    """Returns the features of the slices that can be decoded; slices that cannot are left out with a warning."""
    seen, unreadable = predictor.embed(fold, slices, images, "slices")
    if unreadable:
        predictor.console.warn(f"{len(unreadable)} of {len(slices)} slices could not be decoded and are left out.")
    if seen.table.empty:
        raise HemorrhageError(f"Expected slices that can be decoded, found none in {len(slices)}.")
    rows = slices.set_index("image_id").loc[seen.table["image_id"]].reset_index()
    values = seen.views[0].features.astype(np.float32)
    if not np.ptp(values, axis=0).any():
        raise HemorrhageError(
            "Expected features that differ between slices, received equal ones, as some networks of random weights "
            "give. Use --weights imagenet, another model, or a trained run."
        )
    return Features(rows, values)


def _probe(network: str, parts: list[Features], seed: int) -> ProbeResult:
    slices = pd.concat([part.slices.assign(part=place) for place, part in enumerate(parts)], ignore_index=True)
    truth = slices[list(LABELS)].to_numpy()
    folds = [np.asarray(rows) for rows in slices.groupby(["part", "fold"]).indices.values()]
    ways = []
    for name, guess in PROBES.items():
        guessed = [_guess_held_out(part, guess, seed) for part in parts]
        probability = np.concatenate([one for one, _ in guessed])
        constant = sum(count for _, count in guessed)
        ways.append(Probed(name, weighted_log_loss(truth, probability), _measure(truth, probability, folds), constant))
    return ProbeResult(network, len(slices), slices["patient_id"].nunique(), parts[0].values.shape[1], ways)


def _measure(truth: np.ndarray, probability: np.ndarray, folds: list[np.ndarray]) -> list[LabelFigures]:
    losses = label_log_losses(truth, probability)
    by_fold = [measure_labels(truth[rows], probability[rows]) for rows in folds]
    figures = []
    for column, label in enumerate(LABELS):
        areas = [labels[column].auc for labels in by_fold]
        known = [area for area in areas if area is not None]
        mean = float(np.mean(known)) if known else None
        figures.append(LabelFigures(label, int(truth[:, column].sum()), float(losses[column]), mean))
    return figures


def _guess_held_out(part: Features, guess: Guess, seed: int) -> tuple[np.ndarray, int]:
    """Returns N x 6 probabilities, each fold's by what was learned from the patients of the others; and how many
    columns of folds got the others' prevalence.
    """
    folds = part.slices["fold"].to_numpy()
    patients = part.slices["patient_id"].to_numpy()
    truth = part.slices[list(LABELS)].to_numpy()
    probability = np.empty(truth.shape)
    constant = 0
    for fold in np.unique(folds):
        held_out = folds == fold
        for column in range(len(LABELS)):
            learned = Material(part.values[~held_out], truth[~held_out, column], patients[~held_out])
            found = guess(learned, part.values[held_out], seed)
            constant += found is None
            prevalence = (learned.truth.sum() + 0.5) / (len(learned.truth) + 1)
            probability[held_out, column] = prevalence if found is None else found
    return probability, constant


def probe_to_json(result: ProbeResult) -> dict[str, Any]:
    """Returns the result as a dictionary of JSON values; an AUC that is undefined is null."""
    return {
        "network": result.network,
        "slices": result.slices,
        "patients": result.patients,
        "features": result.features,
        "ways": {
            way.name: {
                "weighted_log_loss": way.weighted_log_loss,
                "constant": way.constant,
                "labels": {
                    one.label: {"positives": one.positives, "log_loss": one.log_loss, "auc": one.auc}
                    for one in way.labels
                },
            }
            for way in result.ways
        },
    }


def format_probe(result: ProbeResult) -> str:
    """Returns the result as text for a terminal."""
    names = [way.name for way in result.ways]
    lines = [
        result.network,
        f"{result.slices} slices of {result.patients} patients, {result.features} features",
        "",
        f"{'':28}" + "".join(f"{name:>24}" for name in names),
        f"{'label':18}{'positives':>10}" + "".join(f"{'log loss':>14}{'AUC':>10}" for _ in names),
        *(_format_label(figures) for figures in zip(*(way.labels for way in result.ways), strict=True)),
        f"{'weighted log loss':28}" + "".join(f"{way.weighted_log_loss:>14.5f}{'':10}" for way in result.ways),
    ]
    few = max(way.constant for way in result.ways[1:])
    if few:
        lines.append(f"{few} times a label had too few patients in the other folds and got their prevalence.")
    return "\n".join(line.rstrip() for line in lines)


def _format_label(figures: tuple[LabelFigures, ...]) -> str:
    cells = "".join(f"{one.log_loss:>14.5f}{_format_auc(one.auc):>10}" for one in figures)
    return f"{figures[0].label:18}{figures[0].positives:>10}{cells}"


def _format_auc(auc: float | None) -> str:
    return "-" if auc is None else f"{auc:.4f}"
