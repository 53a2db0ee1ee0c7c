"""The command line: arguments to verbs. Each verb is imported when it is called, so that --help is instant."""

import argparse
import json
import logging
import os
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from hemorrhage import __version__
from hemorrhage.errors import HemorrhageError
from hemorrhage.pipeline.console import Console

NOT_CLINICAL = "Research use only, not for clinical decisions."


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status of one command: 0, or 2 (1 for audit) after one line on stderr."""
    # TensorFlow reads it at import; its faults reach Python as exceptions, its log drowns this program's lines.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # pydicom warns of every odd value of a header; what matters to a reading is an error of our own.
    warnings.filterwarnings("ignore", module="pydicom")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    options = build_parser().parse_args(arguments)
    try:
        return int(options.verb(options))
    except (HemorrhageError, OSError) as error:
        print(f"hemorrhage {options.name}: {' '.join(str(error).split())}", file=sys.stderr)
        return 1 if options.name == "audit" else 2
    except KeyboardInterrupt:
        print(f"hemorrhage {options.name}: interrupted; what was finished is kept.", file=sys.stderr, flush=True)
        _leave_at_once(2)
        return 2


def _leave_at_once(status: int) -> None:
    """Ends the process where TensorFlow is loaded: its threads abort an orderly end that an interruption began."""
    if "tensorflow" in sys.modules:
        sys.stdout.flush()
        os._exit(status)


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}. Try '{self.prog} --help'.\n")


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of the whole command line; parsed options have `verb`, to be called, and `name`."""
    parser = _Parser(
        prog="hemorrhage",
        description=f"Intracranial hemorrhage in head CT, from DICOM to submission.csv. {NOT_CLINICAL}",
        epilog="Begin with: hemorrhage phantom input/phantom, then: hemorrhage train input --model compact --run first",
    )
    parser.add_argument("--version", action="version", version=f"hemorrhage {__version__}")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for add in _ADDERS:
        add(verbs)
    return parser


