"""An epoch in segments of a fixed number of steps, so that a run may stop in its middle and go on as if it had not.

Segments begin at multiples of config.checkpoint_steps whatever the clock says, and what a segment draws is a function
of (seed, epoch, first step). So weights do not depend on where a run was stopped.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from hemorrhage.data.batches import Batch, SliceBatches
from hemorrhage.errors import HemorrhageError
from hemorrhage.files import read_json, write_json
from hemorrhage.models.backbones import seed_layers
from hemorrhage.models.optimizers import KeepRawWeights, set_rate
from hemorrhage.models.weights import save_model
from hemorrhage.pipeline.config import Config
from hemorrhage.pipeline.console import Bar, Console
from hemorrhage.pipeline.runs import Run
from hemorrhage.pipeline.schedule import learning_rate_at


class TimeIsUp(Exception):  # noqa: N818 - it ends a run in good order and is no error
    """A run that stopped in good order because its time was over; its text says where."""


@dataclass(frozen=True)
class Deadline:
    """When a run has to stop, in the seconds of time.monotonic; None for never."""

    at: float | None = None

    @property
    def is_over(self) -> bool:
        return self.at is not None and time.monotonic() >= self.at


NEVER = Deadline()


@dataclass(frozen=True)
class Progress:
    """How far an epoch (from 0) has come: steps, the sum of losses over slices, seconds, and what was unreadable."""

    epoch: int
    step: int = 0
    slices: int = 0
    loss_sum: float = 0.0
    seconds: float = 0.0
    unreadable: tuple[tuple[str, str], ...] = ()

    @property
    def loss(self) -> float:
        return self.loss_sum / self.slices


class BatchRange(keras.utils.PyDataset):
    """The batches of an epoch from step `start` up to, not including, `stop`."""

    def __init__(self, batches: SliceBatches, start: int, stop: int) -> None:
        super().__init__(workers=batches.workers, use_multiprocessing=False, max_queue_size=batches.max_queue_size)
        self._batches = batches
        self._start = start
        self._stop = min(stop, len(batches))

    def __len__(self) -> int:
        return self._stop - self._start

    def __getitem__(self, index: int) -> Batch:
        return self._batches[self._start + index]


def fit_epoch(
    run: Run,
    config: Config,
    model: keras.Model,
    batches: SliceBatches,
    begun: Progress,
    deadline: Deadline,
    console: Console,
) -> Progress:
    """Trains `model` on the steps of an epoch that `begun` has not done, and returns the epoch's progress.

    A checkpoint is written at the first segment's end after every config.checkpoint_minutes. Raises TimeIsUp, after
    writing one, where the deadline passes before the epoch is done.
    """
    bar = console.bar(len(batches), f"epoch {begun.epoch + 1}/{config.epochs}")
    bar.update(begun.step)
    progress, saved = begun, time.monotonic()
    try:
        while progress.step < len(batches):
            seed_layers(model, config.seed, begun.epoch, progress.step)
            progress = _fit_segment(model, config, batches, progress, bar)
            is_due = time.monotonic() - saved >= 60 * config.checkpoint_minutes
            if progress.step < len(batches) and (is_due or deadline.is_over):
                write_checkpoint(run, model, progress)
                saved = time.monotonic()
                _stop_if_over(deadline, progress, len(batches))
    finally:
        bar.close()
    return progress


def read_checkpoint(run: Run, epoch: int) -> tuple[Progress, Path] | None:
    """Returns how far an epoch (from 0) came before a stop, and the model of that moment; None where there is none."""
    models = sorted(run.folder.glob(f"checkpoint/epoch-{epoch + 1:03d}-step-*.keras"))
    if not models:
        return None
    values: dict[str, Any] = read_json(models[-1].with_suffix(".json"))
    unreadable = tuple((image_id, error) for image_id, error in values.pop("unreadable"))
    return Progress(**values, unreadable=unreadable), models[-1]


def write_checkpoint(run: Run, model: keras.Model, progress: Progress) -> None:
    """Writes the model and the progress of this moment, and removes older checkpoints."""
    path = run.folder / "checkpoint" / f"epoch-{progress.epoch + 1:03d}-step-{progress.step:07d}.keras"
    write_json(path.with_suffix(".json"), asdict(progress))
    # The model comes last: a checkpoint counts when its model is there.
    save_model(model, path)
    drop_checkpoints(run, keep=path)


def drop_checkpoints(run: Run, keep: Path | None = None) -> None:
    """Removes the checkpoints of a run but `keep`, models before what describes them."""
    for suffix in (".keras", ".json"):
        for path in _checkpoint_files(run, suffix):
            if keep is None or path.stem != keep.stem:
                path.unlink()


def _checkpoint_files(run: Run, suffix: str) -> Iterator[Path]:
    yield from sorted(run.folder.glob(f"checkpoint/epoch-*{suffix}"))


def _stop_if_over(deadline: Deadline, progress: Progress, steps: int) -> None:
    if deadline.is_over:
        raise TimeIsUp(f"epoch {progress.epoch + 1}, step {progress.step} of {steps}")


class _BatchBar(keras.callbacks.Callback):
    """Moves a progress bar on, a batch at a time."""

    def __init__(self, bar: Bar) -> None:
        super().__init__()
        self._bar = bar

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self._bar.update(1)


class StepRates(keras.callbacks.Callback):
    """Sets the learning rate of every step: `rate_of` knows it by the step's place among those that are fitted."""

    def __init__(self, rate_of: Callable[[int], float]) -> None:
        super().__init__()
        self._rate_of = rate_of
        self._rate: float | None = None

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
        rate = self._rate_of(batch)
        if rate != self._rate:
            set_rate(self.model, rate)
        self._rate = rate


def _fit_segment(model: keras.Model, config: Config, batches: SliceBatches, progress: Progress, bar: Bar) -> Progress:
    started = time.monotonic()
    segment = BatchRange(batches, progress.step, progress.step + config.checkpoint_steps)
    begun, steps = progress.step, len(batches)
    rates = StepRates(lambda step: learning_rate_at(config, progress.epoch, begun + step, steps))
    loss = _fit(model, segment, batches, [_BatchBar(bar), rates, KeepRawWeights()])
    if not np.isfinite(loss):
        raise HemorrhageError(
            f"The loss of epoch {progress.epoch + 1} is {loss}. Lower --set learning_rate, or --set precision=float32."
        )
    step = progress.step + len(segment)
    slices = min(step * config.batch, batches.slice_count) - progress.slices
    return replace(
        progress,
        step=step,
        slices=progress.slices + slices,
        loss_sum=progress.loss_sum + loss * slices,
        seconds=progress.seconds + time.monotonic() - started,
        unreadable=tuple(sorted((dict(progress.unreadable) | batches.unreadable).items())),
    )


def _fit(
    model: keras.Model, segment: BatchRange, batches: SliceBatches, callbacks: list[keras.callbacks.Callback]
) -> float:
    with batches.unwrapping():
        history = model.fit(segment, epochs=1, verbose=0, shuffle=False, callbacks=callbacks)
    return float(history.history["loss"][-1])
