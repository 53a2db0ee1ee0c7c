"""A folder to work in, a kernel as the repository keeps it, and a run with a submission."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hemorrhage.data.labels import LABELS
from hemorrhage.data.table import write_table
from hemorrhage.files import write_json
from hemorrhage.pipeline.config import config_to_json, resolve_config
from hemorrhage.pipeline.console import SILENT
from hemorrhage.pipeline.runs import Run
from hemorrhage.pipeline.submit import submit

IMAGES = 4
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
