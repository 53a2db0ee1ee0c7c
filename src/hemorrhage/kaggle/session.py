"""A kernel from its first cell to its last: what was found when it began, what it may use, and how it speaks."""

import logging
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hemorrhage.data.layout import DataSet, find_data_set
from hemorrhage.kaggle.banner import format_banner, format_end
from hemorrhage.kaggle.checks import check_data, check_gpu, check_place, check_wheels, find_store
from hemorrhage.kaggle.clock import LIMIT_HOURS, Clock, start_clock
from hemorrhage.kaggle.manifest import Manifest
from hemorrhage.kaggle.mounts import Mounts, find_mounts
from hemorrhage.kaggle.parameters import FLAG, HOURS, check_parameters
from hemorrhage.kaggle.stops import stopping
from hemorrhage.pipeline.console import Console, LineBar


@dataclass(frozen=True)
class Session:
    """What a kernel has found; `store` is None where slices are to be read from DICOM."""

    kernel: str
    mounts: Mounts
    manifest: Manifest
    data: DataSet
    store: Path | None
    clock: Clock
    console: Console

    @property
    def input_folder(self) -> Path:
        """What verbs read: the store where one is attached, else the data set."""
        return self.store or self.data.labels_csv.parent


@stopping()
def open_session(kernel: str, allow_cpu: bool = True, limit_hours: float = LIMIT_HOURS) -> Session:
    """Returns what is attached to the kernel of that name, after every check and after printing its banner.

    Raises Stop where something is missing, damaged, or not of this version.
    """
    check_parameters(ALLOW_CPU=(allow_cpu, FLAG), LIMIT_HOURS=(limit_hours, HOURS))
    mounts = find_mounts()
    manifest = check_wheels(mounts)
    check_place(mounts)
    data, store = find_data_set(check_data(mounts)), find_store(mounts)
    gpus = check_gpu(is_needed=not allow_cpu)
    _quiet_libraries()
    session = Session(kernel, mounts, manifest, data, store, start_clock(limit_hours), open_console())
    session.console.say(format_banner(kernel, manifest, mounts, data, store, gpus, session.clock))
    return session


@stopping()
def close_session(session: Session, written: Sequence[Path], following: Sequence[str]) -> None:
    """Prints what was written below the working folder, the hours used, and what to run next."""
    session.console.say(format_end(session.mounts, session.clock, written, following))


def open_console() -> Console:
    """Returns the voice of a notebook: lines and warnings on stdout, and a line of progress a minute on stderr."""
    return Console(say=_print_line, warn=_warn_once(), bar=lambda total, what: LineBar(total, what, _print_progress))


def _print_line(text: str) -> None:
    print(text, flush=True)


def _print_progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _warn_once() -> Callable[[str], None]:
    said: set[str] = set()

    def warn(text: str) -> None:
        if text not in said:
            said.add(text)
            _print_line(f"warning: {text}")

    return warn


def _quiet_libraries() -> None:
    # As the command line does, since their notes would bury the lines that matter; TensorFlow, when it is loaded, sets
    # the level of its log anew.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pydicom")
