"""Runs by name, and what their files say: what one was told, what it learned, which networks it predicts with."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

import hemorrhage
from hemorrhage.data.labels import LABELS
from hemorrhage.errors import HemorrhageError
from hemorrhage.files import read_json, read_object
from hemorrhage.pipeline.checked_tables import read_fold_table
from hemorrhage.pipeline.config import ALL_FOLDS, Config, config_from_json
from hemorrhage.pipeline.run_folder import Run

SUBMISSIONS = Path("submissions")
_LONGEST_NAME = 100
SHIPPED = Path(hemorrhage.__file__).parent / "shipped"
"""The runs that come with the package: their names begin with an @, and nothing is written into them."""


def find_run(name: str) -> Run:
    """Returns the run of that name, a folder under submissions/; raises HemorrhageError where it is not there."""
    run = Run(SHIPPED / name[1:]) if name in _list_shipped() else name_run(name)
    if not run.is_there:
        own = (path for path in SUBMISSIONS.glob("*") if not path.name.startswith("."))
        known = [*sorted(path.name for path in own if Run(path).is_there), *_list_shipped()]
        there = f"there are: {', '.join(known)}" if known else "there are none yet; 'hemorrhage train' makes one"
        raise HemorrhageError(f"{run.folder}: expected a run with a config.json, found none; {there}.")
    return run


def is_shipped(run: Run) -> bool:
    """Returns whether a run came with the package."""
    return run.folder.parent == SHIPPED


def _list_shipped() -> list[str]:
    return sorted(f"@{path.name}" for path in SHIPPED.glob("*") if Run(path).is_there)


def require_own(run: Run) -> Run:
    """Returns the run; raises HemorrhageError where it came with the package, and is networks alone."""
    if is_shipped(run):
        raise HemorrhageError(
            f"@{run.folder.name} comes with the package, without folds or out-of-fold predictions: it can predict and "
            "no more. Name a run of your own; 'hemorrhage train' makes one."
        )
    return run


def require_trained(run: Run) -> Run:
    """Returns the run, of 'train' or a part of one by 'select'; raises HemorrhageError where it is neither."""
    if require_own(run).kind not in ("train", "select"):
        raise HemorrhageError(
            f"{run.folder}: expected a run of 'hemorrhage train', found one made of other runs, by 'hemorrhage "
            f"{run.kind}'. Name one of those: {', '.join(list_members(run))}."
        )
    return run


def list_members(run: Run) -> list[str]:
    """Returns the names of the runs that one of 'series', 'blend' or 'select' was made of."""
    described = read_object(describing_path(run), f"Run 'hemorrhage {run.kind}' again.")
    return [str(name) for name in described.get("runs", [described.get("run")])]


def describing_path(run: Run) -> Path:
    """Returns the file that says of which others a run of 'series', 'blend' or 'select' was made."""
    return {"series": run.series_json_path, "blend": run.blend_json_path}.get(run.kind or "", run.select_json_path)


def hash_folds(run: Run) -> str:
    """Returns a hash of which slices a run knows, their folds and labels, whatever their order: 32 hex digits."""
    table = read_labelled_folds(run).sort_values("image_id")[["image_id", "fold", *LABELS]].astype(str)
    return hashlib.blake2b(table.to_csv(index=False).encode(), digest_size=16).hexdigest()


def require_same_folds(runs: Sequence[Run]) -> None:
    """Raises HemorrhageError unless the runs' fold tables are equal."""
    hashes = {run.folder.name: hash_folds(run) for run in runs}
    if len(set(hashes.values())) > 1:
        raise HemorrhageError(
            f"Expected runs trained on the same folds, received {', '.join(hashes)}, whose folds.parquet differ: a "
            "patient that one held out another learned from. Train them with equal --folds, fold_seed, --limit, input."
        )


def name_run(name: str) -> Run:
    """Returns the run that a name stands for, whether or not it exists; raises HemorrhageError for a bad name."""
    if name.startswith("@"):
        shipped = ", ".join(_list_shipped())
        raise HemorrhageError(f"Names with @ are of runs that come with the package: {shipped}; received {name!r}.")
    if not re.fullmatch(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{_LONGEST_NAME - 1}}}", name):
        raise HemorrhageError(
            f"Expected a run name of at most {_LONGEST_NAME} letters, digits, '.', '_' and '-'; received "
            f"{name[: _LONGEST_NAME + 1]!r}."
        )
    return Run(SUBMISSIONS / name)


def has_epochs(run: Run) -> bool:
    """Returns whether a run, or any fold of it, has learned something: an epoch, or a checkpoint within one."""
    folders = [run.folder, *run.folder.glob("fold-*")]
    return any(any(folder.glob(kept)) for folder in folders for kept in ("models/*.keras", "checkpoint/*.keras"))


def read_config(run: Run) -> Config:
    """Returns the resolved config that the run was trained with; of a part of a run that one's with its fold and views.

    Raises HemorrhageError for a part that has some of several folds, which a config cannot say.
    """
    if run.kind != "select":
        return config_from_json(read_json(run.config_path))
    chosen = read_selection(run)
    config = read_config(chosen.run)
    if set(chosen.folds) == set(fold_numbers(config)):
        return replace(config, tta=chosen.tta)
    if len(chosen.folds) > 1:
        raise HemorrhageError(
            f"{run.folder}: expected a run of one fold or of all, found one of the folds "
            f"{', '.join(map(str, chosen.folds))}. Select one of them."
        )
    return replace(config, fold=str(chosen.folds[0]), tta=chosen.tta)


