"""What a run does with slices, whatever it is made of: one network or more, or other runs and a second stage."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import pandas as pd

from hemorrhage.data.augment import find_recipe
from hemorrhage.data.sampling import KeepRates
from hemorrhage.data.source import SliceSource, WindowedSource
from hemorrhage.data.views import View, find_unfamiliar_views, parse_views
from hemorrhage.errors import HemorrhageError
from hemorrhage.files import read_object
from hemorrhage.models.inference import Member, embed_slices, predict_slices
from hemorrhage.models.weights import read_model
from hemorrhage.pipeline.checked_tables import KEY_COLUMNS
from hemorrhage.pipeline.config import Config
from hemorrhage.pipeline.console import Console
from hemorrhage.pipeline.inputs import build_images, warn_of_stand_ins
from hemorrhage.pipeline.predictions import build_predictions
from hemorrhage.pipeline.runs import (
    Run,
    averaged_epochs,
    fold_numbers,
    members,
    read_config,
    read_selection,
    require_epochs,
)
from hemorrhage.pipeline.second_stage import Output, Seen

Opener = Callable[[pd.DataFrame, int, str], SliceSource]
"""Makes of slices, a size and a crop the source of their codes."""


class Predictor(Protocol):
    """A run that is ready to predict slices; tables in are slice tables, tables out prediction tables, row by row."""

    def predict_held_out(self, slices: pd.DataFrame, opener: Opener) -> pd.DataFrame:
        """Returns the predictions of slices that have a `fold`, each by what did not learn from its patient."""
        ...

    def predict(self, slices: pd.DataFrame, opener: Opener, what: str) -> pd.DataFrame:
        """Returns the predictions of slices that the run has never seen; `what` they are is shown."""
        ...


@dataclass(frozen=True)
class NetworkPredictor:
    """The networks of a run of 'train', by fold, and the views that they are shown."""

    config: Config
    networks: dict[int, list[Member]]
    views: tuple[View, ...]
    console: Console

    def predict_held_out(self, slices: pd.DataFrame, opener: Opener) -> pd.DataFrame:
        """Returns the predictions of each fold's slices by its network; slices of other folds have no row."""
        source = self.open_images(slices, opener)
        tables = [
            self._predict(networks, source, slices[slices["fold"] == fold], f"held-out slices of fold {fold}")
            for fold, networks in self.networks.items()
        ]
        warn_of_stand_ins(source, self.console)
        return pd.concat(tables, ignore_index=True)

    def predict(self, slices: pd.DataFrame, opener: Opener, what: str) -> pd.DataFrame:
        """Returns the mean over the networks of all folds."""
        everyone = [network for networks in self.networks.values() for network in networks]
        source = self.open_images(slices, opener)
        table = self._predict(everyone, source, slices, what)
        warn_of_stand_ins(source, self.console)
        return table

    def predict_some(
        self, slices: pd.DataFrame, opener: Opener, image_ids: Sequence[str], fold: int | None = None
    ) -> pd.DataFrame:
        """Returns the predictions of the slices `image_ids` among `slices`; with `fold` those of its networks alone."""
        asked = [self.networks[fold]] if fold is not None else self.networks.values()
        networks = [network for networks in asked for network in networks]
        source = self.open_images(slices, opener)
        chosen = slices.set_index("image_id", drop=False).loc[list(image_ids)].reset_index(drop=True)
        table = self._predict(networks, source, chosen, "slices")
        warn_of_stand_ins(source, self.console)
        return table

    def embed(self, fold: int, slices: pd.DataFrame, source: WindowedSource, what: str) -> tuple[Seen, dict[str, str]]:
        """Returns what the fold's last network made, in each view, of `slices`, and why of some of them nothing."""
        readable = slices[slices["error"].isna()]
        bar = self.console.bar(len(readable), what)
        try:
            found = embed_slices(
                self.networks[fold][-1],
                source,
                readable["image_id"].to_numpy(),
                self.views,
                self.config.batch,
                self.config.workers,
                bar.update,
            )
        finally:
            bar.close()
        warn_of_stand_ins(source, self.console)
        table = readable.set_index("image_id").loc[found.image_ids].reset_index()
        outputs = tuple(Output(view.probabilities, view.features) for view in found.views)
        return Seen(table[KEY_COLUMNS], outputs), _known_errors(slices) | found.unreadable

    def open_images(self, slices: pd.DataFrame, opener: Opener) -> WindowedSource:
        """Returns the images of those of `slices` that have no error, in the form that the run was trained on."""
        readable = slices[slices["error"].isna()]
        return build_images(opener(readable, self.config.size, self.config.crop), readable, self.config)

    def _predict(
        self, networks: Sequence[Member], source: WindowedSource, slices: pd.DataFrame, what: str
    ) -> pd.DataFrame:
        ids = slices.loc[slices["error"].isna(), "image_id"].to_numpy()
        bar = self.console.bar(len(ids), what)
        try:
            predicted = predict_slices(
                networks, source, ids, self.views, self.config.batch, self.config.workers, bar.update
            )
        finally:
            bar.close()
        return build_predictions(slices, replace(predicted, unreadable=_known_errors(slices) | predicted.unreadable))


def _known_errors(slices: pd.DataFrame) -> dict[str, str]:
    bad = slices[slices["error"].notna()]
    return dict(zip(bad["image_id"], bad["error"], strict=True))


def open_networks(run: Run, tta: str | None, console: Console) -> NetworkPredictor:
    """Returns the networks of a run of 'train' or 'select'; `tta` names the views, by default the run's.

    Raises HemorrhageError for views that do not exist, and where training has not come to its end.
    """
    chosen = read_selection(run)
    config = read_config(chosen.run)
    views = parse_views(tta or chosen.tta)
    unfamiliar = find_unfamiliar_views(views, find_recipe(config.augment))
    if unfamiliar:
        console.warn(
            f"The network never saw the like of {', '.join(unfamiliar)} in training (augmentation "
            f"{config.augment!r}); such views can cost score."
        )
    member_of = dict(zip(fold_numbers(config), members(chosen.run, config), strict=True))
    epochs_of = {fold: require_epochs(member_of[fold], chosen.epochs) for fold in chosen.folds}
    networks = {fold: read_networks(member_of[fold], epochs) for fold, epochs in epochs_of.items()}
    return NetworkPredictor(config, networks, views, console)


def load_networks(member: Run, config: Config) -> list[Member]:
    """Returns the averaged epochs of one trained network, with their weights and how their draws were resampled."""
    return read_networks(member, averaged_epochs(member, config))


def read_networks(member: Run, epochs: Sequence[tuple[int, float]]) -> list[Member]:
    """Returns epochs of one trained network, with their weights and how their draws were resampled."""
    again = "Train the run again."
    given = read_object(member.training_path, again).get("keep_rates", {})
    try:
        rates = KeepRates(**given)
    except TypeError as error:
        raise HemorrhageError(f"{member.training_path}: expected keep_rates, received {given!r}. {again}") from error
    return [Member(read_model(member.model_path(epoch)), weight, rates) for epoch, weight in epochs]
