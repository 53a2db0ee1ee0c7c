"""`make bench-gpu`: images a second of training steps on a GPU, alone and fed from a slice store, over batch sizes.

    python -m tests.bench.gpu                                the table and bench-gpu.json
    KERAS_BACKEND=jax python -m tests.bench.gpu --models resnet50 --batches 64 128
    python -m tests.bench.gpu --allow-cpu --models compact --size 128 --batches 4 8   whether the script works at all

Networks, losses, optimizers and batches are those of `hemorrhage train`, with random weights, every layer learning and
the recipe `original`. Data are phantoms, or the real slices where HEMORRHAGE_REAL_DATA names their folder; either way
the store is small enough to come from memory. Three rates are taken in turn, round after round; medians are printed:

    step alone   one batch, held in memory and given to the network over and over; it is moved to the GPU every time
    feed alone   batches read and augmented on threads, the network idle
    step fed     the network trained on them
"""

import argparse
import math
import shlex
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from hemorrhage.data.augment import Augmentation, find_recipe
from hemorrhage.data.batches import SliceBatches
from hemorrhage.data.source import WindowedSource
from hemorrhage.data.store import StoreSource
from hemorrhage.files import write_json
from hemorrhage.models.devices import count_gpus, distribution_scope, set_precision
from hemorrhage.models.names import MODEL_NAMES, PRECISIONS
from hemorrhage.pipeline.config import Config, resolve_config
from hemorrhage.pipeline.fitting import prepare_epoch, start_model
from hemorrhage.pipeline.runs import Run
from tests.bench.feed import Effort, draw_ids, find_or_make_data, no_labels, prepare_store, readable_ids
from tests.bench.machine import count_cores, describe_machine

REPORT = Path("bench-gpu.json")
TARGET = 0.10
"""The share of the step's rate that the feed may cost."""

SKIPPED_STEPS = 4
"""Steps at the start of every fit that are not timed: reading begins, and nothing is ready yet."""


@dataclass(frozen=True)
class Sweep:
    """What is measured; `seconds` is about how long each of a round's fits takes."""

    models: tuple[str, ...]
    size: int
    batches: tuple[int, ...]
    precision: str
    jit: str
    workers: int
    rounds: int
    seconds: float
    patients: int


@dataclass(frozen=True)
class Rates:
    """Images a second of the step alone, of the feed alone, and of the step fed."""

    alone: float
    feed: float
    fed: float

    @property
    def cost(self) -> float:
        return 1 - self.fed / self.alone

    @property
    def reaches_target(self) -> bool:
        """Whether both the step fed and the feed alone come near enough to the step: a full queue hides a slow feed
        for as long as it lasts.
        """
        return max(self.cost, 1 - self.feed / self.alone) < TARGET


@dataclass(frozen=True)
class Row:
    """One row of the table; no rates where the batch does not fit in the GPU's memory."""

    model: str
    batch: int
    jit_compile: bool
    rates: Rates | None


class HeldBatch(keras.utils.PyDataset):
    """One batch of images and labels, `steps` times over."""

    def __init__(self, batch: tuple[np.ndarray, np.ndarray], steps: int) -> None:
        super().__init__()
        self._batch = batch
        self._steps = steps

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        return self._batch


