"""`make transfer RUN=...`: how well a network that saw phantoms alone reads real slices.

    HEMORRHAGE_REAL_DATA=<folder> python -m tests.bench.transfer RUN...

The AUC of each label on all real slices and on their test part, with intervals from drawing patients anew, beside the
count of pixels of 55 to 95 HU inside the skull, which needs no training.
"""

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import ndimage
from sklearn.metrics import roc_auc_score

from hemorrhage.ct.dicom import read_slice
from hemorrhage.data.bootstrap import bootstrap_interval
from hemorrhage.data.labels import LABELS, read_labels
from hemorrhage.data.layout import find_data_set
from hemorrhage.data.source import DicomSource
from hemorrhage.data.table import scan_slices
from hemorrhage.models.inference import predict_slices
from hemorrhage.pipeline.inputs import build_images
from hemorrhage.pipeline.predictions import KEY_COLUMNS
from hemorrhage.pipeline.predictors import load_networks
from hemorrhage.pipeline.runs import find_run, members, read_config

_BONE_HU = 300
_BLOOD_HU = (55, 95)


@dataclass(frozen=True)
class RealSlices:
    """The real slices: `table` has image_id, path, patient_id, series_id, z_mm, part (train or test) and six labels."""

    table: pd.DataFrame

    @property
    def paths(self) -> dict[str, Path]:
        return {one: Path(path) for one, path in zip(self.table["image_id"], self.table["path"], strict=True)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 after printing a table for each run and for the count of dense pixels."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.transfer")
    parser.add_argument("runs", nargs="*", help="names of runs under submissions/")
    options = parser.parse_args(arguments)
    real = read_real(Path(os.environ["HEMORRHAGE_REAL_DATA"]) / "rsna_mini")
    print_figures("pixels of 55 to 95 HU inside the skull", real, count_dense(real))
    for run in options.runs:
        print_figures(run, real, predict_real(run, real))
    return 0


def read_real(folder: Path) -> RealSlices:
    """Returns the real slices below `folder`."""
    data_set = find_data_set(folder)
    parts = []
    for part, csv, files in (
        ("train", data_set.labels_csv, data_set.train_folder),
        ("test", folder / "stage_2_test_answers.csv", data_set.test_folder),
    ):
        scan = scan_slices(sorted((files or folder).glob("*.dcm")))[["path", *KEY_COLUMNS]]
        parts.append(read_labels(csv).table.merge(scan, on="image_id").assign(part=part))
    return RealSlices(pd.concat(parts, ignore_index=True))


def predict_real(name: str, real: RealSlices) -> np.ndarray:
    """Returns float64 N x 6, the probabilities of the run's networks."""
    run = find_run(name)
    config = read_config(run)
    networks = [network for member in members(run, config) for network in load_networks(member, config)]
    source = build_images(DicomSource(real.paths, config.size, config.crop), real.table, config)
    ids = real.table["image_id"].to_numpy()
    return predict_slices(networks, source, ids, config.views, config.batch, workers=2).probabilities


def count_dense(real: RealSlices) -> np.ndarray:
    """Returns float64 N x 6, for every label the number of blood-dense pixels inside the skull."""
    counts = [count_dense_pixels(read_slice(path).pixels_hu) for path in real.paths.values()]
    return np.repeat(np.array(counts, dtype=np.float64)[:, np.newaxis], len(LABELS), axis=1)


def count_dense_pixels(pixels_hu: np.ndarray) -> int:
    """Returns how many pixels of a slice are as dense as blood, in what bone encloses."""
    bone = ndimage.binary_closing(pixels_hu > _BONE_HU, iterations=2)
    inside = ndimage.binary_erosion(ndimage.binary_fill_holes(bone) & ~bone, iterations=3)
    return int(np.count_nonzero(inside & (pixels_hu >= _BLOOD_HU[0]) & (pixels_hu <= _BLOOD_HU[1])))


def print_figures(name: str, real: RealSlices, scores: np.ndarray) -> None:
    """Prints the AUC of each label, on all slices and on the test part."""
    print(f"\n{name}")
    print(f"{'label':<18}{'all':>6}  {'95 % by patient':<18}{'test':>6}  {'95 % by patient':<18}")
    for column, label in enumerate(LABELS):
        cells = []
        for chosen in (np.ones(len(real.table), dtype=bool), (real.table["part"] == "test").to_numpy()):
            truth = real.table.loc[chosen, label].to_numpy()
            value, low, high = measure_auc(truth, scores[chosen, column], real.table.loc[chosen, "patient_id"])
            cells.append(f"{value:>6.3f}  {f'{low:.3f} to {high:.3f}':<18}")
        print(f"{label:<18}{''.join(cells)}")


def measure_auc(truth: np.ndarray, scores: np.ndarray, patients: pd.Series) -> tuple[float, float, float]:
    """Returns the AUC and its 95 % interval by patient; NaN where one class is missing."""

    def auc(rows: np.ndarray) -> float:
        return float(roc_auc_score(truth[rows], scores[rows])) if 0 < truth[rows].sum() < len(rows) else float("nan")

    return (auc(np.arange(len(truth))), *bootstrap_interval(patients.to_numpy().astype(str), auc))


if __name__ == "__main__":
    raise SystemExit(main())
