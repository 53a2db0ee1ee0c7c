"""What a DICOM file says of itself, as far as the page needs it; who the patient is stays a secret.

Ids of patient, study, series and image leave the reader's process only as keyed hashes: equal ones can be put together,
and nothing that the server keeps, logs or sends can be turned back into them.
"""

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hemorrhage.ct.dicom import read_texts

_HASHED = {
    "patient": "PatientID",
    "study": "StudyInstanceUID",
    "series": "SeriesInstanceUID",
    "image": "SOPInstanceUID",
}
_TEXTS = {
    "modality": "Modality",
    "sop_class": "SOPClassUID",
    "image_type": "ImageType",
    "body_part": "BodyPartExamined",
    "study_description": "StudyDescription",
    "series_description": "SeriesDescription",
    "protocol": "ProtocolName",
    "series_number": "SeriesNumber",
    "acquisition": "AcquisitionNumber",
    "instance": "InstanceNumber",
    "kernel": "ConvolutionKernel",
    "thickness": "SliceThickness",
    "contrast": "ContrastBolusAgent",
    "maker": "Manufacturer",
    "scanner": "ManufacturerModelName",
    "kvp": "KVP",
    "age": "PatientAge",
    "sex": "PatientSex",
    "rows": "Rows",
    "columns": "Columns",
    "samples": "SamplesPerPixel",
    "frames": "NumberOfFrames",
    "spacing": "PixelSpacing",
    "position": "ImagePositionPatient",
    "orientation": "ImageOrientationPatient",
    "pixels": "PixelData",
}
_LONGEST_TEXT = 200


@dataclass(frozen=True)
class Facts:
    """One file's: `texts` by the names of _TEXTS, and hashed ids by those of _HASHED, where the file has them."""

    texts: dict[str, str]
    ids: dict[str, str]

    def text(self, name: str) -> str:
        """Returns what the file says under a name, an empty text where it says nothing."""
        return self.texts.get(name, "")

    def numbers(self, name: str) -> tuple[float, ...]:
        """Returns the finite numbers under a name, none where one of them is not."""
        try:
            numbers = tuple(float(part) for part in self.text(name).split("\\"))
        except ValueError:
            return ()
        return numbers if all(map(math.isfinite, numbers)) else ()

    def number(self, name: str) -> float | None:
        """Returns the first number under a name, None where there is none."""
        return next(iter(self.numbers(name)), None)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns, 0 where the file does not say."""
        return int(self.number("rows") or 0), int(self.number("columns") or 0)

    @property
    def position_mm(self) -> tuple[float, ...]:
        """Of the first pixel's center, in the patient's coordinates; empty where the file does not say."""
        numbers = self.numbers("position")
        return numbers if len(numbers) == 3 else ()

    @property
    def z_mm(self) -> float | None:
        """The third coordinate of the position."""
        return self.position_mm[2] if self.position_mm else None

    @property
    def pixel_spacing_mm(self) -> tuple[float, float] | None:
        """Between rows and between columns; None where the file does not say."""
        numbers = self.numbers("spacing")
        return (numbers[0], numbers[1]) if len(numbers) == 2 and min(numbers) > 0 else None

    @property
    def directions(self) -> np.ndarray | None:
        """Where rows and columns run in the patient's coordinates, float64 2 x 3; None where the file does not say."""
        numbers = self.numbers("orientation")
        return np.array(numbers).reshape(2, 3) if len(numbers) == 6 else None

    def to_json(self) -> dict[str, Any]:
        """Returns the facts as JSON values."""
        return {"texts": self.texts, "ids": self.ids}


def read_facts(path: Path, secret: bytes) -> Facts:
    """Returns the facts of the DICOM file at `path`, its ids hashed with `secret`; DicomError as read_texts raises."""
    found = read_texts(path, [*_HASHED.values(), *_TEXTS.values()])
    ids = {name: _hash(found[keyword], secret) for name, keyword in _HASHED.items() if keyword in found}
    texts = {name: found[keyword][:_LONGEST_TEXT] for name, keyword in _TEXTS.items() if keyword in found}
    return Facts(texts, ids)


def _hash(text: str, secret: bytes) -> str:
    return hashlib.blake2b(text.encode(), key=secret, digest_size=12).hexdigest()
