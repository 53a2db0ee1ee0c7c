"""A folder to work in, a kernel as the repository keeps it, a run with a submission, and wheels without pip."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hemorrhage.data.labels import LABELS
from hemorrhage.data.table import write_table
from hemorrhage.files import write_json
from hemorrhage.kaggle import dataset
from hemorrhage.kaggle.wheels import PYTHONS
from hemorrhage.pipeline.config import config_to_json, resolve_config
from hemorrhage.pipeline.console import SILENT
from hemorrhage.pipeline.runs import Run
from hemorrhage.pipeline.submit import submit

IMAGES = 4
NUMPY = ("numpy>=2.0", "imgaug>=0.4.0")
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Returns a new folder that is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def kernel(workplace: Path) -> Path:
    """Returns the folder kernels/train, with the placeholder for the user's name."""
    folder = workplace / "kernels" / "train"
    folder.mkdir(parents=True)
    cell = {"cell_type": "code", "metadata": {}, "source": ["1 + 1"], "outputs": [{"text": "2"}], "execution_count": 1}
    notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (folder / "train.ipynb").write_text(json.dumps(notebook))
    write_json(
        folder / "kernel-metadata.json",
        {
            "id": "USER/hemorrhage-train",
            "title": "Hemorrhage train",
            "code_file": "train.ipynb",
            "enable_gpu": True,
            "kernel_sources": ["USER/hemorrhage-prepare"],
        },
    )
    return folder


@pytest.fixture
def run(workplace: Path) -> Run:
    """Returns the run `first` with out-of-fold predictions of 0.5, and a submission."""
    run = Run(Path("submissions") / "first")
    write_json(run.config_path, config_to_json(resolve_config()))
    write_json(run.training_path, {"prevalence": dict.fromkeys(LABELS, 0.1)})
    write_json(run.environment_path, {"commit": COMMIT})
    ids = {
        "image_id": [f"ID_{row:09x}" for row in range(IMAGES)],
        "patient_id": "ID_p",
        "series_id": "ID_s",
        "z_mm": 0.0,
    }
    predicted = pd.DataFrame(ids).assign(**dict.fromkeys(LABELS, 0.5), error=None)
    write_table(run.out_of_fold_path, predicted)
    write_table(run.test_path, predicted)
    truth = np.zeros((IMAGES, len(LABELS)), dtype=np.int8)
    write_table(run.folds_path, pd.DataFrame(ids).assign(fold=0, **dict(zip(LABELS, truth.T, strict=True))))
    submit("first", None, None, SILENT)
    return run


def make_wheel(folder: Path, name: str, tags: str = "py3-none-any", requires: tuple[str, ...] = ()) -> Path:
    path = folder / f"{name}-1.0-{tags}.whl"
    lines = ["Metadata-Version: 2.1", f"Name: {name}", "Version: 1.0", *(f"Requires-Dist: {one}" for one in requires)]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(zipfile.ZipInfo(f"{name}-1.0.dist-info/METADATA"), "\n".join(lines) + "\n\nRequires-Dist: no")
    return path


@pytest.fixture
def no_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts wheels made here in the place of what pip would fetch and build."""

    def fetch(wanted: tuple[str, ...], folder: Path) -> None:
        make_wheel(folder, "imgaug", requires=("numpy>=1.15", "Shapely", "pytest; extra == 'test'"))
        for python in PYTHONS:
            make_wheel(folder, "numexpr", "-".join([f"cp{python.replace('.', '')}"] * 2 + ["manylinux2014_x86_64"]))

    monkeypatch.setattr(dataset, "fetch_wheels", fetch)
    monkeypatch.setattr(dataset, "build_wheel", lambda _, folder: make_wheel(folder, "hemorrhage", requires=NUMPY))
