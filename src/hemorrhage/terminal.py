"""What the command line does to its terminal: lines, warnings and bars, and silence while Keras is loaded."""

import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hemorrhage.pipeline.console import Console, LineBar, unit_of


def load_keras_quietly() -> None:
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
        except (ImportError, OSError, RuntimeError):  # what a library that cannot load raises
            held.seek(0)
            os.write(shown, held.read())
            raise
        finally:
            os.dup2(shown, 2)
            os.close(shown)


def open_console() -> Console:
    """Returns the voice of the command line: lines on stdout, warnings and progress on stderr."""
    from tqdm import tqdm

    def open_bar(total: int, what: str) -> Any:
        # A bar is redrawn, so that in a log lines are better.
        if not sys.stderr.isatty():
            return LineBar(total, what, _print_progress)
        return tqdm(total=total, desc=what, unit=f" {unit_of(what)}", leave=False, file=sys.stderr)

    return Console(say=_print_line, warn=_warn_once(), bar=open_bar)


def _print_progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _print_line(text: str) -> None:
    print(text, flush=True)


def _warn_once() -> Callable[[str], None]:
    """Returns what prints a warning the first time that it is given, and nothing when it is repeated."""
    said: set[str] = set()

    def warn(text: str) -> None:
        if text not in said:
            said.add(text)
            print(f"warning: {text}", file=sys.stderr, flush=True)

    return warn


def name_program() -> str:
    """Returns what a user types to call this program again: its name where the shell finds it, else its path."""
    if shutil.which("hemorrhage"):
        return "hemorrhage"
    called = Path(sys.argv[0])
    return "python -m hemorrhage" if called.name == "__main__.py" else os.path.relpath(called)
