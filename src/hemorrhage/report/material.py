"""What a report is made of: a run's predictions beside their labels, what it was told and how it learned."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hemorrhage.data.labels import LABELS, weight_vector
from hemorrhage.data.metrics import slice_log_losses
from hemorrhage.errors import HemorrhageError
from hemorrhage.files import read_json
from hemorrhage.pipeline.checked_tables import read_predictions
from hemorrhage.pipeline.config import Config
from hemorrhage.pipeline.history import read_history
from hemorrhage.pipeline.out_of_fold import OutOfFold, read_out_of_fold
from hemorrhage.pipeline.runs import (
    Run,
    find_run,
    fold_numbers,
    list_members,
    members,
    name_run,
    read_config,
    read_folds,
    read_prevalence,
    read_selection,
    require_own,
)


@dataclass(frozen=True)
class Origin:
    """A run of 'train' that a run is, or is made of: its config, what it was made with, and each network's history."""

    run: Run
    config: Config
    environment: Mapping[str, Any]
    histories: Mapping[str, Sequence[Mapping[str, Any]]]

    @property
    def seconds(self) -> float:
        """How long its epochs took."""
        return sum(float(row["seconds"]) for rows in self.histories.values() for row in rows)


@dataclass(frozen=True)
class Material:
    """A run that has predicted: `losses` are the weighted log loss of each slice, `prior` the training prevalence.

    `test` is None where it has no test predictions; `gone` are runs it was made of that are no longer there.
    """

    run: Run
    found: OutOfFold
    losses: np.ndarray
    prior: np.ndarray
    left_out: pd.DataFrame
    test: pd.DataFrame | None
    origins: Sequence[Origin]
    gone: Sequence[str]

    @property
    def name(self) -> str:
        """The run's name."""
        return self.run.folder.name


def read_material(name: str) -> Material:
    """Returns what is known of the run `name`.

    Raises HemorrhageError where there is no such run, it has not predicted, or its predictions are of other slices or
    patients than its folds.
    """
    run = require_own(find_run(name))
    found = read_out_of_fold(run)
    _require_same_patients(run, found)
    origins, gone = find_origins(run)
    return Material(
        run=run,
        found=found,
        losses=measure_losses(found),
        prior=read_prevalence(run),
        left_out=_read_left_out(run, origins),
        test=read_predictions(run.test_path) if run.test_path.is_file() else None,
        origins=origins,
        gone=gone,
    )


def measure_losses(found: OutOfFold) -> np.ndarray:
    """Returns the weighted log loss of each slice, float64 N; their mean is the run's score."""
    return np.asarray(slice_log_losses(found.truth, found.probability) @ weight_vector())


def find_origins(run: Run) -> tuple[list[Origin], list[str]]:
    """Returns the runs of 'train' below a run, each once, and the names of those that are no longer there."""
    waiting, seen, origins, gone = [run], set[str](), [], []
    while waiting:
        one = waiting.pop(0)
        if one.folder.name in seen:
            continue
        seen.add(one.folder.name)
        if one.kind == "train":
            origins.append(_read_origin(one))
        elif one.is_there:
            waiting += [name_run(name) for name in list_members(one)]
        else:
            gone.append(one.folder.name)
    return origins, gone


def name_networks(run: Run) -> dict[str, Run]:
    """Returns the networks of a run of 'train', or of the part of one that 'select' chose, by the fold left out."""
    chosen = read_selection(run)
    config = read_config(chosen.run)
    network_of = dict(zip(fold_numbers(config), members(chosen.run, config), strict=True))
    return {f"fold {fold}": network_of[fold] for fold in chosen.folds}


def _read_origin(run: Run) -> Origin:
    environment = read_json(run.environment_path) if run.environment_path.is_file() else {}
    histories = {name: read_history(network) for name, network in name_networks(run).items()}
    return Origin(run, read_config(run), environment, histories)


def _read_left_out(run: Run, origins: Sequence[Origin]) -> pd.DataFrame:
    """The slices that training left out and those without a prediction: image_id, error, and where that was met."""
    parts = [
        pd.read_csv(origin.run.unreadable_path, dtype=str).assign(where=f"training of {origin.run.folder.name}")
        for origin in origins
        if origin.run.unreadable_path.is_file()
    ]
    for path, where in ((run.out_of_fold_path, "out-of-fold slices"), (run.test_path, "test slices")):
        if path.is_file():
            table = read_predictions(path)
            parts.append(table.loc[table["error"].notna(), ["image_id", "error"]].assign(where=where))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["image_id", "error", "where"])


def _require_same_patients(run: Run, found: OutOfFold) -> None:
    known = read_folds(run).set_index("image_id")["patient_id"].astype(str)
    differs = known.loc[found.slices["image_id"]].to_numpy() != found.patients
    if differs.any():
        first = found.slices["image_id"].iloc[int(differs.argmax())]
        raise HemorrhageError(
            f"{run.out_of_fold_path}: {int(differs.sum())} of {len(differs)} slices have another patient than in "
            f"{run.folds_path.name}, first {first}. Run 'hemorrhage predict {run.folder.name} INPUT' with the data "
            "that the run was trained on."
        )


def name_truth(truth: np.ndarray) -> str:
    """Returns the subtypes among the six labels of one slice in words, "no bleed" without any."""
    named = [label for label, value in zip(LABELS[:-1], truth, strict=False) if value == 1]
    return ", ".join(named) or ("any" if truth[-1] == 1 else "no bleed")
