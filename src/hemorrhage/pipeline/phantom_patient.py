"""One made-up patient of a data set: from its plan to its files, the work of one worker.

All randomness comes from (seed, patient index, what is drawn), so that a patient is the same whoever makes it and when.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from hemorrhage.ct.phantom import (
    Bleed,
    Head,
    Mimic,
    RenderedSlice,
    Scan,
    build_head,
    build_header,
    draw_mimics,
    draw_scan,
    render_series,
    to_raw,
)
from hemorrhage.ct.writing import write_slice
from hemorrhage.data.labels import LABELS, SUBTYPES, label_index
from hemorrhage.data.layout import TEST_FOLDER, TRAIN_FOLDER
from hemorrhage.pipeline.phantom_fit import fit_bleeds, label_masks
from hemorrhage.pipeline.phantom_plan import PLAN_STREAM, PatientPlan

MASK_FOLDERS = {TRAIN_FOLDER: "masks_train", TEST_FOLDER: "masks_test"}

# The word after seed and patient in every seed, so that no stream is drawn twice.
_HEAD_STREAM, _BLEED_STREAM, _SCAN_STREAM, _NOISE_STREAM, _ID_STREAM, _MIMIC_STREAM = range(
    PLAN_STREAM + 1, PLAN_STREAM + 7
)


@dataclass(frozen=True)
class PatientJob:
    """All that a worker needs to make a patient; `folder` is the data set's, absolute, `size` in pixels."""

    folder: Path
    plan: PatientPlan
    seed: int
    size: int


@dataclass(frozen=True)
class Patient:
    """A head, the scans of it, the bleeds that show in every one of them, and what looks like one and is none."""

    head: Head
    scans: tuple[Scan, ...]
    bleeds: tuple[Bleed, ...]
    mimics: tuple[Mimic, ...]


@dataclass(frozen=True)
class WrittenPatient:
    """What was written of a patient: `labels` is uint8 N x 6 (LABELS), `digest` the SHA-256 of its slices' HU."""

    index: int
    in_test: bool
    image_ids: tuple[str, ...]
    labels: np.ndarray
    digest: str


def draw_patient(plan: PatientPlan, seed: int, size: int) -> Patient:
    """Returns the patient that `plan` describes, its bleeds as large as the plan wants in images of `size` pixels."""
    head = build_head(np.random.default_rng([seed, plan.index, _HEAD_STREAM]))
    scans = tuple(
        draw_scan(np.random.default_rng([seed, plan.index, _SCAN_STREAM, number]), head)
        for number in range(len(plan.forms))
    )
    extents = dict(zip(plan.subtypes, plan.extents, strict=True))
    seeds = [seed, plan.index, _BLEED_STREAM]
    bleeds = fit_bleeds(seeds, head, scans, extents, plan.second, size)
    return Patient(head, scans, bleeds, draw_mimics(np.random.default_rng([seed, plan.index, _MIMIC_STREAM]), bleeds))


def write_patient(job: PatientJob) -> WrittenPatient:
    """Writes a patient's slices and the masks of those that bleed, and returns what they are; may raise OSError."""
    digest = hashlib.sha256()
    image_ids: list[str] = []
    labels: list[tuple[int, ...]] = []
    patient = draw_patient(job.plan, job.seed, job.size)
    for number, position, rendered in _render(job, patient):
        image_ids.append(_write_slice(job, patient.scans[number], (number, position), rendered))
        labels.append(label_masks(rendered.masks))
        digest.update(rendered.pixels_hu.astype("<i2").tobytes())
    written = np.array(labels, dtype=np.uint8).reshape(-1, len(LABELS))
    return WrittenPatient(job.plan.index, job.plan.in_test, tuple(image_ids), written, digest.hexdigest())


def _render(job: PatientJob, patient: Patient) -> Iterator[tuple[int, int, RenderedSlice]]:
    """Every slice of every series: the series' number, the slice's position in it, and the slice."""
    for number, scan in enumerate(patient.scans):
        noise = np.random.default_rng([job.seed, job.plan.index, _NOISE_STREAM, number])
        series = render_series(patient.head, patient.bleeds, scan, job.size, noise, patient.mimics)
        for position, rendered in enumerate(series):
            yield number, position, rendered


def _write_slice(job: PatientJob, scan: Scan, place: tuple[int, int], rendered: RenderedSlice) -> str:
    """Writes one slice, its mask too if it bleeds, and returns its id; `place` is the series' number and position."""
    number, position = place
    form, first = job.plan.forms[number], 2 * job.plan.index
    image_id = _make_id(job.seed, (first + number) * 64 + position, digits=9)
    series_ids = (
        _make_id(job.seed, job.plan.index, 8),
        _make_id(job.seed, 2 * (first + number), 10),
        _make_id(job.seed, 2 * (first + number) + 1, 10),
    )
    folder_name = TEST_FOLDER if job.plan.in_test else TRAIN_FOLDER
    header = build_header(form, scan, position, len(rendered.pixels_hu), image_id, series_ids)
    raw = to_raw(rendered.pixels_hu, header, form.padding_raw)
    write_slice(job.folder / folder_name / f"{image_id}.dcm", raw, header)
    if any(mask.any() for mask in rendered.masks.values()):
        _write_mask(job.folder / MASK_FOLDERS[folder_name] / f"{image_id}.png", rendered)
    return image_id


def _write_mask(path: Path, rendered: RenderedSlice) -> None:
    bits = np.zeros(rendered.pixels_hu.shape, dtype=np.uint8)
    for subtype in SUBTYPES:
        bits |= rendered.masks[subtype].astype(np.uint8) << label_index(subtype)
    _, encoded = cv2.imencode(".png", bits)
    # OpenCV's own writer reports a full disk as no more than False.
    path.write_bytes(encoded.tobytes())


def _make_id(seed: int, number: int, digits: int) -> str:
    """Kaggle's kind of id: a permutation of all numbers of so many digits, so that no two are ever alike."""
    bits = 4 * digits
    keys = np.random.default_rng([seed, _ID_STREAM, digits]).integers(0, 1 << bits, 3)
    for key in keys:
        number = ((number ^ int(key)) * 0x9E3779B97F4A7C15) % (1 << bits)
        number ^= number >> (bits // 2)
    return f"ID_{number:0{digits}x}"
