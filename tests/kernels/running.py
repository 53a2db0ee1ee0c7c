"""Running kernels as Kaggle does: each in a fresh environment, without a network, on what is mounted alone."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from hemorrhage.kaggle.mounts import ROOT_VARIABLE
from tests.kernels.image import make_fresh
from tests.kernels.layout import Kaggle
from tests.kernels.notebooks import Notebook, cell_of, path_of, read_notebook, set_parameters, write_notebook

EXECUTE = Path(__file__).parent / "execute.py"
FAILED = 3
"""What execute.py ends with where a cell failed."""

_SMALL = {"model": "compact", "folds": 2, "batch": 16, "workers": 2}
# Checkpoints every eight steps and at once: so the first run of train stops in its first epoch, wherever it runs.
_TRAIN = {
    "RUN": "compact",
    "SETTINGS": {**_SMALL, "fold": "all", "epochs": 4, "checkpoint_minutes": 0, "checkpoint_steps": 8},
}
PARAMETERS: Mapping[str, Mapping[str, Any]] = {
    "explore": {},
    "prepare": {"SIZE": 128},
    "train": {**_TRAIN, "ALLOW_CPU": True},
    "infer": {"SERIES_SETTINGS": {"epochs": 3, "units": 16}, "ALLOW_CPU": True},
    "quickstart": {"SETTINGS": {**_SMALL, "epochs": 4, "size": 96}, "ALLOW_CPU": True},
}
"""What kernels run with here: a small network on a CPU."""

STOPPED_TRAIN = {**PARAMETERS["train"], "MAX_HOURS": 1e-6}


@dataclass(frozen=True)
class Execution:
    """A notebook after its run, and whether every cell went well."""

    notebook: Notebook
    is_whole: bool

    @property
    def error(self) -> dict[str, Any]:
        """The error output of the run that failed."""
        outputs = [output for cell in self.notebook["cells"] for output in cell.get("outputs", [])]
        (error,) = (output for output in outputs if output["output_type"] == "error")
        return error


@dataclass(frozen=True)
class Disk:
    """A disk of so many MB for the working folder; with `fills_at` something else fills it once that is there."""

    megabytes: int
    fills_at: str | None = None

    def words(self, working: Path) -> list[str]:
        """Returns the words before a command that give it this disk; they want a mount namespace of their own."""
        mount = f'mount -t tmpfs -o size={self.megabytes}m none "$0" && cd "$0" || exit 1'
        fill = f"(until [ -e {self.fills_at} ]; do sleep 0.01; done; cat /dev/zero > filler) 2> /dev/null &"
        return ["sh", "-c", "\n".join([mount, *([fill] if self.fills_at else []), 'exec "$@"']), str(working)]


def run_kernel(
    kernel: str,
    kaggle: Kaggle,
    image: Path,
    parameters: Mapping[str, Any] | None = None,
    until: str | None = None,
    disk: Disk | None = None,
) -> Execution:
    """Returns the kernel's notebook after running it, up to the cell `until`, in a new environment.

    Paths of the copy of the layout are shown as /kaggle. What it writes to a `disk` of its own is gone afterwards.
    """
    notebook = read_notebook(path_of(kernel))
    set_parameters(notebook, PARAMETERS[kernel] if parameters is None else parameters)
    place = kaggle.root / "run"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    write_notebook(place / "in.ipynb", notebook)
    python = make_fresh(image, place / "environment")
    words = [python, EXECUTE, place / "in.ipynb", place / "out.ipynb", kaggle.working, *([until] if until else [])]
    apart = [*shut_off(), "--mount", *disk.words(kaggle.working)] if disk else shut_off()
    done = subprocess.run([*apart, *words], env=_environment(kaggle, place), capture_output=True, text=True)
    if done.returncode not in (0, FAILED):
        raise RuntimeError(done.stderr)
    shown = (place / "out.ipynb").read_text().replace(str(kaggle.root), "/kaggle")
    (place / "out.ipynb").write_text(shown)
    return Execution(read_notebook(place / "out.ipynb"), done.returncode == 0)


def _environment(kaggle: Kaggle, place: Path) -> dict[str, str]:
    """Returns the variables of a run: no settings of pip or Python of this machine, and an index that leads nowhere."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "OMP_NUM_THREADS") if name in os.environ}
    return kept | {
        "HOME": str(place),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": "http://192.0.2.1/simple",  # of the block that is kept for documentation: nothing answers
        ROOT_VARIABLE: str(kaggle.root),
    }


@cache
def shut_off() -> tuple[str, ...]:
    """Returns the words before a command that leave it no network, none where this machine does not allow that."""
    for words in (("unshare", "--net"), ("unshare", "--map-root-user", "--net")):
        if shutil.which("unshare") and subprocess.run([*words, "true"], capture_output=True).returncode == 0:
            return words
    return ()


@cache
def can_mount() -> bool:
    """Returns whether this machine allows a mount namespace with a disk of its own."""
    command = [*shut_off(), "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]
    return bool(shut_off()) and subprocess.run(command, capture_output=True).returncode == 0


def cell_text(execution: Execution, cell_id: str) -> str:
    """Returns what a cell of a run printed."""
    outputs = cell_of(execution.notebook, cell_id)["outputs"]
    return "".join("".join(output.get("text", "")) for output in outputs if output.get("name") == "stdout")
