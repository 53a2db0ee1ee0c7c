"""How badly a run predicted its own training slices at the end of an epoch: what the next epoch draws hard ones by.

One Parquet file an epoch, RUN/losses/epoch-NNN.parquet, written before the epoch's model and kept until the next one's:
so the draw of an epoch is a function of what is saved, and a resumed run draws what one that was never stopped does.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from hemorrhage.data.labels import weight_vector
from hemorrhage.data.table import read_table, write_table
from hemorrhage.models.losses import EPSILON
from hemorrhage.pipeline.predictions import match_truth
from hemorrhage.pipeline.runs import Run


def write_losses(run: Run, epoch: int, predictions: pd.DataFrame, labels: pd.DataFrame) -> None:
    """Writes the competition's loss of each slice that has a prediction, after epoch `epoch` (from 1)."""
    truth, probability = match_truth(predictions, labels)
    ids = predictions.loc[predictions["error"].isna(), "image_id"]
    table = pd.DataFrame({"image_id": ids.to_numpy(), "loss": slice_losses(truth, probability)})
    write_table(_path(run, epoch), table)


def read_losses(run: Run, epoch: int) -> pd.DataFrame | None:
    """Returns image_id and loss of the training slices after epoch `epoch` (from 1); None where nothing is kept."""
    path = _path(run, epoch)
    return read_table(path) if path.is_file() else None


def match_losses(losses: pd.DataFrame, slices: pd.DataFrame) -> np.ndarray:
    """Returns the loss of each of `slices`, NaN of one that has none."""
    return losses.set_index("image_id")["loss"].reindex(slices["image_id"]).to_numpy()


def forget_losses(run: Run, epoch: int) -> None:
    """Removes the losses of epochs before `epoch` (from 1)."""
    for path in _path(run, epoch).parent.glob("epoch-*.parquet"):
        if path < _path(run, epoch):
            path.unlink()


def slice_losses(truth: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Returns the weighted cross-entropy of each slice, float64 of length N, of two arrays N x 6."""
    clipped = np.clip(probability, EPSILON, 1 - EPSILON)
    losses: np.ndarray = -(truth * np.log(clipped) + (1 - truth) * np.log(1 - clipped)) @ weight_vector()
    return losses


def _path(run: Run, epoch: int) -> Path:
    return run.folder / "losses" / f"epoch-{epoch:03d}.parquet"
