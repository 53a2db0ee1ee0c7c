"""`make realism`: phantom slices held against real ones.

    HEMORRHAGE_REAL_DATA=<folder> python -m tests.bench.realism PHANTOM --out FOLDER

Prints how the HU are shared out among tissues, and how well a classifier that knows simple measures of a slice tells
the two kinds apart, with what it uses; writes contact sheets side by side. FOLDER lies outside the project: sheets
show real slices, which nobody may pass on.
"""

import argparse
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from scipy import ndimage
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.inspection import permutation_importance
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict

from hemorrhage.ct.dicom import read_slice
from hemorrhage.ct.windows import BONE, BRAIN, SUBDURAL, Window
from hemorrhage.data.bootstrap import bootstrap_interval
from hemorrhage.data.layout import find_data_set, list_slice_files

SIZE = 256
_TISSUES_HU = {
    "air": (-1100, -300),
    "fat": (-150, -30),
    "fluid": (-5, 15),
    "white": (18, 31),
    "grey": (31, 45),
    "dense": (50, 90),
    "spongy bone": (150, 600),
    "hard bone": (600, 1400),
    "enamel": (1400, 4000),
}


@dataclass(frozen=True)
class Look:
    """One slice, HU float32, and whose it is."""

    image_id: str
    patient_id: str
    pixels_hu: np.ndarray
    pixel_mm: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 after printing the comparison and writing the sheets."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.realism")
    parser.add_argument("phantom", type=Path, help="a folder of 'hemorrhage phantom'")
    parser.add_argument("--out", type=Path, required=True, help="where the sheets go")
    options = parser.parse_args(arguments)
    real = list(read_looks(Path(os.environ["HEMORRHAGE_REAL_DATA"]) / "rsna_mini"))
    made = draw_looks(list(read_looks(options.phantom)), len(real))
    options.out.mkdir(parents=True, exist_ok=True)
    print_classifier(made, real)
    for name, window in (("brain", BRAIN), ("subdural", SUBDURAL), ("bone", BONE)):
        write_sheet(options.out / f"{name}.png", made, real, window)
    return 0


def read_looks(folder: Path, size: int | None = SIZE) -> Iterator[Look]:
    """Yields the slices of a data set, train and test, in the order of their ids, at `size` pixels or as stored."""
    data_set = find_data_set(folder)
    for part in (data_set.train_folder, data_set.test_folder):
        for path in list_slice_files(part) if part is not None else []:
            found = read_slice(path)
            pixels_hu = found.pixels_hu.astype(np.float32)
            if size is not None:
                pixels_hu = cv2.resize(pixels_hu, (size, size), interpolation=cv2.INTER_AREA)
            spacing = found.header.pixel_spacing_mm
            pixel_mm = (spacing[0] if spacing else 0.45) * found.header.rows / len(pixels_hu)
            yield Look(path.stem, str(found.header.patient_id), np.clip(pixels_hu, -1024, 3071), pixel_mm)


def draw_looks(looks: Sequence[Look], count: int) -> list[Look]:
    """Returns `count` of the looks, drawn without repetition."""
    rng = np.random.default_rng(0)
    return [looks[int(row)] for row in rng.permutation(len(looks))[:count]]


def measure_look(look: Look) -> dict[str, float]:
    """Returns simple measures of one slice by name: where the head lies, what it is made of, how it is grained."""
    pixels_hu = look.pixels_hu
    head = find_body(pixels_hu)
    rows, columns = np.nonzero(head) if head.any() else (np.array([0]), np.array([0]))
    values_hu = pixels_hu[head] if head.any() else np.array([-1000.0])
    measures = {
        "head area cm2": float(head.sum()) * look.pixel_mm**2 / 100,
        "head top": float(rows.min()),
        "head height": float(np.ptp(rows)),
        "head width": float(np.ptp(columns)),
        "head middle row": float(rows.mean()),
        "head middle column": float(columns.mean()),
        "pixel mm": look.pixel_mm,
        "outside dense pixels": float(np.count_nonzero(~head & (pixels_hu > -300))),
        "outside faint pixels": float(np.count_nonzero(~head & (pixels_hu > -960) & (pixels_hu < -300))),
    }
    measures |= {
        f"share {name}": float(np.mean((values_hu >= low) & (values_hu < high)))
        for name, (low, high) in _TISSUES_HU.items()
    }
    return measures | _measure_grain(pixels_hu)


