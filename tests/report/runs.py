"""Runs made by hand: what a report reads of one, without a network."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hemorrhage.data.labels import LABELS
from hemorrhage.data.table import write_table
from hemorrhage.files import write_json
from hemorrhage.pipeline.config import config_to_json, resolve_config
from hemorrhage.pipeline.out_of_fold import read_out_of_fold
from hemorrhage.pipeline.runs import Run
from hemorrhage.report.material import Material, measure_losses

CONFIG = resolve_config("default", {"model": "compact", "size": 32, "epochs": 2, "folds": 2, "fold": "all"})


def make_slices(patients: int = 6, slices: int = 4) -> pd.DataFrame:
    """Returns slices with the ids that tests.kaggle writes, with truth: the second and fourth of a patient bleed."""
    rows = []
    for patient in range(patients):
        for place in range(slices):
            subtype = (patient + place) % 10 if place % 2 else 9
            truth = [int(column == subtype) for column in range(5)]
            ids = (f"ID_{patient:04x}{place:05x}", f"ID_{patient:08x}", f"ID_{patient:010x}", 5.0 * place)
            rows.append((*ids, *truth, int(any(truth)), patient % 2))
    return pd.DataFrame(rows, columns=["image_id", "patient_id", "series_id", "z_mm", *LABELS, "fold"])


def make_probabilities(slices: pd.DataFrame, seed: int = 0) -> np.ndarray:
    """Returns probabilities that know something of the truth, N x 6."""
    noise = np.random.default_rng(seed).uniform(0, 0.3, (len(slices), 6))
    return np.asarray(0.05 + 0.6 * slices[list(LABELS)].to_numpy() + noise)


def make_predictions(slices: pd.DataFrame, probability: np.ndarray) -> pd.DataFrame:
    table = slices[["image_id", "patient_id", "series_id", "z_mm"]].reset_index(drop=True)
    table[list(LABELS)] = probability
    return table.assign(error=pd.Series([None] * len(table), dtype="object"))


def write_run(
    name: str, slices: pd.DataFrame, probability: np.ndarray, environment: dict[str, Any] | None = None
) -> Run:
    """Writes submissions/NAME as 'train' and 'predict' leave it, but for networks, and returns it."""
    run = Run(Path("submissions") / name)
    prevalence = {label: float(slices[label].mean()) for label in LABELS}
    known = {"slices": len(slices), "patients": slices["patient_id"].nunique(), "prevalence": prevalence}
    write_json(run.config_path, config_to_json(CONFIG))
    write_json(run.training_path, known)
    write_json(run.environment_path, environment or {"commit": "0123456789abcdef-dirty", "command": ["x", "train"]})
    write_table(run.folds_path, slices[["image_id", "patient_id", "fold", *LABELS]].assign(is_skipped=False))
    write_table(run.out_of_fold_path, make_predictions(slices, probability))
    for fold in (0, 1):
        write_history(run.fold(fold))
    return run


def write_history(run: Run) -> None:
    row = {"learning_rate": 0.002, "images_per_second": 50.0, "seconds": 3.5, "constant": 0.3}
    rows = [
        {
            "epoch": epoch,
            "loss": 0.4 / epoch,
            "validation": 0.5 / epoch,
            **row,
            **{f"validation_{one}": 0.1 for one in LABELS},
        }
        for epoch in (1, 2)
    ]
    run.folder.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(run.history_path, index=False)


def make_material(run: Run, slices: pd.DataFrame) -> Material:
    """Returns the material of a run without its origins."""
    found = read_out_of_fold(run)
    prior = slices[list(LABELS)].mean().to_numpy()
    left_out = pd.DataFrame(columns=["image_id", "error", "where"])
    return Material(run, found, measure_losses(found), prior, left_out, None, [], [])
