"""What every epoch of a run measured: a CSV that is whole at any moment, and the same for TensorBoard."""

import csv
from typing import Any

import keras
import pandas as pd

from hemorrhage.files import replacing
from hemorrhage.pipeline.runs import Run


def read_history(run: Run) -> list[dict[str, Any]]:
    """Returns the rows of a run's history as text, an epoch each; none where it has not begun."""
    if not run.history_path.is_file():
        return []
    with run.history_path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write_epoch(run: Run, row: dict[str, float]) -> None:
    """Writes one epoch's figures to the history, and to TensorBoard's folder where TensorFlow is the backend."""
    _write_history(run, [*read_history(run), row])
    if keras.backend.backend() == "tensorflow":
        _write_tensorboard(run, row)


def forget_after(run: Run, epochs: int) -> None:
    """Drops the rows of epochs beyond `epochs`, which an interruption left without a model."""
    rows = read_history(run)
    if len(rows) > epochs:
        _write_history(run, rows[:epochs])


def _write_history(run: Run, rows: list[dict[str, Any]]) -> None:
    with replacing(run.history_path) as temporary:
        pd.DataFrame(rows).to_csv(temporary, index=False)


def _write_tensorboard(run: Run, row: dict[str, float]) -> None:
    import tensorflow  # it owns the format, and other backends may lack it

    writer = tensorflow.summary.create_file_writer(str(run.tensorboard_folder))
    with writer.as_default(step=int(row["epoch"])):
        for key, value in row.items():
            tensorflow.summary.scalar(key, value)
    writer.close()
