"""A study's answers as DICOM: a Structured Report, or a Secondary Capture of the key slice.

This runs in the process that opens files. Who the patient is goes from the source files into the export, which is what
an archive files it by, and nowhere else.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pydicom
from highdicom.sc import SCImage
from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    ComprehensiveSR,
    DeviceObserverIdentifyingAttributes,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    QualitativeEvaluation,
    SourceImageForMeasurementGroup,
    TrackingIdentifier,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import UID, CTImageStorage, generate_uid

from hemorrhage.ct.windows import BRAIN, apply_window
from hemorrhage.data.labels import LABELS
from hemorrhage.web.limits import WARNING

_SCHEME = "99HEMORRHAGE"
"""Codes of our own: no public scheme has one for the probability that a network gives."""

_PATIENT = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex")
_STUDY = ("StudyInstanceUID", "StudyID", "StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName")
_IMAGE = ("SOPInstanceUID", "SeriesInstanceUID", "SOPClassUID", "SpecificCharacterSet", "Modality", "Rows", "Columns")
_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
_SERIES_NUMBERS = {"sr": 9901, "sc": 9902}
_SMALLEST_SIDE = 512


def write_export(request: Mapping[str, Any], path: Path) -> dict[str, str]:
    """Writes the export that `request` describes to `path`: its kind, "sr" or "sc", slices, answer and run."""
    build = {"sr": build_report, "sc": build_capture}[request["kind"]]
    # highdicom writes what it is given, and old files hold values that the standard no longer allows.
    with pydicom.config.disable_value_validation():
        build(request).save_as(path)
    return {}


def build_report(request: Mapping[str, Any]) -> Dataset:
    """Returns a Comprehensive SR by TID 1500: a group of six probabilities for the study, and one for each slice."""
    slices = [one for one in request["slices"] if one["probabilities"] is not None]
    evidence = [read_evidence(Path(one["source"])) for one in slices]
    groups = [_group("study", request["answer"], request, f"study answer: {request['answer_kind']}", None)]
    for number, (one, image) in enumerate(zip(slices, evidence, strict=True), 1):
        groups.append(_group(f"slice {number}", one["probabilities"], request, "slice", image))
    device = DeviceObserverIdentifyingAttributes(uid=generate_uid(), name="hemorrhage", model_name=request["run"][:64])
    observer = ObserverContext(observer_type=codes.DCM.Device, observer_identifying_attributes=device)
    report = MeasurementReport(
        observation_context=ObservationContext(observer_device_context=observer),
        procedure_reported=codes.LN.CTUnspecifiedBodyRegion,
        imaging_measurements=groups,
        title=codes.DCM.ImagingMeasurementReport,
    )
    return ComprehensiveSR(
        evidence=evidence,
        content=report[0],
        series_instance_uid=generate_uid(),
        series_number=_SERIES_NUMBERS["sr"],
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="hemorrhage",
        series_description=WARNING,
        software_versions=request["version"],
        manufacturer_model_name=request["run"][:64],
    )


def build_capture(request: Mapping[str, Any]) -> Dataset:
    """Returns a Secondary Capture of the slice `key`, in the brain window, with the warning in its pixels."""
    key = request["slices"][request["key"]]
    source = read_evidence(Path(key["source"]))
    pixels_hu = np.load(key["hu"], allow_pickle=False)
    lines = [WARNING, f"hemorrhage {request['version']}, {request['run']}", *_list_lines(request, key)]
    image = draw_capture(pixels_hu, lines)
    capture = SCImage(
        pixel_array=image,
        photometric_interpretation="MONOCHROME2",
        bits_allocated=8,
        coordinate_system="PATIENT",
        study_instance_uid=source.StudyInstanceUID,
        series_instance_uid=generate_uid(),
        series_number=_SERIES_NUMBERS["sc"],
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="hemorrhage",
        patient_orientation=tuple(request["orientation"]),
        series_description=WARNING,
        **_identify(source),
    )
    # Of its text none says who the patient is (PS3.3, C.7.6.1).
    capture.BurnedInAnnotation = "NO"
    capture.ImageComments = WARNING
    return capture


def draw_capture(pixels_hu: np.ndarray, lines: Sequence[str]) -> np.ndarray:
    """Returns the slice in the brain window under a band with `lines`, uint8, at least 512 pixels wide."""
    grey = apply_window(pixels_hu, BRAIN)
    scale = max(1.0, _SMALLEST_SIDE / min(grey.shape))
    size = (round(grey.shape[1] * scale), round(grey.shape[0] * scale))
    large = cv2.resize(grey, size, interpolation=cv2.INTER_LINEAR)
    step = max(16, size[0] // 30)
    band = np.zeros((step * (len(lines) + 1), size[0]), dtype=np.uint8)
    for number, line in enumerate(lines, 1):
        place = (step // 2, number * step)
        cv2.putText(band, line, place, cv2.FONT_HERSHEY_SIMPLEX, step / 40, 255, 1, cv2.LINE_AA)
    return np.concatenate([band, large])


def read_evidence(path: Path) -> Dataset:
    """Returns what an export says of its source: patient, study and image, an empty text where the file has none.

    Ids that are no valid UIDs, as the competition's are not, become ones made of them: equal where those were equal.
    """
    wanted = [*_PATIENT, *_STUDY, *_IMAGE]
    found = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=wanted)
    source = Dataset()
    for keyword in wanted:
        setattr(source, keyword, found.get(keyword) or "")
    source.SOPClassUID = found.get("SOPClassUID") or CTImageStorage
    source.Modality = "CT"
    for keyword in _UIDS:
        setattr(source, keyword, _make_valid(str(found.get(keyword) or "none")))
    if not source.SpecificCharacterSet:
        del source.SpecificCharacterSet
    return source


def _make_valid(text: str) -> UID:
    uid = UID(text)
    return uid if uid.is_valid and len(text) <= 64 else generate_uid(entropy_srcs=[text])


def _identify(source: Dataset) -> dict[str, Any]:
    """Patient and study as SCImage takes them: None for what the source does not say."""
    given = {
        "patient_id": source.PatientID,
        "patient_name": source.PatientName,
        "patient_birth_date": source.PatientBirthDate,
        "patient_sex": source.PatientSex if source.PatientSex in ("M", "F", "O") else "",
        "accession_number": source.AccessionNumber,
        "study_id": source.StudyID,
        "study_date": source.StudyDate,
        "study_time": source.StudyTime,
        "referring_physician_name": source.ReferringPhysicianName,
        "specific_character_set": source.get("SpecificCharacterSet"),
    }
    return {name: value or None for name, value in given.items()}


def _group(
    name: str, probabilities: Sequence[float], request: Mapping[str, Any], what: str, image: Dataset | None
) -> MeasurementsAndQualitativeEvaluations:
    measurements = [
        Measurement(
            name=CodedConcept(f"p-{label}", _SCHEME, f"Probability of hemorrhage, {label}"),
            value=round(float(value), 6),
            unit=codes.UCUM.NoUnits,
        )
        for label, value in zip(LABELS, probabilities, strict=True)
    ]
    kind = "calibrated" if request["calibrated"] else "as the network gives it, not calibrated"
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=generate_uid(), identifier=name),
        finding_type=CodedConcept("hemorrhage", _SCHEME, "Intracranial hemorrhage, predicted"),
        algorithm_id=AlgorithmIdentification(
            name="hemorrhage", version=request["version"], parameters=[f"run {request['run']}", what, kind]
        ),
        measurements=measurements,
        qualitative_evaluations=[
            QualitativeEvaluation(
                CodedConcept("use", _SCHEME, "Intended use"), CodedConcept("research", _SCHEME, WARNING)
            )
        ],
        source_images=None if image is None else [SourceImageForMeasurementGroup.from_source_image(image)],
    )


def _list_lines(request: Mapping[str, Any], key: Mapping[str, Any]) -> list[str]:
    kind = "calibrated" if request["calibrated"] else "not calibrated"
    whole = ", ".join(f"{label} {value:.3f}" for label, value in zip(LABELS, request["answer"], strict=True))
    slices = ", ".join(f"{label} {value:.3f}" for label, value in zip(LABELS, key["probabilities"], strict=True))
    shown = f"slice {request['key'] + 1} of {len(request['slices'])}"
    return [f"study ({request['answer_kind']}, {kind}):", *_wrap(whole), f"{shown}:", *_wrap(slices)]


def _wrap(text: str) -> list[str]:
    parts = text.split(", ")
    return ["  " + ", ".join(parts[:3]), "  " + ", ".join(parts[3:])]
