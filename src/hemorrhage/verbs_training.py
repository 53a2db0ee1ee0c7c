"""What the verbs that train or run one network are called with: train, lr-find, probe, predict and demo."""

import argparse
import json
import math
import sys
import time
from collections.abc import Sequence
from typing import Any

from hemorrhage.errors import HemorrhageError
from hemorrhage.terminal import load_keras_quietly, name_program, open_console

_TRAIN_FLAGS = ("model", "fold", "folds", "epochs", "size", "batch", "steps", "limit", "weights", "windows", "seed")


def call_train(options: argparse.Namespace) -> int:
    """Trains a network, or says what that would take."""
    started = time.monotonic()
    if options.run is None and not options.plan:
        raise HemorrhageError("Expected --run NAME, the name of a new folder under submissions/ (or --plan).")
    if options.max_hours is not None and not 0 < options.max_hours < math.inf:
        raise HemorrhageError(f"Expected --max-hours above 0, received {options.max_hours:g}.")
    found, config = _find_input_and_config(options, _TRAIN_FLAGS)
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
    print(f"wrote {run.folder}\nnext: {name_program()} predict {options.run} {options.input}")
    return 0


def _find_input_and_config(options: argparse.Namespace, names: Sequence[str]) -> tuple[Any, Any]:
    """Returns the input, and the config of the preset, the flags of those names and --set; loads Keras."""
    from hemorrhage.pipeline.config import resolve_config
    from hemorrhage.pipeline.inputs import find_input
    from hemorrhage.pipeline.settings import parse_settings

    given = parse_settings(options.set, _take_given(options, names))
    resolve_config(options.preset, given)  # a wrong word is refused before the input is looked for
    found = find_input(options.input)
    config = resolve_config(options.preset, found.defaults() | given)
    load_keras_quietly()
    return found, config


def _take_given(options: argparse.Namespace, names: Sequence[str]) -> dict[str, Any]:
    return {name: value for name in names if (value := getattr(options, name)) is not None}


def call_lr_find(options: argparse.Namespace) -> int:
    """Suggests a learning rate."""
    found, config = _find_input_and_config(options, [name for name in _TRAIN_FLAGS if name != "epochs"])
    from hemorrhage.pipeline.lr_find import find_rate, format_range_test, write_range_test

    console = open_console()
    test = find_rate(found, config, options.low, options.high, console)
    for path in write_range_test(test, options.out):
        print(f"wrote {path}")
    if test.warning:
        console.warn(test.warning)
    print(format_range_test(test))
    return 0


def call_probe(options: argparse.Namespace) -> int:
    """Says what a frozen network's features are worth."""
    from hemorrhage.models.names import MODEL_NAMES
    from hemorrhage.pipeline.config import resolve_config
    from hemorrhage.pipeline.inputs import find_input
    from hemorrhage.pipeline.runs import name_run, require_trained

    flags = _take_given(options, ("weights", "size", "windows"))
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


def call_predict(options: argparse.Namespace) -> int:
    """Writes what a run makes of slices."""
    load_keras_quietly()
    from hemorrhage.pipeline.predict import predict

    for path in predict(options.run, options.input, options.tta, options.out, open_console(), options.embeddings):
        print(f"wrote {path}")
        if path.name == "test.parquet" and options.out is None:
            print(f"next: {name_program()} submit {options.run}")
    return 0


def call_demo(options: argparse.Namespace) -> int:
    """Runs a whole competition on synthetic heads."""
    load_keras_quietly()
    from hemorrhage.pipeline.demo import demo

    demo(options.quick, open_console())
    return 0
