"""The verb train: a data set and a config in, a run folder with models, history and out-of-fold predictions out."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from hemorrhage.data.folds import find_missing_labels, split_folds
from hemorrhage.data.labels import LABELS
from hemorrhage.data.sampling import Draw, balance_any
from hemorrhage.data.source import WindowedSource
from hemorrhage.data.table import write_table
from hemorrhage.errors import HemorrhageError
from hemorrhage.files import replacing, write_json
from hemorrhage.models.devices import count_gpus, enable_determinism, set_precision
from hemorrhage.pipeline.config import ALL_FOLDS, Config, config_to_json
from hemorrhage.pipeline.console import Console, count
from hemorrhage.pipeline.environment import describe_environment
from hemorrhage.pipeline.fitting import FoldData, fit_fold
from hemorrhage.pipeline.inputs import Input, build_images, warn_of_stand_ins
from hemorrhage.pipeline.making import locking
from hemorrhage.pipeline.predictions import KEY_COLUMNS, collect_validation, describe_out_of_fold
from hemorrhage.pipeline.runs import (
    Run,
    has_epochs,
    members,
    name_run,
    read_config,
    read_folds,
    read_prevalence,
)
from hemorrhage.pipeline.segments import NEVER, Deadline
from hemorrhage.pipeline.slices import (
    TrainingSlices,
    limit_patients,
    measure_prevalence,
)


def train(
    found: Input,
    name: str,
    config: Config,
    resume: bool,
    command: Sequence[str],
    console: Console,
    deadline: Deadline = NEVER,
) -> Run:
    """Returns the run `name` after training it on the data set or store `found` (see inputs.find_input).

    Raises HemorrhageError where the run exists and `resume` is not set, where it is resumed with another config,
    other slices or other labels, and for whatever makes the data unfit (see read_training_slices and split_folds).
    Raises TimeIsUp where the deadline passes; the run can then be resumed.
    """
    run = name_run(name)
    with locking(run):
        _require_startable(run, config, resume)
        _train_locked(found, run, config, command, console, deadline)
    return run


def _train_locked(
    found: Input, run: Run, config: Config, command: Sequence[str], console: Console, deadline: Deadline
) -> None:
    if config.freeze_epochs >= config.epochs:
        console.warn(f"All {config.epochs} epochs train the head alone; give more epochs, or --set freeze_epochs=0.")
    slices = found.read_training(config.max_missing, console)
    # By id, so that the draws are the same whatever order a DICOM folder or a store has.
    ordered = slices.table.sort_values("image_id", ignore_index=True)
    table = limit_patients(ordered, config.limit, config.folds, config.fold_seed)
    source = build_images(found.build_source(table, config.size, config.crop), table, config)
    table = table[KEPT_COLUMNS]
    folds = describe_slices(table, split_folds(table, config.folds, config.fold_seed), config)
    _require_unseen(config, folds)
    data_of = {
        member: build_fold(source, table, folds, fold, config) for fold, member in _members_to_train(run, config)
    }
    _write_beginning(run, config, command, slices, table, folds)
    console.say(_describe_data(table, slices.left_out, run, config))
    set_precision(config.precision)
    if config.deterministic:
        enable_determinism(config.seed)
    trained = [_train_member(member, config, data, deadline, console) for member, data in data_of.items()]
    warn_of_stand_ins(source, console)
    if not any(trained) and run.out_of_fold_path.is_file():
        console.say(f"{run.folder} has all its epochs already.")
    else:
        console.say(_write_out_of_fold(run, config, table))


KEPT_COLUMNS = [*KEY_COLUMNS, *LABELS, "is_near_empty"]
"""Of the slice table: a run over all folds holds each slice several times."""


def _write_out_of_fold(run: Run, config: Config, table: pd.DataFrame) -> str:
    folds = members(run, config)
    out_of_fold = pd.concat([collect_validation(member, config) for member in folds], ignore_index=True)
    write_table(run.out_of_fold_path, out_of_fold)
    prevalence = np.mean([read_prevalence(member) for member in folds], axis=0)
    return describe_out_of_fold(out_of_fold, table, prevalence)


def _require_startable(run: Run, config: Config, resume: bool) -> None:
    if run.is_there and run.kind != "train":
        raise HemorrhageError(f"{run.folder}: this run exists, made by 'hemorrhage {run.kind}'. Choose another --run.")
    # Before its first epoch ends a run has learned nothing that could be lost: it may begin anew with other words.
    if not has_epochs(run):
        return
    if not resume:
        raise HemorrhageError(f"{run.folder}: this run exists. Choose another --run, or go on with it by --resume.")
    saved, given = config_to_json(read_config(run)), config_to_json(config)
    changed = [key for key in given if saved[key] != given[key] and key != "workers"]
    if changed:
        differences = ", ".join(f"{key} was {saved[key]!r} and is {given[key]!r}" for key in changed)
        raise HemorrhageError(f"{run.config_path}: a run is resumed with the config it began with; {differences}.")


def _write_beginning(
    run: Run, config: Config, command: Sequence[str], slices: TrainingSlices, table: pd.DataFrame, folds: pd.DataFrame
) -> None:
    if has_epochs(run):
        _require_same_slices(run, folds)
    write_table(run.folds_path, folds)
    if config.fold == ALL_FOLDS:
        write_json(run.training_path, _describe_training(table))
    with replacing(run.unreadable_path) as temporary:
        slices.left_out.to_csv(temporary, index=False)
    if not has_epochs(run):
        write_json(run.environment_path, describe_environment(command))
        write_json(run.config_path, config_to_json(config))


def describe_slices(table: pd.DataFrame, folds: pd.DataFrame, config: Config) -> pd.DataFrame:
    """Returns what the draws of a run follow from, a row a slice: `folds`, labels, and whether training skips it."""
    labels = {label: table[label].to_numpy() for label in LABELS}
    return folds.assign(**labels, is_skipped=_is_skipped(table, config))


def _is_skipped(table: pd.DataFrame, config: Config) -> np.ndarray:
    return table["is_near_empty"].to_numpy(dtype=bool) & config.skip_near_empty


def _require_unseen(config: Config, folds: pd.DataFrame) -> None:
    """Raises HemorrhageError where weights of another run have learned from patients that this one is to hold out."""
    folder = _find_origin(Path(config.weights).expanduser().resolve())
    before = Run(folder) if Run(folder).is_there else Run(folder.parent)
    if not folder.is_dir() or before.kind != "train":
        return
    if not before.folds_path.is_file():
        raise HemorrhageError(
            f"{before.folds_path}: expected the folds of the run whose weights are to be taken, found none: nobody can "
            "tell whom they have learned from."
        )
    known = read_folds(before)
    for fold, _ in _members_to_train(before, config):
        held_out = set(folds.loc[folds["fold"] == fold, "patient_id"])
        seen = held_out & set(known.loc[known["fold"] != _find_left_out(folder, before, fold), "patient_id"])
        if seen:
            raise HemorrhageError(
                f"{folder}: these weights have learned from {len(seen)} of the {len(held_out)} patients that fold "
                f"{fold} is to hold out (first: {min(seen)}); its score would flatter. Train with the --folds, --seed, "
                "--fold and input of that run, or name weights that have not seen them."
            )


def _find_origin(weights: Path) -> Path:
    """The folder of a run, or of one of its folds, that the file of a model lies in; what else is named as it is."""
    return weights.parent.parent if weights.is_file() and weights.parent.name == "models" else weights


def _find_left_out(folder: Path, before: Run, fold: int) -> int:
    """The fold that the weights taken from a run, or from the folder of one of its folds, did not learn from."""
    if folder != before.folder:
        return int(folder.name.removeprefix("fold-"))
    earlier = read_config(before)
    return fold if earlier.fold == ALL_FOLDS else int(earlier.fold)


def _require_same_slices(run: Run, folds: pd.DataFrame) -> None:
    changed = _name_changes(read_folds(run), folds)
    if changed:
        raise HemorrhageError(
            f"{run.folds_path}: a run is resumed with the slices it began with; changed since: {', '.join(changed)}. "
            "Name the input it began with, or start a new run."
        )


def _name_changes(before: pd.DataFrame, now: pd.DataFrame) -> list[str]:
    if not before["image_id"].astype(str).equals(now["image_id"].astype(str)):
        return ["which slices there are"]
    names = before.columns.intersection(now.columns)
    changed = {name: int((before[name].astype(str) != now[name].astype(str)).sum()) for name in names}
    return [f"{name} of {count(rows, 'slice')}" for name, rows in changed.items() if rows]


def _describe_training(table: pd.DataFrame) -> dict[str, object]:
    return {"slices": len(table), "patients": table["patient_id"].nunique(), "prevalence": measure_prevalence(table)}


def _describe_data(table: pd.DataFrame, left_out: pd.DataFrame, run: Run, config: Config) -> str:
    omitted = f"; {len(left_out)} missing or unreadable left out, see {run.unreadable_path}" if len(left_out) else ""
    skipped = int(_is_skipped(table, config).sum())
    omitted += f"; {skipped} marked near-empty are skipped in training" if skipped else ""
    gpus = count_gpus()
    device = "the CPU" if gpus == 0 else "1 GPU" if gpus == 1 else f"{gpus} GPUs"
    return (
        f"{len(table)} slices of {table['patient_id'].nunique()} patients{omitted}\n"
        f"{config.model} at {config.size} px, {count(config.epochs, 'epoch')} on {device}, "
        f"fold {config.fold} of {config.folds}, into {run.folder}"
    )


def _members_to_train(run: Run, config: Config) -> list[tuple[int, Run]]:
    if config.fold == ALL_FOLDS:
        return list(enumerate(members(run, config)))
    return [(int(config.fold), run)]


def _train_member(member: Run, config: Config, data: FoldData, deadline: Deadline, console: Console) -> int:
    """Trains one network and returns how many epochs were left to do."""
    if config.fold == ALL_FOLDS:
        console.say(member.folder.name)
    for missing in find_missing_labels(data.train, data.held_out):
        console.warn(f"{member.folder}: {missing}.")
    write_json(member.training_path, _describe_training(data.train) | {"keep_rates": asdict(data.rates)})
    return fit_fold(member, config, data, deadline, console)


def build_fold(source: WindowedSource, table: pd.DataFrame, folds: pd.DataFrame, fold: int, config: Config) -> FoldData:
    """Returns the two sides of a fold; HemorrhageError where every slice outside it is skipped as near-empty."""
    is_held_out = (folds["fold"] == fold).to_numpy()
    train_table = table[~is_held_out & ~_is_skipped(table, config)].reset_index(drop=True)
    if train_table.empty:
        raise HemorrhageError(
            f"Expected slices to train on, but all {int((~is_held_out).sum())} outside fold {fold} are marked "
            "near-empty by the store's --min-head. Prepare a store with a lower one, or give --set "
            "skip_near_empty=false."
        )
    return FoldData(
        train=train_table,
        held_out=table[is_held_out].reset_index(drop=True),
        draw=_build_draw(train_table, config),
        source=source,
    )


def _build_draw(train_table: pd.DataFrame, config: Config) -> Draw:
    if config.draw == "balance-any":
        return balance_any(train_table[list(LABELS)], config.epoch_fraction)
    if config.draw in ("natural", "hard"):
        return Draw(fraction=config.epoch_fraction)
    return Draw(config.negative_keep, config.positive_keep, config.epidural_copies, config.epoch_fraction)
