"""The verb predict: a run and slices in, tables of probabilities out.

On a data set in Kaggle's layout it writes out_of_fold.parquet and test.parquet into the run; on any other folder
of DICOM files, predictions.csv with a row a slice and predictions_series.csv with a row a series.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from hemorrhage.data.augment import find_recipe
from hemorrhage.data.labels import LABELS
from hemorrhage.data.layout import list_slice_files
from hemorrhage.data.sampling import KeepRates
from hemorrhage.data.source import DicomSource, SliceSource, WindowedSource
from hemorrhage.data.table import scan_slices, write_table
from hemorrhage.data.views import View, find_unfamiliar_views, parse_views
from hemorrhage.errors import HemorrhageError
from hemorrhage.files import read_json, replacing
from hemorrhage.models.inference import Member, predict_slices
from hemorrhage.models.weights import read_model
from hemorrhage.pipeline.config import ALL_FOLDS, Config
from hemorrhage.pipeline.console import Console
from hemorrhage.pipeline.inputs import Input, find_any_input
from hemorrhage.pipeline.predictions import KEY_COLUMNS, build_predictions
from hemorrhage.pipeline.runs import Run, averaged_epochs, find_run, members, read_config, read_folds
from hemorrhage.pipeline.slices import slice_paths


@dataclass(frozen=True)
class _Predictor:
    """A run's config and the views that its networks are shown."""

    config: Config
    views: tuple[View, ...]
    console: Console

    def build_source(self, found: Input, slices: pd.DataFrame) -> SliceSource:
        """Returns the source of `slices` in the form that the run was trained on."""
        return found.build_source(slices, self.config.size, self.config.crop)

    def predict(self, networks: Sequence[Member], codes: SliceSource, slices: pd.DataFrame, what: str) -> pd.DataFrame:
        """Returns the prediction table of `slices`, readable ones; see build_predictions."""
        source = WindowedSource(codes, self.config.window_set)
        bar = self.console.bar(len(slices), what)
        ids = slices["image_id"].to_numpy()
        try:
            predicted = predict_slices(
                networks, source, ids, self.views, self.config.batch, self.config.workers, bar.update
            )
        finally:
            bar.close()
        return build_predictions(slices, predicted)


def predict(name: str, input_folder: Path, tta: str | None, out: Path | None, console: Console) -> list[Path]:
    """Returns the files written: the predictions of run `name` for the slices under `input_folder`.

    `tta` names the views, by default those of the run's config. `out` is where the tables of a plain folder go, by
    default the run's folder. Raises HemorrhageError for an unknown or unfinished run, views or an empty input.
    """
    run = find_run(name)
    config = read_config(run)
    views = parse_views(tta) if tta else config.views
    _warn_of_unfamiliar(views, config, console)
    predictor = _Predictor(config, views, console)
    networks = [load_networks(member, config) for member in members(run, config)]
    found = find_any_input(input_folder)
    if found is None:
        return _predict_folder(predictor, _mean_of(networks), input_folder, out or run.folder)
    if out is not None:
        raise HemorrhageError(
            f"--out is for a plain folder of DICOM files; of a data set the run's folder {run.folder} keeps "
            "the predictions, since submit takes them from there."
        )
    written = [
        *_predict_out_of_fold(run, predictor, networks, found),
        *_predict_test(run, predictor, _mean_of(networks), found),
    ]
    if not written:
        raise HemorrhageError(f"{input_folder}: expected slices of this run's folds or test slices, found neither.")
    return written


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


def _predict_out_of_fold(
    run: Run, predictor: _Predictor, networks: Sequence[Sequence[Member]], found: Input
) -> list[Path]:
    """Writes the predictions of held-out slices, each by the network that did not see its patient."""
    folds = read_folds(run)
    training = found.list_training(predictor.console)
    if training is None:
        return []
    slices = folds[["image_id", "fold"]].merge(training, on="image_id", how="inner")
    if len(slices) < len(folds):
        predictor.console.warn(
            f"{len(folds) - len(slices)} of the {len(folds)} slices of {run.folder} are not in this input, so no "
            "out-of-fold predictions are written: it is not the data set that the run was trained on."
        )
        return []
    source = predictor.build_source(found, slices)
    tables = [
        predictor.predict(fold_networks, source, slices[slices["fold"] == fold], f"held-out slices of fold {fold}")
        for fold, fold_networks in zip(_fold_numbers(predictor.config), networks, strict=True)
    ]
    write_table(run.out_of_fold_path, pd.concat(tables, ignore_index=True))
    return [run.out_of_fold_path]


def _fold_numbers(config: Config) -> list[int]:
    return list(range(config.folds)) if config.fold == ALL_FOLDS else [int(config.fold)]


def _predict_test(run: Run, predictor: _Predictor, networks: Sequence[Member], found: Input) -> list[Path]:
    """Writes a row for each slice of the sample submission, with the reason where it has no probabilities."""
    slices = found.list_test(predictor.console)
    if slices is None:
        predictor.console.warn("This input has no test slices, so no test predictions are written.")
        return []
    there = slices[slices["error"].isna()].reset_index(drop=True)
    predicted = predictor.predict(networks, predictor.build_source(found, there), there, "test slices")
    _warn_of_unreadable(slices, predicted, predictor.console)
    left_out = slices.loc[slices["error"].notna(), [*KEY_COLUMNS, "error"]]
    table = pd.concat([predicted, left_out], ignore_index=True).set_index("image_id").loc[slices["image_id"]]
    write_table(run.test_path, table.reset_index())
    return [run.test_path]


def _warn_of_unreadable(slices: pd.DataFrame, predicted: pd.DataFrame, console: Console) -> None:
    bad = pd.concat([slices, predicted])[["image_id", "error"]].dropna()
    if len(bad):
        first = bad.iloc[0]
        console.warn(
            f"{len(bad)} of {len(slices)} test slices have no prediction; first {first.image_id}: {first.error}"
        )


def _predict_folder(predictor: _Predictor, networks: Sequence[Member], folder: Path, out: Path) -> list[Path]:
    paths = list_slice_files(folder, any_name=True)
    slices = scan_slices(
        paths, progress=lambda rows, total: predictor.console.track(rows, total, f"headers of {folder.name}")
    )
    # Names may repeat in sub-folders, paths cannot.
    slices = slices.assign(image_id=[path.relative_to(folder).as_posix() for path in paths])
    there = slices[slices["error"].isna()].reset_index(drop=True)
    if there.empty:
        first = f"; first: {slices['path'].iloc[0]}: {slices['error'].iloc[0]}" if len(slices) else ""
        raise HemorrhageError(f"{folder}: expected CT slices in DICOM files, found none in {len(paths)} files{first}")
    source = DicomSource(slice_paths(there), predictor.config.size, predictor.config.crop)
    predicted = predictor.predict(networks, source, there, "slices")
    left_out = slices.loc[slices["error"].notna(), ["image_id", "error"]]
    if len(left_out):
        predictor.console.warn(f"{len(left_out)} files of {folder} are not readable CT slices; see the column error.")
    table = pd.concat([predicted, left_out], ignore_index=True).rename(columns={"image_id": "file"})
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
