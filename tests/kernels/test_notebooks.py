"""The notebooks in the repository: thin, alike where they must be, in step with the code, and fit to be shown."""

import ast
import base64
import importlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kernels.image import ROOT
from tests.kernels.notebooks import (
    KERNELS,
    Notebook,
    cell_of,
    code_cells,
    hash_code,
    outputs_of,
    path_of,
    read_notebook,
    set_parameters,
    source_of,
    texts_of,
)
from tests.kernels.running import PARAMETERS

MOST_LINES = {"bootstrap": 40}
MOST_BYTES = 600_000
BOOTSTRAP_MODULES = {"hashlib", "importlib", "json", "os", "pathlib", "subprocess", "sys"}


@pytest.fixture(params=KERNELS)
def kernel(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def notebook(kernel: str) -> Notebook:
    return read_notebook(path_of(kernel))


@pytest.fixture
def metadata(kernel: str) -> dict[str, Any]:
    return json.loads((path_of(kernel).parent / "kernel-metadata.json").read_text())


def test_the_first_code_cell_is_the_same_everywhere() -> None:
    first = {source_of(code_cells(read_notebook(path_of(kernel)))[0]) for kernel in KERNELS}
    assert len(first) == 1


def test_the_first_code_cell_needs_nothing_but_python(notebook: Notebook) -> None:
    tree = ast.parse(source_of(code_cells(notebook)[0]))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert imported == BOOTSTRAP_MODULES
    ours = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert ours == ["hemorrhage.kaggle.image"]
    code = f"import sys; before = {{*sys.modules}}; import {ours[0]}; print(*{{*sys.modules}} - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    roots = {name.split(".")[0].lstrip("_") for name in done.stdout.split()}
    assert roots - {name.lstrip("_") for name in sys.stdlib_module_names} == {"hemorrhage"}


def test_cells_are_thin(notebook: Notebook) -> None:
    for cell in code_cells(notebook):
        lines = source_of(cell).splitlines()
        assert len(lines) <= MOST_LINES.get(cell["id"], 12), cell["id"]
        assert max(len(line) for line in lines) <= 120, cell["id"]
        functions = [node for node in ast.walk(ast.parse(source_of(cell))) if isinstance(node, ast.FunctionDef)]
        assert all(node.end_lineno - node.lineno < 3 for node in functions if node.end_lineno), cell["id"]


def test_the_order_is_set_up_parameters_banner_work_end(notebook: Notebook) -> None:
    ids = [cell["id"] for cell in code_cells(notebook)]
    assert ids[:3] == ["bootstrap", "parameters", "banner"]
    assert ids[-1] == "end"
    assert cell_of(notebook, "parameters")["metadata"]["tags"] == ["parameters"]


def test_every_code_cell_has_words_before_it(notebook: Notebook) -> None:
    cells = notebook["cells"]
    assert cells[0]["cell_type"] == "markdown" and source_of(cells[0]).startswith("# ")
    titles = [cell for cell in cells if cell["cell_type"] == "markdown"]
    assert len(titles) >= len(code_cells(notebook)) - 1


def names_used(notebook: Notebook) -> Iterator[tuple[str, str]]:
    """Yields the module and the name of whatever cells take from this package."""
    modules: dict[str, str] = {}
    for cell in code_cells(notebook)[1:]:
        for node in ast.walk(ast.parse(source_of(cell))):
            if isinstance(node, ast.ImportFrom) and node.module:
                yield from ((node.module, alias.name) for alias in node.names)
                modules |= {alias.name: f"{node.module}.{alias.name}" for alias in node.names}
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
                yield modules[node.value.id], node.attr


def test_what_cells_use_is_in_the_package(notebook: Notebook) -> None:
    used = list(names_used(notebook))
    assert {module.split(".")[0] for module, _ in used} == {"hemorrhage"}
    for module, name in used:
        found = importlib.import_module(module)
        assert hasattr(found, name) or importlib.util.find_spec(f"{module}.{name}"), f"{module}.{name}"


def test_the_parameters_that_tests_set_are_there(kernel: str, notebook: Notebook) -> None:
    set_parameters(notebook, PARAMETERS[kernel])
    with pytest.raises(ValueError, match="NOWHERE"):
        set_parameters(notebook, {"NOWHERE": 1})


def test_cells_were_executed_once_in_order_without_a_fault(notebook: Notebook) -> None:
    cells = code_cells(notebook)
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1)), "run: make kernels"
    assert not [output for cell in cells for output in cell["outputs"] if output["output_type"] == "error"]
    assert not [output for cell in cells for output in cell["outputs"] if output.get("name") == "stderr"]


