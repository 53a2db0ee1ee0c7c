"""`make ladder`: what each rung from the prior to the calibrated series model gives, on one fixed phantom set.

    python -m tests.bench.ladder [--patients 600] [--model compact] [--size 128] [--epochs 12] [--folder ladder]
    python -m tests.bench.ladder --table        # from the predictions kept in the folder

The folder gets the phantoms, their store, ladder.json, and each rung's test predictions as a small Parquet beside the
truth, from which anyone can compute the table again: docs/ladder has those of docs/score.md. Test patients are those of
the phantom's plan; no rung learns or chooses anything from them. What is there already is not made again.

Networks of all folds are begun on single slices. From these the rung `slice` goes on as it was and the rung `context`
with the slices next to each, for the same few epochs at the same rates: what sets them apart is the context alone.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from hemorrhage.data.bootstrap import bootstrap_interval
from hemorrhage.data.calibration import KINDS, Calibration, finish_calibration, try_kinds
from hemorrhage.data.folds import split_folds
from hemorrhage.data.labels import LABELS, read_labels, weight_vector
from hemorrhage.data.metrics import SCORER_CLIP
from hemorrhage.data.series import fit_smoothing, smooth_along_z
from hemorrhage.data.table import read_table, write_table
from hemorrhage.data.views import parse_views
from hemorrhage.files import read_json, write_json
from hemorrhage.pipeline.console import SILENT
from hemorrhage.pipeline.headers import build_features, predict_label
from hemorrhage.pipeline.inputs import StoreInput, find_input
from hemorrhage.pipeline.phantom import ANSWERS_CSV
from hemorrhage.pipeline.predictors import NetworkPredictor, open_networks
from hemorrhage.pipeline.runs import find_run, read_folds
from hemorrhage.pipeline.second_stage import SeriesConfig, Stage, apply_stage, fit_stage, see_predictions
from hemorrhage.pipeline.series import Answers, cross_fit

SEED = 21
FOLDS = 3
_TTA = "identity,mirror"


@dataclass(frozen=True)
class Setting:
    """How large the ladder is, and where it lies."""

    folder: Path
    patients: int
    model: str
    size: int
    epochs: int

    @property
    def phantom(self) -> Path:
        return self.folder / "phantom"

    @property
    def store(self) -> Path:
        return self.folder / f"store-{self.size}"

    def run(self, name: str) -> str:
        """Returns the name of a run of the ladder, which tells its setting."""
        return f"ladder-{name}-{self.model}-{self.size}-{self.patients}-{self.epochs}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 after printing the table and writing ladder.json."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.ladder")
    parser.add_argument("--folder", type=Path, default=Path("ladder"))
    parser.add_argument("--patients", type=int, default=600)
    parser.add_argument("--model", default="compact")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--table", action="store_true", help="only compute the table from the kept predictions")
    options = parser.parse_args(arguments)
    setting = Setting(options.folder, options.patients, options.model, options.size, options.epochs)
    if not options.table:
        make_data(setting)
        for place, (name, table) in enumerate(climb(setting)):
            write_table(setting.folder / "rungs" / f"{place}-{name}.parquet", table)
            print(f"rung {place}: {name}", flush=True)
    rungs = compare(setting.folder)
    described = read_json(setting.folder / "ladder.json")
    write_json(setting.folder / "ladder.json", described | {"rungs": rungs})
    print_table(rungs)
    return 0


def make_data(setting: Setting) -> None:
    """Makes the phantoms and their store where they are not there yet, and begins ladder.json with what they are."""
    words = ["--patients", str(setting.patients), "--seed", str(SEED), "--size", str(max(256, setting.size))]
    if not (setting.phantom / "phantom.json").is_file():
        call("phantom", str(setting.phantom), *words)
    if not (setting.store / "store.json").is_file():
        call("prepare", str(setting.phantom), "--out", str(setting.store), "--size", str(setting.size))
    made_by = read_json(setting.phantom / "phantom.json")
    kept = (
        "generator_version",
        "data_hash",
        "patients",
        "test_patients",
        "train_slices",
        "test_slices",
        "seed",
        "size",
    )
    truth = read_labels(setting.phantom / ANSWERS_CSV).table
    write_table(setting.folder / "truth.parquet", truth[["image_id", *LABELS]].astype(dict.fromkeys(LABELS, "int8")))
    described = {"phantom": {key: made_by[key] for key in kept}, "model": setting.model, "size": setting.size}
    write_json(setting.folder / "ladder.json", described | {"epochs": setting.epochs, "folds": FOLDS})


def call(*words: str) -> None:
    """Runs a verb of the program as a user does; raises CalledProcessError where it fails."""
    subprocess.run([sys.executable, "-m", "hemorrhage", *words], check=True)


def climb(setting: Setting) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yields each rung's name and its predictions of the test slices, from the lowest rung up."""
    found = find_input(setting.store)
    assert isinstance(found, StoreInput)
    test = found.list_test(SILENT)
    assert test is not None
    prior = found.read_training(0.0, SILENT).table[list(LABELS)].mean()
    yield "prior", test[_KEYS].assign(**prior)
    yield "headers", predict_headers(found, test)
    begin(setting)
    below = go_on(setting, "slice", ["--fold", "0"])
    yield "slice", _keep(one_view(below).predict(test, found.build_source, "test slices"))
    context = go_on(setting, "context", ["--fold", "all", "--set", "context=stack"])
    first = replace(context, networks={0: context.networks[0]})
    alone = one_view(first).predict(test, found.build_source, "test slices")
    yield "context", _keep(alone)
    held_out = predict_held_out(setting, found, one_view(context))
    truth = held_out[[f"truth_{label}" for label in LABELS]].to_numpy()
    sigmas_mm = fit_smoothing(truth, held_out[list(LABELS)].to_numpy(), held_out)
    print(f"smoothing by label, mm: {sigmas_mm}", flush=True)
    yield "smoothing", _keep(alone, smooth_along_z(alone[list(LABELS)].to_numpy(), alone, sigmas_mm))
    stage = fit_second_stage(held_out, truth)
    yield "series", _keep(alone, stage.answer(alone))
    with_views = first.predict(test, found.build_source, "test slices")
    yield "tta", _keep(with_views, stage.answer(with_views))
    every = context.predict(test, found.build_source, "test slices")
    yield "folds", _keep(every, stage.answer(every))
    yield "calibration", _keep(every, stage.calibration.apply(stage.answer(every)))


