"""What must hold before a kernel spends its first hour; a check raises HemorrhageError, one line, where it does not."""

import re
import shutil
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

import hemorrhage
from hemorrhage.errors import HemorrhageError
from hemorrhage.kaggle.clock import KEPT_BACK_HOURS, Clock
from hemorrhage.kaggle.machine import format_bytes
from hemorrhage.kaggle.manifest import MANIFEST, Manifest, check_files, read_manifest
from hemorrhage.kaggle.mounts import Mounts
from hemorrhage.kaggle.names import COMPETITION, DATASET

KEPT_BYTES = 20 * 10**9
"""What Kaggle keeps of /kaggle/working; a larger output is lost."""

_SAME_CODE = {"opencv-python": ("opencv-python-headless", "opencv-contrib-python")}


def check_wheels(mounts: Mounts) -> Manifest:
    """Returns the manifest of the attached dataset of wheels: whole, and of the version that is installed.

    Raises HemorrhageError where there is none or more than one, it is of another version, or a file is damaged.
    """
    folder = _require_one(mounts.wheels, MANIFEST, mounts, f"the dataset {DATASET} ('make kaggle-dataset' builds it)")
    manifest = read_manifest(folder / MANIFEST)
    if manifest.version != hemorrhage.__version__:
        raise HemorrhageError(
            f"{folder / MANIFEST}: expected the dataset of hemorrhage {hemorrhage.__version__}, which is installed, "
            f"received that of {manifest.version}. Start the kernel anew: its first cell installs from this one."
        )
    check_files(folder, manifest)
    return manifest


def check_image(manifest: Manifest) -> None:
    """Raises HemorrhageError where the image lacks a package that the manifest counts on, or has an older one."""
    lacking = [text for name, wanted in manifest.image.items() if (text := _describe_lack(name, wanted))]
    if lacking:
        raise HemorrhageError(
            f"Expected a newer Kaggle image: {'; '.join(lacking)}. Choose 'Always use latest environment' in the "
            "notebook's settings, or build the wheels for this image."
        )


def _describe_lack(name: str, wanted: str) -> str | None:
    version = find_version(name)
    if version is None:
        return f"{name} {wanted} or later, none is installed"
    if parse_version(version) < parse_version(wanted):
        return f"{name} {wanted} or later, received {version}"
    return None


def find_version(name: str) -> str | None:
    """Returns the version of an installed package, or of one that takes its place; None where there is neither."""
    for one in (name, *_SAME_CODE.get(name, ())):
        try:
            return metadata.version(one)
        except metadata.PackageNotFoundError:
            continue
    return None


def parse_version(text: str) -> tuple[int, ...]:
    """Returns the numbers of a version such as 2.20.0, up to the first part that is none."""
    release = re.match(r"\d+(\.\d+)*", text)
    return tuple(int(part) for part in release.group().split(".")) if release else ()


def check_data(mounts: Mounts) -> Path:
    """Returns the folder of the one attached data set; raises HemorrhageError where there is none, or several."""
    what = f"the competition's data (Add Input, Competitions, {COMPETITION}; its rules must be accepted once)"
    return _require_one(mounts.data_sets, "stage_2_train.csv", mounts, what)


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


def describe_versions(names: Mapping[str, str]) -> str:
    """Returns the titles of `names` (title by package) with the versions installed."""
    return ", ".join(f"{title} {find_version(name) or 'none'}" for name, title in names.items())


def _require_one(folders: tuple[Path, ...], name: str, mounts: Mounts, what: str) -> Path:
    if not folders:
        raise HemorrhageError(f"{mounts.input}: expected {name} below it, found none. Attach {what} and run again.")
    if len(folders) > 1:
        raise HemorrhageError(f"{mounts.input}: expected one {name}, found {_list(folders)}. Detach all but one.")
    return folders[0]


def _list(folders: tuple[Path, ...]) -> str:
    return ", ".join(map(str, folders))
