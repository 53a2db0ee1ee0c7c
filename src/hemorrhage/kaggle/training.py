"""The kernel train: any model, any fold, within the hours of a kernel, going on from the last one's output."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hemorrhage.data.folds import split_folds
from hemorrhage.errors import HemorrhageError
from hemorrhage.kaggle.checks import check_hours, check_space, check_test, folder_bytes
from hemorrhage.kaggle.parameters import HOURS, SETTINGS, TEXT, check_parameters, or_none
from hemorrhage.kaggle.previous import bring_run, find_previous, require_folds, require_same_config, warn_of_commit
from hemorrhage.kaggle.session import Session
from hemorrhage.kaggle.stops import stopping
from hemorrhage.kaggle.weights import is_offered, offer_weights
from hemorrhage.models.devices import distribution_scope
from hemorrhage.models.weights import IMAGENET, PRETRAINED
from hemorrhage.pipeline.config import Config, resolve_config
from hemorrhage.pipeline.console import count
from hemorrhage.pipeline.history import read_history
from hemorrhage.pipeline.inputs import Input, find_input
from hemorrhage.pipeline.plan import TrainingPlan, describe_plan, plan_training
from hemorrhage.pipeline.runs import Run, has_epochs, members, name_run, read_config
from hemorrhage.pipeline.segments import Deadline, TimeIsUp, read_checkpoint
from hemorrhage.pipeline.slices import limit_patients
from hemorrhage.pipeline.train import train
from hemorrhage.report.course import draw_course
from hemorrhage.report.picture import Picture


@dataclass(frozen=True)
class TrainingJob:
    """A training that has passed its checks: `previous` is the attached run that it goes on with, if any."""

    session: Session
    found: Input
    name: str
    config: Config
    previous: Run | None
    plan: TrainingPlan
    max_hours: float


@dataclass(frozen=True)
class Outcome:
    """A run, and whether all its epochs are there."""

    run: Run
    is_whole: bool


@dataclass(frozen=True)
class KernelDeadline(Deadline):
    """A deadline that lets `run` come to its first checkpoint: a kernel that learned nothing has nothing to hand on."""

    run: Run = field(default_factory=Run.nowhere)

    @property
    def is_over(self) -> bool:
        return super().is_over and has_epochs(self.run)


@stopping()
def open_training(
    session: Session,
    name: str,
    settings: Mapping[str, Any],
    preset: str = "default",
    max_hours: float | None = None,
) -> TrainingJob:
    """Returns the training of run `name`, after checking it and timing a few steps, whose plan is printed.

    `settings` are values of the config, such as {"model": "effb4", "fold": "0"}. Raises Stop where a word is wrong,
    the earlier run is of another version, config or folds, weights cannot be had, or time or room is wanting.
    """
    check_parameters(RUN=(name, TEXT), SETTINGS=(settings, SETTINGS), PRESET=(preset, TEXT))
    check_parameters(MAX_HOURS=(max_hours, or_none(HOURS)))
    hours = check_hours(session.clock, max_hours)
    offer_weights(session.mounts, session.manifest)
    found = find_input(session.input_folder)
    config = resolve_config(preset, found.defaults() | dict(settings))
    previous = find_previous(session.mounts, name) if not name_run(name).is_there else name_run(name)
    if previous is not None:
        require_same_config(previous, config)
        require_folds(previous, _split(found, config, session))
        warn_of_commit(previous, session.console)
    plan = _plan(found, config, session)
    copied = folder_bytes(previous.folder) if previous else 0
    check_space(session.mounts, plan.disk_bytes + copied, f"the run {name}")
    job = TrainingJob(session, found, name, config, previous, plan, hours)
    session.console.say(describe_job(job))
    return job


def _plan(found: Input, config: Config, session: Session) -> TrainingPlan:
    try:
        # On all GPUs, as the training itself.
        with distribution_scope(config.batch, config.accumulate):
            return plan_training(found, config, session.console)
    except HemorrhageError as error:
        wanted = PRETRAINED.get(config.model)
        if config.weights != IMAGENET or wanted is None or is_offered(wanted.file_name):
            raise
        raise HemorrhageError(
            f"{error} On Kaggle: put {wanted.file_name} into the dataset of wheels, by python -m hemorrhage.kaggle "
            f"dataset --weights {wanted.file_name}."
        ) from error


def _split(found: Input, config: Config, session: Session) -> Any:
    slices = found.read_training(config.max_missing, session.console).table.sort_values("image_id", ignore_index=True)
    table = limit_patients(slices, config.limit, config.folds, config.fold_seed)
    return split_folds(table, config.folds, config.fold_seed)


def describe_job(job: TrainingJob) -> str:
    """Returns the plan as text: what --plan says, what of it is left to do, and how many kernels that takes."""
    left = hours_left(job)
    kernels = -(-left // job.max_hours)
    share = "it fits" if kernels <= 1 else f"some {kernels:.0f} kernels, each going on from the last one's output"
    begun = f"goes on from {job.previous.folder} ({describe_progress(job)})" if job.previous else "begins anew"
    return (
        f"{describe_plan(job.plan)}\n"
        f"run {job.name}: {begun}; some {left:.2g} hours of work are left, this kernel has {job.max_hours:.2g}: {share}"
    )


def describe_progress(job: TrainingJob) -> str:
    """Returns how far each network of the run that is gone on with has come."""
    return "; ".join(
        f"{member.folder.name}: {_describe_network(member)}"
        for member in members(job.previous or Run.nowhere(), job.config)
    )


def _describe_network(member: Run) -> str:
    done = len(_done_epochs(member))
    checkpoint = read_checkpoint(member, done)
    return f"{count(done, 'epoch')}" + (f" and {count(checkpoint[0].step, 'step')}" if checkpoint else "")


def hours_left(job: TrainingJob) -> float:
    """Returns the plan's hours for the epochs that are not done; a checkpoint within one counts as nothing."""
    done = sum(len(_done_epochs(member)) for member in members(job.previous, job.config)) if job.previous else 0
    return job.plan.hours_an_epoch * (job.plan.epochs * job.plan.folds - done)


