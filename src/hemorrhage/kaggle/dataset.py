"""The dataset of wheels, weights and runs: a flat folder, ready for `kaggle datasets create`.

Flat, since `kaggle datasets create` passes over sub-folders. A run therefore goes as one NAME.tar, which Kaggle unpacks
into a folder NAME, as it does with what `kaggle datasets create -r tar` sends.
"""

import json
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import hemorrhage
from hemorrhage import __version__
from hemorrhage.commit import read_commit
from hemorrhage.errors import HemorrhageError
from hemorrhage.files import advise, describe_os_error, make_folder, write_json
from hemorrhage.kaggle.manifest import MANIFEST, DatasetFile, Manifest, describe_file, hash_file, write_manifest
from hemorrhage.kaggle.names import DATASET, PLACEHOLDER, require_user
from hemorrhage.kaggle.wheels import (
    CARRIED,
    PACKAGE,
    PYTHONS,
    build_wheel,
    download_command,
    fetch_wheels,
    find_image_needs,
    pin_carried,
    python_of,
    read_pins,
)
from hemorrhage.pipeline.runs import Run, find_run, list_members, require_own

DATASET_FOLDER = Path("build") / "kaggle-dataset"
METADATA = "dataset-metadata.json"
SOURCE = Path(hemorrhage.__file__).parents[2]

_WEIGHT_SUFFIXES = (".keras", ".h5")


@dataclass(frozen=True)
class Recipe:
    """What the dataset is made of: its owner, the pinned wheels, runs and weight files, and the tree to build from."""

    owner: str
    wheels: tuple[str, ...]
    runs: tuple[Run, ...]
    weights: tuple[Path, ...]
    source: Path


def plan_dataset(user: str | None, runs: Sequence[str], weights: Sequence[Path], source: Path = SOURCE) -> Recipe:
    """Returns what the dataset will be made of; without a user its id keeps the placeholder.

    Raises HemorrhageError for a bad user, a run that is not there, that came with the package, or that is made of runs
    not named, a weight file that is missing or of another kind, two files of one name, or a version that is not pinned.
    """
    found = tuple(require_own(find_run(name)) for name in runs)
    _require_members(found)
    for path in weights:
        _require_weights(path)
    names = [f"{run.folder.name}.tar" for run in found] + [path.name for path in weights]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise HemorrhageError(f"Expected files of different names in one flat folder, received twice: {repeated[0]}.")
    owner = PLACEHOLDER if user is None else require_user(user)
    return Recipe(owner, tuple(pin_carried(read_pins(source / "requirements.txt"))), found, tuple(weights), source)


def _require_members(runs: Sequence[Run]) -> None:
    named = {run.folder.name for run in runs}
    for run in runs:
        lacking = [name for name in list_members(run) if name not in named] if run.kind != "train" else []
        if lacking:
            raise HemorrhageError(
                f"{run.folder}: it is made of other runs and cannot predict without them. Name them as well: "
                f"{' '.join(f'--run {name}' for name in lacking)}."
            )


def _require_weights(path: Path) -> None:
    if path.suffix not in _WEIGHT_SUFFIXES or not path.is_file():
        found = "found no such file" if path.suffix in _WEIGHT_SUFFIXES else f"received {path.suffix or 'none'}"
        raise HemorrhageError(
            f"{path}: expected a file of weights, {' or '.join(_WEIGHT_SUFFIXES)}, {found}. A run goes by --run NAME."
        )


def describe_metadata(recipe: Recipe) -> dict[str, object]:
    """Returns what dataset-metadata.json holds: `kaggle datasets create` wants a title, an id and one license."""
    return {
        "title": "Hemorrhage wheels",
        "id": f"{recipe.owner}/{DATASET}",
        "subtitle": "What the hemorrhage notebooks install without a network",
        # Each wheel has its own, and weights and runs are the user's.
        "licenses": [{"name": "other"}],
    }


def build_dataset(recipe: Recipe, folder: Path, say: Callable[[str], None]) -> Manifest:
    """Returns the manifest of the dataset after putting it into the folder, in the place of an earlier one.

    Raises HemorrhageError where the folder holds something else, a wheel cannot be had, or the disk is full.
    """
    _require_ours(folder)
    make_folder(folder.parent)
    try:
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as parent:
            made = make_folder(Path(parent) / folder.name)
            manifest = _fill(recipe, made, say)
            _exchange(made, folder, Path(parent) / "before")
    except OSError as error:
        raise HemorrhageError(f"{folder}: could not be made ({describe_os_error(error)}). {advise(error)}") from error
    return manifest


