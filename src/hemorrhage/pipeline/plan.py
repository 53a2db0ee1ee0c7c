"""The verb train --plan: a few real steps are timed, and the hours, memory and disk of the whole run are worked out."""

import resource
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import keras
import numpy as np

from hemorrhage.data.batches import SliceBatches
from hemorrhage.data.folds import split_folds
from hemorrhage.data.sampling import draw_epoch
from hemorrhage.models.devices import set_precision
from hemorrhage.pipeline.config import ALL_FOLDS, Config
from hemorrhage.pipeline.console import Console, count
from hemorrhage.pipeline.fitting import FoldData, build_batches, prepare_epoch, resize_model, start_model
from hemorrhage.pipeline.inputs import Input, build_images
from hemorrhage.pipeline.runs import Run
from hemorrhage.pipeline.segments import BatchRange
from hemorrhage.pipeline.slices import limit_patients
from hemorrhage.pipeline.train import KEPT_COLUMNS, build_fold

TIMED_STEPS = 8


@dataclass(frozen=True)
class Timing:
    """What was timed on this machine with images of one size, in images a second, and how many epochs see that size.

    `stepped` is the network alone, `read` the feed alone, `fed` the network fed by it, `predicted` prediction alone.
    """

    size: int
    epochs: int
    stepped: float
    read: float
    fed: float
    predicted: float

    def seconds(self, trained: int, predicted: int) -> float:
        """Returns how long it takes to train on so many slices and predict so many, no quicker than read."""
        return trained / self.fed + predicted / min(self.predicted, self.read)

    @property
    def bottleneck(self) -> str:
        return "the feed" if self.read < self.stepped else "the network"


@dataclass(frozen=True)
class TrainingPlan:
    """What was timed at each size, in the order of the epochs, and what follows for the run.

    `weighed_slices` are predicted after each epoch but the last, for draw=hard; 0 for other draws.
    """

    timings: tuple[Timing, ...]
    slices_an_epoch: int
    held_out_slices: int
    weighed_slices: int
    folds: int
    model_bytes: int
    models_kept: int
    peak_bytes: int

    @property
    def epochs(self) -> int:
        return sum(timing.epochs for timing in self.timings)

    @property
    def hours_an_epoch(self) -> float:
        """The mean over the epochs."""
        return self.hours / (self.epochs * self.folds)

    @property
    def hours(self) -> float:
        predicted = self.held_out_slices + self.weighed_slices
        seconds = sum(timing.epochs * timing.seconds(self.slices_an_epoch, predicted) for timing in self.timings)
        return (seconds - self.timings[-1].seconds(0, self.weighed_slices)) * self.folds / 3600

    @property
    def bottleneck(self) -> str:
        """What is slower at the last size."""
        return self.timings[-1].bottleneck

    @property
    def disk_bytes(self) -> int:
        """Models kept of every fold, one being written and a checkpoint, each with the optimizer's two moments."""
        return 3 * self.model_bytes * (self.models_kept * self.folds + 2)


def plan_training(found: Input, config: Config, console: Console) -> TrainingPlan:
    """Returns the plan of a run, after timing TIMED_STEPS steps of each size on fold 0 (or on the fold asked for).

    Nothing is written. Raises HemorrhageError as train does for data or weights that are unfit.
    """
    slices = found.read_training(config.max_missing, console).table.sort_values("image_id", ignore_index=True)
    table = limit_patients(slices, config.limit, config.folds, config.fold_seed)
    source = build_images(found.build_source(table, config.size, config.crop), table, config)
    folds = split_folds(table, config.folds, config.fold_seed)
    fold = 0 if config.fold == ALL_FOLDS else int(config.fold)
    data = build_fold(source, table[KEPT_COLUMNS], folds, fold, config)
    timings, parameters = _time_sizes(config, data, console)
    drawn = len(draw_epoch(data.train, data.draw, config.seed, config.freeze_epochs))
    return TrainingPlan(
        timings=timings,
        slices_an_epoch=drawn if config.steps is None else min(drawn, config.steps * config.batch),
        held_out_slices=len(data.held_out),
        weighed_slices=len(data.train) if config.draw == "hard" else 0,
        folds=config.folds if config.fold == ALL_FOLDS else 1,
        model_bytes=4 * parameters,
        models_kept=len(config.averaged),
        peak_bytes=_peak_memory(),
    )


