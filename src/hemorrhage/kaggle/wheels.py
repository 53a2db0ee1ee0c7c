"""The wheels that are carried to Kaggle: which and why, how they are fetched, and what they expect to find there.

What the image holds was read in Colab's package list of January 2026, from which Kaggle's image is made (its Python
3.12 and NumPy 2.0 are the same), and in Kaggle's own list of additions.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path

from hemorrhage.commit import COMMIT_FILE, read_commit
from hemorrhage.errors import HemorrhageError

PYTHONS = ("3.12", "3.13")
PACKAGE = "hemorrhage"


@dataclass(frozen=True)
class Carried:
    """A distribution that goes along, why, and its version where requirements.txt does not pin it."""

    name: str
    reason: str
    version: str | None = None


CARRIED = (
    Carried("imgaug", "not on the image"),
    Carried("efficientnet", "not on the image"),
    Carried("keras-applications", "efficientnet imports it; not on the image", "1.0.8"),
    Carried("iterative-stratification", "not on the image"),
    Carried("blosc2", "in Colab's list because of PyTables alone; pip keeps the image's own where there is one"),
    Carried("ndindex", "blosc2 imports it; comes and goes with it", "1.10.1"),
    Carried("numexpr", "blosc2 imports it; comes and goes with PyTables and it", "2.14.2"),
    Carried("msgpack", "blosc2 imports it; no package that we need brings it", "1.2.4"),
)

_LARGE = ("tensorflow", "keras", "tensorboard", "numpy", "pandas", "pyarrow", "scipy", "scikit-learn", "matplotlib")
_SMALL = ("opencv-python", "pydicom", "h5py", "tqdm")
_OF_IMGAUG = ("six", "scikit-image", "shapely", "imageio", "pillow")
_OF_BLOSC2 = ("httpx", "pydantic", "rich", "threadpoolctl")
ON_IMAGE = frozenset((*_LARGE, *_SMALL, *_OF_IMGAUG, *_OF_BLOSC2))
"""What the wheels need and the image has. A notebook holds the image against it before it begins."""

# Kaggle's image is Ubuntu 22.04 (glibc 2.35); 2.28 is the newest that packages are built for.
_PLATFORMS = [f"manylinux_2_{minor}_x86_64" for minor in range(28, 16, -1)] + ["manylinux2014_x86_64"]

# The oldest date that a zip can hold: equal sources then give an equal wheel.
_BUILD_DATE = "315532800"


def read_pins(requirements: Path) -> dict[str, str]:
    """Returns name -> version for the lines `name==version` of a requirements file, names as pip compares them."""
    try:
        lines = requirements.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise HemorrhageError(f"{requirements}: could not be read ({error.strerror}).") from error
    pairs = [line.split("#")[0].strip().split("==") for line in lines]
    return {canonical(pair[0]): pair[1] for pair in pairs if len(pair) == 2}


def pin_carried(pins: Mapping[str, str]) -> list[str]:
    """Returns `name==version` for each of CARRIED; raises HemorrhageError where nothing says the version."""
    unknown = [one.name for one in CARRIED if one.version is None and one.name not in pins]
    if unknown:
        raise HemorrhageError(f"requirements.txt: expected a pin for {', '.join(unknown)}, found none.")
    return [f"{one.name}=={pins.get(one.name) or one.version}" for one in CARRIED]


def canonical(name: str) -> str:
    """Returns a distribution's name as pip compares it: lower case, with '-' for '_' and '.'."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def download_command(wanted: Sequence[str], python: str, folder: Path) -> list[str]:
    """Returns the words that fetch the wheels for one Python into a folder, whatever the interpreter at hand."""
    platforms = [word for name in _PLATFORMS for word in ("--platform", name)]
    return [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--retries", "2"),
        *("--no-deps", "--only-binary=:all:", "--implementation", "cp", "--python-version", python),
        *(*platforms, "--dest", str(folder), *wanted),
    ]


