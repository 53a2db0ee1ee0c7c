"""Prediction tables: one row a slice with six probabilities, and why a slice has none."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from hemorrhage.data.labels import LABELS
from hemorrhage.data.metrics import constant_score, weighted_log_loss
from hemorrhage.models.inference import SlicePredictions
from hemorrhage.pipeline.checked_tables import KEY_COLUMNS, read_predictions
from hemorrhage.pipeline.config import Config
from hemorrhage.pipeline.runs import Run, averaged_epochs


def build_predictions(slices: pd.DataFrame, predicted: SlicePredictions) -> pd.DataFrame:
    """Returns one row for each of `slices`: its KEY_COLUMNS, six probabilities (NaN where unreadable), and `error`."""
    probabilities = pd.DataFrame(predicted.probabilities, columns=list(LABELS))
    probabilities.insert(0, "image_id", predicted.image_ids)
    table = slices[KEY_COLUMNS].merge(probabilities, on="image_id", how="left")
    return table.assign(error=table["image_id"].map(predicted.unreadable).astype("object"))


def build_empty(slices: pd.DataFrame, unreadable: Mapping[str, str]) -> pd.DataFrame:
    """Returns a prediction table of `slices` without probabilities, with the causes of those that are `unreadable`."""
    nothing = SlicePredictions(np.empty(0, dtype=object), np.empty((0, len(LABELS))), dict(unreadable))
    return build_predictions(slices, nothing)


def fill_predictions(template: pd.DataFrame, image_ids: Sequence[str], probabilities: np.ndarray) -> pd.DataFrame:
    """Returns the prediction table `template` with other probabilities: N x 6 of the slices `image_ids`, NaN of others.

    An error of the template stays; a slice that only the template has a prediction of gets one.
    """
    values = pd.DataFrame(probabilities, columns=list(LABELS), index=pd.Index(image_ids))
    filled = template.copy()
    filled[list(LABELS)] = values.reindex(filled["image_id"]).to_numpy()
    lost = filled["any"].isna() & filled["error"].isna()
    return filled.assign(error=filled["error"].astype("object").mask(lost, "not predicted by every part of the run"))


def average_predictions(tables: Sequence[pd.DataFrame], weights: Sequence[float]) -> pd.DataFrame:
    """Returns the weighted mean of tables over the same slices in the same order; errors are those of the first."""
    shares = np.array(weights) / np.sum(weights)
    mean = sum(share * table[list(LABELS)].to_numpy() for share, table in zip(shares, tables, strict=True))
    averaged = tables[0].copy()
    averaged[list(LABELS)] = mean
    return averaged


def collect_validation(run: Run, config: Config) -> pd.DataFrame:
    """Returns a fold's predictions of its held-out slices: the weighted mean over the averaged epochs."""
    epochs = averaged_epochs(run, config)
    again = "Train the run again."
    tables = [read_predictions(run.validation_path(epoch), again) for epoch, _ in epochs]
    return average_predictions(tables, [weight for _, weight in epochs])


def match_truth(predictions: pd.DataFrame, labels: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Returns truth and probability, both N x 6, of the slices that have a prediction.

    `labels` has image_id and the six labels of at least those slices.
    """
    readable = predictions[predictions["error"].isna()]
    truth = labels.set_index("image_id").loc[readable["image_id"], list(LABELS)].to_numpy()
    return truth, readable[list(LABELS)].to_numpy()


def describe_out_of_fold(predictions: pd.DataFrame, labels: pd.DataFrame, prevalence: np.ndarray) -> str:
    """Returns a line with the score of out-of-fold predictions beside that of the constant training `prevalence`."""
    truth, probability = match_truth(predictions, labels)
    return (
        f"out-of-fold weighted log loss {weighted_log_loss(truth, probability):.5f} on {len(truth)} slices "
        f"(constant training prevalence {constant_score(truth, prevalence):.5f})"
    )
