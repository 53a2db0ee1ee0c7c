"""The kernel infer: what was trained predicts, a series model and a blend follow, and submission.csv is written."""

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from hemorrhage.ct.windows import BRAIN
from hemorrhage.data.labels import SUBTYPES
from hemorrhage.data.source import WindowedSource
from hemorrhage.data.table import read_table
from hemorrhage.errors import HemorrhageError
from hemorrhage.files import replacing
from hemorrhage.kaggle.checks import check_hours, check_space, folder_bytes
from hemorrhage.kaggle.previous import bring_run, list_runs
from hemorrhage.kaggle.session import Session
from hemorrhage.kaggle.stops import stopping
from hemorrhage.pipeline.blend import blend_runs
from hemorrhage.pipeline.calibrate import AUTO, calibrate
from hemorrhage.pipeline.console import SILENT
from hemorrhage.pipeline.inputs import Input, find_input
from hemorrhage.pipeline.opening import open_predictor
from hemorrhage.pipeline.predict import predict
from hemorrhage.pipeline.runs import (
    Run,
    averaged_epochs,
    find_run,
    fold_numbers,
    members,
    read_config,
    read_folds,
    require_same_folds,
)
from hemorrhage.pipeline.series import train_series
from hemorrhage.pipeline.submit import Submission, submit
from hemorrhage.report.gallery import draw_tiles
from hemorrhage.report.picture import Picture

SAMPLE = 64
_BYTES_A_ROW = 300
"""Of a prediction table and a submission together, for a slice."""


@dataclass(frozen=True)
class InferringJob:
    """Finished runs that have passed their checks, and the views they predict with (None: each run's own)."""

    session: Session
    runs: tuple[Run, ...]
    tta: str | None

    @property
    def names(self) -> list[str]:
        return [run.folder.name for run in self.runs]


@stopping()
def open_inferring(session: Session, names: Sequence[str] = (), tta: str | None = None) -> InferringJob:
    """Returns the runs to predict with, by default all that are attached, after timing them and printing the hours.

    Raises Stop where a run is missing, unfinished, of another version or other folds, or time or room is wanting.
    """
    found = find_input(session.input_folder)
    runs = list_runs(session.mounts, names)
    for run in runs:
        for member in members(run, read_config(run)):
            averaged_epochs(member, read_config(run))
    require_same_folds(runs)
    slices = _count_slices(found, session)
    room = sum(folder_bytes(run.folder) for run in runs) + _BYTES_A_ROW * slices * (len(runs) + 2)
    check_space(session.mounts, room, "the runs and their predictions")
    job = InferringJob(session, tuple(bring_run(run) for run in runs), tta)
    _check_hours(job, found)
    return job


def _count_slices(found: Input, session: Session) -> int:
    parts = (found.list_training(session.console), found.list_test(session.console))
    return sum(len(part) for part in parts if part is not None)


def _check_hours(job: InferringJob, found: Input) -> None:
    limit = check_hours(job.session.clock, None)
    total = 0.0
    for run in job.runs:
        hours = estimate_hours(run, found, job.tta)
        job.session.console.say(
            f"plan: {hours:.2g} hours for {run.folder.name} (estimated from {SAMPLE} slices just now)"
        )
        total += hours
    if total > limit:
        raise HemorrhageError(
            f"Expected predictions that take at most {limit:.1f} hours, these some {total:.1f}. Name fewer RUNS, or "
            "fewer views in TTA, and predict with the others in another kernel."
        )


def estimate_hours(run: Run, found: Input, tta: str | None) -> float:
    """Returns the hours that a run takes to predict its held-out slices and the test slices of `found`."""
    predictor = open_predictor(run, tta, SILENT)
    training, test = found.list_training(SILENT), found.list_test(SILENT)
    seconds = 0.0
    if training is not None:
        folds = read_folds(run)[["image_id", "fold"]]
        held_out = folds[folds["fold"].isin(fold_numbers(read_config(run)))].merge(training, on="image_id")
        seconds += _extrapolate(held_out, lambda sample: predictor.predict_held_out(sample, found.build_source))
    if test is not None:
        seconds += _extrapolate(test, lambda sample: predictor.predict(sample, found.build_source, "test slices"))
    return seconds / 3600