def fetch_wheels(wanted: Sequence[str], folder: Path) -> None:
    """Puts the wheels for every one of PYTHONS into the folder; raises HemorrhageError where pip does not get one."""
    for python in PYTHONS:
        _run_pip(download_command(wanted, python, folder), f"the wheels for Python {python}")


def build_wheel(source: Path, folder: Path) -> Path:
    """Returns this package's wheel, built into the folder from a copy of the source tree.

    The copy keeps what an earlier build left behind out of it. Raises HemorrhageError where there is no source tree,
    or pip cannot build it.
    """
    if not (source / "pyproject.toml").is_file():
        raise HemorrhageError(
            f"{source}: expected the source tree with a pyproject.toml, found none. Call this in a checkout of the "
            "repository; an installed package cannot make its own wheel."
        )
    with tempfile.TemporaryDirectory() as parent:
        copy = Path(parent) / PACKAGE
        _copy_source(source, copy)
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
        _run_pip([*command, "--wheel-dir", str(folder), str(copy)], f"the wheel of {PACKAGE}")
    return next(folder.glob(f"{PACKAGE}-*.whl"))


def _copy_source(source: Path, copy: Path) -> None:
    leave_out = shutil.ignore_patterns("__pycache__", "*.egg-info", "*.pyc", ".*")
    shutil.copytree(source / "src" / PACKAGE, copy / "src" / PACKAGE, ignore=leave_out)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copyfile(source / name, copy / name)
    (copy / "src" / PACKAGE / COMMIT_FILE).write_text(read_commit(source) or "", encoding="utf-8")


def _run_pip(command: Sequence[str], what: str) -> None:
    environment = os.environ | {"SOURCE_DATE_EPOCH": _BUILD_DATE, "PIP_NO_INPUT": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        errors = [line.removeprefix("ERROR: ") for line in said if line.startswith("ERROR: ")] or said
        unreachable = (
            " The package index could not be reached: is there a network?" if "Retrying" in done.stderr else ""
        )
        reason = errors[-1] if errors else f"exit status {done.returncode}"
        raise HemorrhageError(f"pip could not get {what}: {reason.rstrip('.')}.{unreachable}")


def python_of(wheel: Path) -> str | None:
    """Returns the one Python that a wheel is for, None for a pure wheel or one of the stable ABI."""
    found = re.fullmatch(r"cp3(\d+)", wheel.stem.split("-")[-2])
    return f"3.{found[1]}" if found else None


def name_of(wheel: Path) -> str:
    """Returns the distribution's name as pip compares it."""
    return canonical(wheel.name.split("-")[0])


def find_image_needs(wheels: Iterable[Path]) -> dict[str, str]:
    """Returns what the wheels expect on the image: name -> lowest version, "0" for any, sorted by name.

    Raises HemorrhageError for a requirement that is neither carried nor in ON_IMAGE: it would be missed on Kaggle.
    """
    needs: dict[str, str] = {}
    for wheel in wheels:
        for name, lowest in read_requirements(wheel):
            if name in {one.name for one in CARRIED}:
                continue
            if name not in ON_IMAGE:
                raise HemorrhageError(
                    f"{wheel.name}: needs {name}, which is neither carried nor known to be on Kaggle's image. Add it "
                    "to CARRIED or to ON_IMAGE in src/hemorrhage/kaggle/wheels.py."
                )
            needs[name] = max(needs.get(name, "0"), lowest, key=_by_number)
    return dict(sorted(needs.items()))


def read_requirements(wheel: Path) -> list[tuple[str, str]]:
    """Returns (name, lowest version) of what a wheel requires without any extra; "0" where it says no version."""
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = (name for name in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name))
        lines = HeaderParser().parsestr(archive.read(metadata).decode()).get_all("Requires-Dist", [])
    return [_parse_requirement(line) for line in lines if not re.search(r"\bextra\s*==", line)]


def _parse_requirement(line: str) -> tuple[str, str]:
    specifier = line.split(";")[0]
    name = re.match(r"[A-Za-z0-9._-]+", specifier)
    lowest = re.search(r">=\s*([0-9.]+)", specifier)
    return canonical(name[0] if name else specifier), lowest[1] if lowest else "0"


def _by_number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part)
