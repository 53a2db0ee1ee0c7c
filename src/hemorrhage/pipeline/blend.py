"""The verb blend: runs in, one run out that predicts what they predict together."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from hemorrhage.data.blending import BLENDS, blend, fit_weights, measure_members
from hemorrhage.data.labels import LABELS
from hemorrhage.data.metrics import weighted_log_loss
from hemorrhage.data.table import write_table
from hemorrhage.errors import HemorrhageError
from hemorrhage.files import read_json, read_object, write_json
from hemorrhage.pipeline.checked_tables import read_predictions, require_known
from hemorrhage.pipeline.console import Console
from hemorrhage.pipeline.making import making
from hemorrhage.pipeline.membership import describe_members, find_members
from hemorrhage.pipeline.predictions import fill_predictions
from hemorrhage.pipeline.predictors import Opener, Predictor
from hemorrhage.pipeline.runs import (
    Run,
    find_run,
    read_labelled_folds,
    require_own,
    require_same_folds,
)


@dataclass(frozen=True)
class Recipe:
    """How runs are blended: one of BLENDS, and for "weighted" the members' weights by label, 6 x M."""

    how: str
    weights: np.ndarray | None = None


def blend_runs(name: str, names: Sequence[str], how: str, console: Console) -> Run:
    """Returns the run `name` after blending what the runs `names` predicted, and saying what each of them adds.

    Weights are fitted to the out-of-fold predictions of slices that all of them have. Raises HemorrhageError where
    the run exists, a run has not predicted, runs were trained on different folds, or they have no slice in common.
    """
    if how not in BLENDS:
        raise HemorrhageError(f"Expected a blend out of {', '.join(BLENDS)}; received {how!r}.")
    if len(set(names)) < len(names):
        raise HemorrhageError(f"Expected each run once, received {', '.join(names)}.")
    runs = [require_own(find_run(one)) for one in names]
    require_same_folds(runs)
    with making(name) as made:
        _blend_into(made, runs, how, console)
    return find_run(name)


def _blend_into(made: Run, runs: Sequence[Run], how: str, console: Console) -> None:
    folds = read_labelled_folds(runs[0])
    tables = align([read_held_out(one, folds) for one in runs])
    known = [table[is_known] for is_known in [_find_known(tables)] for table in tables]
    if known[0].empty:
        names = ", ".join(one.folder.name for one in runs)
        raise HemorrhageError(
            f"Expected out-of-fold predictions of the same slices, received {names}, which have none in common: "
            "networks of different folds hold out different patients. Blend runs of the same folds; folds of one run "
            "go together by 'hemorrhage select NAME RUN --fold 0,1'."
        )
    labels = folds.set_index("image_id")[list(LABELS)]
    truth, values = labels.loc[known[0]["image_id"]].to_numpy(), _stack(known)
    recipe = Recipe(how, fit_weights(truth, values) if how == "weighted" else None)
    _say_members(runs, truth, values, recipe, console)
    write_table(made.folds_path, folds)
    write_json(made.training_path, read_json(runs[0].training_path))
    write_table(made.out_of_fold_path, blend_tables(tables, recipe))
    if all(one.test_path.is_file() for one in runs):
        write_table(made.test_path, blend_tables(align_whole([one.test_path for one in runs]), recipe))
    weights = None if recipe.weights is None else recipe.weights.tolist()
    write_json(made.blend_json_path, describe_members(runs) | {"how": how, "weights": weights})


def read_held_out(run: Run, folds: pd.DataFrame) -> pd.DataFrame:
    """Returns a run's out-of-fold predictions; raises HemorrhageError where a slice is not in the fold table."""
    table = read_predictions(run.out_of_fold_path)
    require_known(run.out_of_fold_path, table["image_id"], folds, run.folds_path)
    return table


def align(tables: Sequence[pd.DataFrame]) -> list[pd.DataFrame]:
    """Returns the rows of prediction tables that all of them have, in the order of the first."""
    common = set.intersection(*(set(table["image_id"]) for table in tables))
    order = [image_id for image_id in tables[0]["image_id"] if image_id in common]
    return [table.set_index("image_id", drop=False).loc[order].reset_index(drop=True) for table in tables]