def _done_epochs(member: Run) -> range:
    return range(max(member.saved_epochs(), default=0))


@stopping()
def run_training(job: TrainingJob) -> Outcome:
    """Returns the run after training it until its end or the end of the kernel's hours, from where it was.

    Raises Stop for whatever 'train' refuses, and where the disk fills up; what was saved by then is kept.
    """
    session, resume = job.session, job.previous is not None
    if job.previous is not None:
        bring_run(job.previous)
    run = name_run(job.name)
    deadline = KernelDeadline(_deadline(job), run)
    command = ["kernel", session.kernel, job.name]
    try:
        train(job.found, job.name, job.config, resume, command, session.console, deadline)
    except TimeIsUp as stop:
        session.console.say(f"stopped in good order, at {stop}: the hours of this kernel are over")
        return Outcome(run, is_whole=False)
    return Outcome(run, is_whole=True)


def _deadline(job: TrainingJob) -> float:
    # Of now, not of when the plan was made: timing it took a part of the hours.
    return time.monotonic() + 3600 * check_hours(job.session.clock, job.max_hours)


@stopping()
def show_course(run: Run, session: Session) -> Picture:
    """Returns the course of a run's networks over their epochs; an empty chart before the first epoch's end."""
    config = read_config(run)
    folders = members(run, config)
    histories = {member.folder.name: read_history(member) for member in folders}
    return draw_course(histories, session.mounts.is_synthetic)


def shrink_to_hours(config: Config, plan: TrainingPlan, hours: float) -> Config:
    """Returns the config with so many slices that its plan takes at most 0.8 of `hours`, and no more than it has.

    Raises HemorrhageError where fewer than two batches would be left.
    """
    if plan.hours <= _PLANNED_SHARE * hours:
        return config
    slices = plan.slices_an_epoch + plan.held_out_slices
    limit = int(slices * _PLANNED_SHARE * hours / plan.hours)
    if limit < 2 * config.batch:
        raise HemorrhageError(
            f"Expected {hours:g} hours to be enough for two batches, the plan for {slices} slices is {plan.hours:.2g} "
            "hours. Choose a smaller model or size, or raise MAX_HOURS."
        )
    return replace(config, limit=limit)


_PLANNED_SHARE = 0.8


@stopping()
def require_whole(outcome: Outcome) -> Outcome:
    """Returns the outcome; raises Stop where the hours were over before its last epoch."""
    if not outcome.is_whole:
        raise HemorrhageError(
            f"{outcome.run.folder}: expected all its epochs, the hours were over before. Lower limit or epochs in "
            "SETTINGS, or raise MAX_HOURS, and run again."
        )
    return outcome


@stopping()
def open_quickstart(
    session: Session, name: str, settings: Mapping[str, Any], preset: str = "default", max_hours: float = 0.3
) -> TrainingJob:
    """Returns a training as open_training does, of fewer patients where the plan says that `max_hours` are too few."""
    check_test(session.data, session.store)
    job = open_training(session, name, settings, preset, max_hours)
    config = shrink_to_hours(job.config, job.plan, job.max_hours)
    if config == job.config:
        return job
    session.console.say(f"that is too long: {config.limit} slices of whole patients are taken, so that it fits")
    return replace(job, config=config)


def next_steps(outcome: Outcome, kernel: str, following: Sequence[str]) -> list[str]:
    """Returns what to run after a training: `following` where it is whole, else this kernel again."""
    if outcome.is_whole:
        return list(following)
    return [
        f"attach this kernel's own output to it: add USER/hemorrhage-{kernel} to kernel_sources in "
        f"kernels/{kernel}/kernel-metadata.json",
        f"make push KERNEL={kernel} USER=<your Kaggle name>, parameters as they are: it goes on from there",
    ]
