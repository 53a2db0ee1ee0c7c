"""What the process that writes DICOM exports is told of a study: answers, and where its files lie; no identifiers."""

from typing import Any

import numpy as np

import hemorrhage
from hemorrhage.data.labels import label_index
from hemorrhage.web.describing import find_marks
from hemorrhage.web.limits import RefusedError
from hemorrhage.web.records import SliceRecord, StudyRecord


def request_export(kind: str, study: StudyRecord, run: str) -> dict[str, Any]:
    """Returns the request for an export of `kind` "sr" or "sc"; raises RefusedError for a study without an answer."""
    slices = study.chosen.slices if study.chosen else []
    known = [index for index, one in enumerate(slices) if one.probabilities is not None]
    if study.answer is None or not known:
        raise RefusedError("This study has no answer to be exported.", 409)
    return {
        "kind": kind,
        "run": run,
        "version": hemorrhage.__version__,
        "answer": study.answer.tolist(),
        "answer_kind": study.answer_kind,
        "calibrated": study.is_calibrated,
        "slices": [_describe(one) for one in slices],
        "key": max(known, key=lambda index: _any(slices[index])),
        "orientation": _orientation(slices[known[0]]),
    }


def _describe(one: SliceRecord) -> dict[str, Any]:
    values = one.probabilities
    return {
        "source": str(one.source),
        "hu": str(one.hu_path) if one.hu_path else None,
        "probabilities": None if values is None else values.tolist(),
    }


def _any(one: SliceRecord) -> float:
    values = one.probabilities
    return float(values[label_index("any")]) if values is not None else -np.inf


def _orientation(one: SliceRecord) -> list[str]:
    """Where rows and columns of the image lead to; of a file that does not say, as axial slices mostly lie."""
    marks = find_marks(one.facts)
    return [marks["right"], marks["bottom"]] if marks else ["L", "P"]
