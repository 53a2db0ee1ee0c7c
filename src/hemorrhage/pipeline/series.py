"""The verb series: a second stage over the slices of a series in the order of z, trained on what runs predicted.

On probabilities patients are split anew and one model a part learns from the out-of-fold predictions, of one run or
several, of the other parts. On embeddings every network of a run has a series model of its own, which learns from the
patients that the network learned from and answers for those that it did not see: features of different networks have
nothing in common. By label the slices' own output, that output smoothed along z and the series model's are weighted as
is best on other folds' held-out slices. Test slices get the mean of the folds.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from hemorrhage.data.folds import split_folds
from hemorrhage.data.labels import LABELS
from hemorrhage.data.metrics import label_log_losses, weighted_log_loss
from hemorrhage.data.series import smooth_along_z
from hemorrhage.data.table import write_table
from hemorrhage.errors import HemorrhageError
from hemorrhage.files import read_json, write_json
from hemorrhage.models.weights import save_model
from hemorrhage.pipeline.blend import align, align_whole, read_held_out
from hemorrhage.pipeline.checked_tables import read_predictions, require_known
from hemorrhage.pipeline.console import Console
from hemorrhage.pipeline.embeddings import read_embeddings, require_embeddings
from hemorrhage.pipeline.making import making
from hemorrhage.pipeline.membership import describe_members
from hemorrhage.pipeline.predictions import fill_predictions
from hemorrhage.pipeline.runs import (
    Run,
    find_run,
    read_folds,
    read_labelled_folds,
    read_selection,
    require_same_folds,
    require_trained,
)
from hemorrhage.pipeline.second_stage import (
    PARTS,
    Mixture,
    Seen,
    SeriesConfig,
    apply_stage,
    fit_mixture,
    fit_stage,
    see_predictions,
)
from hemorrhage.pipeline.settings import convert_settings


@dataclass(frozen=True)
class Material:
    """What one second stage learns from and answers for; no patient is both in `train` and in `held_out`.

    `test` is None where nothing was predicted of test slices.
    """

    fold: int
    train: Seen
    held_out: Seen
    test: Seen | None


@dataclass(frozen=True)
class Answers:
    """What the slice networks and the series models said of N slices: ids and places, and N x 6 of each."""

    table: pd.DataFrame
    slice_output: np.ndarray
    series_output: np.ndarray

    def select(self, chosen: np.ndarray) -> "Answers":
        """Returns what was said of the slices that are `chosen`, bool N."""
        table = self.table[chosen].reset_index(drop=True)
        return Answers(table, self.slice_output[chosen], self.series_output[chosen])

    def mix(self, mixture: Mixture) -> np.ndarray:
        """Returns the mixture of both and of the slices' output smoothed, N x 6."""
        return mixture.apply(self.table, self.slice_output, self.series_output)


def train_series(names: Sequence[str], name: str, settings: Mapping[str, str], console: Console) -> Run:
    """Returns the run `name` after training second stages on what the runs `names` predicted.

    It gets out-of-fold and, where the runs have any, test predictions. Raises HemorrhageError where the run exists,
    the runs were trained on different folds, or have not predicted what is asked for.
    """
    config = SeriesConfig(**convert_settings(SeriesConfig, settings))
    if len(set(names)) < len(names):
        raise HemorrhageError(f"Expected each run once, received {', '.join(names)}.")
    runs = [require_trained(find_run(one)) for one in names]
    require_same_folds(runs)
    if config.on == "embeddings" and len(runs) > 1:
        raise HemorrhageError(
            f"Expected one run for a second stage on embeddings, received {len(runs)}: features of different networks "
            "have nothing in common. Train a series run on each, and blend them."
        )
    with making(name) as made:
        _train_into(made, runs, config, console)
    return find_run(name)


def _train_into(made: Run, runs: Sequence[Run], config: SeriesConfig, console: Console) -> None:
    folds_table = read_labelled_folds(runs[0])
    labels = folds_table.set_index("image_id")[list(LABELS)]
    gather = gather_embeddings if config.on == "embeddings" else gather_probabilities
    held_out, folds, tested = [], [], []
    for material in gather(runs, config):
        series, train = material.train.table["series_id"].nunique(), material.train.table
        console.say(f"fold {material.fold}: learning from {len(train)} slices of {series} series")
        model = fit_stage(material.train, _truth_of(labels, train), config)
        save_model(model, made.series_path(material.fold))
        held_out.append(_answer(model, material.held_out))
        folds += [material.fold] * len(held_out[-1].table)
        tested += [_answer(model, material.test)] if material.test is not None else []
    answers, fold_of = _concatenate(held_out), np.array(folds)
    truth = _truth_of(labels, answers.table)
    mixtures = cross_fit(answers, truth, fold_of, console)
    mixed = _mix_held_out(answers, fold_of, mixtures)
    outputs = (answers.slice_output, smooth_held_out(answers, fold_of, mixtures), answers.series_output, mixed)
    _say_losses(truth, outputs, np.mean([mixture.weights for mixture in mixtures.values()], axis=0), console)
    write_table(made.stage_folds_path, answers.table[["image_id"]].assign(fold=fold_of))
    write_table(made.folds_path, folds_table)
    write_json(made.training_path, read_json(runs[0].training_path))
    _write_answers(made.out_of_fold_path, runs[0].out_of_fold_path, answers.table, mixed)
    if tested:
        values = np.mean([each.mix(one) for each, one in zip(tested, mixtures.values(), strict=True)], axis=0)
        _write_answers(made.test_path, runs[0].test_path, tested[0].table, values)
    # Last, since by it a folder counts as made.
    description = describe_members(runs)
    if config.on == "embeddings":
        description["tta"] = ",".join(require_embeddings(runs[0], read_selection(runs[0]).folds)[0].views)
    kept = {str(fold): mixture.to_json() for fold, mixture in mixtures.items()}
    write_json(made.series_json_path, description | {"mixtures": kept, "settings": asdict(config)})