def _extrapolate(slices: pd.DataFrame, work: Callable[[pd.DataFrame], object]) -> float:
    """Returns the seconds of `work` on all slices, from those of its second time on the first SAMPLE readable ones."""
    sample = slices[slices["error"].isna()].head(SAMPLE)
    if sample.empty:
        return 0.0
    work(sample)  # compiles, and fills caches
    started = time.monotonic()
    work(sample)
    return (time.monotonic() - started) * len(slices) / len(sample)


@stopping()
def predict_runs(job: InferringJob, with_embeddings: bool = False) -> None:
    """Writes the predictions of each run for its held-out slices and the test slices; raises Stop as 'predict' does."""
    for name in job.names:
        written = predict(name, job.session.input_folder, job.tta, None, job.session.console, with_embeddings)
        job.session.console.say(f"{name}: " + ", ".join(path.name for path in written if path.suffix == ".parquet"))


@stopping()
def add_series(job: InferringJob, on: str, settings: Mapping[str, Any]) -> list[str]:
    """Returns the names of all runs and of the series models trained on them: one on `on` probabilities of all, or one
    on the embeddings of each. Raises Stop as 'series' does.
    """
    groups = [job.names] if on == "probabilities" else [[name] for name in job.names]
    words = {key: str(value) for key, value in settings.items()} | {"on": on}
    made = [train_series(group, f"{group[0]}-series", words, job.session.console) for group in groups]
    return [*job.names, *(run.folder.name for run in made)]


@stopping()
def blend_all(job: InferringJob, names: Sequence[str], how: str, name: str = "blend") -> str:
    """Returns the name of the run to submit: the blend of all `names`, or the only one; raises Stop as 'blend' does."""
    if len(names) == 1:
        return names[0]
    return blend_runs(name, names, how, job.session.console).folder.name


@stopping()
def submit_run(job: InferringJob, name: str, calibrated: bool = False) -> Submission:
    """Returns the checked submission of a run, with calibrated probabilities if wanted, copied to where Kaggle submits.

    Raises Stop as 'calibrate' and 'submit' do.
    """
    console = job.session.console
    if calibrated:
        calibrate(name, AUTO, console)
    submission = submit(name, None, None, console, calibrated)
    console.say(f"{name}: {submission.slices} slices, {len(submission.filled)} with the training prevalence; checked")
    place = job.session.mounts.working / "submission.csv"
    with replacing(place) as temporary:
        shutil.copyfile(submission.path, temporary)
    return replace(submission, path=place)


@stopping()
def show_answers(job: InferringJob, name: str, most: int = 6) -> Picture:
    """Returns the test slices that the run finds most suspicious, one a series, with what it says of them."""
    table = read_table(find_run(name).test_path)
    first = table.loc[table.groupby("series_id")["any"].idxmax().dropna()].nlargest(most, "any")
    found, config = find_input(job.session.input_folder), read_config(job.runs[0])
    test = found.list_test(job.session.console)
    shown = first[["image_id"]].merge(test, on="image_id") if test is not None else first.head(0)
    images = WindowedSource(found.build_source(shown, config.size, config.crop), (BRAIN,))
    tiles = [images.read_image(image_id)[..., 0] for image_id in shown["image_id"]]
    title = "The most suspicious test slice of each series, brain window"
    return draw_tiles(tiles, [_caption(row) for _, row in first.iterrows()], title, job.session.mounts.is_synthetic)


def _caption(row: pd.Series) -> str:
    likeliest = max(SUBTYPES, key=lambda label: row[label])
    return f"any {row['any']:.2f}\n{likeliest} {row[likeliest]:.2f}"
