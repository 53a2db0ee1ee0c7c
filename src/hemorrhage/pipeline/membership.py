"""The runs that another run is made of, as they were when it was made."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hemorrhage.errors import HemorrhageError
from hemorrhage.pipeline.runs import Run, find_run, hash_folds


def find_members(run: Run, described: Mapping[str, Any], path: Path, verb: str) -> list[Run]:
    """Returns the runs that `run` is made of, as the file at `path`, which says `described`, names them.

    Raises HemorrhageError where the file names none, one is gone, or one was trained anew on other folds: its networks
    would have learned from patients that it answers for.
    """
    names, folds_hash = described.get("runs"), described.get("folds_hash")
    again = f"Run 'hemorrhage {verb}' again."
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise HemorrhageError(f"{path}: expected the names of the runs it is made of, received {names!r}. {again}")
    members = [find_run(name) for name in names]
    for member in members:
        if hash_folds(member) != folds_hash:
            raise HemorrhageError(
                f"{run.folder}: made of {member.folder.name}, which was trained anew on other folds: its networks "
                f"would answer for patients that they have learned from. {again}"
            )
    return members
