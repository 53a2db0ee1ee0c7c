"""The manifest of the dataset that is carried to Kaggle: its files by size and hash, and what the image must have.

`hemorrhage_manifest.json` lies beside the files it lists. A notebook reads it before this package is installed, so that
its form is a promise; another form gets another number in "format":

    {"format": 1, "package": "hemorrhage", "version": "0.1.0", "commit": "<40 hex digits, -dirty behind them>" or null,
     "pythons": ["3.12", "3.13"],
     "image": {"tensorflow": "2.20", "six": "0", ...},
     "files": [{"name": "x.whl", "bytes": 1, "sha256": "<64 hex digits>", "kind": "wheel",
                "python": null or "3.12"}, ...],
     "install": ["hemorrhage", "imgaug", ...]}

- "image": distributions that the image must have itself, by their names on PyPI in lower case, with the lowest version
  ("0": any). The place of opencv-python may be taken by opencv-python-headless or opencv-contrib-python.
- "files": all but the manifest and dataset-metadata.json. "kind" is wheel, weights (a .keras or .h5 file) or run (the
  folder of a run as NAME.tar, which Kaggle unpacks into a folder NAME: then that is there in the file's stead).
  "python" is set for a wheel that fits one Python alone.
- "install": the names for `pip install --no-index --no-deps --find-links FOLDER`; what the image has, pip keeps.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hemorrhage.errors import HemorrhageError
from hemorrhage.files import read_object, write_json

FORMAT = 1
MANIFEST = "hemorrhage_manifest.json"
KINDS = ("wheel", "weights", "run")

_AGAIN = "Build the dataset again: make kaggle-dataset."


@dataclass(frozen=True)
class DatasetFile:
    """A file of the dataset: its name, size and hash, what it is, and the one Python that a wheel is for, if any."""

    name: str
    bytes: int
    sha256: str
    kind: str
    python: str | None = None


@dataclass(frozen=True)
class Manifest:
    """What hemorrhage_manifest.json holds; the module says what each field means."""

    package: str
    version: str
    commit: str | None
    pythons: tuple[str, ...]
    image: Mapping[str, str]
    files: tuple[DatasetFile, ...]
    install: tuple[str, ...]


def describe_file(path: Path, kind: str, python: str | None = None) -> DatasetFile:
    """Returns the file's name, size and hash, with what it is."""
    return DatasetFile(path.name, path.stat().st_size, hash_file(path), kind, python)


def hash_file(path: Path) -> str:
    """Returns the file's sha256, 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Writes the manifest as JSON, atomically; raises HemorrhageError where the folder cannot be written."""
    write_json(path, {"format": FORMAT, **asdict(manifest)})


def read_manifest(path: Path) -> Manifest:
    """Returns the manifest in the file; raises HemorrhageError where it is missing, damaged or of another format."""
    described = read_object(path, _AGAIN)
    if described.get("format") != FORMAT:
        raise HemorrhageError(f"{path}: expected format {FORMAT}, received {described.get('format')!r}. {_AGAIN}")
    try:
        return _parse(described)
    except (KeyError, TypeError, ValueError) as error:
        raise HemorrhageError(f"{path}: expected what 'make kaggle-dataset' writes, {error!r}. {_AGAIN}") from error


def _parse(described: Mapping[str, Any]) -> Manifest:
    files = tuple(DatasetFile(**one) for one in described["files"])
    if unknown := {one.kind for one in files} - set(KINDS):
        raise ValueError(f"kind {', '.join(sorted(unknown))}")
    return Manifest(
        package=described["package"],
        version=described["version"],
        commit=described["commit"],
        pythons=tuple(described["pythons"]),
        image=dict(described["image"]),
        files=files,
        install=tuple(described["install"]),
    )


def check_files(folder: Path, manifest: Manifest) -> None:
    """Raises HemorrhageError unless every file of the manifest is in the folder, with its size and hash.

    A run that Kaggle has unpacked is taken as it is: the hash is that of its archive.
    """
    for one in manifest.files:
        path = folder / one.name
        if one.kind == "run" and path.with_suffix("").is_dir():
            continue
        if not path.is_file():
            raise HemorrhageError(f"{path}: expected this {one.kind}, found no such file. {_AGAIN}")
        if (size := path.stat().st_size) != one.bytes or hash_file(path) != one.sha256:
            raise HemorrhageError(
                f"{path}: expected {one.bytes} bytes with sha256 {one.sha256[:12]}..., received {size} bytes of "
                f"another content. {_AGAIN}"
            )