def describe_plan(plan: TrainingPlan) -> str:
    """Returns the plan as text for a terminal."""
    weighed = f", {plan.weighed_slices} predicted after each epoch but the last" if plan.weighed_slices else ""
    return "\n".join(
        [
            *(_describe_timing(timing) for timing in plan.timings),
            f"bottleneck: {plan.bottleneck}",
            f"hours: {plan.hours_an_epoch:.2g} an epoch of {plan.slices_an_epoch} slices and {plan.held_out_slices} "
            f"held out{weighed}; {plan.hours:.2g} for {count(plan.epochs, 'epoch')} of {count(plan.folds, 'fold')}",
            f"memory: {plan.peak_bytes / 1e9:.1f} GB at its highest so far; disk: some {plan.disk_bytes / 1e9:.2f} GB",
            "(estimated from the steps timed just now, on this machine as busy as it is)",
        ]
    )


def _describe_timing(timing: Timing) -> str:
    return (
        f"images a second at {timing.size} px ({count(timing.epochs, 'epoch')}): network alone {timing.stepped:.0f}, "
        f"feed alone {timing.read:.0f}, network fed {timing.fed:.0f}, validation {timing.predicted:.0f}"
    )


def _time_sizes(config: Config, data: FoldData, console: Console) -> tuple[tuple[Timing, ...], int]:
    """Returns what was timed at each size that the epochs see, in their order, and how many weights the network has."""
    set_precision(config.precision)
    model = start_model(Run.nowhere(), config, 0)
    # The whole network learns from here on; earlier, frozen epochs are quicker.
    prepare_epoch(model, config, config.freeze_epochs)
    sizes = [config.size_at(epoch) for epoch in range(config.epochs)]
    timings = []
    for size, epochs in Counter(sizes).items():
        console.say(f"timing {TIMED_STEPS} steps of {config.batch} slices at {size} px")
        model = resize_model(model, config, sizes.index(size))
        batches = build_batches(config, data, sizes.index(size))
        stepped, fed, predicted = _time_network(model, batches, config)
        timings.append(Timing(size, epochs, stepped, _time_feed(batches, config), fed, predicted))
    return tuple(timings), sum(int(np.prod(array.shape)) for array in model.weights)


def _time_network(model: keras.Model, batches: SliceBatches, config: Config) -> tuple[float, float, float]:
    """Returns images a second of training on one batch in memory, of training on the feed, and of prediction."""
    images, labels = batches[0][:2]
    steps = min(TIMED_STEPS, len(batches))
    repeated = np.concatenate([images] * steps), np.concatenate([labels] * steps)
    feed = BatchRange(batches, 0, steps)

    def step() -> None:
        model.fit(*repeated, batch_size=config.batch, epochs=1, verbose=0, shuffle=False)

    def step_fed() -> None:
        with batches.unwrapping():
            model.fit(feed, epochs=1, verbose=0, shuffle=False)

    def predict() -> None:
        model.predict(repeated[0], batch_size=config.batch, verbose=0)

    shown = min(steps * config.batch, batches.slice_count)
    return _rate(step, len(repeated[0])), _rate(step_fed, shown), _rate(predict, len(repeated[0]))


def _time_feed(batches: SliceBatches, config: Config) -> float:
    steps = min(TIMED_STEPS, len(batches))
    with ThreadPoolExecutor(config.workers) as pool:
        return _rate(
            lambda: list(pool.map(batches.__getitem__, range(steps))), min(steps * config.batch, batches.slice_count)
        )


def _rate(work: Callable[[], object], images: int) -> float:
    """Returns images a second of the second time `work` is done; the first compiles and fills caches."""
    work()
    started = time.monotonic()
    work()
    return images / (time.monotonic() - started)


def _peak_memory() -> int:
    # Linux counts in KB, macOS in bytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
