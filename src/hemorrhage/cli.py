"""The command line: arguments to verbs. Each verb is imported when it is called, so that --help is instant."""

import argparse
import json
import math
import os
import shlex
import shutil
import signal
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hemorrhage.arguments import build_parser
from hemorrhage.errors import HemorrhageError
from hemorrhage.terminal import load_keras_quietly, open_console
from hemorrhage.verbs_look import serve_page


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status of one command: 0, or 2 (1 for audit) after one line on stderr."""
    # TensorFlow reads it at import; its faults reach Python as exceptions, its log drowns this program's lines.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # pydicom warns of every odd value of a header; what matters to a reading is an error of our own.
    warnings.filterwarnings("ignore", module="pydicom")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    options = build_parser().parse_args(arguments)
    try:
        return _VERBS[options.name](options)
    except (HemorrhageError, OSError) as error:
        print(f"hemorrhage {options.name}: {' '.join(str(error).split())}", file=sys.stderr)
        return 1 if options.name == "audit" else 2
    except MemoryError as error:
        cause = f" ({text})" if (text := " ".join(str(error).split())) else ""
        print(f"hemorrhage {options.name}: out of memory{cause}. Give it more, or less to do at once.", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        kept = "nothing was written" if options.name == "phantom" else "what was finished is kept"
        print(f"hemorrhage {options.name}: interrupted; {kept}.", file=sys.stderr, flush=True)
        _leave_at_once(2)
        return 2


def _leave_at_once(status: int) -> None:
    """Ends the process where TensorFlow is loaded: its threads abort an orderly end that an interruption began."""
    if "tensorflow" in sys.modules:
        sys.stdout.flush()
        os._exit(status)


def _phantom(options: argparse.Namespace) -> int:
    from hemorrhage.pipeline.phantom import write_phantom

    console, patients = open_console(), options.patients
    summary = write_phantom(
        options.out,
        patients,
        options.seed,
        options.size,
        lambda made: console.track(made, patients, "patients"),
        options.workers,
    )
    folder = shlex.quote(str(options.out))
    print(f"wrote {options.out}: {summary}\nnext: {_program()} train {folder} --model compact --run first")
    return 0


def _audit(options: argparse.Namespace) -> int:
    from hemorrhage.pipeline.audit import audit, format_facts

    findings = audit(options.input, options.quick, open_console())
    if options.json:
        print(json.dumps({"facts": findings.facts, "unsafe": findings.unsafe, "warnings": findings.warnings}, indent=2))
    else:
        print(format_facts(findings))
        for warning in findings.warnings:
            print(f"warning: {warning}")
        print("unsafe to train on" if findings.unsafe else "safe to train on")
    for problem in findings.unsafe:
        print(f"hemorrhage audit: unsafe: {problem}", file=sys.stderr)
    return 1 if findings.unsafe else 0


def _prepare(options: argparse.Namespace) -> int:
    from hemorrhage.pipeline.prepare import describe_store, prepare
    from hemorrhage.pipeline.store_plan import StoreOptions
    from hemorrhage.pipeline.store_slices import find_data_to_prepare

    settings = StoreOptions(options.size, options.crop, options.patients, options.min_head)
    choice = _parse_shard(options.shard) if options.shard else None
    data_set = find_data_to_prepare(options.input)
    manifest = prepare(
        data_set, options.out, settings, choice, options.workers, options.cluster, open_console(), options.max_missing
    )
    if manifest is None:
        print(f"wrote part {options.shard} into {options.out}\nnext: {_program()} merge STORE {options.out} ...")
    else:
        _say_store(describe_store(manifest, options.out), manifest.slices["train"] > 0, options.out)
    return 0


def _parse_shard(text: str) -> Any:
    from hemorrhage.pipeline.prepare import ShardChoice

    index, slash, count = text.partition("/")
    if not (slash and text.isascii() and index.isdecimal() and count.isdecimal() and int(index) < int(count)):
        raise HemorrhageError(f"Expected --shard I/N with I from 0 to N - 1, received {text}.")
    return ShardChoice(int(index), int(count))


def _merge(options: argparse.Namespace) -> int:
    from hemorrhage.pipeline.prepare import describe_store, merge

    manifest = merge(options.store, options.parts, open_console(), options.max_missing)
    _say_store(describe_store(manifest, options.store), manifest.slices["train"] > 0, options.store)
    return 0


def _say_store(description: str, can_train: bool, folder: Path) -> None:
    following = f"train {folder} --model effb4 --run first" if can_train else f"predict RUN {folder}"
    print(f"{description}\nnext: {_program()} {following}")


def _program() -> str:
    """Returns what a user types to call this program again: its name where the shell finds it, else its path."""
    if shutil.which("hemorrhage"):
        return "hemorrhage"
    called = Path(sys.argv[0])
    return "python -m hemorrhage" if called.name == "__main__.py" else os.path.relpath(called)


_TRAIN_FLAGS = ("model", "fold", "folds", "epochs", "size", "batch", "steps", "limit", "weights", "windows", "seed")


def _train(options: argparse.Namespace) -> int:
    from hemorrhage.pipeline.config import resolve_config
    from hemorrhage.pipeline.inputs import find_input
    from hemorrhage.pipeline.settings import parse_settings

    started = time.monotonic()
    if options.run is None and not options.plan:
        raise HemorrhageError("Expected --run NAME, the name of a new folder under submissions/ (or --plan).")
    if options.max_hours is not None and not 0 < options.max_hours < math.inf:
        raise HemorrhageError(f"Expected --max-hours above 0, received {options.max_hours:g}.")
    flags = {key: value for key in _TRAIN_FLAGS if (value := getattr(options, key)) is not None}
    given = parse_settings(options.set, flags)
    resolve_config(options.preset, given)  # a wrong word is refused before the input is looked for
    found = find_input(options.input)
    config = resolve_config(options.preset, found.defaults() | given)
    load_keras_quietly()
    from hemorrhage.pipeline.segments import NEVER, Deadline, TimeIsUp
    from hemorrhage.pipeline.train import train

    if options.plan:
        from hemorrhage.pipeline.plan import describe_plan, plan_training

        print(describe_plan(plan_training(found, config, open_console())))
        return 0
    deadline = Deadline(started + 3600 * options.max_hours) if options.max_hours is not None else NEVER

    try:
        run = train(found, options.run, config, options.resume, sys.argv, open_console(), deadline)
    except TimeIsUp as stop:
        print(f"stopped in good order after {options.max_hours:g} hours: {stop}\nnext: the same words with --resume")
        return 0
    print(f"wrote {run.folder}\nnext: {_program()} predict {options.run} {options.input}")
    return 0


def _lr_find(options: argparse.Namespace) -> int:
    from hemorrhage.pipeline.config import resolve_config
    from hemorrhage.pipeline.inputs import find_input
    from hemorrhage.pipeline.settings import parse_settings

    names = [key for key in _TRAIN_FLAGS if key != "epochs"]
    flags = {key: value for key in names if (value := getattr(options, key)) is not None}
    given = parse_settings(options.set, flags)
    resolve_config(options.preset, given)  # a wrong word is refused before the input is looked for
    found = find_input(options.input)
    config = resolve_config(options.preset, found.defaults() | given)
    load_keras_quietly()
    from hemorrhage.pipeline.lr_find import find_rate, format_range_test, write_range_test

    console = open_console()
    test = find_rate(found, config, options.low, options.high, console)
    for path in write_range_test(test, options.out):
        print(f"wrote {path}")
    if test.warning:
        console.warn(test.warning)
    print(format_range_test(test))
    return 0


def _probe(options: argparse.Namespace) -> int:
    from hemorrhage.models.names import MODEL_NAMES
    from hemorrhage.pipeline.config import resolve_config
    from hemorrhage.pipeline.inputs import find_input
    from hemorrhage.pipeline.runs import name_run, require_trained

    flags = {key: value for key in ("weights", "size", "windows") if (value := getattr(options, key)) is not None}
    run = name_run(options.network)
    is_model = options.network in MODEL_NAMES and (bool(flags) or not run.is_there)
    if not is_model and not run.is_there:
        raise HemorrhageError(
            f"Expected a run under submissions/ or a model, one of {', '.join(MODEL_NAMES)}; "
            f"received {options.network!r}."
        )
    if not is_model and flags:
        raise HemorrhageError(f"{run.folder}: a run has its own {', '.join(flags)}; leave out --{', --'.join(flags)}.")
    given = {"model": options.network, "folds": options.folds, "seed": options.seed} | flags
    if is_model:
        resolve_config("default", given)  # a wrong word is refused before the input is looked for
    found = find_input(options.input)
    load_keras_quietly()
    from hemorrhage.pipeline.probe import format_probe, probe_model, probe_run, probe_to_json

    if is_model:
        config = resolve_config("default", found.defaults() | given)
        result = probe_model(found, config, options.limit, open_console())
    else:
        result = probe_run(require_trained(run), found, options.limit, options.folds, options.seed, open_console())
    print(json.dumps(probe_to_json(result), indent=2) if options.json else format_probe(result))
    return 0


def _predict(options: argparse.Namespace) -> int:
    load_keras_quietly()
    from hemorrhage.pipeline.predict import predict

    for path in predict(options.run, options.input, options.tta, options.out, open_console(), options.embeddings):
        print(f"wrote {path}")
        if path.name == "test.parquet" and options.out is None:
            print(f"next: {_program()} submit {options.run}")
    return 0


def _series(options: argparse.Namespace) -> int:
    from hemorrhage.pipeline.settings import parse_settings

    flags = {key: value for key in ("on", "model") if (value := getattr(options, key)) is not None}
    settings = parse_settings(options.set, flags)
    load_keras_quietly()
    from hemorrhage.pipeline.series import train_series

    run = train_series(options.runs, options.run or f"{options.runs[0]}-series", settings, open_console())
    print(f"wrote {run.folder}")
    if run.test_path.is_file():
        print(f"next: {_program()} submit {run.folder.name}")
    return 0


def _select(options: argparse.Namespace) -> int:
    from hemorrhage.pipeline.select import select_part

    run = select_part(options.select_name, options.run, options.fold, options.epochs, options.tta)
    print(f"wrote {run.folder}\nnext: {_program()} predict {run.folder.name} INPUT")
    return 0


def _blend(options: argparse.Namespace) -> int:
    load_keras_quietly()
    from hemorrhage.pipeline.blend import blend_runs

    run = blend_runs(options.blend_name, options.runs, options.how, open_console())
    print(f"wrote {run.folder}")
    if run.test_path.is_file():
        print(f"next: {_program()} submit {run.folder.name}")
    return 0


def _calibrate(options: argparse.Namespace) -> int:
    from hemorrhage.pipeline.calibrate import calibrate

    for path in calibrate(options.run, options.kind, open_console()):
        print(f"wrote {path}")
    print(f"next: {_program()} submit {options.run} --calibrated")
    return 0


def _studies(options: argparse.Namespace) -> int:
    from hemorrhage.pipeline.studies import answer_studies

    for path in answer_studies(options.run, open_console()):
        print(f"wrote {path}")
    return 0


def _headers(options: argparse.Namespace) -> int:
    from hemorrhage.pipeline.headers import format_headers, headers_to_json, measure_headers

    result = measure_headers(options.input, options.with_position, options.folds, open_console())
    print(json.dumps(headers_to_json(result), indent=2) if options.json else format_headers(result))
    return 0


def _submit(options: argparse.Namespace) -> int:
    from hemorrhage.pipeline.submit import submit

    submission = submit(options.run, options.allow_missing, options.clip, open_console(), options.calibrated)
    filled = f", {len(submission.filled)} of them with the training prevalence" if submission.filled else ""
    print(f"wrote {submission.path}: {submission.slices} slices{filled}; checked")
    return 0


def _score(options: argparse.Namespace) -> int:
    from hemorrhage.pipeline.score import score
    from hemorrhage.pipeline.score_text import format_score, score_to_json

    result = score(options.submission, options.answers, options.threshold, options.patients)
    print(json.dumps(score_to_json(result), indent=2) if options.json else format_score(result))
    return 0


def _demo(options: argparse.Namespace) -> int:
    load_keras_quietly()
    from hemorrhage.pipeline.demo import demo

    demo(options.quick, open_console())
    return 0


_VERBS: dict[str, Callable[[argparse.Namespace], int]] = {
    "phantom": _phantom,
    "audit": _audit,
    "prepare": _prepare,
    "merge": _merge,
    "train": _train,
    "lr-find": _lr_find,
    "probe": _probe,
    "predict": _predict,
    "series": _series,
    "select": _select,
    "blend": _blend,
    "calibrate": _calibrate,
    "studies": _studies,
    "headers": _headers,
    "submit": _submit,
    "score": _score,
    "serve": serve_page,
    "demo": _demo,
}
