"""A study as CSV: what the network said of each slice and of the whole."""

import csv
import io

import numpy as np

from hemorrhage.data.labels import LABELS
from hemorrhage.web.limits import WARNING
from hemorrhage.web.records import SliceRecord, StudyRecord


def format_csv(study: StudyRecord, run: str, version: str) -> str:
    """Returns the table: a row for the study and one a slice, `p_` as `hemorrhage predict` says it.

    Where the run has a calibration `calibrated_` follow. The first row is the warning; no row names the patient.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([f"# {WARNING} hemorrhage {version}, run {run}, {study.title}"])
    columns = [f"{kind}_{label}" for kind in ("p", "calibrated") for label in LABELS]
    writer.writerow(["what", "index", "z_mm", *columns, "note"])
    whole = _numbers(study.answer)
    kept = [*[""] * len(LABELS), *whole] if study.is_calibrated else [*whole, *[""] * len(LABELS)]
    writer.writerow(["study", "", "", *kept, f"answer: {study.answer_kind or 'none'}"])
    slices = study.chosen.slices if study.chosen else []
    for index, one in enumerate(slices):
        writer.writerow(["slice", index, _z(one), *_numbers(one.predicted), *_numbers(one.calibrated), one.error])
    return text.getvalue()


def _z(one: SliceRecord) -> str:
    return "" if one.facts.z_mm is None else f"{one.facts.z_mm:g}"


def _numbers(values: np.ndarray | None) -> list[str]:
    if values is None or np.isnan(values).any():
        return [""] * len(LABELS)
    return [f"{value:.8g}" for value in values]
