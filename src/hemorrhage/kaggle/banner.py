"""What a kernel says at its beginning and at its end."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import hemorrhage
from hemorrhage.data.labels import LABELS, read_labels, read_probabilities
from hemorrhage.data.layout import DataSet
from hemorrhage.data.store import open_store
from hemorrhage.kaggle.checks import describe_code, folder_bytes
from hemorrhage.kaggle.clock import Clock
from hemorrhage.kaggle.image import describe_versions
from hemorrhage.kaggle.machine import describe_gpus, describe_space, format_bytes
from hemorrhage.kaggle.manifest import Manifest
from hemorrhage.kaggle.mounts import Mounts
from hemorrhage.pipeline.console import count
from hemorrhage.pipeline.runs import Run, members, read_config

_SHOWN = {
    "tensorflow": "TensorFlow",
    "keras": "Keras",
    "numpy": "NumPy",
    "pandas": "pandas",
    "opencv-python": "OpenCV",
    "pydicom": "pydicom",
}
_NOT_CLINICAL = "Research use only, not for clinical decisions."
_SYNTHETIC = "SYNTHETIC heads made by 'hemorrhage phantom': no patient is in them"


def format_banner(
    kernel: str, manifest: Manifest, mounts: Mounts, data: DataSet, store: Path | None, gpus: int, clock: Clock
) -> str:
    """Returns the lines about versions, devices, what is attached and where, room and time."""
    python = ".".join(map(str, sys.version_info[:3]))
    code = describe_code(hemorrhage.__version__, manifest.commit)
    lines = [
        ("kernel", f"{kernel}, by hemorrhage {code}. {_NOT_CLINICAL}"),
        ("versions", f"Python {python}, {describe_versions(_SHOWN)}"),
        ("devices", describe_gpus(gpus)),
        ("data", f"{data.labels_csv.parent}, layout {mounts.describe_layout(data.labels_csv)}"),
        ("", describe_data(data)),
        *([("", _SYNTHETIC)] if mounts.is_synthetic else []),
        ("store", describe_store(store) if store else "none attached; slices are read from DICOM"),
        *(("run", describe_run(Run(folder))) for folder in mounts.runs),
        ("room", describe_space(mounts.working)),
        ("clock", f"{clock.hours_left:.2f} of {clock.limit_hours:g} hours left"),
    ]
    return "\n".join(f"{name:<9} {text}" for name, text in lines)


def describe_data(data: DataSet) -> str:
    """Returns how many rows and images the tables of a data set have."""
    labels = read_labels(data.labels_csv)
    rows = len(labels.table) * len(LABELS) + labels.duplicate_rows
    tested = f", {len(read_probabilities(data.sample_csv)):,} test images" if data.sample_csv else ", no test images"
    return f"{rows:,} label rows of {len(labels.table):,} training images{tested}"


def describe_store(folder: Path) -> str:
    """Returns where a store was found, and what it has; raises HemorrhageError where it is unfinished or damaged."""
    manifest = open_store(folder).manifest
    return (
        f"{folder}: {manifest.slices['train']:,} training and {manifest.slices['test']:,} test slices of "
        f"{manifest.size} px"
    )


def describe_run(run: Run) -> str:
    """Returns where an earlier run was found, by which verb it was made, and how far its training came."""
    if run.kind != "train":
        return f"{run.folder}, by '{run.kind}'"
    config = read_config(run)
    done = [max(member.saved_epochs(), default=0) for member in members(run, config)]
    return f"{run.folder}, by 'train': {config.model}, {sum(done)} of {count(config.epochs * len(done), 'epoch')} done"


def format_end(mounts: Mounts, clock: Clock, written: Sequence[Path], following: Sequence[str]) -> str:
    """Returns the lines about what was written, with sizes, how long the kernel took, and what to run next."""
    lines = [("wrote", f"{os.path.relpath(path)}, {_size(path)}") for path in written]
    lines.append(("output", f"{mounts.working}, {_size(mounts.working)} in all, which Kaggle keeps with this version"))
    lines.append(("clock", f"{clock.hours_used:.2f} of {clock.limit_hours:g} hours used"))
    lines += [("next", text) for text in following]
    return "\n".join(f"{name:<9} {text}" for name, text in lines)


def _size(path: Path) -> str:
    return format_bytes(folder_bytes(path) if path.is_dir() else path.stat().st_size)