@dataclass(frozen=True)
class Selection:
    """Which networks of a run of 'train' predict: those of some folds, their epochs by weights of sum 1, and views."""

    run: Run
    folds: tuple[int, ...]
    epochs: tuple[tuple[int, float], ...]
    tta: str


def read_selection(run: Run) -> Selection:
    """Returns what a run of 'train' predicts with, or one of 'select', which is a part of that.

    Raises HemorrhageError where the file is damaged, or the run that it is a part of is gone or was trained anew.
    """
    if run.kind != "select":
        config = read_config(run)
        return Selection(run, tuple(fold_numbers(config)), config.averaged, config.tta)
    again = "Run 'hemorrhage select' again."
    described = read_object(run.select_json_path, again)
    try:
        of, folds_hash = find_run(described["run"]), described["folds_hash"]
        epochs = tuple((int(epoch), float(weight)) for epoch, weight in described["epochs"].items())
        chosen = Selection(of, tuple(map(int, described["folds"])), epochs, str(described["tta"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise HemorrhageError(f"{run.select_json_path}: expected what 'select' writes, {error!r}. {again}") from error
    if of.kind != "train" or hash_folds(of) != folds_hash:
        raise HemorrhageError(
            f"{of.folder}: it is another run, or of other folds, than {run.folder} was made of. {again}"
        )
    if hash_selection(chosen) != described.get("networks_hash"):
        raise HemorrhageError(f"{of.folder}: it was trained anew since {run.folder} was made of it. {again}")
    return chosen


def hash_selection(chosen: Selection) -> str:
    """Returns a hash of the files of the networks that predict, 32 hex digits; errors as in require_epochs."""
    config = read_config(chosen.run)
    member_of = dict(zip(fold_numbers(config), members(chosen.run, config), strict=True))
    epochs_of = {fold: require_epochs(member_of[fold], chosen.epochs) for fold in chosen.folds}
    return _hash_files([member_of[fold].model_path(epoch) for fold, epochs in epochs_of.items() for epoch, _ in epochs])


def hash_networks(run: Run) -> str:
    """Returns a hash of what a run predicts with, 32 hex digits: by it one that was trained or made anew is known.

    It is of the run's networks; of a run made of others of the file that says of which, and of its series models.
    """
    if run.kind == "train":
        return hash_selection(read_selection(run))
    return _hash_files([describing_path(run), *sorted(run.folder.glob("models/series-*.keras"))])


def _hash_files(paths: Sequence[Path]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for path in paths:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, hashlib.blake2b).digest())
    return digest.hexdigest()


def fold_numbers(config: Config) -> list[int]:
    """Returns the folds that a run of this config has a network for."""
    return list(range(config.folds)) if config.fold == ALL_FOLDS else [int(config.fold)]


def members(run: Run, config: Config) -> list[Run]:
    """Returns the trained networks of a run: one a fold for a run over all folds, else the run itself."""
    if config.fold != ALL_FOLDS:
        return [run]
    return [run.fold(fold) for fold in range(config.folds)]


def averaged_epochs(run: Run, config: Config) -> list[tuple[int, float]]:
    """Returns the (epoch, weight) pairs whose predictions make the run's; the weights sum to 1.

    Raises HemorrhageError where training has not come to its end.
    """
    return require_epochs(run, config.averaged)


def require_epochs(run: Run, epochs: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """Returns the (epoch, weight) pairs; raises HemorrhageError where the model of one of them is not there."""
    missing = sorted({epoch for epoch, _ in epochs} - set(run.saved_epochs()))
    if missing:
        wanted = ", ".join(str(epoch) for epoch, _ in epochs)
        raise HemorrhageError(
            f"{run.folder}: expected the models of epoch {wanted}, missing {missing}. "
            "Training has not finished; run 'hemorrhage train' again with --resume."
        )
    return list(epochs)


def read_prevalence(run: Run) -> np.ndarray:
    """Returns the share of positives by label among the slices that a run was trained on, in the order of LABELS.

    Raises HemorrhageError where training.json is missing or damaged.
    """
    again = "Train the run again, or make it again of those that it was made of."
    prevalence = read_object(run.training_path, again).get("prevalence")
    known = [prevalence.get(label) for label in LABELS] if isinstance(prevalence, dict) else []
    shares = [share for share in known if isinstance(share, int | float) and 0 <= share <= 1]
    if len(shares) < len(LABELS):
        raise HemorrhageError(
            f"{run.training_path}: expected a prevalence of each label, received {prevalence!r}. {again}"
        )
    return np.array(shares, dtype=np.float64)


def read_folds(run: Run) -> pd.DataFrame:
    """Returns the fold table of a run: image_id, patient_id, fold, and what train.describe_slices adds.

    Raises HemorrhageError where there is none, or it is damaged.
    """
    return read_fold_table(run.folds_path)


def read_labelled_folds(run: Run) -> pd.DataFrame:
    """Returns what read_folds does; raises HemorrhageError as well where an older version left out labels."""
    folds = read_folds(run)
    lacking = [label for label in LABELS if label not in folds]
    if lacking:
        raise HemorrhageError(
            f"{run.folds_path}: expected the six labels, {', '.join(lacking)} missing: an older version wrote it. "
            "Train the run again."
        )
    return folds
