"""A run of second stages that is ready to predict slices: its slice networks, then its series models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hemorrhage.data.table import read_table
from hemorrhage.errors import HemorrhageError
from hemorrhage.files import read_object
from hemorrhage.models.weights import read_model
from hemorrhage.pipeline.blend import align
from hemorrhage.pipeline.checked_tables import require_ids
from hemorrhage.pipeline.console import Console
from hemorrhage.pipeline.membership import find_members
from hemorrhage.pipeline.predictions import average_predictions, build_empty, fill_predictions
from hemorrhage.pipeline.predictors import NetworkPredictor, Opener, open_networks
from hemorrhage.pipeline.runs import Run
from hemorrhage.pipeline.second_stage import Mixture, Seen, SeriesConfig, Stage, see_predictions
from hemorrhage.pipeline.settings import convert_settings

_AGAIN = "Run 'hemorrhage series' again."


@dataclass(frozen=True)
class SeriesPredictor:
    """The runs below, and a second stage a fold.

    `folds` has for each image id of the runs' held-out slices the fold whose stage did not learn from its patient.
    """

    below: Sequence[NetworkPredictor]
    stages: Mapping[int, Stage]
    folds: pd.Series
    config: SeriesConfig

    def predict(self, slices: pd.DataFrame, opener: Opener, what: str) -> pd.DataFrame:
        """Returns the mean over the second stages of all folds."""
        if self.config.on == "embeddings":
            tables = [self._predict_embeddings(fold, slices, opener, what) for fold in self.stages]
            return average_predictions(tables, [1.0] * len(tables))
        tables = [below.predict(slices, opener, what) for below in self.below]
        return self._answer(tables[0], see_predictions(tables), list(self.stages))

    def predict_held_out(self, slices: pd.DataFrame, opener: Opener) -> pd.DataFrame:
        """Returns the predictions of the slices of each stage's fold, which it did not learn from."""
        known = slices[slices["image_id"].isin(self.folds.index)]
        of_fold = {fold: known[(self.folds.loc[known["image_id"]] == fold).to_numpy()] for fold in self.stages}
        if self.config.on == "embeddings":
            parts = [
                self._predict_embeddings(fold, part, opener, f"held-out slices of fold {fold}")
                for fold, part in of_fold.items()
            ]
            return pd.concat(parts, ignore_index=True)
        tables = align([below.predict_held_out(slices, opener) for below in self.below])
        parts = [self._answer_fold(tables, fold, set(part["image_id"])) for fold, part in of_fold.items()]
        return pd.concat(parts, ignore_index=True)

    def _predict_embeddings(self, fold: int, slices: pd.DataFrame, opener: Opener, what: str) -> pd.DataFrame:
        (below,) = self.below
        seen, unreadable = below.embed(fold, slices, below.open_images(slices, opener), what)
        return self._answer(build_empty(slices, unreadable), seen, [fold])

    def _answer_fold(self, tables: Sequence[pd.DataFrame], fold: int, image_ids: set[str]) -> pd.DataFrame:
        own = [table[table["image_id"].isin(image_ids)].reset_index(drop=True) for table in tables]
        return self._answer(own[0], see_predictions(own), [fold])

    def _answer(self, template: pd.DataFrame, seen: Seen, folds: Sequence[int]) -> pd.DataFrame:
        values = np.mean([self.stages[fold].answer(seen) for fold in folds], axis=0)
        return fill_predictions(template, seen.table["image_id"].tolist(), values)


def open_series(run: Run, tta: str | None, console: Console) -> SeriesPredictor:
    """Returns the predictor of a run of 'series'; errors as in open_networks, and for a member that is gone.

    Without `tta` a second stage on embeddings gets the views that it learned from, any other those of its runs.
    """
    described = read_object(run.series_json_path, _AGAIN)
    members = find_members(run, described, run.series_json_path, "series")
    kept = _read_stage_folds(run)
    stages = {int(fold): _read_stage(run, described, int(fold)) for fold in sorted(kept.unique())}
    settings = described.get("settings")
    if not isinstance(settings, dict):
        raise HemorrhageError(f"{run.series_json_path}: expected settings, found none. {_AGAIN}")
    config = SeriesConfig(**convert_settings(SeriesConfig, settings))
    views = tta if tta is not None else described.get("tta")
    return SeriesPredictor([open_networks(one, views, console) for one in members], stages, kept, config)


def _read_stage(run: Run, described: Mapping[str, Any], fold: int) -> Stage:
    path = run.series_path(fold)
    if not path.is_file():
        raise HemorrhageError(f"{path}: expected the series model of fold {fold}, found none. {_AGAIN}")
    return Stage(read_model(path), _read_mixture(run, described, fold))


def _read_stage_folds(run: Run) -> pd.Series:
    path = run.stage_folds_path
    table = read_table(path)
    if not {"image_id", "fold"} <= set(table) or not pd.api.types.is_integer_dtype(table["fold"]) or table.empty:
        raise HemorrhageError(
            f"{path}: expected image_id and, in whole numbers, fold, received {len(table)} rows of "
            f"{', '.join(map(str, table.columns[:8]))}. {_AGAIN}"
        )
    require_ids(path, table["image_id"], _AGAIN)
    return table.set_index("image_id")["fold"]


def _read_mixture(run: Run, described: Mapping[str, Any], fold: int) -> Mixture:
    mixtures = described.get("mixtures")
    found = mixtures.get(str(fold)) if isinstance(mixtures, dict) else None
    try:
        if not isinstance(found, dict):
            raise ValueError(f"{found!r}")
        return Mixture.from_json(found)
    except ValueError as error:
        raise HemorrhageError(
            f"{run.series_json_path}: expected the mixture of fold {fold}, received {error}. {_AGAIN}"
        ) from error