class StepClock(keras.callbacks.Callback):
    """Keeps the moment at which each step ended.

    Keras waits for a step's loss before it calls this, as it does for the progress bar of `hemorrhage train`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.ends: list[float] = []

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self.ends.append(time.perf_counter())


class Feed:
    """The readable slices of a new store, as training batches in random order."""

    def __init__(self, folder: Path, sweep: Sweep) -> None:
        data_set = find_or_make_data(folder, Effort(patients=sweep.patients, size=sweep.size))
        store = prepare_store(data_set, folder / "store", sweep.size)
        self._source = StoreSource(store)
        self._image_ids = readable_ids(store)
        self._rng = np.random.default_rng(0)

    def __len__(self) -> int:
        return len(self._image_ids)

    def draw_batches(self, config: Config, steps: int, epoch: int) -> SliceBatches:
        """Returns so many whole batches, no slice twice before all came once."""
        drawn = draw_ids(self._rng, self._image_ids, steps * config.batch)
        return SliceBatches(
            WindowedSource(self._source, config.window_set),
            np.array(drawn),
            no_labels(drawn),
            config.batch,
            Augmentation(find_recipe(config.augment), config.size, config.seed),
            epoch,
            config.workers,
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 after the table is printed, 2 after a line that says that there is no GPU."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    options: dict[str, Any] = vars(build_parser().parse_args(given))
    if not options.pop("allow_cpu") and not count_gpus():
        print(f"bench-gpu: {keras.backend.backend()} finds no GPU; --allow-cpu tries the script without one.")
        return 2
    sweep = Sweep(**options | {name: tuple(options[name]) for name in ("models", "batches")})
    with tempfile.TemporaryDirectory(prefix="hemorrhage-bench-") as folder, warnings.catch_warnings():
        # pydicom warns of each of Kaggle's ids, since they are not valid UIDs.
        warnings.filterwarnings("ignore", module="pydicom")
        run_bench(Path(folder), sweep, ["python", "-m", "tests.bench.gpu", *given])
    return 0


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of the command line: the fields of Sweep, and allow_cpu."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.gpu")
    parser.add_argument("--models", nargs="+", choices=MODEL_NAMES, default=["resnet50", "effb4"])
    parser.add_argument("--size", type=int, choices=range(128, 513), default=256, metavar="PX", help="128 to 512")
    parser.add_argument("--batches", nargs="+", type=int, default=[16, 32, 64, 128, 256])
    parser.add_argument("--precision", choices=PRECISIONS, default="mixed_float16")
    parser.add_argument("--jit", choices=("auto", "on", "off"), default="auto", help="auto: as Keras and train have it")
    parser.add_argument("--workers", type=int, default=min(8, count_cores()), help="threads that read")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each of a round's fits, at least")
    parser.add_argument("--patients", type=int, choices=range(2, 1001), default=8, metavar="N", help="of phantoms")
    parser.add_argument("--allow-cpu", action="store_true", help="go on where there is no GPU")
    return parser


def run_bench(folder: Path, sweep: Sweep, command: Sequence[str]) -> list[Row]:
    """Returns the rows after printing them and writing bench-gpu.json, both as they come."""
    facts = describe_machine(command)
    feed = Feed(folder, sweep)
    print_head(facts, sweep, len(feed))
    rows: list[Row] = []
    for model in sweep.models:
        for batch in sweep.batches:
            rows.append(measure_row(feed, build_config(model, batch, sweep), sweep))
            print(describe_row(rows[-1]), flush=True)
            write_report(facts, sweep, rows)
    print("\n" + "\n".join(describe_best(rows, model) for model in sweep.models))
    return rows


def build_config(model: str, batch: int, sweep: Sweep) -> Config:
    """Returns the config of a run that would train this row's network on this row's batches."""
    chosen = {"model": model, "batch": batch, "size": sweep.size, "precision": sweep.precision}
    return resolve_config(flags=chosen | {"workers": sweep.workers, "weights": "none", "augment": "original"})


def measure_row(feed: Feed, config: Config, sweep: Sweep) -> Row:
    """Returns the row of one model and batch size, and lets go of what the network held on the GPU."""
    with distribution_scope(config.batch):
        model = build_compiled(config, sweep.jit)
        try:
            rates = measure_rates(model, feed, config, sweep)
        except memory_errors() as error:
            if not is_out_of_memory(error):
                raise
            rates = None
    row = Row(config.model, config.batch, bool(model.jit_compile), rates)
    del model
    keras.utils.clear_session(free_memory=True)
    return row


def build_compiled(config: Config, jit: str) -> keras.Model:
    """Returns the network as train has it once all its layers learn; `jit` other than auto overrides Keras' choice."""
    set_precision(config.precision)
    model = start_model(Run.nowhere(), config, 0)
    # Compiles without naming jit_compile, which leaves it to Keras: on with TensorFlow on a GPU and with JAX.
    prepare_epoch(model, config, config.freeze_epochs)
    if jit != "auto":
        model.jit_compile = jit == "on"
    return model


def measure_rates(model: keras.Model, feed: Feed, config: Config, sweep: Sweep) -> Rates:
    """Returns the medians of the rounds; a fit before them compiles, and another tells how many steps they need."""
    held = feed.draw_batches(config, 1, 0)[0]
    time_steps(model, HeldBatch(held, SKIPPED_STEPS + 1), config.batch)
    guess = time_steps(model, HeldBatch(held, 2 * SKIPPED_STEPS), config.batch)
    # At least as many as the queue holds batches, which threads fill while the first are trained on.
    steps = SKIPPED_STEPS + max(math.ceil(sweep.seconds * guess / config.batch), 2 * config.workers + 2)
    rounds = []
    for epoch in range(sweep.rounds):
        batches = feed.draw_batches(config, steps, epoch)
        alone = time_steps(model, HeldBatch(held, steps), config.batch)
        rounds.append((alone, time_feed(batches, config), time_steps(model, batches, config.batch)))
    return Rates(*(statistics.median(column) for column in zip(*rounds, strict=True)))


