"""What tests share: headers, files made here, and the real slices where they are present."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom.uid import ExplicitVRLittleEndian

from hemorrhage.ct.dicom import Header
from hemorrhage.ct.writing import write_slice

REAL_DATA = "HEMORRHAGE_REAL_DATA"

HEADER = Header(
    sop_instance_id="ID_000000001",
    patient_id="ID_aaaaaaaa",
    study_id="ID_bbbbbbbbbb",
    series_id="ID_cccccccccc",
    rows=4,
    columns=6,
    pixel_spacing_mm=(0.5, 0.5),
    position_mm=(-125.0, -115.5, 77.25),
    orientation=(1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
    bits_allocated=16,
    bits_stored=16,
    pixel_representation=1,
    rescale_slope=1.0,
    rescale_intercept=-1024.0,
    window_centers=(40.0,),
    window_widths=(80.0,),
    transfer_syntax=str(ExplicitVRLittleEndian),
)


@pytest.fixture
def make_dicom(tmp_path: Path) -> Callable[..., Path]:
    """Returns a function that writes raw values with header facts (HEADER but for those named) and gives the path."""

    def make(raw: np.ndarray, name: str = "ID_000000001.dcm", **facts: object) -> Path:
        header = replace(HEADER, rows=raw.shape[0], columns=raw.shape[1], **facts)  # type: ignore[arg-type]
        path = tmp_path / name
        write_slice(path, raw, header)
        return path

    return make


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Returns the folder with the real slices and labels; skips the test where there is none."""
    folder = os.environ.get(REAL_DATA)
    if not folder:
        pytest.skip(f"real slices are wanted; set {REAL_DATA} to their folder")
    return Path(folder)


@pytest.fixture(scope="session")
def real_slices(real_data: Path) -> list[Path]:
    """Returns the paths of all real slices."""
    return sorted(real_data.glob("rsna_mini/*/stage_2_t*/*.dcm"))