def cross_fit(answers: Answers, truth: np.ndarray, folds: np.ndarray, console: Console) -> dict[int, Mixture]:
    """Returns for each fold the mixture that is best on the slices of all others; a fold alone gets its own best."""
    names = sorted(set(folds.tolist()))
    if len(names) == 1:
        console.warn("One fold alone: its out-of-fold loss is flattered by weights fitted to the same slices.")
    found = {}
    for fold in names:
        others = folds != fold if len(names) > 1 else np.ones(len(folds), dtype=bool)
        part = answers.select(others)
        found[fold] = fit_mixture(truth[others], part.table, part.slice_output, part.series_output)
    return found


def gather_probabilities(runs: Sequence[Run], config: SeriesConfig) -> Iterator[Material]:
    """Yields the material of each of `config.folds` parts of the patients over the out-of-fold predictions of `runs`.

    The parts are drawn anew and not the runs' folds: so a series model learns from what all of the networks say, and
    from more of the patients.
    """
    folds = read_labelled_folds(runs[0])
    tables = align([read_held_out(run, folds).sort_values("image_id", ignore_index=True) for run in runs])
    if tables[0].empty:
        names = ", ".join(run.folder.name for run in runs)
        raise HemorrhageError(
            f"Expected out-of-fold predictions of the same slices, received {names}, which have none in common. Name "
            "runs of the same folds."
        )
    seen = see_predictions(tables)
    has_test = all(run.test_path.is_file() for run in runs)
    test = see_predictions(align_whole([run.test_path for run in runs])) if has_test else None
    parts = _split(seen, folds, config)
    for part in sorted(set(parts)):
        yield Material(int(part), seen.select(parts != part), seen.select(parts == part), test)


def gather_embeddings(runs: Sequence[Run], config: SeriesConfig) -> Iterator[Material]:
    """Yields the material of each network of the one run: what it made of the patients it saw, and of the others."""
    del config
    (run,) = runs
    folds = read_selection(run).folds
    training, test = require_embeddings(run, folds)
    fold_of = read_folds(run).set_index("image_id")["fold"]
    for fold in folds:
        seen = read_embeddings(run, training, fold)
        require_known(training.path, seen.table["image_id"], fold_of.reset_index(), run.folds_path)
        is_held_out = (fold_of.loc[seen.table["image_id"]] == fold).to_numpy()
        tested = read_embeddings(run, test, fold) if test is not None else None
        yield Material(fold, seen.select(~is_held_out), seen.select(is_held_out), tested)


def _split(seen: Seen, folds: pd.DataFrame, config: SeriesConfig) -> np.ndarray:
    known = folds.set_index("image_id").loc[seen.table["image_id"]].reset_index()
    return split_folds(known, min(config.folds, known["patient_id"].nunique()), config.seed)["fold"].to_numpy()


def _truth_of(labels: pd.DataFrame, table: pd.DataFrame) -> np.ndarray:
    return labels.loc[table["image_id"]].to_numpy()


def _answer(model: keras.Model, seen: Seen) -> Answers:
    return Answers(seen.table, seen.probabilities, apply_stage([model], seen))


def _concatenate(parts: Sequence[Answers]) -> Answers:
    return Answers(
        pd.concat([part.table for part in parts], ignore_index=True),
        np.concatenate([part.slice_output for part in parts]),
        np.concatenate([part.series_output for part in parts]),
    )


def _mix_held_out(answers: Answers, folds: np.ndarray, mixtures: Mapping[int, Mixture]) -> np.ndarray:
    mixed = np.empty(answers.slice_output.shape)
    for fold, mixture in mixtures.items():
        mixed[folds == fold] = answers.select(folds == fold).mix(mixture)
    return mixed


def smooth_held_out(answers: Answers, folds: np.ndarray, mixtures: Mapping[int, Mixture]) -> np.ndarray:
    """Returns the slices' output smoothed by the widths that were best on other folds, N x 6."""
    smoothed = np.empty(answers.slice_output.shape)
    for fold, mixture in mixtures.items():
        part = answers.select(folds == fold)
        smoothed[folds == fold] = smooth_along_z(part.slice_output, part.table, mixture.sigmas_mm)
    return smoothed


def _say_losses(truth: np.ndarray, outputs: Sequence[np.ndarray], weights: np.ndarray, console: Console) -> None:
    """Says how the outputs of PARTS and their mixture compare out of fold, and the mean weights by label."""
    losses = [label_log_losses(truth, output) for output in outputs]
    console.say(f"{f'out of fold, {len(truth)} slices':<30}" + "".join(f"{name:>10}" for name in (*PARTS, "mixed")))
    for column, label in enumerate(LABELS):
        shares = ", ".join(f"{share:.2f} {name}" for share, name in zip(weights[column], PARTS, strict=True))
        console.say(f"{label:<30}" + "".join(f"{loss[column]:>10.5f}" for loss in losses) + f"   {shares}")
    totals = [weighted_log_loss(truth, output) for output in outputs]
    console.say(f"{'weighted log loss':<30}" + "".join(f"{total:>10.5f}" for total in totals))


def _write_answers(path: Path, like: Path, table: pd.DataFrame, values: np.ndarray) -> None:
    write_table(path, fill_predictions(read_predictions(like), table["image_id"].tolist(), values))