def _require_ours(folder: Path) -> None:
    is_ours = not folder.exists() or (folder.is_dir() and ((folder / MANIFEST).is_file() or not any(folder.iterdir())))
    if not is_ours:
        raise HemorrhageError(
            f"{folder}: expected a folder of an earlier build, an empty one or none; it holds something else. Name "
            "another by --out."
        )


def _fill(recipe: Recipe, folder: Path, say: Callable[[str], None]) -> Manifest:
    say(f"fetching {len(recipe.wheels)} wheels for Python {' and '.join(PYTHONS)}")
    fetch_wheels(recipe.wheels, folder)
    say(f"building the wheel of {PACKAGE} {__version__}")
    build_wheel(recipe.source, folder)
    wheels = sorted(folder.glob("*.whl"), key=lambda path: path.name.lower())
    files = [describe_file(path, "wheel", python_of(path)) for path in wheels]
    for path in recipe.weights:
        files.append(describe_file(Path(shutil.copyfile(path, folder / path.name)), "weights"))
    for run in recipe.runs:
        say(f"packing {run.folder}")
        files.append(describe_file(write_archive(run, folder / f"{run.folder.name}.tar"), "run"))
    manifest = _describe(recipe, files, find_image_needs(wheels))
    write_json(folder / METADATA, describe_metadata(recipe))
    write_manifest(folder / MANIFEST, manifest)
    return manifest


def _describe(recipe: Recipe, files: Sequence[DatasetFile], image: dict[str, str]) -> Manifest:
    return Manifest(
        package=PACKAGE,
        version=__version__,
        commit=read_commit(recipe.source),
        pythons=PYTHONS,
        image=image,
        files=tuple(files),
        install=(PACKAGE, *(one.name for one in CARRIED)),
    )


def write_archive(run: Run, path: Path) -> Path:
    """Returns `path` after writing every file of the run that is not hidden into it; equal runs give equal bytes."""
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT, dereference=True) as archive:
        for one in sorted(run.folder.rglob("*")):
            inside = one.relative_to(run.folder)
            if one.is_file() and not any(part.startswith(".") for part in inside.parts):
                archive.add(one, str(inside), filter=_forget_origin)
    return path


def _forget_origin(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname, entry.mode = 0, 0, 0, "", "", 0o644
    return entry


def _exchange(made: Path, folder: Path, before: Path) -> None:
    """Puts `made` in the place of `folder`, whose earlier content goes to `before`, and comes back on an error."""
    if folder.exists():
        folder.rename(before)
    try:
        made.rename(folder)
    except OSError:
        if before.exists():
            before.rename(folder)
        raise


def format_dataset(manifest: Manifest, folder: Path, owner: str) -> str:
    """Returns the table of files with their sizes, and what to type next."""
    width = max(len(one.name) for one in manifest.files)
    rows = [
        f"{one.name:{width}}  {one.bytes / 1e6:9.2f} MB  {one.kind:8}{one.python or '':6}{one.sha256[:12]}".rstrip()
        for one in manifest.files
    ]
    total = sum(one.bytes for one in manifest.files) / 1e6
    lines = [*rows, f"{'total':{width}}  {total:9.2f} MB  in {folder}, package {manifest.version}"]
    lines.append(f"commit {manifest.commit or 'not known'}")
    if owner == PLACEHOLDER:
        lines.append(f"{folder / METADATA} has no owner yet: build again with USER=your Kaggle name before you send it")
    lines.append(f"next: kaggle datasets create -p {folder}    (later: kaggle datasets version -p {folder} -m 'why')")
    return "\n".join(lines)


def describe_recipe(recipe: Recipe, folder: Path) -> str:
    """Returns what a build would do, of what, and the metadata: nothing is fetched, written or sent."""
    lines = [f"would build {folder}, of", f"  {PACKAGE} {__version__} from {recipe.source}"]
    lines += [f"  {wanted:34}{one.reason}" for wanted, one in zip(recipe.wheels, CARRIED, strict=True)]
    lines += [f"  {path}  {path.stat().st_size:,} bytes  sha256 {hash_file(path)}" for path in recipe.weights]
    lines += [f"  {run.folder} as {run.folder.name}.tar" for run in recipe.runs]
    commands = [" ".join(download_command(recipe.wheels, python, Path("FOLDER"))) for python in PYTHONS]
    lines += ["by", *(f"  {command}" for command in commands)]
    metadata = json.dumps(describe_metadata(recipe), indent=2)
    return "\n".join([*lines, f"{METADATA}:", metadata, "nothing was fetched or written"])
