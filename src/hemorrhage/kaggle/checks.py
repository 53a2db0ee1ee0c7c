"""What must hold before a kernel spends its first hour; a check raises HemorrhageError, one line, where it does not."""

import shutil
from pathlib import Path

import hemorrhage
from hemorrhage.commit import abbreviate, find_commit
from hemorrhage.data.labels import read_probabilities
from hemorrhage.data.layout import SAMPLE_CSV, TEST_FOLDER, TRAIN_CSV, DataSet
from hemorrhage.data.store import open_store
from hemorrhage.errors import HemorrhageError
from hemorrhage.kaggle.clock import KEPT_BACK_HOURS, Clock
from hemorrhage.kaggle.machine import format_bytes
from hemorrhage.kaggle.manifest import MANIFEST, Manifest, check_files, read_manifest
from hemorrhage.kaggle.mounts import Mounts
from hemorrhage.kaggle.names import COMPETITION, DATASET

KEPT_BYTES = 20 * 10**9
"""What Kaggle keeps of /kaggle/working; a larger output is lost."""


def check_wheels(mounts: Mounts) -> Manifest:
    """Returns the manifest of the attached dataset of wheels: whole, and of the version that is installed.

    Raises HemorrhageError where there is none or more than one, it is of another version, or a file is damaged.
    """
    folder = _require_one(mounts.wheels, MANIFEST, mounts, f"the dataset {DATASET} ('make kaggle-dataset' builds it)")
    manifest = read_manifest(folder / MANIFEST)
    _require_installed(folder / MANIFEST, manifest)
    check_files(folder, manifest)
    return manifest


def _require_installed(path: Path, manifest: Manifest) -> None:
    # pip keeps what it installed before a new version of the dataset was attached.
    installed, carried = (hemorrhage.__version__, find_commit()), (manifest.version, manifest.commit)
    if installed != carried:
        raise HemorrhageError(
            f"{path}: expected the dataset of hemorrhage {describe_code(*installed)}, which is installed, received "
            f"that of {describe_code(*carried)}. Start the kernel anew: its first cell installs from this one."
        )


def describe_code(version: str | None, commit: str | None) -> str:
    """Returns a version of this package and its commit as text."""
    return f"{version} of commit {abbreviate(commit)}"


def check_data(mounts: Mounts) -> Path:
    """Returns the folder of the one attached data set; raises HemorrhageError where there is none, or several."""
    what = f"the competition's data (Add Input, Competitions, {COMPETITION}; its rules must be accepted once)"
    return _require_one(mounts.data_sets, TRAIN_CSV, mounts, what)


def check_slices(data: DataSet) -> list[Path]:
    """Returns the folders of slices, that of the training part first; raises HemorrhageError where it is missing."""
    if data.train_folder is None:
        raise HemorrhageError(f"{data.labels_csv}: expected a folder stage_2_train beside it, found none.")
    return [data.train_folder, *([data.test_folder] if data.test_folder else [])]


def check_test(data: DataSet, store: Path | None) -> None:
    """Raises HemorrhageError where there are no test slices to make a submission of."""
    if store is not None:
        if not open_store(store).manifest.slices["test"]:
            raise HemorrhageError(
                f"{store}: expected test slices in the store, to make a submission of, found none. Attach one that was "
                "prepared with PATIENTS = None."
            )
        return
    if data.sample_csv is None or data.test_folder is None:
        wanted = SAMPLE_CSV if data.sample_csv is None else TEST_FOLDER
        raise HemorrhageError(f"{data.labels_csv.parent}: expected {wanted} in it, found none. Attach the data again.")
    if read_probabilities(data.sample_csv).empty:
        raise HemorrhageError(f"{data.sample_csv}: expected the images to predict, found none. Attach the data again.")


def find_store(mounts: Mounts) -> Path | None:
    """Returns the folder of the attached store, None without one; raises HemorrhageError where there are several."""
    if len(mounts.stores) > 1:
        raise HemorrhageError(f"Expected one store, found {_list(mounts.stores)}. Detach all but one.")
    return next(iter(mounts.stores), None)


def check_place(mounts: Mounts) -> None:
    """Raises HemorrhageError unless this process works in the folder whose files Kaggle keeps."""
    if Path.cwd().resolve() != mounts.working.resolve():
        raise HemorrhageError(
            f"Expected the kernel to work in {mounts.working}, whose files Kaggle keeps; it works in {Path.cwd()}. "
            f"Change to that folder: import os; os.chdir('{mounts.working}')."
        )


def check_gpu(is_needed: bool) -> int:
    """Returns how many GPUs Keras sees; raises HemorrhageError where one is needed and there is none."""
    # Here, so that what is wrong with the image has been said before Keras is loaded from it.
    from hemorrhage.models.devices import count_gpus

    gpus = count_gpus()
    if is_needed and not gpus:
        raise HemorrhageError(
            "Expected a GPU, found none. Choose the accelerator GPU T4 x2 in the notebook's settings (or, to go on "
            "without one all the same, set ALLOW_CPU = True in the cell of parameters)."
        )
    return gpus


def check_space(mounts: Mounts, needed_bytes: int, what: str) -> None:
    """Raises HemorrhageError where `what`, of so many bytes, has no room on the disk or in the output that is kept."""
    free = shutil.disk_usage(mounts.working).free
    kept = max(KEPT_BYTES - folder_bytes(mounts.working), 0)
    if needed_bytes > min(free, kept):
        is_full = free < kept
        where = f"{format_bytes(free)} are free" if is_full else f"{format_bytes(kept)} are left of what Kaggle keeps"
        raise HemorrhageError(
            f"{mounts.working}: expected room for {what}, some {format_bytes(needed_bytes)}, but {where}. Delete what "
            "is not needed there, or make it smaller: fewer slices, a smaller size, or one of several shards."
        )


def check_hours(clock: Clock, max_hours: float | None) -> float:
    """Returns how many hours the work may take: `max_hours`, or what the clock leaves but for KEPT_BACK_HOURS.

    Raises HemorrhageError where that is nothing.
    """
    left = clock.hours_left - KEPT_BACK_HOURS
    hours = left if max_hours is None else min(max_hours, left)
    if hours <= 0:
        raise HemorrhageError(
            f"Expected hours to work in, {clock.hours_used:.2f} of {clock.limit_hours:g} are gone and "
            f"{KEPT_BACK_HOURS:g} are kept back for saving. Start the kernel anew, or give a MAX_HOURS above 0."
        )
    return hours


def folder_bytes(folder: Path) -> int:
    """Returns the bytes of all files below a folder, links not followed."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _require_one(folders: tuple[Path, ...], name: str, mounts: Mounts, what: str) -> Path:
    if not folders:
        raise HemorrhageError(f"{mounts.input}: expected {name} below it, found none. Attach {what} and run again.")
    if len(folders) > 1:
        raise HemorrhageError(f"{mounts.input}: expected one {name}, found {_list(folders)}. Detach all but one.")
    return folders[0]


def _list(folders: tuple[Path, ...]) -> str:
    return ", ".join(map(str, folders))
