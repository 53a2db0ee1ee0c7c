"""A folder that is whole or not there: built under another name, then put in place."""

import fcntl
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hemorrhage.errors import HemorrhageError
from hemorrhage.files import advise, describe_os_error, make_folder

_LOCK = ".lock"


def check_free(out: Path) -> None:
    """Raises HemorrhageError where `out` holds anything, is being written by another process, or cannot be looked into.

    What a killed process left of it, in it or beside it, is removed.
    """
    try:
        for left in [*_list_unfinished(out), *_list_unfinished(out.parent, out.name)]:
            _remove_abandoned(left, out)
        taken = out.exists() and not (out.is_dir() and not any(out.iterdir()))
    except OSError as error:
        raise HemorrhageError(f"{out}: could not be looked into ({error.strerror or error}). Name another.") from error
    if taken:
        raise HemorrhageError(f"{out}: exists and is not an empty folder; nothing was changed. Choose another folder.")


@contextmanager
def building(out: Path) -> Iterator[Path]:
    """Yields a new folder whose content `out` holds if the block ends well, and which is removed if not.

    It is beside `out`; where `out` is there already, empty, it is within, since `out` may be where another disk
    begins. Raises HemorrhageError for an OSError of the block or of its own.
    """
    within = out.is_dir()
    folder = (out if within else make_folder(out.parent)) / f".{out.name}-{uuid.uuid4().hex}"
    try:
        folder.mkdir()
        # Held while this process lives, so that another can tell a folder being built from one that was abandoned.
        with (folder / _LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder
            (folder / _LOCK).unlink()
            if within:
                _move_up(folder)
            else:
                folder.rename(out)
    except OSError as error:
        raise HemorrhageError(f"{out}: could not be written ({describe_os_error(error)}). {advise(error)}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _list_unfinished(folder: Path, name: str | None = None) -> list[Path]:
    """The folders of `building` in a folder, for `out` of that name."""
    pattern = re.compile(rf"\.{re.escape(name or folder.name)}-[0-9a-f]{{32}}")
    return [path for path in folder.iterdir() if pattern.fullmatch(path.name)] if folder.is_dir() else []


def _remove_abandoned(left: Path, out: Path) -> None:
    lock = left / _LOCK
    if not lock.is_file():
        return
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise HemorrhageError(f"{out}: another process is writing it. Wait for it, or name another.") from error
    shutil.rmtree(left)


def _move_up(folder: Path) -> None:
    """Moves all that `folder` holds into the folder that holds it; on an error, back again."""
    moved: list[Path] = []
    try:
        for path in sorted(folder.iterdir()):
            target = folder.parent / path.name
            path.rename(target)
            moved.append(target)
    except OSError:
        for target in moved:
            target.rename(folder / target.name)
        raise
