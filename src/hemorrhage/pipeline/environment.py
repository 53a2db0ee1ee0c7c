"""What a run was made with: time, commit, command and versions, so that it can be made again."""

import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

import keras

from hemorrhage import __version__
from hemorrhage.commit import find_commit

_PACKAGES = ("keras", "numpy", "pandas", "pydicom", "opencv-python", "imgaug", "efficientnet")


def describe_environment(command: Sequence[str]) -> dict[str, Any]:
    """Returns what a reader needs to run it again: the time, the commit, the command, and the versions."""
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": find_commit(),
        "command": list(command),
        "hemorrhage": __version__,
        "python": platform.python_version(),
        "backend": keras.backend.backend(),
        "packages": {name: _version(name) for name in (keras.backend.backend(), *_PACKAGES)},
        "platform": f"{sys.platform} {platform.machine()}",
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
