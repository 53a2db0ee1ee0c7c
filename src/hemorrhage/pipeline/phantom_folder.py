"""A folder that is whole or not there: built under another name, then put in place."""

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hemorrhage.errors import HemorrhageError
from hemorrhage.files import describe_os_error, make_folder


def check_free(out: Path) -> None:
    """Raises HemorrhageError where `out` holds anything, or cannot be looked into."""
    try:
        taken = out.exists() and not (out.is_dir() and not any(out.iterdir()))
    except OSError as error:
        raise HemorrhageError(f"{out}: could not be looked into ({error.strerror or error}).") from error
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
        yield folder
        if within:
            _move_up(folder)
        else:
            folder.rename(out)
    except OSError as error:
        raise HemorrhageError(
            f"{out}: could not be written ({describe_os_error(error)}). Free some space, or name another folder."
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


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
