"""The verb that writes a made-up data set in Kaggle's layout, so that everything can be tried without a download.

    OUT/phantom.json                          what made it, and how many of what
    OUT/stage_2_test_answers.csv              the test labels, for `score` alone
    OUT/rsna-intracranial-hemorrhage-detection/
      stage_2_train.csv, stage_2_sample_submission.csv
      stage_2_train/ID_x.dcm, stage_2_test/ID_x.dcm
      masks_train/ID_x.png, masks_test/ID_x.png   uint8: bit k is set where LABELS[k] bleeds; positive slices only

The plan (who bleeds, who is tested, which scanner) is laid out for all patients first, in strata, so that few
patients suffice to have everything; each patient is then made from (seed, patient index) and its plan alone.
"""

import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np

from hemorrhage.ct.phantom import (
    GENERATOR_VERSION,
    Bleed,
    Head,
    RenderedSlice,
    Scan,
    StoredForm,
    build_head,
    build_header,
    draw_bleeds,
    draw_scan,
    render_masks,
    render_series,
    to_raw,
)
from hemorrhage.ct.writing import write_slice
from hemorrhage.data.labels import LABELS, SUBTYPES, label_index, write_long
from hemorrhage.data.layout import SAMPLE_CSV, TEST_FOLDER, TRAIN_CSV, TRAIN_FOLDER
from hemorrhage.errors import HemorrhageError
from hemorrhage.files import describe_os_error, make_folder, write_json
from hemorrhage.pipeline.phantom_plan import PLAN_STREAM, PatientPlan, draw_plan

DATASET_FOLDER = "rsna-intracranial-hemorrhage-detection"
ANSWERS_CSV = "stage_2_test_answers.csv"
MASK_FOLDERS = {TRAIN_FOLDER: "masks_train", TEST_FOLDER: "masks_test"}
MAX_PATIENTS = 20_000
MIN_SIZE, MAX_SIZE = 32, 1024

# The first word of every seed after the patient, so that no stream is drawn twice; the plan's is 0.
_HEAD_STREAM, _BLEED_STREAM, _SCAN_STREAM, _NOISE_STREAM, _ID_STREAM = range(PLAN_STREAM + 1, PLAN_STREAM + 6)


@dataclass(frozen=True)
class PhantomSummary:
    """How many of what were written; `positives` counts the slices of each label, train and test together."""

    patients: int
    test_patients: int
    series: int
    train_slices: int
    test_slices: int
    positives: dict[str, int]

    def __str__(self) -> str:
        slices = self.train_slices + self.test_slices
        shares = "  ".join(f"{label} {count / slices:.1%}" for label, count in self.positives.items())
        return (
            f"{self.patients} patients ({self.test_patients} of them test), {self.series} series, {self.train_slices} "
            f"training and {self.test_slices} test slices\npositive slices: {shares}"
        )


@dataclass(frozen=True)
class _WrittenSlice:
    image_id: str
    in_test: bool
    labels: tuple[int, ...]


def write_phantom(
    out: Path,
    patients: int = 60,
    seed: int = 0,
    size: int = 512,
    progress: Callable[[Iterable[PatientPlan]], Iterable[PatientPlan]] | None = None,
) -> PhantomSummary:
    """Returns what was written to the folder `out`: a data set of made-up heads in Kaggle's layout.

    `size` is the images' side in pixels; `progress` wraps the patients as they are made, as tqdm does. The data
    set is built beside `out` and renamed into place. Raises HemorrhageError where an argument is out of range,
    where `out` exists and is not empty, or where it cannot be written.
    """
    _check_arguments(patients, seed, size)
    out = Path(out).absolute()
    _check_free(out)
    plans = draw_plan(patients, seed)
    with _building(out) as folder:
        _make_folders(folder / DATASET_FOLDER)
        written = [
            each
            for plan in (progress or iter)(plans)
            for each in _write_patient(folder / DATASET_FOLDER, plan, seed, size)
        ]
        summary = _summarize(plans, written)
        _write_tables(folder, written)
        write_json(folder / "phantom.json", _describe(seed, size, summary))
    return summary


def _write_patient(folder: Path, plan: PatientPlan, seed: int, size: int) -> Iterator[_WrittenSlice]:
    head = build_head(np.random.default_rng([seed, plan.index, _HEAD_STREAM]))
    scans = [
        draw_scan(np.random.default_rng([seed, plan.index, _SCAN_STREAM, number]), head)
        for number in range(len(plan.forms))
    ]
    bleeds = _draw_visible_bleeds(plan, seed, head, scans, size)
    for number, (form, scan) in enumerate(zip(plan.forms, scans, strict=True)):
        noise = np.random.default_rng([seed, plan.index, _NOISE_STREAM, number])
        for position, rendered in enumerate(render_series(head, bleeds, scan, size, noise)):
            yield _write_rendered(folder, plan, form, scan, (number, position), rendered, seed)


def _draw_visible_bleeds(
    plan: PatientPlan, seed: int, head: Head, scans: Sequence[Scan], size: int
) -> tuple[Bleed, ...]:
    """Draws until each planned subtype shows in each series: some places a small bleed can take hide it."""
    bleeds: tuple[Bleed, ...] = ()
    for attempt in range(12 if plan.subtypes else 0):
        rng = np.random.default_rng([seed, plan.index, _BLEED_STREAM, attempt])
        # Larger with every failure, so that the last attempts show even in the smallest images.
        bleeds = draw_bleeds(rng, plan.subtypes, min(plan.severity + 0.06 * attempt, 1.0))
        if all(_shows(head, bleeds, scan, size, plan.subtypes) for scan in scans):
            break
    return bleeds


