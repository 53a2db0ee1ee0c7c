"""How scanners store HU: the seven header groups of the competition, and the files that a scan becomes."""

from dataclasses import dataclass

import numpy as np
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from hemorrhage.ct.dicom import Header
from hemorrhage.ct.phantom.scan import Scan


@dataclass(frozen=True)
class StoredForm:
    """One way to store HU; `files` counts the competition's files of that kind, train and test.

    `padding_raw` is the value outside the circle that the scanner reconstructs, None where there is none.
    """

    bits_stored: int
    pixel_representation: int
    rescale_intercept: int
    padding_raw: int | None
    transfer_syntax: str
    window_centers: tuple[float, ...]
    window_widths: tuple[float, ...]
    files: int


STORED_FORMS = (
    StoredForm(16, 1, -1024, -2000, ExplicitVRLittleEndian, (30.0,), (80.0,), 474_054),
    StoredForm(12, 0, -1024, None, ImplicitVRLittleEndian, (36.0, 36.0), (80.0, 80.0), 385_432),
    StoredForm(12, 0, 0, None, ExplicitVRLittleEndian, (40.0,), (80.0,), 73),
    StoredForm(12, 0, 1, None, ImplicitVRLittleEndian, (40.0,), (150.0,), 50),
    StoredForm(12, 0, -1000, None, ExplicitVRLittleEndian, (50.0, 500.0), (100.0, 2000.0), 7_789),
    StoredForm(16, 1, 0, -2000, ExplicitVRLittleEndian, (35.0,), (135.0,), 3_547),
    StoredForm(12, 1, 0, None, ImplicitVRLittleEndian, (40.0, 600.0), (80.0, 2800.0), 3_089),
)
"""In the order in which they are served while there are fewer series than forms: after the two large groups come
the two whose negative values wrapped round."""


def to_raw(pixels_hu: np.ndarray, header: Header, padding_raw: int | None) -> np.ndarray:
    """Returns stored values that read_slice turns back into `pixels_hu`, int32 H x W.

    Outside the circle of reconstruction they are `padding_raw`, unless that is None. HU must lie in [-1024, 2000];
    those below what the form can hold become its lowest, as in the real files whose intercept is -1000.
    """
    wide = np.maximum(pixels_hu.astype(np.int32), lowest_hu(header))
    if header.is_wrapped:
        return wide % 4096
    raw = wide - int(header.rescale_intercept)
    return raw if padding_raw is None else np.where(build_circle(len(raw)), raw, padding_raw)


def lowest_hu(header: Header) -> int:
    """Returns the least HU that a phantom's file holds: -1024, or -1000 where 12 unsigned bits leave no more.

    A wrapped file could hold less, but how low a negative value lies is a guess of the reader's (Header.is_wrapped).
    """
    if header.is_wrapped:
        return -1000
    return -1024 if header.pixel_representation else max(int(header.rescale_intercept), -1024)


def build_circle(size: int) -> np.ndarray:
    """Returns where a scanner reconstructs: bool size x size, a disc that touches the image's edges."""
    squares = (np.arange(size) - (size - 1) / 2) ** 2
    return squares[:, np.newaxis] + squares <= (size / 2) ** 2


def build_header(
    form: StoredForm, scan: Scan, index: int, size: int, image_id: str, series_ids: tuple[str, str, str]
) -> Header:
    """Returns the header of slice `index` of `scan`; `series_ids` are those of patient, study and series."""
    patient_id, study_id, series_id = series_ids
    return Header(
        sop_instance_id=image_id,
        patient_id=patient_id,
        study_id=study_id,
        series_id=series_id,
        rows=size,
        columns=size,
        pixel_spacing_mm=(scan.field_mm / size,) * 2,
        position_mm=scan.corner_mm(index, size),
        orientation=(*scan.across, *scan.down),
        bits_allocated=16,
        bits_stored=form.bits_stored,
        pixel_representation=form.pixel_representation,
        rescale_slope=1.0,
        rescale_intercept=float(form.rescale_intercept),
        window_centers=form.window_centers,
        window_widths=form.window_widths,
        transfer_syntax=form.transfer_syntax,
    )
