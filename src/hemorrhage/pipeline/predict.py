"""The verb predict: a run and slices in, tables of probabilities out.

On a data set in Kaggle's layout or a store it writes out_of_fold.parquet, where all of the run's slices are in it, and
test.parquet; on any other folder of DICOM files, predictions.csv with a row a slice and predictions_series.csv with a
row a series, which has the columns of studies.csv.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from hemorrhage.data.layout import list_slice_files
from hemorrhage.data.studies import LearnedAnswer
from hemorrhage.data.table import read_table, scan_slices, write_table
from hemorrhage.errors import HemorrhageError
from hemorrhage.files import make_folder, replacing
from hemorrhage.pipeline.console import Console, count
from hemorrhage.pipeline.embeddings import write_embeddings
from hemorrhage.pipeline.inputs import Input, find_any_input
from hemorrhage.pipeline.one_slice import open_files
from hemorrhage.pipeline.opening import open_predictor
from hemorrhage.pipeline.predictors import NetworkPredictor, Predictor
from hemorrhage.pipeline.runs import SUBMISSIONS, Run, find_run, is_shipped, read_folds
from hemorrhage.pipeline.studies import read_learned, tabulate_studies


def predict(
    name: str, input_folder: Path, tta: str | None, out: Path | None, console: Console, embeddings: bool = False
) -> list[Path]:
    """Returns the files written: the predictions of run `name` for the slices under `input_folder`.

    `tta` names the views, by default those of the run's config. `out` is the folder of the tables, by default the
    run's. With `embeddings` it also writes what the run's networks made of every slice (see pipeline.embeddings).
    Raises HemorrhageError for an unknown or unfinished run, views, an empty input, or where predictions of other
    test images would be overwritten.
    """
    run = find_run(name)
    predictor = open_predictor(run, tta, console)
    found = find_any_input(input_folder)
    target = Run(out or (SUBMISSIONS / f"shipped-{run.folder.name}" if is_shipped(run) else run.folder))
    if embeddings:
        _require_embeddable(predictor, found, input_folder, run)
    if found is None:
        return _predict_folder(predictor, read_learned(run), input_folder, target.folder, console)
    parts = _list_parts(run, found, console)
    if parts.held_out is None and parts.test is None:
        raise HemorrhageError(f"{input_folder}: expected slices of this run's folds or test slices, found neither.")
    _require_writable(target.folder)
    _require_no_loss(target.test_path, parts.test)
    return [
        *_predict_out_of_fold(target, predictor, found, parts.held_out, console),
        *_predict_test(target, predictor, found, parts.test, console),
        *(_embed(target, predictor, found, parts) if embeddings else []),
    ]


def _require_embeddable(predictor: Predictor, found: Input | None, folder: Path, run: Run) -> None:
    if not isinstance(predictor, NetworkPredictor):
        raise HemorrhageError(f"{run.folder}: expected a run of 'hemorrhage train', which alone has embeddings.")
    if found is None:
        raise HemorrhageError(f"{folder}: expected a data set or a store to write the embeddings of, found neither.")


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
    if is_shipped(run):
        return None
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
    target: Run, predictor: Predictor, found: Input, slices: pd.DataFrame | None, console: Console
) -> list[Path]:
    """Writes the predictions of held-out slices, each by the network that did not see its patient."""
    if slices is None:
        return []
    table = predictor.predict_held_out(slices, found.build_source)
    _warn_of_unreadable(table, "held-out slices", console)
    write_table(target.out_of_fold_path, table)
    return [target.out_of_fold_path]


def _predict_test(
    target: Run, predictor: Predictor, found: Input, slices: pd.DataFrame | None, console: Console
) -> list[Path]:
    """Writes a row for each slice of the sample submission, with the reason where it has no probabilities."""
    if slices is None:
        return []
    table = predictor.predict(slices, found.build_source, "test slices")
    _warn_of_unreadable(table, "test slices", console)
    write_table(target.test_path, table)
    return [target.test_path]


def _embed(target: Run, predictor: Predictor, found: Input, parts: _Parts) -> list[Path]:
    assert isinstance(predictor, NetworkPredictor)
    named = {"train": parts.held_out, "test": parts.test}
    return [
        path
        for part, slices in named.items()
        if slices is not None
        for path in write_embeddings(target, predictor, part, slices, found.build_source)
    ]


def _warn_of_unreadable(table: pd.DataFrame, what: str, console: Console) -> None:
    bad = table[table["error"].notna()]
    if len(bad):
        first = bad.iloc[0]
        console.warn(f"{len(bad)} of {len(table)} {what} have no prediction; first {first.image_id}: {first.error}")


def _predict_folder(
    predictor: Predictor, learned: LearnedAnswer | None, folder: Path, out: Path, console: Console
) -> list[Path]:
    paths = list_slice_files(folder, any_name=True)
    slices = scan_slices(paths, progress=lambda rows, total: console.track(rows, total, f"headers of {folder.name}"))
    # Names may repeat in sub-folders, paths cannot.
    slices = slices.assign(image_id=[path.relative_to(folder).as_posix() for path in paths])
    if slices["error"].notna().all():
        first = f"; first: {slices['path'].iloc[0]}: {slices['error'].iloc[0]}" if len(slices) else ""
        raise HemorrhageError(f"{folder}: expected CT slices in DICOM files, found none in {len(paths)} files{first}")
    _require_writable(out)
    table = predictor.predict(slices, open_files, "slices").rename(columns={"image_id": "file"})
    bad = int(table["error"].notna().sum())
    if bad:
        console.warn(f"{count(bad, 'file')} of {folder} gave no readable CT slice; the column error says why of each.")
    return [
        _write_csv(out / "predictions.csv", table),
        _write_csv(out / "predictions_series.csv", tabulate_studies(table[table["error"].isna()], learned)),
    ]


def _write_csv(path: Path, table: pd.DataFrame) -> Path:
    with replacing(path) as temporary:
        table.to_csv(temporary, index=False)
    return path
