"""What the verbs that work on what runs predicted are called with, from series to score."""

import argparse
import json
from collections.abc import Sequence

from hemorrhage.terminal import load_keras_quietly, name_program, open_console


def call_series(options: argparse.Namespace) -> int:
    """Trains a second stage."""
    from hemorrhage.pipeline.settings import parse_settings

    flags = {key: value for key in ("on", "model") if (value := getattr(options, key)) is not None}
    settings = parse_settings(options.set, flags)
    _require_runs(options.runs)
    load_keras_quietly()
    from hemorrhage.pipeline.series import train_series

    run = train_series(options.runs, options.run or f"{options.runs[0]}-series", settings, open_console())
    print(f"wrote {run.folder}")
    if run.test_path.is_file():
        print(f"next: {name_program()} submit {run.folder.name}")
    return 0


def _require_runs(names: Sequence[str]) -> None:
    # A wrong name is refused at once, not after the seconds that TensorFlow takes to load.
    from hemorrhage.pipeline.runs import find_run

    for name in names:
        find_run(name)


def call_select(options: argparse.Namespace) -> int:
    """Makes a run of a part of another."""
    from hemorrhage.pipeline.select import select_part

    run = select_part(options.select_name, options.run, options.fold, options.epochs, options.tta)
    print(f"wrote {run.folder}\nnext: {name_program()} predict {run.folder.name} INPUT")
    return 0


def call_blend(options: argparse.Namespace) -> int:
    """Makes a run of runs."""
    _require_runs(options.runs)
    load_keras_quietly()
    from hemorrhage.pipeline.blend import blend_runs

    run = blend_runs(options.blend_name, options.runs, options.how, open_console())
    print(f"wrote {run.folder}")
    if run.test_path.is_file():
        print(f"next: {name_program()} submit {run.folder.name}")
    return 0


def call_calibrate(options: argparse.Namespace) -> int:
    """Fits the maps of a run's probabilities."""
    from hemorrhage.pipeline.calibrate import calibrate

    for path in calibrate(options.run, options.kind, open_console()):
        print(f"wrote {path}")
    print(f"next: {name_program()} submit {options.run} --calibrated")
    return 0


def call_studies(options: argparse.Namespace) -> int:
    """Writes the answers of whole series."""
    from hemorrhage.pipeline.studies import answer_studies

    for path in answer_studies(options.run, open_console()):
        print(f"wrote {path}")
    return 0


def call_submit(options: argparse.Namespace) -> int:
    """Writes and checks submission.csv."""
    from hemorrhage.pipeline.submit import submit

    submission = submit(options.run, options.allow_missing, options.clip, open_console(), options.calibrated)
    filled = f", {len(submission.filled)} of them with the training prevalence" if submission.filled else ""
    print(f"wrote {submission.path}: {submission.slices} slices{filled}; checked")
    return 0


def call_score(options: argparse.Namespace) -> int:
    """Says what a submission scores."""
    from hemorrhage.pipeline.score import score
    from hemorrhage.pipeline.score_text import format_score, score_to_json

    result = score(options.submission, options.answers, options.threshold, options.patients)
    print(json.dumps(score_to_json(result), indent=2) if options.json else format_score(result))
    return 0
