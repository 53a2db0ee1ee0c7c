"""Pushing a kernel: its folder, filled in for one user, checked, shown or sent."""

import contextlib
import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from hemorrhage.errors import HemorrhageError
from hemorrhage.files import read_json, read_object, write_json
from hemorrhage.kaggle.client import Answer, Call
from hemorrhage.kaggle.names import COMPETITION, DATASET, PLACEHOLDER, require_user, slugify

KERNELS = Path("kernels")
METADATA = "kernel-metadata.json"
MACHINE = "NvidiaTeslaT4"
"""Two T4; without it a kernel gets the P100, which is being phased out."""

# Kaggle's own default of enable_internet is true: it must be said.
_FIXED: Mapping[str, Any] = {
    "language": "python",
    "kernel_type": "notebook",
    "is_private": True,
    "enable_internet": False,
}
_SOURCES = ("dataset_sources", "kernel_sources", "competition_sources")


def list_kernels(folder: Path = KERNELS) -> list[str]:
    """Returns the names of the kernels in a folder: its sub-folders with a kernel-metadata.json."""
    return sorted(path.parent.name for path in folder.glob(f"*/{METADATA}"))


def find_kernel(name: str | None, folder: Path = KERNELS) -> Path:
    """Returns the folder of a kernel; raises HemorrhageError, which names those there are, where it is not there."""
    known = list_kernels(folder)
    if name not in known:
        there = f"there are: {', '.join(known)}" if known else f"there is none in {folder}"
        received = repr(name) if name else "none"
        raise HemorrhageError(f"Expected the name of a kernel (KERNEL=name), received {received}; {there}.")
    return folder / str(name)


@contextlib.contextmanager
def prepare_kernel(name: str | None, user: str | None, folder: Path = KERNELS) -> Iterator[Call]:
    """Yields the call that pushes a kernel: its folder is a copy, gone afterwards, whose metadata is filled in.

    Raises HemorrhageError for a kernel that is not there, a bad user, and metadata or a notebook that would be refused.
    """
    kernel, owner = find_kernel(name, folder), require_user(user)
    metadata = fill_metadata(kernel / METADATA, owner)
    _check_notebook(kernel / metadata["code_file"])
    with tempfile.TemporaryDirectory() as parent:
        copy = Path(shutil.copytree(kernel, Path(parent) / kernel.name))
        write_json(copy / METADATA, metadata)
        yield Call(
            what=f"push {metadata['id']}",
            method="kernels_push",
            arguments={"folder": str(copy)},
            shown={"folder": f"a copy of {kernel} with the metadata below; outputs of cells are left out"},
            files=(copy / metadata["code_file"],),
            metadata=metadata,
            if_forbidden=f"Is the token that of {owner}, and is the phone number of that account verified?",
            if_unknown=f"Is {owner} the name of your account, and is the dataset {owner}/{DATASET} there?",
        )


def fill_metadata(path: Path, user: str) -> dict[str, Any]:
    """Returns the kernel's metadata for a user: the placeholder replaced, what a kernel here must say added.

    Raises HemorrhageError where the file says otherwise, or lacks what nothing else can say.
    """
    described = read_object(path, "Mend the file.")
    name = path.parent.name
    given = {key: value for key, value in described.items() if value not in (None, "")}
    filled = {"id": f"{PLACEHOLDER}/hemorrhage-{name}", "title": f"Hemorrhage {name}", **_FIXED, **given}
    filled |= {key: [_own(one, user) for one in _read_sources(path, filled, key)] for key in _SOURCES}
    filled["id"] = _own(str(filled["id"]), user)
    wheels = f"{user}/{DATASET}"
    filled["dataset_sources"] = [wheels, *(one for one in filled["dataset_sources"] if one != wheels)]
    filled["competition_sources"] = filled["competition_sources"] or [COMPETITION]
    if filled.get("enable_gpu") is True:
        filled.setdefault("machine_shape", MACHINE)
    _check_metadata(path, filled, f"{user}/hemorrhage-{name}")
    return filled


def _own(source: str, user: str) -> str:
    return f"{user}/{source.removeprefix(f'{PLACEHOLDER}/')}" if source.startswith(f"{PLACEHOLDER}/") else source


def _read_sources(path: Path, described: Mapping[str, Any], key: str) -> list[str]:
    value = described.get(key, [])
    _require(
        isinstance(value, list) and all(isinstance(one, str) for one in value), path, key, "a list of names", value
    )
    return list(value)


def _check_metadata(path: Path, filled: Mapping[str, Any], kernel_id: str) -> None:
    _require(filled["id"] == kernel_id, path, "id", f"{PLACEHOLDER}/{kernel_id.split('/')[1]}", filled["id"])
    slug = kernel_id.split("/")[1]
    _require(slugify(str(filled["title"])) == slug, path, "title", f"one that makes {slug}", filled["title"])
    for key, value in _FIXED.items():
        _require(filled[key] == value, path, key, json.dumps(value), filled[key])
    gpu = filled.get("enable_gpu")
    _require(isinstance(gpu, bool), path, "enable_gpu", "true or false", gpu)
    machine, competitions = filled.get("machine_shape"), filled["competition_sources"]
    _require(gpu is True or machine is None, path, "machine_shape", "absent without a GPU", machine)
    _require(COMPETITION in competitions, path, "competition_sources", f"a list with {COMPETITION}", competitions)
    for source in (*filled["dataset_sources"], *filled["kernel_sources"]):
        _require(re.fullmatch(r"[\w-]+/[\w-]{5,}", source) is not None, path, "sources", "owner/name", source)
    code = str(filled.get("code_file", ""))
    _require(code.endswith(".ipynb") and Path(code).name == code, path, "code_file", "a notebook beside it", code)


def _require(is_right: bool, path: Path, key: str, expected: str, received: Any) -> None:
    if not is_right:
        raise HemorrhageError(f"{path}: expected {key} to be {expected}, received {received!r}. Mend the file.")


def _check_notebook(path: Path) -> None:
    if not path.is_file():
        raise HemorrhageError(f"{path}: expected the notebook that {METADATA} names as code_file, found no such file.")
    notebook = read_json(path)
    if not isinstance(notebook, dict) or not notebook.get("cells"):
        raise HemorrhageError(f"{path}: expected a notebook with cells, found none. Is it an .ipynb file?")


def describe_push(call: Call, answer: Answer, warn: Callable[[str], None]) -> str:
    """Returns where the pushed kernel runs; `warn` is told of kernels whose output it does not get.

    Raises HemorrhageError where Kaggle refused it, or took it without wheels or data, for want of which it fails.
    """
    value = answer.value
    if error := getattr(value, "error", None):
        raise HemorrhageError(f"Could not {call.what}: Kaggle says: {error}")
    address = getattr(value, "url", "")
    if refused := _list_refused(value, "dataset") + _list_refused(value, "competition"):
        raise HemorrhageError(
            f"Kaggle took the kernel without {', '.join(refused)}, and it will stop there: {address} Is each of them "
            "there, with that owner, and are the competition's rules accepted? Then push again."
        )
    if without := _list_refused(value, "kernel"):
        warn(f"it runs without the output of {', '.join(without)}: push again when that has run, if it is wanted.")
    return f"pushed version {getattr(value, 'version_number', '?')}, which runs now: {address}"


def _list_refused(value: Any, kind: str) -> list[str]:
    return [f"{kind} {source}" for source in getattr(value, f"invalid_{kind}_sources", None) or []]
