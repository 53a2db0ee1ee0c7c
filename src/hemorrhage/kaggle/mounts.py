"""What is attached to a kernel, found wherever Kaggle mounts it, by files that only such a thing has.

Kaggle has two layouts: /kaggle/input/<slug>/, and /kaggle/input/competitions/<slug>/, datasets/<owner>/<slug>/ and
notebooks/<owner>/<slug>/; this competition's slug is nested twice in either. A copy of one may stand anywhere: it is
named by the variable HEMORRHAGE_KAGGLE_ROOT.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hemorrhage.data.layout import STORE_MANIFEST, STORE_PLAN, TEST_FOLDER, TRAIN_CSV, TRAIN_FOLDER
from hemorrhage.errors import HemorrhageError
from hemorrhage.files import walk_once
from hemorrhage.kaggle.manifest import MANIFEST
from hemorrhage.pipeline.runs import Run

ROOT_VARIABLE = "HEMORRHAGE_KAGGLE_ROOT"
PHANTOM_MARK = "phantom.json"


@dataclass(frozen=True)
class Mounts:
    """The folders below `root`/input that hold something of use, each kind sorted.

    `parts` are unfinished stores, as 'prepare' leaves them with several shards. `is_synthetic` tells that a data set
    was made by 'hemorrhage phantom'.
    """

    root: Path
    data_sets: tuple[Path, ...]
    wheels: tuple[Path, ...]
    stores: tuple[Path, ...]
    parts: tuple[Path, ...]
    runs: tuple[Path, ...]
    is_synthetic: bool

    @property
    def input(self) -> Path:
        return self.root / "input"

    @property
    def working(self) -> Path:
        """The folder whose files Kaggle keeps as the kernel's output."""
        return self.root / "working"

    def describe_layout(self, folder: Path) -> str:
        """Returns which of Kaggle's layouts `folder` lies in."""
        kind = folder.relative_to(self.input).parts[0]
        return f"input/{kind}/..." if kind in _KINDS else "input/<slug>"


_KINDS = ("competitions", "datasets", "notebooks", "models")


def find_root() -> Path:
    """Returns the folder that has `input` and `working` in it: /kaggle, or what HEMORRHAGE_KAGGLE_ROOT says."""
    return Path(os.environ.get(ROOT_VARIABLE, "/kaggle"))


def find_mounts(root: Path | None = None) -> Mounts:
    """Returns what is attached below `root`, by default find_root(); raises HemorrhageError where it has no input."""
    root = root or find_root()
    if not (root / "input").is_dir():
        raise HemorrhageError(
            f"{root / 'input'}: expected the folder where Kaggle mounts what is attached, found none. Run this in a "
            f"Kaggle kernel, or name a copy of its layout by {ROOT_VARIABLE}."
        )
    found = list(_walk(root / "input"))
    stores = {path.parent for path in found if path.name == STORE_MANIFEST}
    return Mounts(
        root=root,
        data_sets=_parents(found, TRAIN_CSV),
        wheels=_parents(found, MANIFEST),
        stores=tuple(sorted(stores)),
        parts=tuple(folder for folder in _parents(found, STORE_PLAN) if folder not in stores),
        runs=tuple(sorted({path.parent for path in found if _is_of_run(path)})),
        is_synthetic=any(path.name == PHANTOM_MARK for path in found),
    )


def _parents(paths: list[Path], name: str) -> tuple[Path, ...]:
    return tuple(sorted({path.parent for path in paths if path.name == name}))


def _is_of_run(path: Path) -> bool:
    run = Run(path.parent)
    # Many a dataset has a config.json; the folds are a run's alone.
    return path == run.folds_path and run.is_there


# Folders of many files with nothing to be found below them.
_CLOSED = {TRAIN_FOLDER, TEST_FOLDER, "shards", "models", "validation", "tensorboard", "losses"}
_MARKS = {TRAIN_CSV, MANIFEST, PHANTOM_MARK, STORE_MANIFEST, STORE_PLAN, Run.nowhere().folds_path.name}


def _walk(folder: Path) -> Iterator[Path]:
    """Yields the files by whose names things are known, without listing slices."""
    for parent, folders, names in walk_once(folder):
        yield from (parent / name for name in names if name in _MARKS)
        is_top = parent == folder
        folders[:] = sorted(name for name in folders if is_top or (name not in _CLOSED and not name.startswith(".")))