def _shows(head: Head, bleeds: Sequence[Bleed], scan: Scan, size: int, subtypes: Sequence[str]) -> bool:
    shown: set[str] = set()
    for masks in render_masks(head, bleeds, scan, min(size, 64)):
        shown.update(subtype for subtype, mask in masks.items() if mask.any())
        if shown.issuperset(subtypes):
            return True
    return False


def _write_rendered(
    folder: Path,
    plan: PatientPlan,
    form: StoredForm,
    scan: Scan,
    place: tuple[int, int],
    rendered: RenderedSlice,
    seed: int,
) -> _WrittenSlice:
    """Writes one slice, its mask too if it bleeds; `place` is the series' number and the slice's position in it."""
    number, position = place
    series = plan.index * 2 + number
    image_id = _make_id(seed, series * 64 + position, digits=9)
    series_ids = (_make_id(seed, plan.index, 8), _make_id(seed, 2 * series, 10), _make_id(seed, 2 * series + 1, 10))
    folder_name = TEST_FOLDER if plan.in_test else TRAIN_FOLDER
    header = build_header(form, scan, position, len(rendered.pixels_hu), image_id, series_ids)
    raw = to_raw(rendered.pixels_hu, header, form.padding_raw)
    write_slice(folder / folder_name / f"{image_id}.dcm", raw, header)
    labels = _label(rendered)
    if labels[label_index("any")]:
        _write_mask(folder / MASK_FOLDERS[folder_name] / f"{image_id}.png", rendered)
    return _WrittenSlice(image_id, plan.in_test, labels)


def _label(rendered: RenderedSlice) -> tuple[int, ...]:
    positive = {subtype: int(rendered.masks[subtype].any()) for subtype in SUBTYPES}
    positive["any"] = max(positive.values())
    return tuple(positive[label] for label in LABELS)


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


def _write_tables(folder: Path, written: Sequence[_WrittenSlice]) -> None:
    """Writes the three CSVs in Kaggle's form, sorted by image."""
    in_order = sorted(written, key=lambda each: each.image_id)
    train_ids, train_labels = _stack([each for each in in_order if not each.in_test])
    test_ids, test_labels = _stack([each for each in in_order if each.in_test])
    write_long(folder / DATASET_FOLDER / TRAIN_CSV, train_ids, train_labels)
    write_long(folder / DATASET_FOLDER / SAMPLE_CSV, test_ids, np.full(test_labels.shape, 0.5))
    write_long(folder / ANSWERS_CSV, test_ids, test_labels)


def _stack(slices: Sequence[_WrittenSlice]) -> tuple[np.ndarray, np.ndarray]:
    labels = np.array([each.labels for each in slices], dtype=np.int8)
    return np.array([each.image_id for each in slices], dtype=object), labels.reshape(-1, len(LABELS))


def _summarize(plans: Sequence[PatientPlan], written: Sequence[_WrittenSlice]) -> PhantomSummary:
    test_slices = sum(each.in_test for each in written)
    return PhantomSummary(
        patients=len(plans),
        test_patients=sum(plan.in_test for plan in plans),
        series=sum(len(plan.forms) for plan in plans),
        train_slices=len(written) - test_slices,
        test_slices=test_slices,
        positives={label: sum(each.labels[k] for each in written) for k, label in enumerate(LABELS)},
    )


def _describe(seed: int, size: int, summary: PhantomSummary) -> dict[str, object]:
    mask_bits = {subtype: label_index(subtype) for subtype in SUBTYPES}
    return {
        "generator_version": GENERATOR_VERSION,
        "seed": seed,
        "size": size,
        **asdict(summary),
        "mask_bits": mask_bits,
    }


def _check_arguments(patients: int, seed: int, size: int) -> None:
    if not 1 <= patients <= MAX_PATIENTS:
        raise HemorrhageError(f"Expected 1 to {MAX_PATIENTS} patients. Received: {patients}.")
    if not MIN_SIZE <= size <= MAX_SIZE:
        raise HemorrhageError(f"Expected images of {MIN_SIZE} to {MAX_SIZE} pixels a side. Received: {size}.")
    if seed < 0:
        raise HemorrhageError(f"Expected a seed of 0 or more. Received: {seed}.")


def _check_free(out: Path) -> None:
    try:
        taken = out.exists() and not (out.is_dir() and not any(out.iterdir()))
    except OSError as error:
        raise HemorrhageError(f"{out}: could not be looked into ({error.strerror or error}).") from error
    if taken:
        raise HemorrhageError(f"{out}: exists and is not an empty folder; nothing was changed. Choose another folder.")


@contextmanager
def _building(out: Path) -> Iterator[Path]:
    """Yields a new folder beside `out` that becomes `out` if the block ends well, and is removed if not."""
    make_folder(out.parent)
    folder = out.with_name(f".{out.name}-{uuid.uuid4().hex}")
    try:
        folder.mkdir()
        yield folder
        # An empty folder in the way is one that the user made for this; not every system renames onto it.
        if out.exists():
            out.rmdir()
        folder.rename(out)
    except OSError as error:
        raise HemorrhageError(
            f"{out}: could not be written ({describe_os_error(error)}). Free some space, or name another folder."
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _make_folders(dataset: Path) -> None:
    for name in (*MASK_FOLDERS, *MASK_FOLDERS.values()):
        (dataset / name).mkdir(parents=True)
