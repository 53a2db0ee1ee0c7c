"""Notebooks as JSON: their cells, what they printed, and a hash of their code."""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.kernels.image import ROOT

KERNELS = ("explore", "prepare", "train", "infer", "quickstart")
Notebook = dict[str, Any]


def path_of(kernel: str) -> Path:
    """Returns where a kernel's notebook lies."""
    return ROOT / "kernels" / kernel / f"{kernel}.ipynb"


def read_notebook(path: Path) -> Notebook:
    """Returns the notebook of a file."""
    return json.loads(path.read_text(encoding="utf-8"))


def write_notebook(path: Path, notebook: Notebook) -> None:
    """Writes a notebook in the form that it has in the repository."""
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def code_cells(notebook: Notebook) -> list[dict[str, Any]]:
    """Returns the cells with code, in order."""
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def cell_of(notebook: Notebook, cell_id: str) -> dict[str, Any]:
    """Returns the cell of that id."""
    (cell,) = (cell for cell in notebook["cells"] if cell["id"] == cell_id)
    return cell


def source_of(cell: Mapping[str, Any]) -> str:
    """Returns the text of a cell."""
    return "".join(cell["source"])


def hash_code(notebook: Notebook) -> str:
    """Returns a hash of the ids and the code of all cells, in order."""
    code = [[cell["id"], source_of(cell)] for cell in code_cells(notebook)]
    return hashlib.sha256(json.dumps(code).encode()).hexdigest()


def set_parameters(notebook: Notebook, values: Mapping[str, Any]) -> None:
    """Gives parameters other values, in the cell that has them; ValueError for a name that stands nowhere in it."""
    cell = cell_of(notebook, "parameters")
    text = source_of(cell)
    for name, value in values.items():
        text, count = re.subn(rf"^{name} = .*$", lambda _, v=value, n=name: f"{n} = {v!r}", text, flags=re.MULTILINE)
        if count != 1:
            raise ValueError(f"no parameter {name}")
    cell["source"] = text.splitlines(keepends=True)


def outputs_of(cell: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Returns what a cell printed and showed, progress on stderr left out."""
    return [output for output in cell["outputs"] if output.get("name") != "stderr"]


def texts_of(cell: Mapping[str, Any]) -> list[str]:
    """Returns the text of each output of a cell, that which stands for a picture as well."""
    return [_text_of(output) for output in outputs_of(cell)]


def _text_of(output: Mapping[str, Any]) -> str:
    if output["output_type"] == "error":
        return "\n".join(output["traceback"])
    return "".join(output["text"] if "text" in output else output["data"].get("text/plain", ""))


def mask(text: str) -> list[str]:
    """Returns the lines of a text with what differs from run to run made alike, repeated ones once."""
    text = re.sub(r"of commit \S+", "of commit #", text)
    text = re.sub(r"bottleneck: .*", "bottleneck: #", text)
    text = re.sub(r"[-+]?\d[\d.,]*(e[-+]?\d+)?( [KMG]B)?", "#", text)
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    return [line for place, line in enumerate(lines) if place == 0 or line != lines[place - 1]]


def keep_outputs(notebook: Notebook, executed: Notebook) -> Notebook:
    """Returns `notebook` with what its cells showed when `executed`, without progress, and the hash of its code."""
    cells = []
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            ran = cell_of(executed, cell["id"])
            cell = {**cell, "execution_count": ran["execution_count"], "outputs": _tidy(outputs_of(ran))}
        cells.append(cell)
    return {
        **notebook,
        "cells": cells,
        "metadata": {**notebook["metadata"], "hemorrhage": {"code": hash_code(notebook)}},
    }


def _tidy(outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the outputs with pieces of one stream joined."""
    tidied: list[dict[str, Any]] = []
    for output in outputs:
        output = {key: "".join(value) if key == "text" else value for key, value in output.items()}
        if tidied and output.get("name") == tidied[-1].get("name") == "stdout":
            tidied[-1]["text"] += output["text"]
        else:
            tidied.append(output)
    return tidied