def find_body(pixels_hu: np.ndarray) -> np.ndarray:
    """Returns the largest thing that is no air, with its hollows."""
    parts, count = ndimage.label(ndimage.binary_opening(pixels_hu > -300, iterations=2))
    if not count:
        return np.zeros(pixels_hu.shape, dtype=bool)
    return ndimage.binary_fill_holes(parts == 1 + np.argmax(np.bincount(parts.ravel())[1:]))


def _measure_grain(pixels_hu: np.ndarray) -> dict[str, float]:
    """The spread of what blurring takes away, at three scales, in soft tissue far from bone and air."""
    soft = ndimage.binary_erosion((pixels_hu > 0) & (pixels_hu < 90), iterations=3)
    measures = {"soft pixels": float(soft.sum())}
    finer = np.clip(pixels_hu, -20, 100)
    for scale in (0.7, 1.4, 2.8):
        coarser = cv2.GaussianBlur(finer, (0, 0), scale)
        detail = (finer - coarser)[soft]
        measures[f"grain {scale:g}"] = float(detail.std()) if len(detail) > 50 else float("nan")
        finer = coarser
    measures["soft mean"] = float(finer[soft].mean()) if soft.sum() > 50 else float("nan")
    measures["soft spread"] = float(finer[soft].std()) if soft.sum() > 50 else float("nan")
    return measures


def print_classifier(made: Sequence[Look], real: Sequence[Look]) -> None:
    """Prints the classifier's AUC with its interval, what it uses most, and each measure's quartiles."""
    table = pd.DataFrame([measure_look(look) for look in [*made, *real]])
    is_made = np.arange(len(table)) < len(made)
    patients = np.array([look.patient_id for look in [*made, *real]])
    print(f"phantom against real, {len(made)} and {len(real)} slices, AUC and 95 % by patient")
    for group, words in _GROUPS.items():
        columns = [name for name in table.columns if name.startswith(words)]
        scores = _score_held_out(table[columns], is_made, patients)
        low, high = bootstrap_interval(
            patients, lambda rows, s=scores: float(roc_auc_score(is_made[rows], s[rows])), 300
        )
        print(f"  {group:<22}{roc_auc_score(is_made, scores):.3f}  {low:.3f} to {high:.3f}")
    used = permutation_importance(
        _classifier().fit(table, is_made), table, is_made, scoring="roc_auc", n_repeats=3, random_state=0
    ).importances_mean
    print(f"{'measure':<22}{'used':>7}{'AUC alone':>11}   quartiles of phantoms, of real slices")
    for column in np.argsort(-used):
        print(_describe_measure(table.columns[column], used[column], table.iloc[:, column].to_numpy(), is_made))


_GROUPS: dict[str, tuple[str, ...]] = {
    "all measures": ("",),
    "outside the head": ("outside",),
    "size and place": ("head", "pixel"),
    "tissues": ("share",),
    "soft tissue's grain": ("grain", "soft"),
}


def _classifier() -> HistGradientBoostingClassifier:
    return HistGradientBoostingClassifier(max_iter=80, random_state=0)


def _score_held_out(table: pd.DataFrame, is_made: np.ndarray, patients: np.ndarray) -> np.ndarray:
    folds = GroupKFold(5)
    return cross_val_predict(_classifier(), table, is_made, groups=patients, cv=folds, method="predict_proba")[:, 1]


def _describe_measure(name: str, used: float, values: np.ndarray, is_made: np.ndarray) -> str:
    known = ~np.isnan(values)
    alone = roc_auc_score(is_made[known], values[known])
    sides = [np.nanquantile(values[side], (0.25, 0.5, 0.75)) for side in (is_made, ~is_made)]
    made, real = (" ".join(f"{value:9.3f}" for value in side) for side in sides)
    return f"{name:<22}{used:>7.3f}{max(alone, 1 - alone):>11.3f}   {made}   {real}"


def write_sheet(path: Path, made: Sequence[Look], real: Sequence[Look], window: Window, columns: int = 8) -> None:
    """Writes a picture whose rows are phantoms and real slices in turn."""
    rng = np.random.default_rng(1)
    rows = []
    for looks in (made, real, made, real):
        chosen = rng.permutation(len(looks))[:columns]
        rows.append(np.hstack([_paint(looks[int(one)].pixels_hu, window) for one in chosen]))
    cv2.imwrite(str(path), np.vstack(rows))


def _paint(pixels_hu: np.ndarray, window: Window) -> np.ndarray:
    return np.clip((pixels_hu - window.low) / (window.high - window.low) * 255, 0, 255).astype(np.uint8)


if __name__ == "__main__":
    raise SystemExit(main())
