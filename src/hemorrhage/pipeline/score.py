"""The verb score: a submission and the answers in, the competition's score and what stands beside it out."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from hemorrhage.data.calibration import measure_calibration_errors
from hemorrhage.data.labels import LABELS, read_labels, read_probabilities, require_agreement
from hemorrhage.data.metrics import LabelMetrics, constant_score, measure_labels, weighted_log_loss
from hemorrhage.data.table import read_table
from hemorrhage.data.uncertainty import (
    Intervals,
    StudyFigures,
    measure_intervals,
    measure_sensitivities,
    measure_studies,
)
from hemorrhage.errors import HemorrhageError
from hemorrhage.pipeline.checked_tables import require_ids


@dataclass(frozen=True)
class Score:
    """The weighted log loss, that of the answers' own constant prevalence, and the figures by label.

    `patients` is None where nothing said whose the slices are: then `intervals` are by slice, and too narrow.
    """

    slices: int
    patients: int | None
    weighted_log_loss: float
    constant: float
    labels: list[LabelMetrics]
    threshold: float | None
    intervals: Intervals
    calibration_errors: dict[str, float]
    sensitivities: dict[str, tuple[float, ...]]
    studies: StudyFigures | None


def score(submission: Path, answers: Path, threshold: float | None = None, patients: Path | None = None) -> Score:
    """Returns how well `submission` meets `answers`, both long CSVs over the same images.

    `threshold` is where the second confusion table is taken; None takes each label's best F1 on these answers. The
    table `patients`, Parquet or CSV, says whose each image is (patient_id) and may say of which series (series_id).
    Raises HemorrhageError where a file is malformed or the images differ.
    """
    truth_table = require_agreement(read_labels(answers), answers).table.set_index("image_id")
    probability_table = read_probabilities(submission).set_index("image_id")
    missing = truth_table.index.difference(probability_table.index)
    extra = probability_table.index.difference(truth_table.index)
    if len(missing) or len(extra):
        raise HemorrhageError(
            f"{submission}: expected the {len(truth_table)} images of {answers}; {len(missing)} are missing "
            f"({', '.join(missing[:3])}), {len(extra)} are unknown ({', '.join(extra[:3])})."
        )
    if threshold is not None and not 0 <= threshold <= 1:
        raise HemorrhageError(f"Expected a threshold in [0, 1], received {threshold}.")
    truth = truth_table[list(LABELS)].to_numpy()
    probability = probability_table.loc[truth_table.index, list(LABELS)].to_numpy()
    known = read_patients(patients, truth_table.index) if patients is not None else None
    return measure_score(truth, probability, known, threshold)


def read_patients(path: Path, image_ids: pd.Index) -> pd.DataFrame:
    """Returns patient_id, and series_id where `path` has it, of `image_ids` in their order.

    An image without a patient gets one of its own. Raises HemorrhageError for a table without the columns, with an
    image twice, or without one of the images.
    """
    table = _read_any_table(path)
    lacking = [name for name in ("image_id", "patient_id") if name not in table]
    if lacking:
        raise HemorrhageError(
            f"{path}: expected the columns image_id and patient_id, received {', '.join(map(str, table.columns[:8]))}; "
            f"{' and '.join(lacking)} missing. A run's test.parquet has them."
        )
    require_ids(path, table["image_id"], "A run's test.parquet has them.")
    unknown = image_ids.difference(pd.Index(table["image_id"]))
    if len(unknown):
        raise HemorrhageError(
            f"{path}: expected the patient of all {len(image_ids)} images, {len(unknown)} are missing, first "
            f"{unknown[0]}. Name the table of the data set that was scored."
        )
    found = table.set_index("image_id").loc[image_ids, [name for name in ("patient_id", "series_id") if name in table]]
    return found.assign(patient_id=found["patient_id"].astype("object").fillna(found.index.to_series()))


def _read_any_table(path: Path) -> pd.DataFrame:
    if path.suffix.lower() != ".csv":
        return read_table(path)
    try:
        return pd.read_csv(path, dtype=str)
    except (OSError, ValueError) as error:
        raise HemorrhageError(f"{path}: expected a CSV with image_id and patient_id ({error}).") from error


def measure_score(
    truth: np.ndarray, probability: np.ndarray, known: pd.DataFrame | None, threshold: float | None = None
) -> Score:
    """Returns the score of N slices, N x 6 of truth and probability, as in score.

    `known` says whose they are (patient_id) and may say of which series (series_id), row by row.
    """
    groups = np.arange(len(truth)) if known is None else known["patient_id"].astype(str).to_numpy()
    return Score(
        slices=len(truth),
        patients=None if known is None else len(np.unique(groups)),
        weighted_log_loss=weighted_log_loss(truth, probability),
        constant=constant_score(truth, truth.mean(axis=0)),
        labels=measure_labels(truth, probability, threshold),
        threshold=threshold,
        intervals=measure_intervals(truth, probability, groups),
        calibration_errors=dict(zip(LABELS, measure_calibration_errors(truth, probability).tolist(), strict=True)),
        sensitivities=measure_sensitivities(truth, probability),
        studies=measure_studies(truth, probability, known) if known is not None and "series_id" in known else None,
    )
