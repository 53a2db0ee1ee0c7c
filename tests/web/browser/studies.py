"""Phantom studies as files, small enough to be made once for all browser tests, and the pixels they hold."""

import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pydicom.uid import CTImageStorage, DeflatedExplicitVRLittleEndian, generate_uid

from hemorrhage.ct.dicom import Header
from hemorrhage.ct.phantom import (
    STORED_FORMS,
    Head,
    Scan,
    build_head,
    build_header,
    draw_bleeds,
    draw_scan,
    render_series,
    to_raw,
)
from hemorrhage.ct.writing import build_dataset, write_dataset

PATIENT_NAME = "Zebedee^Quux"
SIZE = 256


@dataclass(frozen=True)
class Study:
    """A folder of DICOM files and what they hold: int16 slices x rows x columns, from below up, and spacing in mm."""

    folder: Path
    pixels_hu: np.ndarray
    spacing_mm: float

    @property
    def paths(self) -> list[Path]:
        """The files, in the order of their names, which is not that of the slices."""
        return sorted(path for path in self.folder.rglob("*") if path.is_file())


def write_study(folder: Path, seed: int, slices: int, subtypes: tuple[str, ...]) -> Study:
    """Writes a phantom study of so many slices over the whole head, and returns it."""
    folder.mkdir(parents=True)
    head, scan = _draw(seed, slices)
    bleeds = draw_bleeds(np.random.default_rng([seed, 1]), subtypes, 0.8) if subtypes else ()
    rendered = render_series(head, bleeds, scan, SIZE, np.random.default_rng([seed, 2]))
    pixels_hu = np.stack([one.pixels_hu for one in rendered])
    ids = tuple(generate_uid(entropy_srcs=[str(seed), kind]) for kind in ("patient", "study", "series"))
    for index, slice_hu in enumerate(pixels_hu):
        image_id = generate_uid(entropy_srcs=[str(seed), str(index)])
        header = build_header(STORED_FORMS[1], scan, index, SIZE, image_id, (ids[0], ids[1], ids[2]))
        _write(folder / f"IM{slices - 1 - index:04d}", slice_hu, header, index)
    return Study(folder, pixels_hu, scan.field_mm / SIZE)


def _draw(seed: int, slices: int) -> tuple[Head, Scan]:
    rng = np.random.default_rng([seed, 0])
    head = build_head(rng)
    scan = draw_scan(rng, head)
    reach_mm = scan.z_mm(scan.slices - 1) - scan.first_z_mm
    whole = replace(scan, slices=slices, fine_slices=0, step_mm=reach_mm / (slices - 1), motion=None)
    # A tilted gantry would shift each slice, and a small field would leave no margin to see.
    return head, replace(whole, tilt=0.0, metals=(), skin_metals=())


def _write(path: Path, pixels_hu: np.ndarray, header: Header, index: int) -> None:
    dataset = build_dataset(to_raw(pixels_hu, header, None), header)
    dataset.SOPClassUID = CTImageStorage
    dataset.PatientName = PATIENT_NAME
    dataset.PatientAge, dataset.PatientSex = "061Y", "F"
    dataset.StudyDescription, dataset.SeriesDescription = "CT HEAD <b>PHANTOM</b>", "HEAD 5 MM"
    dataset.SeriesNumber, dataset.InstanceNumber = 2, index + 1
    dataset.SliceThickness, dataset.KVP, dataset.ConvolutionKernel = "5", "120", "H31s"
    dataset.StudyDate, dataset.StudyTime, dataset.StudyID = "20260101", "120000", "1"
    dataset.Manufacturer = "Phantom"
    write_dataset(path, dataset)


def write_damaged(study: Study, folder: Path) -> list[Path]:
    """Writes a study's files but for the end of the pixels of its middle slice, and a text that is no DICOM file."""
    folder.mkdir()
    names = [path.name for path in study.paths]
    cut = f"IM{len(names) - 1 - len(names) // 2:04d}"
    for path in study.paths:
        content = path.read_bytes()
        (folder / path.name).write_bytes(content[:-20_000] if path.name == cut else content)
    (folder / "<img src=x onerror=alert(1)>.txt").write_text("no DICOM file")
    return sorted(folder.iterdir())


def write_zip(study: Study, path: Path) -> Path:
    """Writes a study's files as a zip, within a folder."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in study.paths:
            archive.write(file, f"DICOM/{file.name}")
    return path


def write_bomb(path: Path) -> Path:
    """Writes a deflated DICOM file of some 2 MB that would unpack to 2 GB."""
    study = build_dataset(np.zeros((2, 2), dtype=np.int16), _bomb_header())
    write_dataset(path, study)
    head = path.read_bytes()
    # Cut where the file meta information ends: what follows is deflated.
    meta = head.index(b"1.2.840.10008.1.2.1.99") + len("1.2.840.10008.1.2.1.99")
    path.write_bytes(head[: meta + meta % 2] + b"".join(_deflate_zeros(2_000)))
    return path


def _bomb_header() -> Header:
    rng = np.random.default_rng(0)
    scan = draw_scan(rng, build_head(rng))
    header = build_header(STORED_FORMS[1], scan, 0, 2, generate_uid(), (generate_uid(),) * 3)
    return replace(header, transfer_syntax=str(DeflatedExplicitVRLittleEndian))


def _deflate_zeros(megabytes: int) -> Iterator[bytes]:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    for _ in range(megabytes):
        yield packer.compress(bytes(1_000_000))
    yield packer.flush()
