"""Bringing the competition's data: the disk it takes is said first, and what an earlier call left is gone on with."""

import os
import shutil
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from hemorrhage.data.layout import SAMPLE_CSV, TRAIN_CSV
from hemorrhage.errors import HemorrhageError
from hemorrhage.files import advise, describe_os_error, make_folder, replacing
from hemorrhage.kaggle.client import Call, describe_call, send
from hemorrhage.kaggle.names import COMPETITION
from hemorrhage.pipeline.console import Console

_BLOCK = 1 << 20


@dataclass(frozen=True)
class Expected:
    """What the competition's archive is known to hold, for the disk it takes before anything of it is there."""

    slices: int = 874_035
    archive_bytes: int = 180_000_000_000
    slice_bytes: int = 512 * 512 * 2

    @property
    def unpacked_bytes(self) -> int:
        return self.slices * self.slice_bytes


STAGE_2 = Expected()
ORIGIN = (
    "unpacked: 752,803 + 121,232 slices of 512 x 512 pixels of 2 bytes, computed, and 2 % for headers and blocks; "
    "archive: 180 GB, as the README of a winning solution says (khursani8/kaggle-rsna-intracranial-hemorrhage)"
)
# Headers, CSVs, and what 874,035 files leave unfilled of their last blocks.
_MARGIN = 1.02


@dataclass(frozen=True)
class Place:
    """Where the data go: the archive and the folder it is unpacked into, both in `out`."""

    out: Path

    @property
    def archive(self) -> Path:
        return self.out / f"{COMPETITION}.zip"

    @property
    def partial_mark(self) -> Path:
        """The client keeps it beside an archive that it has not fetched to the end."""
        return self.archive.with_name(f"{self.archive.name}.kaggle-partial")

    @property
    def folder(self) -> Path:
        return self.out / COMPETITION

    @property
    def has_archive(self) -> bool:
        return not self.partial_mark.exists() and self.archive.is_file() and zipfile.is_zipfile(self.archive)


@dataclass(frozen=True)
class Need:
    """The bytes still to be fetched and to be unpacked, and those that the disk has free."""

    archive: int
    unpacked: int
    free: int

    @property
    def total(self) -> int:
        return self.archive + self.unpacked

    @property
    def fits(self) -> bool:
        return self.total <= self.free


def plan_download(out: Path) -> Call:
    """Returns the call that fetches the competition's archive into `out`, going on where an earlier one stopped."""
    return Call(
        what=f"download {COMPETITION}",
        method="competition_download_files",
        arguments={"competition": COMPETITION, "path": str(out), "force": False, "quiet": False},
        if_forbidden=f"Accept the rules once at https://www.kaggle.com/competitions/{COMPETITION}/rules.",
        if_unknown=f"Is the competition still at https://www.kaggle.com/competitions/{COMPETITION}?",
    )


def is_complete(place: Place, expected: Expected = STAGE_2) -> bool:
    """Returns whether the folder holds both CSVs and every slice, by count; an archive that is there tells more."""
    names = [name for _, _, files in os.walk(place.folder) for name in files]
    slices = sum(name.endswith(".dcm") and not name.startswith(".") for name in names)
    return not place.has_archive and {TRAIN_CSV, SAMPLE_CSV} <= set(names) and slices == expected.slices


def measure_need(place: Place, expected: Expected = STAGE_2) -> Need:
    """Returns what is still to be fetched and unpacked: exact where the archive is there, else as it is known to be."""
    if place.has_archive:
        archive, unpacked = 0, sum(one.file_size for one in list_missing(place))
    else:
        archive = expected.archive_bytes - (place.archive.stat().st_size if place.archive.is_file() else 0)
        unpacked = int(expected.unpacked_bytes * _MARGIN) - _measure_folder(place.folder)
    return Need(max(archive, 0), max(unpacked, 0), shutil.disk_usage(_nearest_folder(place.out)).free)


def _measure_folder(folder: Path) -> int:
    return sum(
        entry.stat().st_size for parent, _, _ in os.walk(folder) for entry in os.scandir(parent) if entry.is_file()
    )


def _nearest_folder(path: Path) -> Path:
    return next(one for one in (path, *path.absolute().parents) if one.is_dir())


def describe_need(need: Need, place: Place) -> str:
    """Returns the disk that the download takes and has, with the origin of the figures."""
    free = f"{_giga(need.free)} free on the disk of {place.out}"
    if not need.archive:
        return f"disk: {_giga(need.unpacked)} still to be unpacked from {place.archive}; {free}"
    return (
        f"disk: {_giga(need.total)} = {_giga(need.archive)} archive + {_giga(need.unpacked)} unpacked; the archive is "
        f"removed in the end; {free}\n({ORIGIN})"
    )


