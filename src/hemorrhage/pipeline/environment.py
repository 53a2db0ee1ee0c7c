"""What a run was made with: time, commit, command and versions, so that it can be made again."""

import platform
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import keras

from hemorrhage import __version__

_PACKAGES = ("keras", "numpy", "pandas", "pydicom", "opencv-python", "imgaug", "efficientnet")


def describe_environment(command: Sequence[str]) -> dict[str, Any]:
    """Returns what a reader needs to run it again: the time, the commit, the command, and the versions."""
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _read_commit(),
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


def _read_commit() -> str | None:
    source = Path(__file__).parents[3]
    if not (source / "pyproject.toml").is_file():
        return None  # installed, so any repository around it is another's
    try:
        done = subprocess.run(
            ["git", "-C", str(source), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        return None
    return done.stdout.strip() or None
