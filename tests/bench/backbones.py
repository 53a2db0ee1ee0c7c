"""`make bench-backbones`: parameters, FLOPs and images a second of every network, as the table of docs/score.md.

    python -m tests.bench.backbones                                   all networks at 256 px, four images a batch
    python -m tests.bench.backbones --models resnet50 effb0 --rounds 9
    python -m tests.bench.backbones --count-only --size 224           parameters and FLOPs alone, in a minute

Rates are of forward passes of random images with random weights; the networks take turns, round after round, and the
median of the rounds is printed with the lowest and the highest.
"""

import argparse
import math
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np

from hemorrhage.models.backbones import build_model
from hemorrhage.models.names import MODEL_NAMES
from hemorrhage.models.weights import PRETRAINED
from tests.bench.machine import count_cores, describe_gpu


@dataclass(frozen=True)
class Row:
    """One network of the table; `rates` are its images a second, round by round, none where it was not timed."""

    model: str
    parameters: int
    flops: int
    rates: tuple[float, ...]


def count_flops(model: keras.Model) -> int:
    """Returns the floating-point operations of one image through a flat model: two for each multiply-add.

    Convolutions and dense layers count: a kernel is used at every place of its layer's output. Biases, norms,
    activations, pooling and sums do not, as in most published figures; together they are a few per cent.
    """
    return sum(2 * _count_multiply_adds(layer) for layer in model.layers)


def _count_multiply_adds(layer: keras.layers.Layer) -> int:
    if not isinstance(layer, _COUNTED):
        return 0
    # A grouped or depthwise kernel's shape has the group's input channels alone, so that its size is right as it is.
    kernels = sum(math.prod(weight.shape) for weight in layer.weights if len(weight.shape) > 1)
    return math.prod(layer.output.shape[1:-1]) * kernels


_COUNTED = (
    keras.layers.Conv2D,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
    keras.layers.Dense,
)


def measure_rates(models: Sequence[keras.Model], images: np.ndarray, rounds: int, seconds: float) -> list[list[float]]:
    """Returns each model's images a second in each round; the first batches, which compile, are not timed."""
    for model in models:
        model.predict_on_batch(images)
    rates: list[list[float]] = [[] for _ in models]
    for _ in range(rounds):
        for model, found in zip(models, rates, strict=True):
            found.append(_time_forward(model, images, seconds))
    return rates


def _time_forward(model: keras.Model, images: np.ndarray, seconds: float) -> float:
    started = time.perf_counter()
    batches = 0
    while batches == 0 or time.perf_counter() - started < seconds:
        model.predict_on_batch(images)
        batches += 1
    return batches * len(images) / (time.perf_counter() - started)


def format_table(rows: Sequence[Row], size: int) -> str:
    """Returns the rows as a Markdown table."""
    lines = [
        f"| network | ImageNet weights | parameters, million | GFLOPs at {size} px | images/s (range) | score |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        weights = "yes" if row.model in PRETRAINED else "-"
        million, billion = row.parameters / 1e6, row.flops / 1e9
        lines.append(f"| {row.model} | {weights} | {million:.2f} | {billion:.2f} | {_format(row.rates)} | - |")
    return "\n".join(lines)


def _format(rates: Sequence[float]) -> str:
    if not rates:
        return "-"
    return f"{statistics.median(rates):.1f} ({min(rates):.1f} to {max(rates):.1f})"


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table."""
    options = _parse(arguments)
    images = np.random.default_rng(0).integers(0, 256, (options.batch, options.size, options.size, 3), dtype=np.uint8)
    models = []
    for name in options.models:
        models.append(build_model(name, options.size))
        print(f"built {name}", file=sys.stderr, flush=True)
    seconds = 0.0 if options.count_only else options.seconds
    rates: Sequence[Sequence[float]] = [[] for _ in models]
    if not options.count_only:
        rates = measure_rates(models, images.astype(np.float32), options.rounds, seconds)
    rows = [
        Row(model.name, model.count_params(), count_flops(model), tuple(found))
        for model, found in zip(models, rates, strict=True)
    ]
    print(format_table(rows, options.size))
    print(
        f"\n{describe_gpu()}, {count_cores()} cores, {keras.backend.backend()}, Keras {keras.__version__}, "
        f"{keras.config.floatx()}, {options.batch} images a batch, median of {options.rounds} rounds"
    )
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.backbones", description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", choices=MODEL_NAMES, default=list(MODEL_NAMES))
    parser.add_argument("--size", type=int, default=256, metavar="PX")
    parser.add_argument("--batch", type=int, default=4, metavar="B")
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    parser.add_argument("--seconds", type=float, default=2.0, help="at least so long a network in each round")
    parser.add_argument("--count-only", action="store_true", help="parameters and FLOPs, no rates")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
