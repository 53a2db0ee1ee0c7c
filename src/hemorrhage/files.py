"""Writing files so that a reader sees the old one or the new one, never a half."""

import errno
import json
import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from hemorrhage.errors import HemorrhageError

_TEMPORARY = re.compile(r"\..+-[0-9a-f]{32}(\.\w+)?")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a temporary path beside `path` that is renamed onto it when the block ends without an error.

    The temporary name keeps the suffix of `path`, since writers choose a format by it. On an error the
    temporary file is removed and `path` stays as it was; a full or read-only folder raises HemorrhageError.
    """
    make_folder(path.parent)
    temporary = path.with_name(f".{path.stem}-{uuid.uuid4().hex}{path.suffix}")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise HemorrhageError(f"{path}: could not be written ({describe_os_error(error)}). {advise(error)}") from error
    finally:
        # A folder that has become read-only refuses this as well, and its error would hide the clear one.
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Writes `value` as indented JSON, atomically; raises HemorrhageError where the folder cannot be written."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Returns the value that the JSON file holds; raises HemorrhageError where it is missing or malformed."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise HemorrhageError(f"{path}: could not be read ({error.strerror or error}).") from error
    except ValueError as error:
        raise HemorrhageError(f"{path}: expected JSON, {error}.") from error


def read_object(path: Path, advice: str) -> dict[str, Any]:
    """Returns the object that the JSON file holds; HemorrhageError, which ends in `advice`, where there is none."""
    try:
        value = read_json(path)
    except HemorrhageError as error:
        raise HemorrhageError(f"{error} {advice}") from error
    if not isinstance(value, dict):
        raise HemorrhageError(f"{path}: expected a JSON object, received {type(value).__name__}. {advice}")
    return value


def walk_once(folder: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Yields each folder below `folder`, itself first, with the names of folders and of files in it.

    Links are followed, and no folder is entered twice. Of the list of folders the caller may take some out, as with
    os.walk, so that they are not entered.
    """
    seen: set[str] = set()
    for parent, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(parent)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        yield Path(parent), folders, names


def remove_temporaries(folder: Path) -> None:
    """Removes what `replacing` left in `folder` when its process was killed, and nothing else."""
    for path in folder.glob(".*"):
        if _TEMPORARY.fullmatch(path.name) and path.is_file():
            path.unlink(missing_ok=True)


def make_folder(path: Path) -> Path:
    """Returns `path` after making it and its parents; raises HemorrhageError where that is not allowed."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HemorrhageError(
            f"{path}: the folder could not be made ({error.strerror or error}). {advise(error)}"
        ) from error
    return path


def describe_os_error(error: OSError) -> str:
    """Returns the system's words for the error, or the first line of what a library made of it."""
    return error.strerror or str(error).partition("\n")[0]


def advise(error: OSError) -> str:
    """Returns what to do about a folder that cannot be written."""
    # Some libraries put an error of their own, without a number, in the place of the system's.
    is_full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, None)
    return "Free some space, or name another folder." if is_full else "Name a folder that can be written."
