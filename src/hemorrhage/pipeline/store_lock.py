"""Who may write into a store: one preparation alone, or several parts (--shard) side by side once there is a plan."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from hemorrhage.errors import HemorrhageError
from hemorrhage.files import describe_os_error, make_folder, remove_temporaries
from hemorrhage.pipeline.console import Console

_LOCK = ".prepare.lock"
_WAIT_SECONDS = 1.0


@dataclass(frozen=True)
class StoreLock:
    """The hold on a store's folder; the system lets go of it when the process ends, however it ends."""

    file: IO[str]

    def share(self) -> None:
        """Lets other parts in; to be called when the plan is written."""
        with suppress(OSError):
            fcntl.flock(self.file, fcntl.LOCK_SH)


@contextmanager
def locking_store(folder: Path, as_part: bool, console: Console) -> Iterator[StoreLock]:
    """Holds the store `folder`, made where it is new, and removes what killed preparations left when nobody else works.

    Raises HemorrhageError where another process holds it; `as_part` waits while that one makes the plan.
    """
    is_new = not folder.exists()
    make_folder(folder)
    file = _hold(folder, as_part, console)
    try:
        yield StoreLock(file)
    finally:
        _let_go(folder, file, is_new)


def _hold(folder: Path, as_part: bool, console: Console) -> IO[str]:
    has_waited = False
    while True:
        file = _open(folder / _LOCK)
        is_alone = _try_lock(file, fcntl.LOCK_EX)
        locked = is_alone or (as_part and _try_lock(file, fcntl.LOCK_SH))
        if locked and _is_in_place(file, folder / _LOCK):
            if is_alone:
                _remove_leftovers(folder)
            return file
        file.close()
        if locked:
            continue  # whoever held it has removed it meanwhile
        if not as_part:
            raise HemorrhageError(
                f"{folder}: another preparation is writing it. Wait for its end, or name another folder."
            )
        if not has_waited:
            console.warn(f"{folder}: another preparation is at work here; waiting for its plan.")
            has_waited = True
        time.sleep(_WAIT_SECONDS)


def _open(path: Path) -> IO[str]:
    try:
        return path.open("w")
    except OSError as error:
        raise HemorrhageError(
            f"{path.parent}: could not be written ({describe_os_error(error)}). Free some space, or name a folder that "
            "can be written."
        ) from error


def _try_lock(file: IO[str], kind: int) -> bool:
    """Returns whether the lock was got; also where the file system knows no locks, and nobody can be kept out."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _is_in_place(file: IO[str], path: Path) -> bool:
    with suppress(OSError):
        return os.fstat(file.fileno()).st_ino == path.stat().st_ino
    return False


def _let_go(folder: Path, file: IO[str], is_new: bool) -> None:
    # Clearing up must not hide the error that ended the work, on a full or read-only disk for one.
    with suppress(OSError):
        if _try_lock(file, fcntl.LOCK_EX):
            _remove_leftovers(folder)
            (folder / _LOCK).unlink(missing_ok=True)
    file.close()
    if is_new:
        with suppress(OSError):  # not empty: then there is something to keep
            folder.rmdir()


def _remove_leftovers(folder: Path) -> None:
    remove_temporaries(folder)
    remove_temporaries(folder / "shards")
