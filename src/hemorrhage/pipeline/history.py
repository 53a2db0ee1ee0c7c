"""What every epoch of a run measured: a CSV that is whole at any moment, and the same for TensorBoard."""

import csv
from typing import Any

import pandas as pd
from tensorboard.summary import Writer

from hemorrhage.files import replacing
from hemorrhage.pipeline.runs import Run


def read_history(run: Run) -> list[dict[str, Any]]:
    """Returns the rows of a run's history as text, an epoch each; none where it has not begun."""
    if not run.history_path.is_file():
        return []
    with run.history_path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write_epoch(run: Run, row: dict[str, float]) -> None:
    """Writes one epoch's figures to the history, and to the folder that TensorBoard shows."""
    _write_history(run, [*read_history(run), row])
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
    writer = Writer(str(run.tensorboard_folder))
    for key, value in row.items():
        writer.add_scalar(key, value, int(row["epoch"]))
    writer.close()