def _add_verb(verbs: Any, name: str, verb: Any, summary: str, example: str) -> argparse.ArgumentParser:
    parser = verbs.add_parser(
        name,
        help=summary,
        description=summary,
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(verb=verb, name=name)
    return parser


def _add_phantom(verbs: Any) -> None:
    parser = _add_verb(
        verbs,
        "phantom",
        _phantom,
        "Write a synthetic data set in Kaggle's layout: heads made from anatomy, with and without bleeding.",
        "hemorrhage phantom input/phantom --patients 60 --seed 0",
    )
    parser.add_argument("out", type=Path, metavar="OUT", help="folder to write; must be new or empty")
    parser.add_argument("--patients", type=int, default=60, help="how many (default 60, some 32 slices each)")
    parser.add_argument("--seed", type=int, default=0, help="another seed makes other heads (default 0)")
    parser.add_argument("--size", type=int, default=512, help="pixels a side (default 512, as scanners store)")


def _add_audit(verbs: Any) -> None:
    parser = _add_verb(
        verbs,
        "audit",
        _audit,
        "Print what a data set holds; exit 1 where training on it would be unsafe.",
        "hemorrhage audit input",
    )
    _add_input(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    parser.add_argument("--quick", action="store_true", help="read headers alone, not pixels")


def _add_prepare(verbs: Any) -> None:
    parser = _add_verb(
        verbs,
        "prepare",
        _prepare,
        "Decode every slice once into a store, which then stands wherever INPUT did. May be killed and started again.",
        "hemorrhage prepare input --out stores/256 --size 256",
    )
    _add_input(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="STORE", help="folder, new or begun before")
    parser.add_argument("--size", type=int, default=256, metavar="PX", help="pixels a side, 128 to 512 (default 256)")
    parser.add_argument("--crop", default="none", help="none, or head: a square around the head (default none)")
    parser.add_argument("--patients", type=int, metavar="N", help="only so many training patients, stratified; no test")
    parser.add_argument(
        "--min-head", type=float, default=0.0, metavar="F", help="training skips slices whose share of head is below F"
    )
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, metavar="N", help="processes (default all cores)"
    )
    parser.add_argument(
        "--cluster", metavar="URL", help="a Dask scheduler that shares this file system: tcp://host:8786"
    )
    parser.add_argument("--shard", metavar="I/N", help="only part I (from 0) of N, to be merged later")


def _add_merge(verbs: Any) -> None:
    parser = _add_verb(
        verbs,
        "merge",
        _merge,
        "Join what several 'prepare --shard I/N' made into one store.",
        "hemorrhage merge stores/256 stores/part-0 stores/part-1",
    )
    parser.add_argument("store", type=Path, metavar="STORE", help="folder of the whole store")
    parser.add_argument("parts", type=Path, nargs="+", metavar="SHARD", help="folders of the parts")


def _add_train(verbs: Any) -> None:
    parser = _add_verb(
        verbs,
        "train",
        _train,
        "Train a network on a data set in Kaggle's layout, into submissions/RUN.",
        "hemorrhage train input --model effb4 --run first --fold 0 --set draw=balance-any",
    )
    _add_input(parser)
    parser.add_argument("--model", help="resnet50, effb2, effb4, effb4-ns or compact (default: the preset's)")
    parser.add_argument("--run", metavar="NAME", help="name of the run, a folder under submissions/ (not with --plan)")
    parser.add_argument("--preset", default="default", help="default, original-resnet50, original-effb4 or demo")
    parser.add_argument("--fold", metavar="K", help="the fold held out, from 0, or 'all' to train each (default 0)")
    parser.add_argument("--folds", type=int, metavar="N", help="how many folds by patient (default 5)")
    parser.add_argument("--epochs", type=int, metavar="E", help="(default: the model's, 4 for the large ones)")
    parser.add_argument("--size", type=int, metavar="PX", help="pixels a side that the network sees (default 256)")
    parser.add_argument("--batch", type=int, metavar="B", help="slices a step (default 32)")
    parser.add_argument("--steps", type=int, metavar="N", help="at most so many batches an epoch")
    parser.add_argument("--limit", type=int, metavar="SLICES", help="use whole patients up to about so many slices")
    parser.add_argument("--weights", metavar="W", help="imagenet, none, or a file (.keras, .h5) or run folder")
    parser.add_argument("--windows", metavar="LIST", help="such as brain,subdural,bone or brain,80/200,soft_tissue")
    parser.add_argument("--seed", type=int, metavar="S", help="of folds, draws, weights and augmentation (default 0)")
    parser.add_argument("--resume", action="store_true", help="go on with an interrupted run")
    parser.add_argument("--plan", action="store_true", help="time a few steps and print the run's hours; train nothing")
    parser.add_argument("--max-hours", type=float, metavar="H", help="stop in good order after H hours, to be resumed")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="any other value of the config, such as dropout=0.2; an unknown key names its nearest",
    )


def _add_predict(verbs: Any) -> None:
    parser = _add_verb(
        verbs,
        "predict",
        _predict,
        "Predict held-out and test slices with a run, or the slices of any folder of DICOM files.",
        "hemorrhage predict first input --tta identity,mirror",
    )
    parser.add_argument("run", metavar="NAME", help="a run, a folder under submissions/")
    _add_input(parser)
    parser.add_argument(
        "--tta",
        metavar="VIEWS",
        help="out of identity, mirror, turn_left, turn_right, crop, mirror_crop (default: the run's)",
    )
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where predictions.csv of a plain folder goes")


