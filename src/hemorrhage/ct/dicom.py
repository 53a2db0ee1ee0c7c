"""From a DICOM file to Hounsfield units and the header facts that this project needs."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
import pydicom
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import FileDataset
from pydicom.pixels import pixel_array
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from hemorrhage.errors import HemorrhageError

NATIVE_SYNTAXES = frozenset({ImplicitVRLittleEndian, ExplicitVRLittleEndian})
COMPRESSED_SYNTAXES = frozenset({RLELossless, JPEGLossless, JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless})
"""Lossless ones alone: a lossy file no longer holds the scanner's HU. Deflated files are not on the list, since
one of a megabyte can unpack to gigabytes before any tag can be looked at."""

MAX_PIXELS = 4096 * 4096

_TAGS = [
    "SOPInstanceUID",
    "Modality",
    "PatientID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "PixelSpacing",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "WindowCenter",
    "WindowWidth",
    "RescaleIntercept",
    "RescaleSlope",
]
_TAGS_WITH_PIXELS = [*_TAGS, "PixelData"]


class DicomError(HemorrhageError):
    """A file that does not give a CT slice; the text names the file and the cause."""

    def __init__(self, path: Path, cause: str) -> None:
        super().__init__(f"{path}: {cause}")
        self.path = path
        self.cause = cause

    def __reduce__(self) -> tuple[type["DicomError"], tuple[Path, str]]:
        # The default would hand the joined text to __init__ when the error crosses a process boundary.
        return (DicomError, (self.path, self.cause))


@dataclass(frozen=True)
class Header:
    """The facts of one CT slice; ids are None and numbers empty where the file does not say."""

    sop_instance_id: str | None
    patient_id: str | None
    study_id: str | None
    series_id: str | None
    rows: int
    columns: int
    pixel_spacing_mm: tuple[float, ...]
    position_mm: tuple[float, ...]
    orientation: tuple[float, ...]
    bits_allocated: int
    bits_stored: int
    pixel_representation: int
    rescale_slope: float
    rescale_intercept: float
    window_centers: tuple[float, ...]
    window_widths: tuple[float, ...]
    transfer_syntax: str

    @property
    def z_mm(self) -> float | None:
        """The third coordinate of ImagePositionPatient."""
        return self.position_mm[2] if len(self.position_mm) == 3 else None

    @property
    def is_wrapped(self) -> bool:
        """Whether negative values wrapped round: 12 bits stored, unsigned, and an intercept above -100.

        A guard of -1000 or above, as once published, would add 1000 HU to good images whose intercept is -1000.
        """
        return self.bits_stored == 12 and self.pixel_representation == 0 and self.rescale_intercept > -100


@dataclass(frozen=True)
class Slice:
    """One CT slice: Hounsfield units, int16 H x W, and its header."""

    pixels_hu: np.ndarray
    header: Header


def read_slice(path: str | os.PathLike[str]) -> Slice:
    """Returns the Hounsfield units and the header of the CT slice at `path`.

    Values beyond int16 are held at its ends. Raises DicomError, which names the file and the cause, where the
    file is missing, cut short, not DICOM, not CT, has no pixels, lies about its size, or is compressed in a way
    that is not allowed or has no installed decoder.
    """
    path = Path(path)
    dataset = _read_dataset(path)
    header = _build_header(path, dataset)
    _check_pixels(path, dataset, header)
    raw = _decode_pixels(path, dataset, header)
    return Slice(pixels_hu=to_hounsfield(raw, header), header=header)


def read_header(path: str | os.PathLike[str]) -> Header:
    """Returns the header of the CT slice at `path` without reading its pixels.

    Raises DicomError as read_slice does, also where uncompressed pixels are missing or cut short; what only
    decoding can show stays unseen.
    """
    path = Path(path)
    dataset = _read_dataset(path, defer_size=_DEFER_BYTES)
    header = _build_header(path, dataset)
    _check_pixels(path, dataset, header)
    return header


def read_texts(path: str | os.PathLike[str], keywords: Sequence[str]) -> dict[str, str]:
    """Returns what the file says under `keywords`, as text; what is missing or empty is left out.

    Of pixels it says "here" and decodes nothing. Any modality is read; raises DicomError for a file that is no DICOM,
    damaged, or compressed in a way that is not allowed.
    """
    path = Path(path)
    dataset = _read_dataset(path, defer_size=_DEFER_BYTES, tags=[*keywords])
    texts = {keyword: _whole_text(path, dataset, keyword) for keyword in keywords if keyword in dataset}
    return {keyword: text for keyword, text in texts.items() if text}


def to_hounsfield(raw: np.ndarray, header: Header) -> np.ndarray:
    """Returns HU of stored values: integer H x W in, int16 H x W out, held at the ends of int16.

    HU = raw * slope + intercept, and for wrapped files (Header.is_wrapped) HU = ((raw + 1000) mod 4096) - 1000.
    The arithmetic is int32, since int16 wraps at extreme padding.
    """
    wide = _extend_sign(raw.astype(np.int32), header)
    if header.is_wrapped:
        pixels_hu = (wide + 1000) % 4096 - 1000
    elif header.rescale_slope == 1 and header.rescale_intercept.is_integer() and abs(header.rescale_intercept) < 2**24:
        pixels_hu = wide + int(header.rescale_intercept)
    else:
        pixels_hu = np.rint(wide * header.rescale_slope + header.rescale_intercept)
    limits = np.iinfo(np.int16)
    return np.clip(pixels_hu, limits.min, limits.max).astype(np.int16)


def _extend_sign(wide: np.ndarray, header: Header) -> np.ndarray:
    """Returns stored values with the sign of those whose upper bits the writer left 0 (PS3.5, 8.1.1).

    Values beyond BitsStored, which its bits cannot say, stay: masking them would turn padding of -3024 in 12 bits into
    bone of 1072.
    """
    if header.pixel_representation == 0 or header.bits_stored == header.bits_allocated:
        return wide
    span = 1 << header.bits_stored
    return np.where((wide >= span // 2) & (wide < span), wide - span, wide)


# Long enough for every tag of _TAGS, short enough that pixels are stepped over.
_DEFER_BYTES = 4096
_PIXEL_DATA = 0x7FE00010


def _read_dataset(
    path: Path, defer_size: int | None = None, tags: Sequence[str] = tuple(_TAGS_WITH_PIXELS)
) -> FileDataset:
    syntax = _read_transfer_syntax(path)
    if syntax not in NATIVE_SYNTAXES | COMPRESSED_SYNTAXES:
        allowed = ", ".join(sorted(UID(uid).name for uid in NATIVE_SYNTAXES | COMPRESSED_SYNTAXES))
        raise DicomError(path, f"its transfer syntax {syntax.name} is not allowed; expected one of: {allowed}.")
    try:
        return pydicom.dcmread(path, specific_tags=[*tags], defer_size=defer_size)
    except Exception as error:  # noqa: BLE001 - pydicom raises whatever a damaged byte leads to; all of it means unreadable
        _fail_unreadable(path, error)


def _read_transfer_syntax(path: Path) -> UID:
    try:
        # get converts the bytes, and fails on damaged ones, as reading does.
        syntax = pydicom.filereader.read_file_meta_info(path).get("TransferSyntaxUID")
    except pydicom.errors.InvalidDicomError as error:
        raise DicomError(path, "not a DICOM file (no DICM mark after the 128-byte preamble).") from error
    except OSError as error:
        raise DicomError(path, f"could not be opened ({error.strerror or error}).") from error
    except Exception as error:  # noqa: BLE001 - as in _read_dataset
        _fail_unreadable(path, error)
    if not isinstance(syntax, UID):
        raise DicomError(path, "its file meta information names no transfer syntax; the file may be cut short.")
    return syntax


def _fail_unreadable(path: Path, error: Exception) -> NoReturn:
    raise DicomError(path, f"damaged or cut short ({type(error).__name__}: {error}).") from error


def _build_header(path: Path, dataset: FileDataset) -> Header:
    modality = _text(dataset, "Modality")
    if modality != "CT":
        received = modality or "none; the file may be cut short"
        raise DicomError(path, f"not a CT image; expected Modality CT, received {received}.")
    return Header(
        sop_instance_id=_text(dataset, "SOPInstanceUID"),
        patient_id=_text(dataset, "PatientID"),
        study_id=_text(dataset, "StudyInstanceUID"),
        series_id=_text(dataset, "SeriesInstanceUID"),
        rows=_integer(path, dataset, "Rows"),
        columns=_integer(path, dataset, "Columns"),
        pixel_spacing_mm=_numbers(path, dataset, "PixelSpacing"),
        position_mm=_numbers(path, dataset, "ImagePositionPatient"),
        orientation=_numbers(path, dataset, "ImageOrientationPatient"),
        bits_allocated=_integer(path, dataset, "BitsAllocated"),
        bits_stored=_integer(path, dataset, "BitsStored"),
        pixel_representation=_integer(path, dataset, "PixelRepresentation"),
        rescale_slope=_number(path, dataset, "RescaleSlope"),
        rescale_intercept=_number(path, dataset, "RescaleIntercept"),
        window_centers=_numbers(path, dataset, "WindowCenter"),
        window_widths=_numbers(path, dataset, "WindowWidth"),
        transfer_syntax=str(dataset.file_meta.TransferSyntaxUID),
    )


def _text(dataset: FileDataset, keyword: str) -> str | None:
    # The bytes as they stand: Kaggle's ids are not valid UIDs, and pydicom warns of each one it converts.
    if keyword not in dataset:
        return None
    element = dataset.get_item(keyword)
    value = element.value if element is not None else None
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value if value is not None else "")
    return text.strip(" \0") or None


def _whole_text(path: Path, dataset: FileDataset, keyword: str) -> str | None:
    if keyword == "PixelData":
        return "here"
    if dictionary_VR(keyword) == "US":
        return str(_integer(path, dataset, keyword))
    text = _text(dataset, keyword)
    try:
        # _text takes each byte for a letter; most files that hold others than Latin ones say them in UTF-8.
        return text.encode("latin-1").decode("utf-8") if text else None
    except UnicodeError:
        return text


def _numbers(path: Path, dataset: FileDataset, keyword: str) -> tuple[float, ...]:
    text = _text(dataset, keyword)
    try:
        numbers = tuple(float(part) for part in text.split("\\")) if text else ()
    except ValueError as error:
        raise DicomError(path, f"expected numbers in {keyword}, received {text!r}.") from error
    if not all(np.isfinite(numbers)):
        raise DicomError(path, f"expected finite numbers in {keyword}, received {text!r}.")
    return numbers


def _number(path: Path, dataset: FileDataset, keyword: str) -> float:
    numbers = _numbers(path, dataset, keyword)
    if len(numbers) != 1:
        raise DicomError(path, f"expected one number in {keyword}, without it there are no HU; received {numbers}.")
    return numbers[0]


def _integer(path: Path, dataset: FileDataset, keyword: str) -> int:
    try:
        value = dataset.get(keyword)
    except Exception as error:  # noqa: BLE001 - as in _read_dataset: pydicom converts on access
        _fail_unreadable(path, error)
    if not isinstance(value, int):
        raise DicomError(path, f"expected one whole number in {keyword}, received {value!r}.")
    return value


def _check_pixels(path: Path, dataset: FileDataset, header: Header) -> None:
    for keyword, number, permitted in (
        ("SamplesPerPixel", _integer(path, dataset, "SamplesPerPixel"), (1,)),
        ("NumberOfFrames", int(next(iter(_numbers(path, dataset, "NumberOfFrames")), 1)), (0, 1)),
        ("BitsAllocated", header.bits_allocated, (8, 16)),
        ("BitsStored", header.bits_stored, range(1, header.bits_allocated + 1)),
        ("PixelRepresentation", header.pixel_representation, (0, 1)),
    ):
        if number not in permitted:
            raise DicomError(path, f"{keyword} {number} is not one of the values a CT slice can have: {permitted}.")
    if not 0 < header.rows * header.columns <= MAX_PIXELS:
        raise DicomError(path, f"its size {header.rows} x {header.columns} is empty or above {MAX_PIXELS} pixels.")
    if "PixelData" not in dataset:
        raise DicomError(path, "has no pixels (no PixelData element); the file may be cut short.")
    if header.transfer_syntax in NATIVE_SYNTAXES:
        _check_length(path, dataset, header)


def _check_length(path: Path, dataset: FileDataset, header: Header) -> None:
    # values() hands out elements as read; get_item would load the pixels that were stepped over.
    element = next(element for element in dataset.values() if element.tag == _PIXEL_DATA)
    if not isinstance(element, RawDataElement):
        raise DicomError(path, "its pixels are not stored as one plain run of bytes.")
    expected = header.rows * header.columns * header.bits_allocated // 8
    if element.length not in (expected, expected + expected % 2):
        size = f"{header.rows} x {header.columns} pixels of {header.bits_allocated} bits"
        raise DicomError(path, f"lies about its size: {size} are {expected} bytes, PixelData has {element.length}.")
    received = path.stat().st_size - element.value_tell if element.value is None else len(element.value)
    if received < element.length:
        raise DicomError(path, f"cut short: {received} of {expected} pixel bytes are there.")


def _decode_pixels(path: Path, dataset: FileDataset, header: Header) -> np.ndarray:
    try:
        # Bits beyond BitsStored are left as they are; see _extend_sign.
        raw = pixel_array(dataset, raw=True, correct_unused_bits=False)
    except Exception as error:
        cause = f"its {UID(header.transfer_syntax).name} pixels could not be decoded ({type(error).__name__}: {error})"
        raise DicomError(path, f"{' '.join(cause.split())}.") from error
    if raw.shape != (header.rows, header.columns):
        raise DicomError(path, f"lies about its size: {header.rows} x {header.columns} declared, {raw.shape} decoded.")
    return raw
