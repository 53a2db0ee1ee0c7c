"""What the verbs of data are called with: phantom, audit, headers, prepare and merge."""

import argparse
import json
import shlex
import sys
from pathlib import Path
from typing import Any

from hemorrhage.errors import HemorrhageError
from hemorrhage.terminal import name_program, open_console


def call_phantom(options: argparse.Namespace) -> int:
    """Writes a synthetic data set."""
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
    print(f"wrote {options.out}: {summary}\nnext: {name_program()} train {folder} --model compact --run first")
    return 0


def call_audit(options: argparse.Namespace) -> int:
    """Says what a data set holds; 1 where it is unsafe to train on."""
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


def call_headers(options: argparse.Namespace) -> int:
    """Says what header fields alone would score."""
    from hemorrhage.pipeline.headers import format_headers, headers_to_json, measure_headers

    result = measure_headers(options.input, options.with_position, options.folds, open_console())
    print(json.dumps(headers_to_json(result), indent=2) if options.json else format_headers(result))
    return 0


def call_prepare(options: argparse.Namespace) -> int:
    """Decodes a data set, or a part of it, into a store."""
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
        print(f"wrote part {options.shard} into {options.out}\nnext: {name_program()} merge STORE {options.out} ...")
    else:
        _say_store(describe_store(manifest, options.out), manifest.slices["train"] > 0, options.out)
    return 0


def _parse_shard(text: str) -> Any:
    from hemorrhage.pipeline.prepare import ShardChoice

    index, slash, count = text.partition("/")
    if not (slash and text.isascii() and index.isdecimal() and count.isdecimal() and int(index) < int(count)):
        raise HemorrhageError(f"Expected --shard I/N with I from 0 to N - 1, received {text}.")
    return ShardChoice(int(index), int(count))


def call_merge(options: argparse.Namespace) -> int:
    """Joins parts into a store."""
    from hemorrhage.pipeline.prepare import describe_store, merge

    manifest = merge(options.store, options.parts, open_console(), options.max_missing)
    _say_store(describe_store(manifest, options.store), manifest.slices["train"] > 0, options.store)
    return 0


def _say_store(description: str, can_train: bool, folder: Path) -> None:
    following = f"train {folder} --model effb4 --run first" if can_train else f"predict RUN {folder}"
    print(f"{description}\nnext: {name_program()} {following}")
