"""The verb lr-find: a learning-rate range test, whose plot and table are kept and whose network is not.

The rate rises from step to step while the network learns, until the loss diverges (L. N. Smith, 2017).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from hemorrhage.data.batches import SliceBatches
from hemorrhage.data.folds import split_folds
from hemorrhage.errors import HemorrhageError
from hemorrhage.files import replacing
from hemorrhage.models.backbones import seed_layers
from hemorrhage.models.devices import distribution_scope, set_precision
from hemorrhage.models.optimizers import set_rate
from hemorrhage.pipeline.config import ALL_FOLDS, Config
from hemorrhage.pipeline.console import Bar, Console
from hemorrhage.pipeline.fitting import FoldData, build_batches, prepare_epoch, start_model
from hemorrhage.pipeline.inputs import Input, build_images
from hemorrhage.pipeline.runs import Run
from hemorrhage.pipeline.segments import BatchRange
from hemorrhage.pipeline.slices import limit_patients
from hemorrhage.pipeline.train import KEPT_COLUMNS, build_fold

EPOCHS = 2
SMALLEST_STEPS = 10
# The smoothed loss remembers a twentieth of the steps, at most twenty: a longer memory would put the lowest too far
# right. The test is over where it is four times its lowest, and above where it began.
_REMEMBERED, _MOST_REMEMBERED = 1 / 20, 20
_DIVERGED = 4.0
_SUGGESTED_SHARE = 0.1


@dataclass(frozen=True)
class RangeTest:
    """The learning rate of each step, its loss, and the losses smoothed; all of one length, up to where it ended."""

    rates: np.ndarray
    losses: np.ndarray
    smoothed: np.ndarray
    diverged: bool

    @property
    def lowest(self) -> int:
        """The step with the lowest smoothed loss."""
        return int(np.argmin(self.smoothed))

    @property
    def suggestion(self) -> float:
        """A tenth of the rate at which the loss was lowest: there it still falls fast, and is far from diverging."""
        return float(_SUGGESTED_SHARE * self.rates[self.lowest])

    @property
    def warning(self) -> str | None:
        """Why the suggestion is not to be trusted; None where nothing speaks against it."""
        if self.lowest == 0:
            return f"The loss never fell below that of the first step; try a --low under {self.rates[0]:g}."
        if not self.diverged and self.lowest >= len(self.rates) - 2:
            return f"The loss was still falling at the end; try a --high over {self.rates[-1]:g}, or more data."
        return None


def find_rate(found: Input, config: Config, low: float, high: float, console: Console) -> RangeTest:
    """Returns the range test of a config's network, freed as a whole, on the training slices of its fold.

    It lasts EPOCHS epochs of at most config.steps steps, or until the loss diverges. Nothing is written. Raises
    HemorrhageError for rates that are no range, for fewer than SMALLEST_STEPS steps, and as train does for data or
    weights that are unfit.
    """
    require_range(low, high)
    config = replace(config, sizes=())  # one size, the run's last and largest
    data = _open_fold(found, config, console)
    set_precision(config.precision)
    with distribution_scope(config.batch, config.accumulate):
        model = start_model(Run.nowhere(), config, 0)
        prepare_epoch(model, config, config.freeze_epochs)
    epochs = [build_batches(config, data, config.freeze_epochs + epoch) for epoch in range(EPOCHS)]
    total = sum(len(batches) for batches in epochs)
    if total < SMALLEST_STEPS:
        raise HemorrhageError(
            f"Expected at least {SMALLEST_STEPS} steps in {EPOCHS} epochs, received {total}. Give a smaller --batch, "
            "more --steps or more data."
        )
    bar = console.bar(total, "steps of the range test")
    course = _Course(np.geomspace(low, high, total), bar)
    try:
        _fit(model, config, epochs, course)
    finally:
        bar.close()
    return course.result()


def require_range(low: float, high: float) -> None:
    """Raises HemorrhageError unless the rates are a range."""
    if not 0 < low < high <= 1000:
        raise HemorrhageError(f"Expected learning rates 0 < --low < --high <= 1000, received {low:g} and {high:g}.")


def smooth(losses: Sequence[float], steps: int) -> np.ndarray:
    """Returns the exponential moving average of losses, float64, as if the steps before the first had not been.

    Its memory follows from how many `steps` the whole test has.
    """
    kept = 1 - 1 / min(max(_REMEMBERED * steps, 1), _MOST_REMEMBERED)
    mean, smoothed = 0.0, []
    for count, loss in enumerate(losses, start=1):
        mean = kept * mean + (1 - kept) * loss
        smoothed.append(mean / (1 - kept**count))
    return np.array(smoothed)


def write_range_test(test: RangeTest, folder: Path) -> list[Path]:
    """Returns the two files written: lr-find.csv, a step a row, and lr-find.png."""
    table, picture = folder / "lr-find.csv", folder / "lr-find.png"
    rows = pd.DataFrame({"learning_rate": test.rates, "loss": test.losses, "smoothed": test.smoothed})
    with replacing(table) as temporary:
        rows.to_csv(temporary, index_label="step")
    with replacing(picture) as temporary:
        draw_range_test(test).savefig(temporary)
    return [table, picture]


def draw_range_test(test: RangeTest) -> Figure:
    """Returns the losses over the learning rate, with the lowest and the suggestion marked."""
    figure = Figure(figsize=(7, 4.5), dpi=120, layout="constrained")
    axes = figure.add_subplot(xscale="log", xlabel="learning rate", ylabel="loss of a batch")
    axes.plot(test.rates, test.losses, color="0.75", linewidth=0.8, label="loss")
    axes.plot(test.rates, test.smoothed, color="C0", label="smoothed")
    axes.axvline(test.rates[test.lowest], color="C3", linestyle=":", label=f"lowest at {test.rates[test.lowest]:.2g}")
    axes.axvline(test.suggestion, color="C2", linestyle="--", label=f"suggestion {test.suggestion:.2g}")
    first, lowest = test.smoothed[0], test.smoothed[test.lowest]
    # What diverges would press the rest of the curve flat.
    axes.set_ylim(min(lowest, float(np.nanmin(test.losses))) * 0.9, max(1.5 * first, 2 * lowest))
    axes.legend()
    return figure


def format_range_test(test: RangeTest) -> str:
    """Returns two lines for a terminal: what was seen, and the suggestion."""
    end = f"diverged at {test.rates[-1]:.2g}" if test.diverged else f"did not diverge up to {test.rates[-1]:.2g}"
    return (
        f"{len(test.rates)} steps from {test.rates[0]:.2g}: loss {test.smoothed[0]:.4f} at first, lowest "
        f"{test.smoothed[test.lowest]:.4f} at {test.rates[test.lowest]:.2g}; {end}\n"
        f"suggestion: --set learning_rate={test.suggestion:.1e}"
    )


def _open_fold(found: Input, config: Config, console: Console) -> FoldData:
    slices = found.read_training(config.max_missing, console).table.sort_values("image_id", ignore_index=True)
    table = limit_patients(slices, config.limit, config.folds, config.fold_seed)
    source = build_images(found.build_source(table, config.size, config.crop), table, config)
    folds = split_folds(table, config.folds, config.fold_seed)
    return build_fold(source, table[KEPT_COLUMNS], folds, 0 if config.fold == ALL_FOLDS else int(config.fold), config)


def _fit(model: keras.Model, config: Config, epochs: Sequence[SliceBatches], course: "_Course") -> None:
    for epoch, batches in enumerate(epochs):
        seed_layers(model, config.seed, epoch, 0)
        with batches.unwrapping():
            feed = BatchRange(batches, 0, len(batches))
            model.fit(feed, epochs=1, verbose=0, shuffle=False, callbacks=[course])
        if course.is_over:
            return


class _Course(keras.callbacks.Callback):
    """Sets each step's rate, notes its loss, and stops the fit where the loss diverges."""

    def __init__(self, rates: np.ndarray, bar: Bar) -> None:
        super().__init__()
        self._rates = rates
        self._bar = bar
        self._losses: list[float] = []
        self.is_over = False

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
        set_rate(self.model, float(self._rates[len(self._losses)]))
        # Keras reports the mean loss since the last reset; so it is that of the step alone.
        self.model.reset_metrics()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self._bar.update(1)
        loss = float((logs or {})["loss"])
        if not np.isfinite(loss):
            self._stop()
            return
        self._losses.append(loss)
        smoothed = smooth(self._losses, len(self._rates))
        if smoothed[-1] > max(_DIVERGED * smoothed.min(), smoothed[0]):
            self._stop()

    def result(self) -> RangeTest:
        """Returns what was noted; raises HemorrhageError where not one loss was a number."""
        if not self._losses:
            raise HemorrhageError("The loss of the first step is no number. Give a lower --low.")
        rates, losses = self._rates[: len(self._losses)], np.array(self._losses)
        return RangeTest(rates, losses, smooth(self._losses, len(self._rates)), self.is_over)

    def _stop(self) -> None:
        self.is_over = True
        self.model.stop_training = True