def _add_submit(verbs: Any) -> None:
    parser = _add_verb(
        verbs,
        "submit",
        _submit,
        "Write and check submission.csv from a run's test predictions. Nothing is uploaded.",
        "hemorrhage submit first",
    )
    parser.add_argument("run", metavar="NAME", help="a run, a folder under submissions/")
    parser.add_argument("--allow-missing", type=int, metavar="N", help="let up to N slices have the prevalence")
    parser.add_argument("--clip", type=float, default=1e-6, help="keep probabilities this far from 0 and 1")


def _add_score(verbs: Any) -> None:
    parser = _add_verb(
        verbs,
        "score",
        _score,
        "Score a submission against answers, both Kaggle's long CSV.",
        "hemorrhage score submissions/demo/submission.csv input/phantom/stage_2_test_answers.csv",
    )
    parser.add_argument("submission", type=Path, metavar="SUBMISSION")
    parser.add_argument("answers", type=Path, metavar="ANSWERS")
    parser.add_argument(
        "--threshold", type=float, metavar="T", help="for the second confusion table (default: best F1)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")


def _add_demo(verbs: Any) -> None:
    parser = _add_verb(
        verbs,
        "demo",
        _demo,
        "Run the whole competition on a phantom data set: phantom, train, predict, submit, score.",
        "hemorrhage demo",
    )
    parser.add_argument("--quick", action="store_true", help="fewer heads and epochs: shows the path, not the score")


_ADDERS = (
    _add_phantom,
    _add_audit,
    _add_prepare,
    _add_merge,
    _add_train,
    _add_predict,
    _add_submit,
    _add_score,
    _add_demo,
)


