"""An earlier kernel's run, brought to where this one goes on with it; nothing of another version or other folds."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

import hemorrhage
from hemorrhage.commit import abbreviate, find_commit
from hemorrhage.errors import HemorrhageError
from hemorrhage.files import read_object
from hemorrhage.kaggle.checks import describe_code
from hemorrhage.kaggle.mounts import Mounts
from hemorrhage.pipeline.config import Config, config_to_json
from hemorrhage.pipeline.console import Console
from hemorrhage.pipeline.runs import SUBMISSIONS, Run, name_run, read_config, read_folds


def find_previous(mounts: Mounts, name: str) -> Run | None:
    """Returns the attached run of that name, None without one.

    Raises HemorrhageError where there are several, or it was made by another version of this package.
    """
    folders = [folder for folder in mounts.runs if folder.name == name]
    if len(folders) > 1:
        listed = ", ".join(map(str, folders))
        raise HemorrhageError(f"Expected one earlier run named {name}, found {listed}. Detach all but one.")
    return require_version(Run(folders[0])) if folders else None


def require_version(run: Run) -> Run:
    """Returns the run; raises HemorrhageError where another version of this package made it."""
    if run.kind != "train":
        return run  # what was made of others says nothing of its own; they are attached as well
    made_by = _read_environment(run).get("hemorrhage")
    if made_by != hemorrhage.__version__:
        raise HemorrhageError(
            f"{run.folder}: this run was made by hemorrhage {made_by}, this kernel has {hemorrhage.__version__}. "
            "Attach the wheels of that version to go on with it, or detach that output and begin anew."
        )
    return run


def _read_environment(run: Run) -> dict[str, Any]:
    return read_object(run.environment_path, "Run the kernel that made it again.")


def warn_of_commit(run: Run, console: Console) -> None:
    """Warns where a run of this version was begun at another commit of it."""
    begun, now = _read_environment(run).get("commit"), find_commit()
    if begun != now:
        console.warn(
            f"{run.folder}: begun by hemorrhage {describe_code(hemorrhage.__version__, begun)}, this kernel has commit "
            f"{abbreviate(now)}; what has changed in between changes in the middle of the run."
        )


def require_same_config(run: Run, config: Config) -> None:
    """Raises HemorrhageError where an earlier run was given another config than the one to go on with."""
    if run.kind != "train":
        raise HemorrhageError(f"{run.folder}: made by '{run.kind}', which cannot be trained on. Choose another RUN.")
    saved, given = config_to_json(read_config(run)), config_to_json(config)
    # As in 'train': the number of workers changes nothing.
    differing = [key for key in given if saved[key] != given[key] and key != "workers"]
    changed = [f"{key} was {saved[key]!r} and is {given[key]!r}" for key in differing]
    if changed:
        raise HemorrhageError(
            f"{run.config_path}: a run goes on with the config it began with; {', '.join(changed)}. Set the cell of "
            "parameters as it was, or choose another RUN."
        )


def require_folds(run: Run, folds: pd.DataFrame) -> None:
    """Raises HemorrhageError where an earlier run held out other patients than `folds` says, or knew other slices."""
    before = read_folds(run)[["image_id", "fold"]].sort_values("image_id", ignore_index=True)
    now = folds[["image_id", "fold"]].sort_values("image_id", ignore_index=True)
    if before["image_id"].tolist() != now["image_id"].tolist():
        what = f"{len(before)} slices, the data attached now give {len(now)}"
        what += "" if len(before) != len(now) else " others"
    elif (before["fold"].to_numpy() != now["fold"].to_numpy()).any():
        what = f"other folds: {int((before['fold'].to_numpy() != now['fold'].to_numpy()).sum())} slices have moved"
    else:
        return
    raise HemorrhageError(
        f"{run.folds_path}: the earlier run was trained on {what}. Attach the data that it began with, or choose "
        "another RUN."
    )


def bring_run(run: Run) -> Run:
    """Returns the run's copy below submissions/, where it can be written; one that is there already is kept."""
    own = name_run(run.folder.name)
    if own.is_there:
        return own
    unfinished = own.folder.with_name(f".{own.folder.name}-copied")
    shutil.rmtree(unfinished, ignore_errors=True)
    # Not copytree's modes: what is attached is read-only, and its copy is to be written.
    shutil.copytree(run.folder, unfinished, copy_function=shutil.copyfile)
    _allow_writing(unfinished)
    unfinished.rename(own.folder)
    return own


def _allow_writing(folder: Path) -> None:
    for path in [folder, *folder.rglob("*")]:
        if path.is_dir():
            path.chmod(0o755)


def list_runs(mounts: Mounts, names: Sequence[str]) -> list[Run]:
    """Returns the attached runs of those names, or all that 'train' made where none are named.

    Raises HemorrhageError where one is not there, or none is.
    """
    trained = sorted({folder.name for folder in mounts.runs if Run(folder).kind == "train"})
    own = sorted(path.name for path in SUBMISSIONS.glob("*") if Run(path).kind == "train")
    wanted = list(names) or sorted({*trained, *own})
    if not wanted:
        raise HemorrhageError(
            f"{mounts.input}: expected the output of the kernel train below it, found none. Add it to this kernel "
            "(Add Input, Notebook Output; kernel_sources in kernel-metadata.json) and run again."
        )
    return [_find_run(mounts, name, [*trained, *own]) for name in wanted]


def _find_run(mounts: Mounts, name: str, known: Sequence[str]) -> Run:
    own = name_run(name)
    found = own if own.is_there else find_previous(mounts, name)
    if found is None:
        there = ", ".join(known) or "none"
        raise HemorrhageError(f"{mounts.input}: expected a run {name} below it; there are: {there}. Correct RUNS.")
    return found