def require_room(need: Need, place: Place) -> None:
    """Raises HemorrhageError where the disk has not what the download takes."""
    if not need.fits:
        raise HemorrhageError(
            f"{place.out}: expected {_giga(need.total)} of free disk, found {_giga(need.free)}. Free some, or name a "
            "folder on another disk by --out. On Kaggle itself nothing need be downloaded."
        )


def _giga(number: int) -> str:
    return f"{number / 1e9:.1f} GB"


def download(
    place: Place, open_api: Callable[[], Any], console: Console, keep_archive: bool, expected: Expected = STAGE_2
) -> Path:
    """Returns the folder with the competition's data after fetching and unpacking what is not there yet.

    The archive is removed in the end unless `keep_archive`. Raises HemorrhageError where the disk is too small, Kaggle
    refuses, or the archive is damaged; what was fetched and unpacked stays for the next call.
    """
    if is_complete(place, expected):
        console.say(_describe_complete(place, expected))
        return place.folder
    need = measure_need(place, expected)
    console.say(describe_need(need, place))
    require_room(need, place)
    make_folder(place.out)
    if not place.has_archive:
        send(plan_download(place.out), open_api(), hold_output=False)
        # Now that the archive can be read its own sizes count.
        require_room(measure_need(place, expected), place)
    unpack(place, console)
    if not keep_archive:
        place.archive.unlink()
    return place.folder


def describe_download(place: Place, warn: Callable[[str], None], expected: Expected = STAGE_2) -> str:
    """Returns what `download` would do and send; `warn` is told where it would stop for want of disk."""
    if is_complete(place, expected):
        return _describe_complete(place, expected)
    need = measure_need(place, expected)
    try:
        require_room(need, place)
    except HemorrhageError as error:
        warn(f"without a dry run this stops here: {error}")
    act = "would unpack it\nnothing was sent" if place.has_archive else describe_call(plan_download(place.out))
    return f"{describe_need(need, place)}\n{act}"


def _describe_complete(place: Place, expected: Expected) -> str:
    return f"{place.folder} is complete: {expected.slices:,} slices and both CSVs; nothing to download"


def list_missing(place: Place) -> Sequence[zipfile.ZipInfo]:
    """Returns the files of the archive that are not unpacked yet, or not with their size.

    Raises HemorrhageError for a damaged archive, and for a name that would lead out of the folder.
    """
    with _open_archive(place) as archive:
        return _pick_missing(archive, place)


def _open_archive(place: Place) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(place.archive)
    except (zipfile.BadZipFile, OSError) as error:
        raise HemorrhageError(f"{place.archive}: expected a zip archive, {error}. {_again(place)}") from error


def _pick_missing(archive: zipfile.ZipFile, place: Place) -> list[zipfile.ZipInfo]:
    members = (one for one in archive.infolist() if not one.is_dir())
    return [one for one in members if not _is_there(_target(place, one), one.file_size)]


def _is_there(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size


def _target(place: Place, member: zipfile.ZipInfo) -> Path:
    inside = PurePosixPath(member.filename.removeprefix(f"{COMPETITION}/"))
    if inside.is_absolute() or ".." in inside.parts:
        raise HemorrhageError(f"{place.archive}: {member.filename!r} leads out of the folder. {_again(place)}")
    return place.folder / inside


def _again(place: Place) -> str:
    return f"Remove {place.archive} and download again."


def unpack(place: Place, console: Console) -> None:
    """Unpacks what the archive holds and the folder lacks, each file whole or not at all.

    Raises HemorrhageError for a damaged archive, or a folder that cannot be written.
    """
    with _open_archive(place) as archive:
        missing = _pick_missing(archive, place)
        for member in console.track(missing, len(missing), "unpacked files"):
            _unpack_one(archive, member, place)


def _unpack_one(archive: zipfile.ZipFile, member: zipfile.ZipInfo, place: Place) -> None:
    target = _target(place, member)
    try:
        with replacing(target) as temporary, archive.open(member) as packed, temporary.open("wb") as file:
            shutil.copyfileobj(packed, file, _BLOCK)
    except (zipfile.BadZipFile, EOFError, zipfile.zlib.error) as error:  # type: ignore[attr-defined]
        raise HemorrhageError(f"{place.archive}: {member.filename} is damaged ({error}). {_again(place)}") from error
    except OSError as error:
        raise HemorrhageError(
            f"{target}: could not be written ({describe_os_error(error)}). {advise(error)}"
        ) from error
