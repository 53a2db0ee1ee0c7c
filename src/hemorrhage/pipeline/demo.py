"""The verb demo: a whole competition on a phantom data set, from nothing to a scored submission."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from hemorrhage.ct.phantom import GENERATOR_VERSION
from hemorrhage.data.labels import LABELS, read_labels
from hemorrhage.data.metrics import constant_score
from hemorrhage.errors import HemorrhageError
from hemorrhage.files import read_object
from hemorrhage.pipeline.config import resolve_config
from hemorrhage.pipeline.console import Console
from hemorrhage.pipeline.inputs import find_input
from hemorrhage.pipeline.phantom import ANSWERS_CSV, write_phantom
from hemorrhage.pipeline.predict import predict
from hemorrhage.pipeline.runs import Run, name_run, read_config, read_prevalence
from hemorrhage.pipeline.score import score
from hemorrhage.pipeline.score_text import format_score
from hemorrhage.pipeline.submit import DEFAULT_CLIP, submit
from hemorrhage.pipeline.train import train


@dataclass(frozen=True)
class DemoSize:
    """How much a demo does."""

    phantom: str
    run: str
    patients: int
    pixels: int
    epochs: int
    folds: int


FULL = DemoSize(phantom="phantom", run="demo", patients=60, pixels=512, epochs=9, folds=12)
QUICK = DemoSize(phantom="phantom-quick", run="demo-quick", patients=16, pixels=256, epochs=2, folds=5)


def demo(quick: bool, console: Console) -> None:
    """Makes the phantom where it is not there yet, trains a small network on it, and scores its submission."""
    size = QUICK if quick else FULL
    folder = Path("input") / size.phantom
    _make_phantom(folder, size, console)
    run = _train(folder, size, console)
    console.say("Predicting the test slices, each as it is and mirrored.")
    predict(size.run, folder, None, None, console)
    submission = submit(size.run, None, DEFAULT_CLIP, console)
    console.say(f"{submission.path}: {submission.slices} slices, checked\n")
    _say_result(run, submission.path, folder, console)


def _make_phantom(folder: Path, size: DemoSize, console: Console) -> None:
    wanted = {"generator_version": GENERATOR_VERSION, "patients": size.patients, "seed": 0, "size": size.pixels}
    made_by = folder / "phantom.json"
    if made_by.is_file() and wanted.items() <= read_object(made_by, f"Delete {folder}; the demo makes it.").items():
        console.say(f"{folder} is there already.")
        return
    console.say(f"Writing {size.patients} synthetic patients into {folder}.")
    write_phantom(
        folder,
        size.patients,
        0,
        size.pixels,
        lambda heads: console.track(heads, size.patients, "patients"),
        workers=os.cpu_count() or 1,
    )


def _train(folder: Path, size: DemoSize, console: Console) -> Run:
    run = name_run(size.run)
    if run.config_path.is_file() and read_config(run).preset != "demo":
        raise HemorrhageError(f"{run.folder}: expected an earlier demo's run, found another. Rename it to keep it.")
    # An earlier demo's: every demo begins anew.
    shutil.rmtree(run.folder, ignore_errors=True)
    config = resolve_config("demo", {"epochs": size.epochs, "folds": size.folds})
    return train(find_input(folder), size.run, config, False, ["hemorrhage", "demo"], console)


def _say_result(run: Run, submission: Path, folder: Path, console: Console) -> None:
    answers = folder / ANSWERS_CSV
    result = score(submission, answers, patients=run.test_path)
    truth = read_labels(answers).table[list(LABELS)].to_numpy()
    constant = constant_score(truth, read_prevalence(run))
    change = result.weighted_log_loss / constant - 1
    console.say(format_score(result))
    console.say(
        f"\nconstant training prevalence {constant:.5f}, this network {result.weighted_log_loss:.5f} "
        f"({abs(change):.1%} {'lower' if change < 0 else 'higher'})\n"
        f"data: {folder}    run: {run.folder}    submission: {submission}\n"
        "These heads are synthetic and the network small: the figures say that the path works, nothing of patients.\n"
        f"next: train longer on these heads: make train MODEL=compact INPUT={folder} RUN=longer ARGS='--epochs 20'\n"
        "or on the competition's data:       make train MODEL=effb4 INPUT=<its folder> RUN=first"
    )
