"""The kernel infer: what was trained predicts, a series model and a blend follow, and submission.csv is written."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from hemorrhage.ct.windows import BRAIN
from hemorrhage.data.labels import SUBTYPES
from hemorrhage.data.source import WindowedSource
from hemorrhage.data.table import read_table
from hemorrhage.errors import HemorrhageError
from hemorrhage.files import replacing
from hemorrhage.kaggle.checks import check_hours, check_space, check_test, folder_bytes
from hemorrhage.kaggle.forecast import SAMPLE, forecast_run
from hemorrhage.kaggle.machine import format_bytes
from hemorrhage.kaggle.parameters import NAMES, TEXT, check_parameters, or_none
from hemorrhage.kaggle.previous import bring_run, list_runs
from hemorrhage.kaggle.session import Session
from hemorrhage.kaggle.stages import BLEND, NO_STAGES, Stages, check_runs, check_words
from hemorrhage.kaggle.stops import stopping
from hemorrhage.pipeline.blend import blend_runs
from hemorrhage.pipeline.calibrate import AUTO, calibrate
from hemorrhage.pipeline.inputs import Input, find_input
from hemorrhage.pipeline.predict import predict
from hemorrhage.pipeline.runs import (
    Run,
    averaged_epochs,
    find_run,
    members,
    read_config,
)
from hemorrhage.pipeline.series import train_series
from hemorrhage.pipeline.submit import Submission, submit
from hemorrhage.report.gallery import draw_tiles
from hemorrhage.report.picture import Picture

_BYTES_A_ROW = 300
"""Of a prediction table and a submission together, for a slice."""


@dataclass(frozen=True)
class InferringJob:
    """Finished runs that have passed their checks, the views they predict with (None: each run's own), what follows."""

    session: Session
    runs: tuple[Run, ...]
    tta: str | None
    stages: Stages

    @property
    def names(self) -> list[str]:
        return [run.folder.name for run in self.runs]

    @property
    def embeds(self) -> bool:
        """Whether a series model is to see what the networks make of every slice."""
        return self.stages.series == "embeddings"


@stopping()
def open_inferring(
    session: Session, names: Sequence[str] = (), tta: str | None = None, stages: Stages = NO_STAGES
) -> InferringJob:
    """Returns the runs to predict with, by default all that are attached, after timing them and printing the hours.

    Raises Stop where a word is wrong, there are no test slices, a run is missing, unfinished, of another version or
    other folds, or time or room is wanting.
    """
    check_parameters(RUNS=(names, NAMES), TTA=(tta, or_none(TEXT)))
    check_words(stages)
    check_test(session.data, session.store)
    found = find_input(session.input_folder)
    runs = list_runs(session.mounts, names)
    for run in runs:
        for member in members(run, read_config(run)):
            averaged_epochs(member, read_config(run))
    check_runs(stages, runs)
    slices = _count_slices(found, session)
    room = sum(folder_bytes(run.folder) for run in runs) + _BYTES_A_ROW * slices * (len(runs) + 2)
    check_space(session.mounts, room, "the runs and their predictions")
    job = InferringJob(session, tuple(bring_run(run) for run in runs), tta, stages)
    _check_forecast(job, found)
    return job


def _count_slices(found: Input, session: Session) -> int:
    parts = (found.list_training(session.console), found.list_test(session.console))
    return sum(len(part) for part in parts if part is not None)


def _check_forecast(job: InferringJob, found: Input) -> None:
    console, limit = job.session.console, check_hours(job.session.clock, None)
    hours, size = 0.0, 0
    for run in job.runs:
        taken = forecast_run(run, found, job.tta, job.embeds)
        embeddings = f" and {format_bytes(taken.embedding_bytes)} of embeddings" if job.embeds else ""
        console.say(
            f"plan: {taken.hours:.2g} hours{embeddings} for {run.folder.name} (estimated from {SAMPLE} slices just now)"
        )
        hours, size = hours + taken.hours, size + taken.embedding_bytes
    if job.stages.series:
        console.say("the series model comes on top, not timed")
    if hours > limit:
        raise HemorrhageError(
            f"Expected predictions that take at most {limit:.1f} hours, these some {hours:.1f}. Name fewer RUNS, or "
            "fewer views in TTA, and predict with the others in another kernel."
        )
    check_space(job.session.mounts, size, "the embeddings")


@stopping()
def predict_runs(job: InferringJob) -> None:
    """Writes the predictions of each run for its held-out slices and the test slices; raises Stop as 'predict' does."""
    for name in job.names:
        written = predict(name, job.session.input_folder, job.tta, None, job.session.console, job.embeds)
        job.session.console.say(f"{name}: " + ", ".join(path.name for path in written if path.suffix == ".parquet"))


@stopping()
def add_series(job: InferringJob) -> list[str]:
    """Returns the names of all runs and of the series models trained on them; raises Stop as 'series' does."""
    groups = job.stages.group(job.names)
    for made, names in groups.items():
        train_series(names, made, job.stages.words, job.session.console)
    return [*job.names, *groups]


@stopping()
def blend_all(job: InferringJob, names: Sequence[str]) -> str:
    """Returns the name of the run to submit: the blend of all `names`, or the only one; raises Stop as 'blend' does."""
    if len(names) == 1:
        return names[0]
    return blend_runs(BLEND, names, job.stages.blend, job.session.console).folder.name


@stopping()
def submit_run(job: InferringJob, name: str) -> Submission:
    """Returns the checked submission of a run, with calibrated probabilities if wanted, copied to where Kaggle submits.

    Raises Stop as 'calibrate' and 'submit' do.
    """
    console = job.session.console
    if job.stages.calibrated:
        calibrate(name, AUTO, console)
    submission = submit(name, None, None, console, job.stages.calibrated)
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