def align_whole(paths: Sequence[Path]) -> list[pd.DataFrame]:
    """Returns prediction tables in the order of the first; raises HemorrhageError unless all have the same slices."""
    tables = [read_predictions(path) for path in paths]
    ids = set(tables[0]["image_id"])
    for path, table in zip(paths, tables, strict=True):
        if set(table["image_id"]) != ids:
            raise HemorrhageError(
                f"{path}: expected the {len(ids)} slices of {paths[0]}, received {len(table)}, not the same. Run "
                "'hemorrhage predict' with the same input for each."
            )
    return align(tables)


def blend_tables(tables: Sequence[pd.DataFrame], recipe: Recipe) -> pd.DataFrame:
    """Returns the blend of aligned prediction tables; a slice that one of them has no prediction of has none."""
    is_known = _find_known(tables)
    values = _stack([table[is_known] for table in tables])
    ids = tables[0].loc[is_known, "image_id"].tolist()
    return fill_predictions(tables[0], ids, blend(values, recipe.how, recipe.weights))


@dataclass(frozen=True)
class BlendPredictor:
    """Runs that predict the same slices, and how that is made one."""

    members: Sequence[Predictor]
    recipe: Recipe

    def predict_held_out(self, slices: pd.DataFrame, opener: Opener) -> pd.DataFrame:
        """Returns the blend of what the members say of slices whose patients they did not see."""
        return blend_tables(align([member.predict_held_out(slices, opener) for member in self.members]), self.recipe)

    def predict(self, slices: pd.DataFrame, opener: Opener, what: str) -> pd.DataFrame:
        """Returns the blend of what the members say."""
        return blend_tables(align([member.predict(slices, opener, what) for member in self.members]), self.recipe)


def read_recipe(run: Run) -> tuple[list[str], Recipe]:
    """Returns the names of a blend's members, and how they are blended."""
    described = read_object(run.blend_json_path, "Run 'hemorrhage blend' again.")
    members = find_members(run, described, run.blend_json_path, "blend")
    how, weights = described.get("how"), described.get("weights")
    shape = (len(LABELS), len(members))
    if how not in BLENDS or (how == "weighted" and not _has_shape(weights, shape)):
        raise HemorrhageError(
            f"{run.blend_json_path}: expected a blend out of {', '.join(BLENDS)} and, for weighted, weights of "
            f"{shape[0]} x {shape[1]} numbers; the file is damaged. Run 'hemorrhage blend' again."
        )
    return [member.folder.name for member in members], Recipe(how, np.array(weights) if how == "weighted" else None)


def _has_shape(weights: object, shape: tuple[int, int]) -> bool:
    if not isinstance(weights, list) or not all(isinstance(row, list) and len(row) == shape[1] for row in weights):
        return False
    return len(weights) == shape[0] and all(isinstance(value, int | float) for row in weights for value in row)


def _find_known(tables: Sequence[pd.DataFrame]) -> np.ndarray:
    return np.all([table["any"].notna().to_numpy() for table in tables], axis=0)


def _stack(tables: Sequence[pd.DataFrame]) -> np.ndarray:
    return np.stack([table[list(LABELS)].to_numpy(dtype=np.float64) for table in tables])


def _say_members(runs: Sequence[Run], truth: np.ndarray, values: np.ndarray, recipe: Recipe, console: Console) -> None:
    adds = measure_members(truth, values, recipe.how)
    console.say(f"{f'out of fold, {len(truth)} slices':<32}{'log loss':>10}{'adds':>10}")
    for run, value, added in zip(runs, values, adds, strict=True):
        console.say(f"{run.folder.name:<32}{weighted_log_loss(truth, value):>10.5f}{added:>+10.5f}")
    console.say(f"{recipe.how:<32}{weighted_log_loss(truth, blend(values, recipe.how, recipe.weights)):>10.5f}")
    if recipe.weights is not None:
        for label, weights in zip(LABELS, recipe.weights, strict=True):
            console.say(f"weights {label:<24}" + " ".join(f"{weight:.2f}" for weight in weights))
