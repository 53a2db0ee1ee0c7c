"""Records as the JSON that the page gets (texts of files go as text alone, and never as HTML)."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from hemorrhage.data.labels import LABELS
from hemorrhage.web.facts import Facts
from hemorrhage.web.pacs import PacsStudy
from hemorrhage.web.records import SeriesRecord, SliceRecord, StudyRecord, UploadRecord

_AXES = (("L", "R"), ("P", "A"), ("H", "F"))
"""Where the patient's coordinates grow to, and where they fall to (PS3.3, C.7.6.2.1.1)."""

_FACTS = (
    ("Slice thickness", "thickness", " mm"),
    ("Kernel", "kernel", ""),
    ("Tube voltage", "kvp", " kV"),
    ("Contrast agent", "contrast", ""),
    ("Scanner", "maker", ""),
    ("Model", "scanner", ""),
    ("Age", "age", ""),
    ("Sex", "sex", ""),
)


def describe_upload(upload: UploadRecord) -> dict[str, Any]:
    """Returns how far an upload is."""
    return {
        "state": upload.state,
        "done": upload.done,
        "total": upload.total,
        "message": upload.message,
        "studies": list(upload.studies),
        "left_out": [{"file": one.file, "why": one.why} for one in list(upload.left_out)],
        "error": upload.error or None,
    }


def describe_row(study: StudyRecord) -> dict[str, Any]:
    """Returns a study's row of the worklist."""
    answer = by_label(study.answer)
    chosen = study.chosen
    return {
        "study": study.id,
        "urgency": answer["any"] if answer else None,
        "answer": answer,
        "answer_kind": study.answer_kind or None,
        "calibrated": study.is_calibrated,
        "title": study.title,
        "description": study.description,
        "slices": chosen.count if chosen else 0,
        "series": len(study.series),
        "state": study.state,
        "done": study.done,
        "total": study.total,
        "left_out": study.left_out + sum(not series.chosen for series in study.series),
        "error": study.error or None,
    }


def sort_worklist(studies: Sequence[StudyRecord]) -> list[StudyRecord]:
    """Returns the studies by urgency, the highest first and those without an answer last."""

    def key(study: StudyRecord) -> tuple[bool, float]:
        urgency = None if study.answer is None else float(study.answer[LABELS.index("any")])
        return urgency is None or np.isnan(urgency), -(urgency or 0.0)

    return sorted(studies, key=key)


def describe_study(study: StudyRecord, prevalence: np.ndarray) -> dict[str, Any]:
    """Returns a study with its series and slices."""
    series = [_describe_series(one, prevalence) for one in study.series]
    facts = describe_facts(study.chosen or study.series[0]) if study.series else []
    return describe_row(study) | {"facts": facts, "series": series}


def describe_facts(series: SeriesRecord) -> list[list[str]]:
    """Returns what a reader of the images wants to know of how they were made: pairs of name and text."""
    facts = series.facts
    found = [[name, _say_fact(facts, key, unit)] for name, key, unit in _FACTS if facts.text(key)]
    rows, columns = facts.shape
    spacing = facts.pixel_spacing_mm
    size = f"{rows} x {columns}" + (f", {spacing[0]:.3g} mm a pixel" if spacing else "")
    steps = np.diff(sorted(z for one in series.slices if (z := one.facts.z_mm) is not None))
    apart = [["Slices apart", f"{np.median(steps):.3g} mm"]] if len(steps) else []
    return [*found[:1], *apart, *found[1:], ["Pixels", size]]


def _say_fact(facts: Facts, key: str, unit: str) -> str:
    if key == "age":
        return format_age(facts.text(key))
    number = facts.number(key) if unit else None
    return f"{facts.text(key)}{unit}" if number is None else f"{number:g}{unit}"


def format_age(text: str) -> str:
    """Returns an age string of DICOM (PS3.5, 6.2, AS), such as 061Y, in words; another text as it is."""
    number, unit = text[:-1], _AGE_UNITS.get(text[-1:])
    return f"{int(number)} {unit}" if unit and number.isascii() and number.isdecimal() else text


_AGE_UNITS = {"D": "days", "W": "weeks", "M": "months", "Y": "years"}


def describe_pacs_study(study_id: str, study: PacsStudy) -> dict[str, Any]:
    """Returns a study that a PACS has, under a name of the server's."""
    return {
        "study": study_id,
        "date": study.date,
        "description": study.description,
        "modalities": study.modalities,
        "series": study.series,
    }


def find_marks(facts: Facts) -> dict[str, str] | None:
    """Returns the letters at the four edges of the image: R, L, A, P, H, F; None where the file does not say."""
    directions = facts.directions
    if directions is None:
        return None
    right, left = _name_direction(directions[0])
    bottom, top = _name_direction(directions[1])
    return {"left": left, "right": right, "top": top, "bottom": bottom}


def _name_direction(direction: np.ndarray) -> tuple[str, str]:
    """The letter where a direction leads to, and where it comes from."""
    axis = int(np.abs(direction).argmax())
    grows, falls = _AXES[axis]
    return (grows, falls) if direction[axis] > 0 else (falls, grows)


def by_label(values: np.ndarray | None) -> dict[str, float] | None:
    """Returns six values by label; None for none, or for those that are not numbers."""
    if values is None or np.isnan(values).any():
        return None
    return {label: float(value) for label, value in zip(LABELS, values, strict=True)}


def _describe_series(series: SeriesRecord, prevalence: np.ndarray) -> dict[str, Any]:
    spacing = series.facts.pixel_spacing_mm
    rows, columns = series.facts.shape
    return {
        "series": series.id,
        "chosen": series.chosen,
        "why": series.why,
        "title": series.title,
        "count": series.count,
        "rows": rows,
        "columns": columns,
        "pixel_spacing_mm": list(spacing) if spacing else None,
        "orientation": find_marks(series.facts),
        "slices": [_describe_slice(index, one) for index, one in enumerate(series.slices)],
        "prevalence": by_label(prevalence),
    }


def _describe_slice(index: int, one: SliceRecord) -> dict[str, Any]:
    return {
        "index": index,
        "z_mm": one.facts.z_mm,
        "probabilities": by_label(one.probabilities),
        "error": one.error or None,
    }
