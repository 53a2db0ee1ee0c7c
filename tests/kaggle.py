"""A data set in Kaggle's layout, made of plain discs: a bright spot is a bleed. Small, quick and free of Keras."""

import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from hemorrhage.ct.writing import write_slice
from hemorrhage.data.labels import LABELS, write_long
from tests.conftest import HEADER

SIZE = 48


def write_kaggle_layout(folder: Path, patients: int = 10, slices: int = 4, test_patients: int = 3) -> Path:
    """Writes the layout under `folder` and returns it; answers.csv beside it has the test labels."""
    for part in ("stage_2_train", "stage_2_test"):
        (folder / part).mkdir(parents=True)
    for place, content in _make_files(patients, slices, test_patients).items():
        (folder / place).write_bytes(content)
    return folder


@cache
def _make_files(patients: int, slices: int, test_patients: int) -> dict[str, bytes]:
    """The layout's files by their place in its folder: hundreds of tests begin with them, so they are made once."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "input"
        _make_layout(folder, patients, slices, test_patients)
        answers = {"../answers.csv": (folder.parent / "answers.csv").read_bytes()}
        paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths} | answers


def _make_layout(folder: Path, patients: int, slices: int, test_patients: int) -> None:
    rng = np.random.default_rng(0)
    train_ids, train_labels = _write_part(folder / "stage_2_train", rng, range(patients), slices)
    test_ids, test_labels = _write_part(folder / "stage_2_test", rng, range(100, 100 + test_patients), slices)
    write_long(folder / "stage_2_train.csv", train_ids, train_labels)
    write_long(folder / "stage_2_sample_submission.csv", test_ids, np.full(test_labels.shape, 0.5))
    write_long(folder.parent / "answers.csv", test_ids, test_labels)


def _write_part(folder: Path, rng: np.random.Generator, patients: range, slices: int) -> tuple[np.ndarray, np.ndarray]:
    folder.mkdir(parents=True)
    ids, labels = [], []
    for patient in patients:
        for place in range(slices):
            image_id = f"ID_{patient:04x}{place:05x}"
            subtype = (patient + place) % 10 if place % 2 else None
            truth = np.zeros(len(LABELS), dtype=np.int8)
            if subtype is not None and subtype < 5:
                truth[[subtype, 5]] = 1
            _write_disc(folder / f"{image_id}.dcm", image_id, patient, place, rng, bool(truth[5]))
            ids.append(image_id)
            labels.append(truth)
    return np.array(ids), np.array(labels)


def _write_disc(path: Path, image_id: str, patient: int, place: int, rng: np.random.Generator, bleeds: bool) -> None:
    rows, columns = np.mgrid[:SIZE, :SIZE]
    radius = np.hypot(rows - SIZE / 2, columns - SIZE / 2)
    pixels_hu = np.select([radius < 18, radius < 20], [35, 1000], default=-1000) + rng.normal(0, 3, (SIZE, SIZE))
    if bleeds:
        pixels_hu[18:26, 20:28] = 70
    header = replace(
        HEADER,
        sop_instance_id=image_id,
        patient_id=f"ID_{patient:08x}",
        study_id=f"ID_{patient:010x}",
        series_id=f"ID_{patient:010x}",
        rows=SIZE,
        columns=SIZE,
        position_mm=(0.0, 0.0, 5.0 * place),
    )
    write_slice(path, np.rint(pixels_hu).astype(int) + 1024, header)
