"""Files for the page's tests: small heads made of ellipses, and what is no head."""

import io
import zipfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from hemorrhage.ct.writing import build_dataset, write_dataset
from hemorrhage.web.facts import Facts
from tests.conftest import HEADER

SIDE = 128
SPACING_MM = 1.8


def draw_ellipses(rows: float = 55.0, columns: float = 45.0, inside_hu: int = 35, bone_hu: int = 900) -> np.ndarray:
    """Returns a skull around something, int16 HU 128 x 128 in air."""
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    far = (y / rows) ** 2 + (x / columns) ** 2
    return np.where(far > 1, -1000, np.where(far > 0.8, bone_hu, inside_hu)).astype(np.int16)


def build_slice(number: int = 0, pixels_hu: np.ndarray | None = None, **facts: Any) -> Dataset:
    """Returns the data set of the slice `number` of a head, 5 mm above the one before; `facts` are set in it."""
    pixels_hu = draw_ellipses() if pixels_hu is None else pixels_hu
    header = replace(
        HEADER,
        rows=pixels_hu.shape[0],
        columns=pixels_hu.shape[1],
        pixel_spacing_mm=(SPACING_MM, SPACING_MM),
        position_mm=(0.0, 0.0, 5.0 * number),
        study_id="1.2.3",
        series_id="1.2.3.1",
        sop_instance_id=f"1.2.3.1.{number + 1}",
        patient_id="SECRET-ID",
    )
    dataset = build_dataset(pixels_hu.astype(np.int32) + 1024, header)
    dataset.PatientName = "Secret^Name"
    for keyword, value in facts.items():
        setattr(dataset, keyword, value)
    return dataset


def write_study(folder: Path, count: int = 5, **facts: Any) -> list[Path]:
    """Returns the files of a head of `count` slices, each with a lesion of another size in it."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number in range(count):
        pixels_hu = draw_ellipses()
        pixels_hu[60 : 60 + 4 * number, 50:70] = 70
        paths.append(folder / f"slice-{number:02d}.dcm")
        write_dataset(paths[-1], build_slice(number, pixels_hu, **facts))
    return paths


def make_zip(members: Iterable[tuple[str, bytes]]) -> bytes:
    """Returns a deflated zip of names and contents."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            # Without a time of its own: the bytes of a parametrized test are part of its name in every worker.
            archive.writestr(zipfile.ZipInfo(name, (2019, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)
    return written.getvalue()


def make_facts(number: int = 0, **texts: str) -> Facts:
    """Returns the facts of the slice `number` of an axial head CT; `texts` are set in them."""
    given = {
        "modality": "CT",
        "pixels": "here",
        "rows": "512",
        "columns": "512",
        "spacing": "0.45\\0.45",
        "position": f"0\\0\\{5.0 * number}",
        "orientation": "1\\0\\0\\0\\1\\0",
        "instance": str(number),
    }
    return Facts(given | texts, {"study": "study", "series": texts.get("series_number", "1"), "patient": "patient"})
