"""An environment like Kaggle's image, made once and kept in build/ by the hash of its pins; and a fresh one for a run.

A fresh one is an empty venv that sees the packages of the kept one: what a notebook installs goes into it alone.
"""

import fcntl
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
PINS = Path(__file__).parent / "pins.txt"
BUILD = ROOT / "build" / "kernels"
_PREFERRED = ("3.12", "3.13")


def find_python() -> str:
    """Returns a Python 3.12 that runs here, else a 3.13, else the one that runs this."""
    for version in _PREFERRED:
        for candidate in _candidates(version):
            if _runs(candidate, version):
                return candidate
    return sys.executable


def _candidates(version: str) -> list[str]:
    named = [path] if (path := shutil.which(f"python{version}")) else []
    return [*named, *_ask_pyenv(version)]


def _ask_pyenv(version: str) -> list[str]:
    """Returns the interpreters of that version that pyenv has; its stand-ins on PATH run the chosen ones alone."""
    if shutil.which("pyenv") is None:
        return []
    listed = _output(["pyenv", "versions", "--bare"]).split()
    prefixes = [_output(["pyenv", "prefix", one]) for one in listed if one.startswith(f"{version}.")]
    return [str(Path(prefix) / "bin" / f"python{version}") for prefix in prefixes if prefix]


def _runs(python: str, version: str) -> bool:
    probe = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"
    return Path(python).exists() and _output([python, "-c", probe]) == version


def _output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def make_image() -> Path:
    """Returns the Python of the kept environment, after making it where it is not there yet (some 3 GB, minutes)."""
    python = find_python()
    key = hashlib.sha256(f"{PINS.read_text()}{_output([python, '--version'])}".encode()).hexdigest()[:12]
    folder = BUILD / f"image-{key}"
    with building():
        if not (folder / ".ready").is_file():
            _make_image(python, folder)
    return folder / "bin" / "python"


def _make_image(python: str, folder: Path) -> None:
    print(f"making {folder.relative_to(ROOT)} with {python}: some 3 GB, minutes, once", flush=True)
    remove_others(folder)
    subprocess.run([python, "-m", "venv", folder], check=True)
    pip = [folder / "bin" / "python", "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    subprocess.run([*pip, "--requirement", PINS], check=True)
    (folder / ".ready").touch()


def remove_others(folder: Path) -> None:
    """Removes what was kept under the folder's name before its dash with another hash behind it, and the folder."""
    for other in folder.parent.glob(f"{folder.name.rpartition('-')[0]}-*"):
        shutil.rmtree(other)


@contextmanager
def building() -> Iterator[None]:
    """Holds build/kernels, so that of several processes one makes a thing and the others find it."""
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def make_fresh(image: Path, folder: Path) -> Path:
    """Returns the Python of a new environment in `folder` that has all of the image's packages and nothing else."""
    subprocess.run([image, "-m", "venv", "--without-pip", folder], check=True)
    packages = "import sysconfig; print(sysconfig.get_path('purelib'))"
    python = folder / "bin" / "python"
    place = Path(_output([str(python), "-c", packages]))
    (place / "image.pth").write_text(_output([str(image), "-c", packages]) + "\n")
    return python


def version_of(python: Path) -> str:
    """Returns such as 3.12."""
    return _output([str(python), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"])
