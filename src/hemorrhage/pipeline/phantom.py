"""The verb that writes a made-up data set in Kaggle's layout, so that everything can be tried without a download.

    OUT/phantom.json                          what made it, and how many of what
    OUT/stage_2_test_answers.csv              the test labels, for `score` alone
    OUT/rsna-intracranial-hemorrhage-detection/
      stage_2_train.csv, stage_2_sample_submission.csv
      stage_2_train/ID_x.dcm, stage_2_test/ID_x.dcm
      masks_train/ID_x.png, masks_test/ID_x.png   uint8: bit k is set where LABELS[k] bleeds; positive slices only

The plan (who bleeds, who is tested, which scanner) is laid out for all patients first, in strata, so that few
patients suffice to have everything; each patient is then made from (seed, patient index) and its plan alone, by any
worker.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hemorrhage.ct.phantom import GENERATOR_VERSION
from hemorrhage.data.labels import LABELS, SUBTYPES, label_index, write_long
from hemorrhage.data.layout import SAMPLE_CSV, TRAIN_CSV
from hemorrhage.errors import HemorrhageError
from hemorrhage.files import write_json
from hemorrhage.pipeline.console import count
from hemorrhage.pipeline.phantom_folder import building, check_free
from hemorrhage.pipeline.phantom_patient import MASK_FOLDERS, PatientJob, WrittenPatient, write_patient
from hemorrhage.pipeline.phantom_plan import PatientPlan, draw_plan, is_covering
from hemorrhage.pipeline.phantom_workers import map_in_processes

DATASET_FOLDER = "rsna-intracranial-hemorrhage-detection"
ANSWERS_CSV = "stage_2_test_answers.csv"
MAX_PATIENTS = 20_000
MIN_SIZE, MAX_SIZE = 32, 1024
MAX_SEED = 2**63 - 1
"""What any reader of phantom.json can hold."""


@dataclass(frozen=True)
class PhantomSummary:
    """How many of what were written; `positives` counts the slices of each label, train and test together."""

    patients: int
    test_patients: int
    series: int
    train_slices: int
    test_slices: int
    positives: dict[str, int]

    def __str__(self) -> str:
        slices = self.train_slices + self.test_slices
        shares = "  ".join(f"{label} {count / slices:.1%}" for label, count in self.positives.items())
        return (
            f"{count(self.patients, 'patient')} ({self.test_patients} of them test), {self.series} series, "
            f"{self.train_slices} training and {self.test_slices} test slices\npositive slices: {shares}"
        )


def write_phantom(
    out: Path,
    patients: int = 60,
    seed: int = 0,
    size: int = 512,
    progress: Callable[[Iterable[Any]], Iterable[Any]] | None = None,
    workers: int = 1,
) -> PhantomSummary:
    """Returns what was written to the folder `out`: a data set of made-up heads in Kaggle's layout.

    `size` is the images' side in pixels; `progress` wraps the patients as they are made, as tqdm does; `workers` is
    the number of processes, which changes nothing but the time. Nothing of the data set is in `out` before all is
    written. Raises HemorrhageError where an argument is out of range, where `out` exists and is not empty, or where
    it cannot be written.
    """
    _check_arguments(patients, seed, size, workers)
    # Not Path.resolve, which raises what is no OSError at a link that leads to itself.
    out = Path(os.path.realpath(out))
    check_free(out)
    plans = draw_plan(patients, seed)
    with building(out) as folder:
        _make_folders(folder / DATASET_FOLDER)
        jobs = [PatientJob(folder / DATASET_FOLDER, plan, seed, size) for plan in plans]
        made = map_in_processes(write_patient, jobs, min(workers, patients))
        written = sorted((progress or iter)(made), key=lambda each: each.index)
        summary = _summarize(plans, written)
        _write_tables(folder, written)
        write_json(folder / "phantom.json", _describe(seed, size, summary, written))
    return summary


def _write_tables(folder: Path, written: Sequence[WrittenPatient]) -> None:
    """Writes the three CSVs in Kaggle's form, sorted by image."""
    train_ids, train_labels = _stack([each for each in written if not each.in_test])
    test_ids, test_labels = _stack([each for each in written if each.in_test])
    write_long(folder / DATASET_FOLDER / TRAIN_CSV, train_ids, train_labels)
    write_long(folder / DATASET_FOLDER / SAMPLE_CSV, test_ids, np.full(test_labels.shape, 0.5))
    write_long(folder / ANSWERS_CSV, test_ids, test_labels)


def _stack(patients: Sequence[WrittenPatient]) -> tuple[np.ndarray, np.ndarray]:
    image_ids = np.array([image_id for each in patients for image_id in each.image_ids], dtype=object)
    labels = np.concatenate([np.zeros((0, len(LABELS)), dtype=np.uint8), *(each.labels for each in patients)])
    order = np.argsort(image_ids)
    return image_ids[order], labels[order].astype(np.int8)


def _summarize(plans: Sequence[PatientPlan], written: Sequence[WrittenPatient]) -> PhantomSummary:
    positives = np.sum([each.labels.sum(axis=0, dtype=np.int64) for each in written], axis=0)
    return PhantomSummary(
        patients=len(plans),
        test_patients=sum(plan.in_test for plan in plans),
        series=sum(len(plan.forms) for plan in plans),
        train_slices=sum(len(each.labels) for each in written if not each.in_test),
        test_slices=sum(len(each.labels) for each in written if each.in_test),
        positives={label: int(positives[k]) for k, label in enumerate(LABELS)},
    )


def _describe(seed: int, size: int, summary: PhantomSummary, written: Sequence[WrittenPatient]) -> dict[str, object]:
    made_by = {"generator_version": GENERATOR_VERSION, "seed": seed, "size": size, "patients": summary.patients}
    frequencies = "every subtype in train and in test" if is_covering(summary.patients) else "as in the real data"
    return {
        **made_by,
        **asdict(summary),
        "subtype_frequencies": frequencies,
        "mask_bits": {subtype: label_index(subtype) for subtype in SUBTYPES},
        "data_hash": _hash_data(made_by, written),
    }


def _hash_data(made_by: dict[str, int], written: Sequence[WrittenPatient]) -> str:
    """SHA-256 of the parameters and of every slice's id, labels and HU: equal only where the data sets are."""
    digest = hashlib.sha256(json.dumps(made_by, sort_keys=True).encode())
    for each in written:
        digest.update(" ".join((*each.image_ids, each.digest)).encode())
        digest.update(each.labels.tobytes())
    return digest.hexdigest()


def _check_arguments(patients: int, seed: int, size: int, workers: int) -> None:
    if not 1 <= patients <= MAX_PATIENTS:
        raise HemorrhageError(f"Expected 1 to {MAX_PATIENTS} patients. Received: {patients}.")
    if not MIN_SIZE <= size <= MAX_SIZE:
        raise HemorrhageError(f"Expected images of {MIN_SIZE} to {MAX_SIZE} pixels a side. Received: {size}.")
    if seed < 0:
        raise HemorrhageError(f"Expected a seed of 0 or more. Received: {seed}.")
    if seed > MAX_SEED:
        raise HemorrhageError(f"Expected a seed of at most {MAX_SEED}. Received one of {len(str(seed))} digits.")
    if workers < 1:
        raise HemorrhageError(f"Expected 1 worker or more. Received: {workers}.")


def _make_folders(dataset: Path) -> None:
    for name in (*MASK_FOLDERS, *MASK_FOLDERS.values()):
        (dataset / name).mkdir(parents=True)
