"""The verb predict: a run and slices in, tables of probabilities out.

On a data set in Kaggle's layout or a store it writes out_of_fold.parquet, where all of the run's slices are in it, and
test.parquet; on any other folder of DICOM files, predictions.csv with a row a slice and predictions_series.csv with a
row a series.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from hemorrhage.data.augment import find_recipe
from hemorrhage.data.labels import LABELS
from hemorrhage.data.layout import list_slice_files
from hemorrhage.data.sampling import KeepRates
from hemorrhage.data.source import DicomSource, WindowedSource
from hemorrhage.data.table import read_table, scan_slices, write_table
from hemorrhage.data.views import View, find_unfamiliar_views, parse_views
from hemorrhage.errors import HemorrhageError
from hemorrhage.files import make_folder, read_json, replacing
from hemorrhage.models.inference import Member, predict_slices
from hemorrhage.models.weights import read_model
from hemorrhage.pipeline.config import ALL_FOLDS, Config
from hemorrhage.pipeline.console import Console, count
from hemorrhage.pipeline.inputs import Input, build_images, find_any_input
from hemorrhage.pipeline.predictions import build_predictions
from hemorrhage.pipeline.runs import Run, averaged_epochs, find_run, members, read_config, read_folds
from hemorrhage.pipeline.slices import slice_paths


@dataclass(frozen=True)
class _Predictor:
    """A run's config and the views that its networks are shown."""

    config: Config
    views: tuple[View, ...]
    console: Console

    def build_source(self, found: Input, slices: pd.DataFrame) -> WindowedSource:
        """Returns the images of those of `slices` that have no error, in the form that the run was trained on."""
        readable = slices[slices["error"].isna()]
        return build_images(found.build_source(readable, self.config.size, self.config.crop), readable, self.config)

    def predict(
        self, networks: Sequence[Member], source: WindowedSource, slices: pd.DataFrame, what: str
    ) -> pd.DataFrame:
        """Returns the prediction table of `slices`, a row each; those that have an error already keep it."""
        ids = slices.loc[slices["error"].isna(), "image_id"].to_numpy()
        bar = self.console.bar(len(ids), what)
        try:
            predicted = predict_slices(
                networks, source, ids, self.views, self.config.batch, self.config.workers, bar.update
            )
        finally:
            bar.close()
        bad = slices[slices["error"].notna()]
        known = dict(zip(bad["image_id"], bad["error"], strict=True))
        return build_predictions(slices, replace(predicted, unreadable=known | predicted.unreadable))


def predict(name: str, input_folder: Path, tta: str | None, out: Path | None, console: Console) -> list[Path]:
    """Returns the files written: the predictions of run `name` for the slices under `input_folder`.

    `tta` names the views, by default those of the run's config. `out` is the folder of the tables, by default the
    run's. Raises HemorrhageError for an unknown or unfinished run, views, an empty input, or where predictions of
    other test images would be overwritten.
    """
    run = find_run(name)
    config = read_config(run)
    views = parse_views(tta) if tta else config.views
    _warn_of_unfamiliar(views, config, console)
    predictor = _Predictor(config, views, console)
    networks = [load_networks(member, config) for member in members(run, config)]
    found = find_any_input(input_folder)
    target = Run(out or run.folder)
    if found is None:
        return _predict_folder(predictor, _mean_of(networks), input_folder, target.folder)
    parts = _list_parts(run, found, console)
    if parts.held_out is None and parts.test is None:
        raise HemorrhageError(f"{input_folder}: expected slices of this run's folds or test slices, found neither.")
    _require_writable(target.folder)
    _require_no_loss(target.test_path, parts.test)
    return [
        *_predict_out_of_fold(target, predictor, networks, found, parts.held_out),
        *_predict_test(target, predictor, _mean_of(networks), found, parts.test),
    ]


def load_networks(member: Run, config: Config) -> list[Member]:
    """Returns the averaged epochs of one trained network, with their weights and how their draws were resampled."""
    epochs = averaged_epochs(member, config)
    rates = KeepRates(**read_json(member.training_path)["keep_rates"])
    return [Member(read_model(member.model_path(epoch)), weight, rates) for epoch, weight in epochs]


def _mean_of(networks: Sequence[Sequence[Member]]) -> list[Member]:
    return [member for fold in networks for member in fold]


def _warn_of_unfamiliar(views: tuple[View, ...], config: Config, console: Console) -> None:
    unfamiliar = find_unfamiliar_views(views, find_recipe(config.augment))
    if unfamiliar:
        console.warn(
            f"The network never saw the like of {', '.join(unfamiliar)} in training (augmentation "
            f"{config.augment!r}); such views can cost score."
        )


@dataclass(frozen=True)
class _Parts:
    """The slices of a data set that get predictions, None where there are none; `held_out` has the run's folds."""

    held_out: pd.DataFrame | None
    test: pd.DataFrame | None


def _list_parts(run: Run, found: Input, console: Console) -> _Parts:
    training, test = found.list_training(console), found.list_test(console)
    held_out = None if training is None else _match_folds(run, training, console)
    if held_out is not None and test is None:
        console.warn("This input has no test slices, so no test predictions are written.")
    return _Parts(held_out, test)