def test_the_code_is_that_of_the_kept_outputs(notebook: Notebook) -> None:
    assert notebook["metadata"]["hemorrhage"]["code"] == hash_code(notebook), (
        "code was changed since; run: make kernels"
    )


def test_no_output_names_a_folder_of_this_machine(notebook: Notebook) -> None:
    for cell in code_cells(notebook):
        for text in texts_of(cell):
            paths = re.findall(r"(?<![\w.<>])/[a-z]\w*(?=/)", text)
            assert set(paths) <= {"/kaggle"}, (cell["id"], text)


def test_outputs_are_small_and_pictures_are_pictures(kernel: str, notebook: Notebook) -> None:
    assert path_of(kernel).stat().st_size < MOST_BYTES
    for cell in code_cells(notebook):
        for output in outputs_of(cell):
            picture = output.get("data", {}).get("image/png")
            assert picture is None or base64.b64decode(picture).startswith(b"\x89PNG")


def test_phantoms_are_named_as_such_in_the_banner(notebook: Notebook) -> None:
    assert "SYNTHETIC" in "".join(texts_of(cell_of(notebook, "banner")))


def test_the_last_cell_says_what_was_written_and_what_comes_next(notebook: Notebook) -> None:
    lines = "".join(texts_of(cell_of(notebook, "end"))).splitlines()
    assert {"wrote", "output", "clock", "next"} <= {line.split()[0] for line in lines}


def test_targets_that_notebooks_name_are_there(notebook: Notebook) -> None:
    makefile = (ROOT / "Makefile").read_text()
    text = "".join(source_of(cell) for cell in notebook["cells"])
    for target in set(re.findall(r"make ([a-z]+(?:-[a-z]+)*)", text)) - {"it"}:
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target
    for name in re.findall(r"KERNEL=(\w+)", text):
        assert name in KERNELS


def test_metadata_say_all_that_kaggle_wants(kernel: str, metadata: dict[str, Any]) -> None:
    assert metadata["id"] == f"USER/hemorrhage-{kernel}"
    assert re.sub(r"[^a-z0-9]+", "-", metadata["title"].lower()) == f"hemorrhage-{kernel}"
    assert (path_of(kernel).parent / metadata["code_file"]) == path_of(kernel)
    assert (metadata["language"], metadata["kernel_type"]) == ("python", "notebook")
    assert metadata["is_private"] is True and metadata["enable_internet"] is False
    assert metadata["competition_sources"] == ["rsna-intracranial-hemorrhage-detection"]
    assert "USER/hemorrhage-wheels" in metadata["dataset_sources"]
    known = {f"USER/hemorrhage-{name}" for name in KERNELS}
    assert set(metadata["kernel_sources"]) <= known


def test_kernels_that_want_a_gpu_get_two_t4_and_the_others_none(notebook: Notebook, metadata: dict[str, Any]) -> None:
    wants_one = "allow_cpu=ALLOW_CPU" in source_of(cell_of(notebook, "banner"))
    assert metadata["enable_gpu"] is wants_one
    assert metadata.get("machine_shape") == ("NvidiaTeslaT4" if wants_one else None)


def test_every_kernel_has_a_folder_and_every_folder_is_a_kernel() -> None:
    assert sorted(path.parent.name for path in Path(ROOT / "kernels").glob("*/*.ipynb")) == sorted(KERNELS)
