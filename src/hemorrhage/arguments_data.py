"""The words of the verbs that make, look at and store data, and what all verbs' words are made with."""

import argparse
import os
from pathlib import Path
from typing import Any


def add_verb(verbs: Any, name: str, summary: str, example: str) -> argparse.ArgumentParser:
    """Returns the parser of a new verb; its help ends with the example."""
    parser = verbs.add_parser(
        name,
        help=summary,
        description=summary,
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(name=name)
    return parser


def add_input(parser: argparse.ArgumentParser) -> None:
    """Adds the folder that a verb reads."""
    parser.add_argument("input", type=Path, metavar="INPUT", help="folder with the data in it or below it")


def add_phantom(verbs: Any) -> None:
    """Adds the verb phantom."""
    parser = add_verb(
        verbs,
        "phantom",
        "Write a synthetic data set in Kaggle's layout: heads made from anatomy, with and without bleeding.",
        "hemorrhage phantom input/phantom --patients 60 --seed 0",
    )
    parser.add_argument("out", type=Path, metavar="OUT", help="folder to write; must be new or empty")
    parser.add_argument("--patients", type=int, default=60, help="how many (default 60, some 32 slices each)")
    parser.add_argument("--seed", type=int, default=0, help="another seed makes other heads (default 0)")
    parser.add_argument("--size", type=int, default=512, help="pixels a side (default 512, as scanners store)")
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, metavar="N", help="processes (default all cores)"
    )


def add_audit(verbs: Any) -> None:
    """Adds the verb audit."""
    parser = add_verb(
        verbs,
        "audit",
        "Print what a data set or a store holds; exit 1 where training on it would be unsafe.",
        "hemorrhage audit input",
    )
    add_input(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    parser.add_argument(
        "--quick", action="store_true", help="read headers alone, not pixels (of a store, its table is read anyway)"
    )


def add_prepare(verbs: Any) -> None:
    """Adds the verb prepare."""
    parser = add_verb(
        verbs,
        "prepare",
        "Decode every slice once into a store, which then stands wherever INPUT did. May be killed and started again.",
        "hemorrhage prepare input --out stores/256 --size 256",
    )
    add_input(parser)
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="STORE",
        help="folder, new or begun before: the same words go on where a stop was",
    )
    parser.add_argument("--size", type=int, default=256, metavar="PX", help="pixels a side, 128 to 512 (default 256)")
    parser.add_argument(
        "--crop", default="none", metavar="{none,head}", help="none, or head: a square around the head (default none)"
    )
    parser.add_argument("--patients", type=int, metavar="N", help="only so many training patients, stratified; no test")
    parser.add_argument(
        "--min-head",
        type=float,
        default=0.0,
        metavar="F",
        help="training skips slices whose share of head is below F; 0.02 leaves out the emptiest (default 0, none)",
    )
    parser.add_argument(
        "--workers",
        type=int,
        default=os.cpu_count() or 1,
        metavar="N",
        help="processes (default all cores); at 512 px each takes some 0.9 GB",
    )
    parser.add_argument(
        "--cluster", metavar="URL", help="a Dask scheduler that shares this file system: tcp://host:8786"
    )
    parser.add_argument(
        "--shard", metavar="I/N", help="only part I (from 0) of N, as on N machines; 'merge' then joins their folders"
    )
    _add_max_missing(parser)


def _add_max_missing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--max-missing",
        type=float,
        default=0.05,
        metavar="F",
        help="refuse a store where more than this share of slices is missing or unreadable (default 0.05)",
    )


def add_merge(verbs: Any) -> None:
    """Adds the verb merge."""
    parser = add_verb(
        verbs,
        "merge",
        "Join what several 'prepare --shard I/N' made into one store.",
        "hemorrhage merge stores/256 stores/part-0 stores/part-1",
    )
    parser.add_argument("store", type=Path, metavar="STORE", help="folder of the whole store")
    parser.add_argument("parts", type=Path, nargs="+", metavar="PART", help="folders that 'prepare --shard' made")
    _add_max_missing(parser)
