"""`make bench-table`: seconds and memory of every step that handles the whole label table, at the competition's size.

    python -m tests.bench.table    the real label table where HEMORRHAGE_REAL_DATA names its folder, else a drawn one

The slices' header facts and pixel hashes, which no label table has, are made up: the time they take is what counts.
"""

import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd

from hemorrhage.data.folds import split_folds
from hemorrhage.data.labels import LABELS, read_labels, read_probabilities, write_long
from hemorrhage.data.sampling import balance_any, draw_epoch
from hemorrhage.pipeline.audit import judge
from hemorrhage.pipeline.evidence import Evidence
from hemorrhage.pipeline.score import score
from hemorrhage.pipeline.store_plan import assign_shards

TRAIN_SLICES = 752_803
TEST_SLICES = 121_232
_PREVALENCE = (0.0042, 0.0480, 0.0348, 0.0474, 0.0627)
Value = TypeVar("Value")

_SERIES_SLICES, _PATIENT_SLICES = 34, 40


def main() -> int:
    """Returns 0 after printing a row a step."""
    with tempfile.TemporaryDirectory(prefix="hemorrhage-bench-") as folder:
        print(f"{'step':<58}{'seconds':>9}{'peak MB':>9}")
        run(Path(folder), find_or_draw_labels())
    return 0


def run(folder: Path, labels: pd.DataFrame) -> None:
    """Runs and times every step on the labels (image_id, patient_id, six labels)."""
    train_csv = folder / "stage_2_train.csv"
    with timed(f"write the label CSV of {len(labels)} slices"):
        write_long(train_csv, labels["image_id"].to_numpy(), labels[list(LABELS)].to_numpy())
    read = keep(f"read it: {len(labels) * len(LABELS)} rows", lambda: read_labels(train_csv))
    train, test = (invent_scan(ids, seed) for ids, seed in ((labels["image_id"], 0), (invent_ids(TEST_SLICES), 1)))
    evidence = Evidence(train_csv, read, train, test, frozenset(test["image_id"]))
    keep(f"audit of the table of {len(train) + len(test)} slices", lambda: judge(evidence))
    folds = keep("5 folds by patient", lambda: split_folds(labels, 5, 0))
    if folds.groupby("patient_id")["fold"].nunique().max() != 1:
        raise RuntimeError("Expected every patient in one fold.")
    keep("a balanced epoch's draw", lambda: draw_epoch(labels, balance_any(labels), 0, 0))
    keep("the shards of a store", lambda: assign_shards(train.sort_values("series_id").assign(part="train")))
    run_submission(folder, test["image_id"].to_numpy())


def run_submission(folder: Path, image_ids: np.ndarray) -> None:
    """Writes, checks and scores a submission of these images."""
    rng = np.random.default_rng(2)
    answers = draw_labels(rng, len(image_ids))
    submission, truth = folder / "submission.csv", folder / "answers.csv"
    write_long(truth, image_ids, answers.to_numpy())
    rows = len(image_ids) * len(LABELS)
    with timed(f"write a submission of {rows} rows"):
        write_long(submission, image_ids, rng.uniform(size=(len(image_ids), len(LABELS))))
    keep("check it", lambda: read_probabilities(submission))
    keep("score it", lambda: score(submission, truth, 0.5))


def find_or_draw_labels() -> pd.DataFrame:
    """Returns image_id, patient_id and six labels of 752,803 slices, the real ones where they are named.

    Where a real slice has no patient known, each gets one of its own.
    """
    real = os.environ.get("HEMORRHAGE_REAL_DATA")
    if real:
        table = pd.read_parquet(Path(real) / "rsna_labels.parquet")
        return table.assign(patient_id=table["patient_id"].fillna(table["image_id"]))
    labels = draw_labels(np.random.default_rng(0), TRAIN_SLICES)
    patients = [f"P{number // _PATIENT_SLICES:06d}" for number in range(TRAIN_SLICES)]
    return labels.assign(image_id=invent_ids(TRAIN_SLICES, start=1 << 32), patient_id=patients)


def draw_labels(rng: np.random.Generator, count: int) -> pd.DataFrame:
    """Returns six labels of `count` slices with the competition's share of positives."""
    subtypes = rng.uniform(size=(count, len(_PREVALENCE))) < np.array(_PREVALENCE)
    return pd.DataFrame(np.column_stack([subtypes, subtypes.any(axis=1)]).astype(np.int8), columns=list(LABELS))


def invent_ids(count: int, start: int = 0) -> list[str]:
    """Returns `count` different image ids."""
    return [f"ID_{number:09x}" for number in range(start, start + count)]


def invent_scan(image_ids: pd.Series | list[str], seed: int) -> pd.DataFrame:
    """Returns the slice table of these slices as an audit would read it; one pixel hash in a thousand recurs."""
    rng = np.random.default_rng(seed)
    ids = pd.Series(list(image_ids))
    numbers = np.arange(len(ids))
    hashes = np.where(rng.uniform(size=len(ids)) < 1e-3, numbers // 2, numbers) + (seed << 40)
    return pd.DataFrame(
        {
            "image_id": ids,
            "path": ids + ".dcm",
            "sop_instance_id": ids,
            "patient_id": [f"P{number:06d}" for number in numbers // _PATIENT_SLICES + (seed << 20)],
            "series_id": [f"S{number:06d}" for number in numbers // _SERIES_SLICES + (seed << 20)],
            "rows": 512,
            "columns": 512,
            "bits_stored": rng.choice([12, 16], len(ids)),
            "pixel_representation": rng.choice([0, 1], len(ids)),
            "rescale_intercept": rng.choice([-1024.0, 0.0], len(ids)),
            "is_wrapped": False,
            "is_constant": False,
            "pixel_hash": [f"{number:032x}" for number in hashes],
            "error": None,
        }
    )


def keep(step: str, work: Callable[[], Value]) -> Value:
    """Returns what the work returns, after printing what it took."""
    with timed(step):
        return work()


@contextmanager
def timed(step: str) -> Iterator[None]:
    """Prints the seconds of what runs inside, and the process's highest memory so far."""
    started = time.perf_counter()
    yield
    # Kilobytes on Linux, bytes on macOS.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    print(f"{step:<58}{time.perf_counter() - started:>9.2f}{peak:>9.0f}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
