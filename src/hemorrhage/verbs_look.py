"""What the verbs that show what a run sees, and what it makes of a data set, are called with."""

import argparse
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from hemorrhage.errors import HemorrhageError
from hemorrhage.terminal import load_keras_quietly, open_console

if TYPE_CHECKING:
    from hemorrhage.report.picture import Picture

_TRAIN_FLAGS = ("model", "size", "windows")
_FLAGS_OF = {
    "batch": ("run", "count", "augment", "epoch", "place", *_TRAIN_FLAGS),
    "series": ("run", "series", "patient"),
    "label": ("label", "count"),
}
"""Which flags say something to each kind of sheet: another is refused, not forgotten."""
_WEB_PACKAGES = ("fastapi", "uvicorn", "python_multipart", "highdicom", "httpx")


def call_serve(options: argparse.Namespace) -> int:
    """Serves the page until it is stopped."""
    missing = [name.replace("_", "-") for name in _WEB_PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise HemorrhageError(
            f"The page needs {', '.join(missing)}. Install what is missing: pip install 'hemorrhage[web]'."
        )
    load_keras_quietly()
    from hemorrhage.web.serve import Address, serve

    serve(options.run, Address(options.host, options.port), options.pacs, open_console())
    return 0


def call_explain(options: argparse.Namespace) -> int:
    """Draws where a run's networks saw what they answer of one slice."""
    load_keras_quietly()
    from hemorrhage.report.explaining import write_explanation

    said = write_explanation(
        options.run, options.slice, options.input, options.label, options.method, options.out, open_console()
    )
    print(f"{said}\nwrote {options.out}. Research use only, not for clinical decisions.")
    return 0


def call_report(options: argparse.Namespace) -> int:
    """Returns 0 after writing the page of a run."""
    from hemorrhage.report.report import write_report

    if options.input is not None:
        load_keras_quietly()
    path = write_report(options.run, options.input, options.beside, options.out, open_console())
    print(f"wrote {path} ({path.stat().st_size / 1e6:.1f} MB)")
    return 0


def call_show(options: argparse.Namespace) -> int:
    """Returns 0 after writing a contact sheet."""
    from hemorrhage.report.picture import require_picture

    _require_fitting(options)
    path = options.out or Path(f"show-{options.what}.png")
    require_picture(path)
    picture = {"batch": _show_batch, "series": _show_series, "label": _show_label}[options.what](options)
    picture.write(path)
    print(f"wrote {path}: {picture.words}")
    return 0


def _require_fitting(options: argparse.Namespace) -> None:
    every = {name for names in _FLAGS_OF.values() for name in names}
    given = {name for name in every if getattr(options, name) is not None}
    strange = sorted(given - set(_FLAGS_OF[options.what]))
    if options.what != "batch" and (options.set or options.preset != "default"):
        strange += ["set", "preset"]
    if strange:
        raise HemorrhageError(
            f"show {options.what} takes --{', --'.join(_FLAGS_OF[options.what])}; received also "
            f"--{', --'.join(strange)}."
        )
    if options.count is not None and options.count < 1:
        raise HemorrhageError(f"Expected --count of 1 or more, received {options.count}.")


def _show_batch(options: argparse.Namespace) -> "Picture":
    from hemorrhage.pipeline.settings import parse_settings
    from hemorrhage.report.showing import BatchWish, show_batch

    flags = {key: value for key in _TRAIN_FLAGS if (value := getattr(options, key)) is not None}
    given = parse_settings(options.set, flags)
    wish = BatchWish(options.augment or "both", (options.epoch or 1) - 1, options.place or 0, options.count or 8)
    load_keras_quietly()
    return show_batch(options.input, options.run, options.preset, given, wish, open_console())


def _show_series(options: argparse.Namespace) -> "Picture":
    from hemorrhage.report.showing import show_series

    return show_series(options.input, options.series, options.patient, options.run, open_console())


def _show_label(options: argparse.Namespace) -> "Picture":
    from hemorrhage.report.showing import show_label

    return show_label(options.input, options.label or "any", options.count or 8, open_console())