def _add_input(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input", type=Path, metavar="INPUT", help="folder with the data in it or below it")


def _load_keras_quietly() -> None:
    """Loads Keras and its backend, holding back what they write to stderr meanwhile unless loading fails.

    TensorFlow's C++ code prints notes on CPU features and absent GPUs before any setting can silence it; among them
    an error of this program would no longer be one clear line.
    """
    shown = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            from hemorrhage.models.devices import count_gpus

            count_gpus()
            # It warns of every network of an ensemble as a retracing.
            logging.getLogger("tensorflow").setLevel(logging.ERROR)
        except Exception:
            held.seek(0)
            os.write(shown, held.read())
            raise
        finally:
            os.dup2(shown, 2)
            os.close(shown)


def _phantom(options: argparse.Namespace) -> int:
    from hemorrhage.pipeline.phantom import write_phantom

    console, patients = _console(), options.patients
    summary = write_phantom(
        options.out, patients, options.seed, options.size, lambda plans: console.track(plans, patients, "patients")
    )
    print(f"wrote {options.out}: {summary}\nnext: {_program()} train {options.out} --model compact --run first")
    return 0


def _audit(options: argparse.Namespace) -> int:
    from hemorrhage.pipeline.audit import audit, format_facts

    findings = audit(options.input, options.quick, _console())
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
    from hemorrhage.data.layout import find_any_data_set
    from hemorrhage.pipeline.prepare import describe_store, prepare
    from hemorrhage.pipeline.store_plan import StoreOptions

    settings = StoreOptions(options.size, options.crop, options.patients, options.min_head)
    choice = _parse_shard(options.shard) if options.shard else None
    data_set = find_any_data_set(options.input)
    if data_set is None:
        raise HemorrhageError(f"{options.input}: expected stage_2_train.csv in it or below it, found none.")
    manifest = prepare(data_set, options.out, settings, choice, options.workers, options.cluster, _console())
    if manifest is None:
        print(f"wrote part {options.shard} into {options.out}\nnext: {_program()} merge STORE {options.out} ...")
    else:
        _say_store(describe_store(manifest, options.out), options.out)
    return 0


def _parse_shard(text: str) -> Any:
    from hemorrhage.pipeline.prepare import ShardChoice

    index, slash, count = text.partition("/")
    if not (slash and index.isdecimal() and count.isdecimal() and int(index) < int(count)):
        raise HemorrhageError(f"Expected --shard I/N with I from 0 to N - 1, received {text}.")
    return ShardChoice(int(index), int(count))


def _merge(options: argparse.Namespace) -> int:
    from hemorrhage.pipeline.prepare import describe_store, merge

    manifest = merge(options.store, options.parts, _console())
    _say_store(describe_store(manifest, options.store), options.store)
    return 0


def _say_store(description: str, folder: Path) -> None:
    print(f"{description}\nnext: {_program()} train {folder} --model effb4 --run first")


def _program() -> str:
    """Returns what a user types to call this program again: its name where the shell finds it, else its path."""
    return "hemorrhage" if shutil.which("hemorrhage") else os.path.relpath(sys.argv[0])


_TRAIN_FLAGS = ("model", "fold", "folds", "epochs", "size", "batch", "steps", "limit", "weights", "windows", "seed")


def _train(options: argparse.Namespace) -> int:
    from hemorrhage.pipeline.config import parse_settings, resolve_config
    from hemorrhage.pipeline.inputs import find_input

    started = time.monotonic()
    if options.run is None and not options.plan:
        raise HemorrhageError("Expected --run NAME, the name of a new folder under submissions/ (or --plan).")
    flags = {key: value for key in _TRAIN_FLAGS if (value := getattr(options, key)) is not None}
    given = parse_settings(options.set) | flags
    resolve_config(options.preset, given)  # a wrong word is refused before the input is looked for
    found = find_input(options.input)
    config = resolve_config(options.preset, found.defaults() | given)
    _load_keras_quietly()
    from hemorrhage.pipeline.segments import NEVER, Deadline, TimeIsUp
    from hemorrhage.pipeline.train import train

    if options.plan:
        from hemorrhage.pipeline.plan import describe_plan, plan_training

        print(describe_plan(plan_training(found, config, _console())))
        return 0
    deadline = Deadline(started + 3600 * options.max_hours) if options.max_hours is not None else NEVER

    try:
        run = train(found, options.run, config, options.resume, sys.argv, _console(), deadline)
    except TimeIsUp as stop:
        print(f"stopped in good order after {options.max_hours:g} hours: {stop}\nnext: the same words with --resume")
        return 0
    print(f"wrote {run.folder}\nnext: {_program()} predict {options.run} {options.input}")
    return 0


def _predict(options: argparse.Namespace) -> int:
    _load_keras_quietly()
    from hemorrhage.pipeline.predict import predict

    for path in predict(options.run, options.input, options.tta, options.out, _console()):
        print(f"wrote {path}")
        if path.name == "test.parquet":
            print(f"next: {_program()} submit {options.run}")
    return 0


def _submit(options: argparse.Namespace) -> int:
    from hemorrhage.pipeline.submit import submit

    submission = submit(options.run, options.allow_missing, options.clip, _console())
    filled = f", {len(submission.filled)} of them with the training prevalence" if submission.filled else ""
    print(f"wrote {submission.path}: {submission.slices} slices{filled}; checked")
    return 0


def _score(options: argparse.Namespace) -> int:
    from hemorrhage.pipeline.score import format_score, score, score_to_json

    result = score(options.submission, options.answers, options.threshold)
    print(json.dumps(score_to_json(result), indent=2) if options.json else format_score(result))
    return 0


def _demo(options: argparse.Namespace) -> int:
    _load_keras_quietly()
    from hemorrhage.pipeline.demo import demo

    demo(options.quick, _console())
    return 0


def _console() -> Console:
    from tqdm import tqdm

    def open_bar(total: int, what: str) -> Any:
        # disable=None: shown on a terminal alone, so that a log holds lines, not redrawn bars.
        return tqdm(total=total, desc=what, disable=None, leave=False, file=sys.stderr)

    return Console(say=_print_line, warn=_warn_line, bar=open_bar)


def _print_line(text: str) -> None:
    print(text, flush=True)


def _warn_line(text: str) -> None:
    print(f"warning: {text}", file=sys.stderr, flush=True)