def _match_folds(run: Run, training: pd.DataFrame, console: Console) -> pd.DataFrame | None:
    """Returns `training` with the run's folds; None, with a warning, where some of the run's slices are not in it."""
    folds = read_folds(run)[["image_id", "fold"]]
    slices = folds.merge(training, on="image_id", how="inner")
    if len(slices) == len(folds):
        return slices
    if slices.empty:
        what = (
            f"This is another data set than the run was trained on: none of the {len(folds)} slices of {run.folder} is"
        )
    else:
        what = f"{len(folds) - len(slices)} of the {len(folds)} slices of {run.folder} are not"
    console.warn(f"{what} in this input; no out-of-fold predictions are written.")
    return None


def _require_writable(folder: Path) -> None:
    # Before hours of prediction, not after them.
    if not os.access(make_folder(folder), os.W_OK):
        raise HemorrhageError(f"{folder}: expected a folder that can be written. Name another by --out.")


def _require_no_loss(path: Path, test: pd.DataFrame | None) -> None:
    """Raises HemorrhageError where the table at `path` has images that `test`, which is to replace it, has not."""
    if test is None or not path.is_file():
        return
    known = read_table(path)
    lost = sorted(set(known["image_id"]) - set(test["image_id"])) if "image_id" in known else ["no image_id at all"]
    if lost:
        raise HemorrhageError(
            f"{path}: holds {len(known)} rows, {len(lost)} of images that this input does not have (first: {lost[0]}); "
            "nothing was overwritten. Name a folder for the new predictions by --out, or move that file away."
        )


def _predict_out_of_fold(
    target: Run,
    predictor: _Predictor,
    networks: Sequence[Sequence[Member]],
    found: Input,
    slices: pd.DataFrame | None,
) -> list[Path]:
    """Writes the predictions of held-out slices, each by the network that did not see its patient."""
    if slices is None:
        return []
    source = predictor.build_source(found, slices)
    tables = [
        predictor.predict(fold_networks, source, slices[slices["fold"] == fold], f"held-out slices of fold {fold}")
        for fold, fold_networks in zip(_fold_numbers(predictor.config), networks, strict=True)
    ]
    table = pd.concat(tables, ignore_index=True)
    _warn_of_unreadable(table, "held-out slices", predictor.console)
    write_table(target.out_of_fold_path, table)
    return [target.out_of_fold_path]


def _fold_numbers(config: Config) -> list[int]:
    return list(range(config.folds)) if config.fold == ALL_FOLDS else [int(config.fold)]


def _predict_test(
    target: Run, predictor: _Predictor, networks: Sequence[Member], found: Input, slices: pd.DataFrame | None
) -> list[Path]:
    """Writes a row for each slice of the sample submission, with the reason where it has no probabilities."""
    if slices is None:
        return []
    table = predictor.predict(networks, predictor.build_source(found, slices), slices, "test slices")
    _warn_of_unreadable(table, "test slices", predictor.console)
    write_table(target.test_path, table)
    return [target.test_path]


def _warn_of_unreadable(table: pd.DataFrame, what: str, console: Console) -> None:
    bad = table[table["error"].notna()]
    if len(bad):
        first = bad.iloc[0]
        console.warn(f"{len(bad)} of {len(table)} {what} have no prediction; first {first.image_id}: {first.error}")


def _predict_folder(predictor: _Predictor, networks: Sequence[Member], folder: Path, out: Path) -> list[Path]:
    paths = list_slice_files(folder, any_name=True)
    slices = scan_slices(
        paths, progress=lambda rows, total: predictor.console.track(rows, total, f"headers of {folder.name}")
    )
    # Names may repeat in sub-folders, paths cannot.
    slices = slices.assign(image_id=[path.relative_to(folder).as_posix() for path in paths])
    if slices["error"].notna().all():
        first = f"; first: {slices['path'].iloc[0]}: {slices['error'].iloc[0]}" if len(slices) else ""
        raise HemorrhageError(f"{folder}: expected CT slices in DICOM files, found none in {len(paths)} files{first}")
    _require_writable(out)
    readable = slices[slices["error"].isna()]
    codes = DicomSource(slice_paths(readable), predictor.config.size, predictor.config.crop)
    source = build_images(codes, readable, predictor.config)
    table = predictor.predict(networks, source, slices, "slices").rename(columns={"image_id": "file"})
    bad = int(table["error"].notna().sum())
    if bad:
        predictor.console.warn(
            f"{count(bad, 'file')} of {folder} gave no readable CT slice; the column error says why of each."
        )
    return [
        _write_csv(out / "predictions.csv", table),
        _write_csv(out / "predictions_series.csv", summarise_series(table)),
    ]


def summarise_series(slices: pd.DataFrame) -> pd.DataFrame:
    """Returns a row a series: its patient, its number of readable slices and the highest probability by label.

    The highest of many slices errs upward; it ranks series, it is no calibrated probability of a series.
    """
    readable = slices[slices["error"].isna()]
    grouped = readable.groupby("series_id", dropna=False, sort=True)
    facts = grouped.agg(patient_id=("patient_id", "first"), slices=("file", "size"))
    return facts.join(grouped[list(LABELS)].max()).reset_index()


def _write_csv(path: Path, table: pd.DataFrame) -> Path:
    with replacing(path) as temporary:
        table.to_csv(temporary, index=False)
    return path
