"""The kernel explore: what the competition's data are, from labels and headers to slices one can look at."""

import os
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from hemorrhage.data.labels import read_labels, require_agreement
from hemorrhage.data.layout import list_slice_files
from hemorrhage.errors import HemorrhageError
from hemorrhage.kaggle.checks import check_hours, check_slices, check_space
from hemorrhage.kaggle.session import Session
from hemorrhage.kaggle.stops import stopping
from hemorrhage.kaggle.timing import time_slices
from hemorrhage.pipeline.audit import describe_slices
from hemorrhage.pipeline.slices import scan_folder
from hemorrhage.report.choosing import choose_examples, choose_series, choose_wrapped, join_labels
from hemorrhage.report.counts import draw_labels
from hemorrhage.report.gallery import draw_examples, draw_series
from hemorrhage.report.headers import draw_groups, draw_repair
from hemorrhage.report.picture import Picture

_SHOWN_SLICES = 24
_FIGURE_BYTES = 10**8


@dataclass(frozen=True)
class Exploration:
    """A data set's labels, the slice tables of both parts (`test` may be empty), and the readable labelled slices."""

    labels: pd.DataFrame
    train: pd.DataFrame
    test: pd.DataFrame
    labelled: pd.DataFrame
    synthetic: bool
    folder: Path


@stopping()
def open_exploring(session: Session) -> None:
    """Prints how long the headers of all slices will take; raises Stop where time, room or the slices are wanting."""
    paths = [path for folder in check_slices(session.data) for path in list_slice_files(folder)]
    pace = time_slices(paths, size=256, crop="none")
    hours = pace.header_hours(len(paths))
    session.console.say(
        f"plan: {len(paths):,} headers at {1000 * pace.header_seconds:.1f} ms each: some {hours:.2g} hours with "
        f"{os.cpu_count()} processors (estimated from {pace.slices} files timed just now)"
    )
    if hours > (limit := check_hours(session.clock, None)):
        raise HemorrhageError(f"Expected headers that are read in {limit:.1f} hours, these take some {hours:.1f}.")
    check_space(session.mounts, _FIGURE_BYTES, "the pictures")


@stopping()
def read_exploration(session: Session) -> Exploration:
    """Returns the labels and headers of the data set, after printing what they hold; raises Stop for unfit ones."""
    data = session.data
    labels = require_agreement(read_labels(data.labels_csv), data.labels_csv).table
    train, *others = (scan_folder(folder, session.console) for folder in check_slices(data))
    test = others[0] if others else train.head(0)
    for name, table in (("train", train), ("test", test)):
        facts = describe_slices(table)
        counts = ", ".join(f"{facts[key]:,} {key}" for key in ("files", "readable", "patients", "series"))
        session.console.say(f"{name}: {counts}; sizes {_shorten(facts['sizes'])}")
    pictures = session.mounts.working / "explore"
    return Exploration(labels, train, test, join_labels(train, labels), session.mounts.is_synthetic, pictures)


def _shorten(counts: dict[str, int], most: int = 4) -> str:
    shown = ", ".join(f"{name} ({count:,})" for name, count in list(counts.items())[:most])
    return shown + (f" and {len(counts) - most} more" if len(counts) > most else "")


def _keep(data: Exploration, name: str, picture: Picture) -> Picture:
    picture.write(data.folder / f"{name}.png")
    return picture


@stopping()
def show_labels(data: Exploration) -> Picture:
    """Returns how frequent each label is and which come together; written to explore/labels.png."""
    return _keep(data, "labels", draw_labels(data.labels, data.synthetic))


@stopping()
def show_headers(data: Exploration) -> Picture:
    """Returns the groups of headers; written to explore/headers.png."""
    return _keep(data, "headers", draw_groups(data.train, data.test, data.synthetic))


@stopping()
def show_repair(data: Exploration) -> Picture:
    """Returns a slice before and after the PixelRepresentation repair; written to explore/repair.png."""
    return _keep(data, "repair", draw_repair(choose_wrapped(data.labelled), data.synthetic))


@stopping()
def show_windows(data: Exploration) -> Picture:
    """Returns slices of each subtype through three windows; written to explore/windows.png."""
    return _keep(data, "windows", draw_examples(choose_examples(data.labelled, 2), data.synthetic))


@stopping()
def show_series(data: Exploration) -> Picture:
    """Returns a series from the base of the head upwards; written to explore/series.png."""
    return _keep(data, "series", draw_series(choose_series(data.labelled, _SHOWN_SLICES), data.synthetic))