def time_steps(model: keras.Model, batches: keras.utils.PyDataset, batch: int) -> float:
    """Returns images a second of training on whole batches of `batch` images, after SKIPPED_STEPS of them."""
    clock = StepClock()
    model.fit(batches, epochs=1, verbose=0, shuffle=False, callbacks=[clock])
    timed = clock.ends[SKIPPED_STEPS - 1 :]
    return (len(timed) - 1) * batch / (timed[-1] - timed[0])


def time_feed(batches: SliceBatches, config: Config) -> float:
    """Returns images a second of reading the batches on config.workers threads."""
    start = time.perf_counter()
    with ThreadPoolExecutor(config.workers) as pool:
        images = sum(len(labels) for _, labels in pool.map(batches.__getitem__, range(len(batches))))
    return images / (time.perf_counter() - start)


def memory_errors() -> tuple[type[Exception], ...]:
    """Returns the types by which the backend in use says, among other things or alone, that memory is exhausted."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow

        return (tensorflow.errors.ResourceExhaustedError,)
    if backend == "jax":
        import jax

        return (jax.errors.JaxRuntimeError,)
    if backend == "torch":
        import torch

        return (torch.OutOfMemoryError,)
    return ()


def is_out_of_memory(error: Exception) -> bool:
    """Returns whether one of memory_errors is about memory: JAX has one type for everything, and a code in its text."""
    return keras.backend.backend() != "jax" or "RESOURCE_EXHAUSTED" in str(error)


def print_head(facts: dict[str, Any], sweep: Sweep, slices: int) -> None:
    """Prints machine, versions and command, and the head of the table."""
    versions = ", ".join(f"{name} {version}" for name, version in facts["packages"].items())
    backend = f"KERAS_BACKEND={facts['backend']}"
    print(f"\nMachine: {facts['gpu']}; {facts['cpu_cores']} CPU cores; {facts['platform']}.")
    print(f"Versions: Python {facts['python']}, {versions}; commit {facts['commit']}.")
    print(f"Command: `{backend} {shlex.join(facts['command'])}`\n")
    print(f"{sweep.size} px, {sweep.precision}, {sweep.workers} threads, {slices} distinct slices; images a second,")
    print(f"medians of {sweep.rounds} rounds:\n")
    print("| model | batch | jit_compile | step alone | feed alone | step fed | cost of the feed |")
    print("|---|---|---|---|---|---|---|", flush=True)


def describe_row(row: Row) -> str:
    """Returns the row as one of a Markdown table."""
    jit = "on" if row.jit_compile else "off"
    if row.rates is None:
        return f"| {row.model} | {row.batch} | {jit} | out of memory | - | - | - |"
    rates = row.rates
    rounded = f"{rates.alone:.1f} | {rates.feed:.1f} | {rates.fed:.1f} | {100 * rates.cost:.1f} %"
    return f"| {row.model} | {row.batch} | {jit} | {rounded} |"


def describe_best(rows: Sequence[Row], model: str) -> str:
    """Returns a line on the batch size at which the model's step alone is fastest, and on the target there."""
    fitting = [(row.rates.alone, row.batch, row.rates) for row in rows if row.model == model and row.rates is not None]
    if not fitting:
        return f"- {model}: no batch fits in memory"
    _, batch, rates = max(fitting, key=lambda one: one[:2])
    verdict = "reached" if rates.reaches_target else "NOT reached"
    return f"- {model}, best at batch {batch}: the feed costs {rates.cost:.1%}; target under {TARGET:.0%}: {verdict}"


def write_report(facts: dict[str, Any], sweep: Sweep, rows: Sequence[Row]) -> None:
    """Writes bench-gpu.json: what describe_machine returns, the sweep, and every row so far with its cost."""
    described = [asdict(row) | {"cost": row.rates.cost if row.rates else None} for row in rows]
    write_json(REPORT, facts | {"sweep": asdict(sweep), "rows": described})


if __name__ == "__main__":
    raise SystemExit(main())
