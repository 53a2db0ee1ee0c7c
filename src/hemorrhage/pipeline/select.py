"""The verb select: a run of 'train' in, a run that is a part of it out: the networks of some folds, epochs, views.

Nothing is predicted and no network is copied: the new run says which networks of the other are opened, and is predicted
with and blended like any other.
"""

from collections.abc import Sequence

from hemorrhage.data.table import write_table
from hemorrhage.data.views import parse_views
from hemorrhage.errors import HemorrhageError
from hemorrhage.files import read_json, write_json
from hemorrhage.pipeline.config import Config
from hemorrhage.pipeline.making import making
from hemorrhage.pipeline.runs import (
    Run,
    Selection,
    find_run,
    fold_numbers,
    hash_folds,
    hash_selection,
    list_members,
    members,
    read_config,
    read_folds,
    require_epochs,
    require_own,
)


def select_part(name: str, of: str, folds: str | None, epochs: str | None, tta: str | None) -> Run:
    """Returns the run `name` after writing that it is a part of the run `of`; what is None stays as it is there.

    `folds` and `epochs` are numbers and `tta` is views, separated by commas. Raises HemorrhageError where all three
    are None, the run `name` exists, `of` is not a run of 'train', or has no such folds or saved epochs, or for views
    that do not exist.
    """
    if folds is None and epochs is None and tta is None:
        raise HemorrhageError(
            "Expected what to select, one or more of --fold, --epochs and --tta; received none of them."
        )
    chosen = choose(_require_trained_alone(find_run(of)), folds, epochs, tta)
    described = describe_selection(chosen)
    with making(name) as made:
        write_table(made.folds_path, read_folds(chosen.run))
        write_json(made.training_path, read_json(chosen.run.training_path))
        write_json(made.select_json_path, described)
    return find_run(name)


def choose(run: Run, folds: str | None, epochs: str | None, tta: str | None) -> Selection:
    """Returns the part of a run of 'train' that is asked for; errors as in select_part."""
    config = read_config(run)
    network_of = dict(zip(fold_numbers(config), members(run, config), strict=True))
    known = list(network_of)
    places = known if folds is None else _parse_numbers("--fold", folds, known, f"folds of {run.folder}")
    weighted = _choose_epochs(run, [network_of[fold] for fold in places], config, epochs)
    views = config.views if tta is None else parse_views(tta)
    return Selection(run, tuple(places), tuple(weighted), ",".join(view.name for view in views))


def describe_selection(chosen: Selection) -> dict[str, object]:
    """Returns what select.json holds, as JSON values; runs.read_selection reads it."""
    return {
        "run": chosen.run.folder.name,
        "folds": list(chosen.folds),
        "epochs": {str(epoch): weight for epoch, weight in chosen.epochs},
        "tta": chosen.tta,
        "folds_hash": hash_folds(chosen.run),
        "networks_hash": hash_selection(chosen),
    }


def weigh_epochs(config: Config, epochs: Sequence[int]) -> list[tuple[int, float]]:
    """Returns the epochs with their weights in the run, made to sum to 1; equal ones where the run averages others."""
    weights = dict(config.averaged)
    given = [weights[epoch] for epoch in epochs] if set(epochs) <= set(weights) else [1.0] * len(epochs)
    return [(epoch, weight / sum(given)) for epoch, weight in zip(epochs, given, strict=True)]


def _choose_epochs(run: Run, networks: Sequence[Run], config: Config, epochs: str | None) -> list[tuple[int, float]]:
    if epochs is None:
        for network in networks:
            require_epochs(network, config.averaged)
        return list(config.averaged)
    saved = sorted(set.intersection(*(set(network.saved_epochs()) for network in networks)))
    # An epoch of a run that was stopped may have seen smaller images, which prediction does not make.
    whole = [epoch for epoch in saved if config.size_at(epoch - 1) == config.size]
    return weigh_epochs(config, _parse_numbers("--epochs", epochs, whole, f"saved epochs of {run.folder}"))


def _require_trained_alone(run: Run) -> Run:
    if require_own(run).kind == "train":
        return run
    raise HemorrhageError(
        f"{run.folder}: expected a run of 'hemorrhage train', found one of 'hemorrhage {run.kind}'. Select from what "
        f"it was made of: {', '.join(list_members(run))}."
    )


def _parse_numbers(flag: str, text: str, known: Sequence[int], what: str) -> list[int]:
    """Returns the different numbers in `text`, each out of `known`, in order; HemorrhageError for anything else."""
    parts = [part.strip() for part in text.split(",")]
    numbers = [int(part) for part in parts if part.isascii() and part.isdecimal()]
    if len(numbers) < len(parts) or len(set(numbers)) < len(numbers) or not set(numbers) <= set(known):
        there = ", ".join(map(str, known)) or "none"
        raise HemorrhageError(f"Expected {flag} out of the {what}, which are {there}; received {text!r}.")
    return sorted(numbers)
