"""The runs that another run is made of, as they were when it was made."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hemorrhage.errors import HemorrhageError
from hemorrhage.pipeline.runs import Run, find_run, hash_folds, hash_networks


def describe_members(runs: Sequence[Run]) -> dict[str, Any]:
    """Returns what the file of a run made of `runs` says of them, as JSON values; find_members reads it."""
    return {
        "runs": [run.folder.name for run in runs],
        "folds_hash": hash_folds(runs[0]),
        "networks": {run.folder.name: hash_networks(run) for run in runs},
    }


def find_members(run: Run, described: Mapping[str, Any], path: Path, verb: str) -> list[Run]:
    """Returns the runs that `run` is made of, as the file at `path`, which says `described`, names them.

    Raises HemorrhageError where the file names none, one is gone, or one was trained or made anew: on other folds its
    networks would have learned from patients that it answers for, and to a series model its features mean nothing.
    """
    names, folds_hash = described.get("runs"), described.get("folds_hash")
    again = f"Run 'hemorrhage {verb}' again."
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise HemorrhageError(f"{path}: expected the names of the runs it is made of, received {names!r}. {again}")
    hashes = described.get("networks")
    if not isinstance(hashes, dict) or set(hashes) != set(names):
        raise HemorrhageError(
            f"{path}: expected a hash of the networks of each of {', '.join(names)}, received {hashes!r}. {again}"
        )
    members = [find_run(name) for name in names]
    for member in members:
        if hash_folds(member) != folds_hash:
            raise HemorrhageError(
                f"{run.folder}: made of {member.folder.name}, which was trained anew on other folds: its networks "
                f"would answer for patients that they have learned from. {again}"
            )
        if hash_networks(member) != hashes[member.folder.name]:
            raise HemorrhageError(
                f"{run.folder}: made of {member.folder.name}, which was trained or made anew since. {again}"
            )
    return members