_KEYS = ["image_id", "patient_id"]


def begin(setting: Setting) -> None:
    """Trains the networks that both the rung of slices and that of context begin with."""
    course = ["--epochs", str(setting.epochs), "--set", "learning_rate_decay=0.82"]
    train_once(setting, "begin", ["--fold", "all", *course])


def go_on(setting: Setting, name: str, words: Sequence[str]) -> NetworkPredictor:
    """Returns networks that began as those of `begin`, at a lower rate and for less than half of their epochs."""
    course = ["--epochs", str(max(3, setting.epochs * 5 // 12)), "--set", "average_epochs=1,1,1"]
    rates = ["--set", "learning_rate=5e-4", "--set", "learning_rate_decay=0.7"]
    weights = ["--weights", str(find_run(setting.run("begin")).folder)]
    train_once(setting, name, [*words, *course, *rates, *weights])
    return open_networks(find_run(setting.run(name)), _TTA, SILENT)


def train_once(setting: Setting, name: str, words: Sequence[str]) -> None:
    """Trains the networks of a run of the ladder, where it is not there yet or was broken off."""
    given = ["--model", setting.model, "--run", setting.run(name), "--folds", str(FOLDS)]
    drawn = ["--set", "draw=fractions", "--set", "negative_keep=0.35"]
    call("train", str(setting.store), *given, *drawn, *words, "--resume")


def one_view(predictor: NetworkPredictor) -> NetworkPredictor:
    """Returns the predictor without test-time augmentation."""
    return replace(predictor, views=parse_views("identity"))


def predict_held_out(setting: Setting, found: StoreInput, predictor: NetworkPredictor) -> pd.DataFrame:
    """Returns the predictions of training slices by networks that did not see their patients, with fold and truth."""
    folds = read_folds(find_run(setting.run("context")))
    training = found.list_training(SILENT)
    assert training is not None
    slices = folds[["image_id", "fold"]].merge(training, on="image_id")
    table = predictor.predict_held_out(slices, found.build_source)
    truth = folds[["image_id", "fold", *LABELS]].rename(columns={label: f"truth_{label}" for label in LABELS})
    return table.merge(truth, on="image_id")


@dataclass(frozen=True)
class Above:
    """The second stages of all folds, and the calibration of what they say out of fold."""

    stages: Sequence[Stage]
    calibration: Calibration

    def answer(self, table: pd.DataFrame) -> np.ndarray:
        """Returns the mean of the second stages on a prediction table: N x 6."""
        return np.mean([stage.answer(see_predictions([table])) for stage in self.stages], axis=0)


def fit_second_stage(held_out: pd.DataFrame, truth: np.ndarray) -> Above:
    """Returns second stages on out-of-fold predictions and their calibration, judged by patients they did not see."""
    config = SeriesConfig()
    seen = see_predictions([held_out])
    known = seen.table.assign(**dict(zip(LABELS, truth.T, strict=True)))
    folds = split_folds(known, config.folds, config.seed)["fold"].to_numpy()
    models = [fit_stage(seen.select(folds != fold), truth[folds != fold], config) for fold in range(config.folds)]
    own = np.empty(truth.shape)
    for fold, model in enumerate(models):
        own[folds == fold] = apply_stage([model], seen.select(folds == fold))
    mixtures = cross_fit(Answers(seen.table, seen.probabilities, own), truth, folds, SILENT)
    stages = [Stage(model, mixtures[fold]) for fold, model in enumerate(models)]
    chosen = np.empty(truth.shape)
    for fold, stage in enumerate(stages):
        chosen[folds == fold] = stage.answer(seen.select(folds == fold))
    best = min(try_kinds(truth, chosen, folds, KINDS), key=lambda trial: trial.weighted_log_loss)
    print(f"weights by label, fold 0: {mixtures[0].weights.round(2).tolist()}; calibration: {best.kind}", flush=True)
    return Above(stages, finish_calibration(truth, chosen, best))


def predict_headers(found: StoreInput, test: pd.DataFrame) -> pd.DataFrame:
    """Returns what gradient boosting on header fields alone says of the test slices."""
    training = found.read_training(0.0, SILENT).table.sort_values("image_id", ignore_index=True)
    is_judging = split_folds(training, FOLDS, 0)["fold"].to_numpy() == 0
    known, asked = build_features(training, with_position=False), build_features(test, with_position=False)
    said = {label: predict_label(known, training[label].to_numpy(), is_judging, asked) for label in LABELS}
    return test[_KEYS].assign(**said)


def _keep(table: pd.DataFrame, probabilities: np.ndarray | None = None) -> pd.DataFrame:
    values = table[list(LABELS)].to_numpy() if probabilities is None else probabilities
    return table[_KEYS].join(pd.DataFrame(values.astype(np.float32), columns=list(LABELS)))


def compare(folder: Path) -> list[dict[str, object]]:
    """Returns a row a rung: its weighted log loss and the paired difference to the rung before, with intervals.

    The first rung has None for these.
    """
    truth = read_table(folder / "truth.parquet").set_index("image_id")[list(LABELS)]
    rows: list[dict[str, object]] = []
    before: np.ndarray | None = None
    for path in sorted((folder / "rungs").glob("*.parquet")):
        table = read_table(path)
        patients = table["patient_id"].to_numpy().astype(str)
        losses = slice_losses(truth.loc[table["image_id"]].to_numpy(), table[list(LABELS)].to_numpy())
        low, high = bootstrap_interval(patients, lambda drawn, each=losses: float(each[drawn].mean()))
        row: dict[str, object] = {"rung": path.stem.partition("-")[2]} | _round(loss=losses.mean(), low=low, high=high)
        row |= dict.fromkeys(("difference", "difference_low", "difference_high"))
        if before is not None:
            apart = losses - before
            low, high = bootstrap_interval(patients, lambda drawn, each=apart: float(each[drawn].mean()))
            row |= _round(difference=apart.mean(), difference_low=low, difference_high=high)
        rows.append(row)
        before = losses
    return rows


def _round(**figures: float) -> dict[str, float]:
    # The last digits are the machine's: without them the same predictions write the same file anywhere.
    return {name: round(float(figure), 10) for name, figure in figures.items()}


def slice_losses(truth: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Returns each slice's weighted log loss, float64 of N: their mean is the competition's score."""
    clipped = np.clip(probabilities.astype(np.float64), SCORER_CLIP, 1 - SCORER_CLIP)
    return -np.log(np.where(truth == 1, clipped, 1 - clipped)) @ weight_vector()


def print_table(rungs: Sequence[dict[str, object]]) -> None:
    """Prints the rungs as rows of Markdown."""
    print("| rung | weighted log loss | 95 % by patient | difference | 95 % |\n|---|---|---|---|---|")
    for row in rungs:
        print(format_row(row))


def format_row(row: dict[str, object]) -> str:
    """Returns a rung as a row of the table in docs/score.md."""
    cells = [f"{row['rung']}", f"{row['loss']:.5f}", f"{row['low']:.3f} to {row['high']:.3f}"]
    if row["difference"] is not None:
        cells += [f"{row['difference']:+.5f}", f"{row['difference_low']:+.5f} to {row['difference_high']:+.5f}"]
    return "| " + " | ".join(cells + [""] * (5 - len(cells))) + " |"


if __name__ == "__main__":
    raise SystemExit(main())
