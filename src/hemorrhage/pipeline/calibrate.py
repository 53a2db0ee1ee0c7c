"""The verb calibrate: a run's out-of-fold predictions in, calibration.json and a reliability plot out.

Every figure that it prints of a map is of patients that the map was not fitted on; what is written is fitted on all.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hemorrhage.data.bootstrap import bootstrap_intervals
from hemorrhage.data.calibration import (
    BINS,
    KINDS,
    Calibration,
    Trial,
    finish_calibration,
    measure_calibration_errors,
    measure_reliability,
    try_kinds,
)
from hemorrhage.data.labels import LABELS, weight_vector
from hemorrhage.data.metrics import label_log_losses, slice_log_losses, weighted_log_loss
from hemorrhage.errors import HemorrhageError
from hemorrhage.files import replacing
from hemorrhage.pipeline.calibration_file import write_calibration
from hemorrhage.pipeline.console import Console
from hemorrhage.pipeline.out_of_fold import OutOfFold, read_out_of_fold, split_patients
from hemorrhage.pipeline.runs import find_run, require_own

AUTO = "auto"

_LOWEST_SHOWN = 1e-4


def calibrate(name: str, kind: str, console: Console) -> list[Path]:
    """Returns what was written of run `name`: calibration.json and reliability.png.

    `kind` is one of calibration.KINDS, or AUTO: the one with the lowest weighted log loss on patients held out, where
    the 95 % interval of its gain over `none` is above 0, else `none`. Raises HemorrhageError where the run has no
    out-of-fold predictions, no labels, or those of one patient alone.
    """
    if kind not in (AUTO, *KINDS):
        raise HemorrhageError(f"Expected --kind {AUTO}, {', '.join(KINDS)}; received {kind}.")
    run = require_own(find_run(name))
    found = read_out_of_fold(run)
    folds = split_patients(found, run)
    wanted = KINDS if kind == AUTO else tuple(dict.fromkeys(["none", kind]))
    trials = try_kinds(found.truth, found.probability, folds, wanted)
    gains = {trial.kind: measure_gain(found, trials[0], trial) for trial in trials[1:]}
    chosen = choose_trial(trials, gains) if kind == AUTO else trials[-1]
    calibration = finish_calibration(found.truth, found.probability, chosen)
    _say(found, trials, gains, chosen, calibration, console)
    judged = {trial.kind: trial.weighted_log_loss for trial in trials}
    write_calibration(run, calibration, found, judged)
    write_reliability(run.reliability_path, found, chosen)
    return [run.calibration_path, run.reliability_path]


def measure_gain(found: OutOfFold, before: Trial, after: Trial) -> tuple[float, float]:
    """Returns the 95 % interval by patient of how much lower the weighted log loss is after than before."""
    loss_before, loss_after = (
        slice_log_losses(found.truth, trial.clipped) @ weight_vector() for trial in (before, after)
    )
    gain = loss_before - loss_after
    low, high = bootstrap_intervals(found.patients, lambda weights: np.array([weights @ gain / weights.sum()]))[0]
    return float(low), float(high)


def choose_trial(trials: Sequence[Trial], gains: Mapping[str, tuple[float, float]]) -> Trial:
    """Returns the best of the trials whose gain is above 0 at both ends; the first, which is `none`, without any."""
    sure = [trial for trial in trials[1:] if gains[trial.kind][0] > 0]
    return min(sure, key=lambda trial: trial.weighted_log_loss, default=trials[0])


def write_reliability(path: Path, found: OutOfFold, chosen: Trial) -> None:
    """Writes a picture with the reliability curve of each label, before and after, both axes logarithmic."""
    figure = Figure(figsize=(11, 7.5), layout="constrained")
    figure.suptitle("Reliability on out-of-fold slices; after: by maps of other patients. Not for clinical use.")
    all_axes = figure.subplots(2, 3, sharex=True, sharey=True).flat
    for column, (label, axes) in enumerate(zip(LABELS, all_axes, strict=True)):
        axes.plot([_LOWEST_SHOWN, 1], [_LOWEST_SHOWN, 1], color="0.6", linewidth=1)
        _draw_curve(axes, found.truth[:, column], found.probability[:, column], "before", "o")
        _draw_curve(axes, found.truth[:, column], chosen.clipped[:, column], f"after ({chosen.kind})", "s")
        axes.set(title=label, xscale="log", yscale="log")
        axes.set(xlim=(_LOWEST_SHOWN / 2, 1.2), ylim=(_LOWEST_SHOWN / 2, 1.2))
        axes.legend(loc="upper left", fontsize="small", frameon=False)
    figure.supxlabel(f"mean probability of a bin ({BINS} bins of equally many slices; lower end 1e-4)")
    figure.supylabel("share of positive slices (none: at the lower end)")
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=110)


def _draw_curve(axes: Axes, truth: np.ndarray, probability: np.ndarray, name: str, marker: str) -> None:
    curve = measure_reliability(truth, probability)
    said, true = np.maximum(curve.said, _LOWEST_SHOWN), np.maximum(curve.true, _LOWEST_SHOWN)
    axes.plot(said, true, marker=marker, markersize=4, linewidth=1, label=f"{name}, error {curve.error:.4f}")


def _say(
    found: OutOfFold,
    trials: Sequence[Trial],
    gains: Mapping[str, tuple[float, float]],
    chosen: Trial,
    calibration: Calibration,
    console: Console,
) -> None:
    console.say(
        f"{len(found.truth)} out-of-fold slices of {len(np.unique(found.patients))} patients; each map is judged by "
        "patients\nthat it was not fitted on, with a clip that others chose"
    )
    console.say(f"\n{'kind':16}{'weighted log loss':>20}{'lower than none by (95 % interval)':>40}")
    console.say(f"{'(as predicted)':16}{weighted_log_loss(found.truth, found.probability):>20.5f}{'':>40}".rstrip())
    for trial in trials:
        low_high = gains.get(trial.kind)
        gain = f"{trials[0].weighted_log_loss - trial.weighted_log_loss:.5f}" if low_high else ""
        interval = f" ({low_high[0]:.5f} to {low_high[1]:.5f})" if low_high else ""
        console.say(f"{trial.kind:16}{trial.weighted_log_loss:>20.5f}{gain + interval:>40}".rstrip())
    _say_labels(found, chosen, console)
    console.say(f"\nkept: {chosen.kind}, clip {calibration.clip:g}")


def _say_labels(found: OutOfFold, chosen: Trial, console: Console) -> None:
    console.say(f"\n{'label':16}{'log loss':>12}{chosen.kind:>14}{'calibration error':>22}{chosen.kind:>14}")
    columns = (
        label_log_losses(found.truth, found.probability),
        label_log_losses(found.truth, chosen.clipped),
        measure_calibration_errors(found.truth, found.probability),
        measure_calibration_errors(found.truth, chosen.clipped),
    )
    for label, before, after, error_before, error_after in zip(LABELS, *columns, strict=True):
        console.say(f"{label:16}{before:>12.5f}{after:>14.5f}{error_before:>22.5f}{error_after:>14.5f}")
