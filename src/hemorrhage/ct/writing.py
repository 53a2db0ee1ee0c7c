"""From stored values and header facts to a DICOM file: the inverse of `dicom`, for phantoms and tests."""

from pathlib import Path
from typing import Any

import numpy as np
from pydicom import config
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import PYDICOM_IMPLEMENTATION_UID, UID, CTImageStorage, generate_uid

from hemorrhage.ct.dicom import Header


def write_slice(path: Path, raw: np.ndarray, header: Header) -> None:
    """Writes `raw` as an uncompressed CT slice that has the facts of `header`.

    `raw` is integer H x W whose values fit 16 bits of the header's signedness; ValueError where they do not.
    """
    write_dataset(path, build_dataset(raw, header))


def write_dataset(path: Path, dataset: Dataset) -> None:
    """Writes a data set of build_dataset."""
    # Enforcing the format would copy Kaggle's ids, which are not valid UIDs, into the file meta information.
    dataset.save_as(path, enforce_file_format=False)


def build_dataset(raw: np.ndarray, header: Header) -> Dataset:
    """Returns the DICOM data set that write_slice writes, for callers that change or compress it first."""
    dataset = Dataset()
    dataset.preamble = b"\0" * 128
    dataset.file_meta = _build_file_meta(header)
    for keyword, value in _elements(header).items():
        if value is not None and value != ():
            _set(dataset, keyword, value)
    dataset.add_new("PixelData", "OW", _to_bytes(raw, signed=header.pixel_representation == 1))
    return dataset


def _build_file_meta(header: Header) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.FileMetaInformationGroupLength = 0  # made true when it is written
    meta.FileMetaInformationVersion = b"\0\1"
    meta.ImplementationClassUID = PYDICOM_IMPLEMENTATION_UID
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[header.sop_instance_id or "slice"])
    meta.TransferSyntaxUID = UID(header.transfer_syntax)
    return meta


def _elements(header: Header) -> dict[str, Any]:
    return {
        "SOPInstanceUID": header.sop_instance_id,
        "Modality": "CT",
        "PatientID": header.patient_id,
        "StudyInstanceUID": header.study_id,
        "SeriesInstanceUID": header.series_id,
        "ImagePositionPatient": _decimals(header.position_mm),
        "ImageOrientationPatient": _decimals(header.orientation),
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": header.rows,
        "Columns": header.columns,
        "PixelSpacing": _decimals(header.pixel_spacing_mm),
        "BitsAllocated": header.bits_allocated,
        "BitsStored": header.bits_stored,
        "HighBit": header.bits_stored - 1,
        "PixelRepresentation": header.pixel_representation,
        "WindowCenter": _decimals(header.window_centers),
        "WindowWidth": _decimals(header.window_widths),
        "RescaleIntercept": _decimals((header.rescale_intercept,)),
        "RescaleSlope": _decimals((header.rescale_slope,)),
    }


def _decimals(numbers: tuple[float, ...]) -> list[str] | tuple[()]:
    # A decimal string holds at most 16 characters.
    return [f"{number:.10g}" for number in numbers] or ()


def _set(dataset: Dataset, keyword: str, value: Any) -> None:
    # Kaggle's ids are not valid UIDs, so they are written unvalidated, as the competition's files have them.
    dataset.add(DataElement(keyword, dictionary_VR(keyword), value, validation_mode=config.IGNORE))


def _to_bytes(raw: np.ndarray, signed: bool) -> bytes:
    dtype = np.dtype("<i2") if signed else np.dtype("<u2")
    limits = np.iinfo(dtype)
    if raw.min() < limits.min or raw.max() > limits.max:
        raise ValueError(f"Expected values in [{limits.min}, {limits.max}], received [{raw.min()}, {raw.max()}].")
    return raw.astype(dtype).tobytes()
