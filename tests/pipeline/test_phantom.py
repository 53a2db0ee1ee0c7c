"""The verb phantom: a data set in Kaggle's layout that holds what the plan says, or nothing at all."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from hemorrhage.ct.dicom import Header, read_header, read_slice
from hemorrhage.ct.phantom import GENERATOR_VERSION, STORED_FORMS, SUBTYPES
from hemorrhage.data.labels import LABELS, read_labels
from hemorrhage.errors import HemorrhageError
from hemorrhage.pipeline import phantom, phantom_patient
from hemorrhage.pipeline.phantom import DATASET_FOLDER, PhantomSummary, write_phantom
from hemorrhage.pipeline.phantom_folder import building
from hemorrhage.pipeline.phantom_plan import draw_plan


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, PhantomSummary]:
    out = tmp_path_factory.mktemp("phantom") / "out"
    return out, write_phantom(out, patients=12, seed=0, size=32)


@pytest.fixture(scope="module")
def headers(written: tuple[Path, PhantomSummary]) -> dict[str, list[Header]]:
    data = written[0] / DATASET_FOLDER
    return {
        split: [read_header(path) for path in sorted((data / f"stage_2_{split}").iterdir())]
        for split in ("train", "test")
    }


@pytest.fixture
def two_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cuts every series to two slices without blood, for what depends on files and folders alone."""
    draw = phantom_patient.draw_scan
    monkeypatch.setattr(phantom_patient, "draw_scan", lambda rng, head: replace(draw(rng, head), slices=2))
    monkeypatch.setattr(phantom_patient, "fit_bleeds", lambda *_: ())


def read_truth(out: Path) -> dict[str, dict[str, list[int]]]:
    truth = {}
    for split, path in (
        ("train", out / DATASET_FOLDER / "stage_2_train.csv"),
        ("test", out / "stage_2_test_answers.csv"),
    ):
        table = read_labels(path).table
        truth[split] = dict(zip(table["image_id"], table[list(LABELS)].to_numpy().tolist(), strict=True))
    return truth


def digest(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_layout_is_kaggles(written: tuple[Path, PhantomSummary]) -> None:
    out, summary = written
    data = out / DATASET_FOLDER
    assert {path.name for path in out.iterdir()} == {DATASET_FOLDER, "phantom.json", "stage_2_test_answers.csv"}
    for split, count in (("train", summary.train_slices), ("test", summary.test_slices)):
        names = [path.name for path in (data / f"stage_2_{split}").iterdir()]
        assert len(names) == count
        assert all(re.fullmatch(r"ID_[0-9a-f]{9}\.dcm", name) for name in names)
    rows = (data / "stage_2_train.csv").read_text().splitlines()
    assert rows[0] == "ID,Label"
    assert [row.rsplit("_", 1)[1].split(",")[0] for row in rows[1:7]] == list(LABELS)
    sample = (data / "stage_2_sample_submission.csv").read_text().splitlines()
    assert len(sample) == 1 + 6 * summary.test_slices
    assert all(row.endswith(",0.5") for row in sample[1:])


def test_masks_agree_with_the_labels(written: tuple[Path, PhantomSummary]) -> None:
    out, _ = written
    for split, truth in read_truth(out).items():
        masks = {path.stem: path for path in (out / DATASET_FOLDER / f"masks_{split}").iterdir()}
        assert set(masks) == {image_id for image_id, row in truth.items() if row[-1]}
        for image_id, path in masks.items():
            bits = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
            assert bits.dtype == np.uint8 and bits.shape == (32, 32)
            assert [int((bits >> k & 1).any()) for k in range(5)] == truth[image_id][:5]


def test_labels_and_prevalence(written: tuple[Path, PhantomSummary]) -> None:
    out, summary = written
    truth = read_truth(out)
    for rows in truth.values():
        table = np.array(list(rows.values()))
        assert (table[:, 5] == table[:, :5].max(axis=1)).all()
        assert (table.sum(axis=0) > 0).all()
    slices = summary.train_slices + summary.test_slices
    assert 0.08 <= summary.positives["any"] / slices <= 0.20
    assert summary.positives["any"] == sum(row[-1] for rows in truth.values() for row in rows.values())


def test_all_header_groups_occur_and_are_decoded(
    written: tuple[Path, PhantomSummary], headers: dict[str, list[Header]]
) -> None:
    every = headers["train"] + headers["test"]
    groups = Counter((h.bits_stored, h.pixel_representation, h.rescale_intercept) for h in every)
    assert set(groups) == {(f.bits_stored, f.pixel_representation, f.rescale_intercept) for f in STORED_FORMS}
    assert len({h.transfer_syntax for h in every}) == 2
    assert any(len(h.window_centers) > 1 for h in every)
    wrapped = [h for h in headers["train"] if h.is_wrapped]
    for header in wrapped[::10]:
        path = written[0] / DATASET_FOLDER / "stage_2_train" / f"{header.sop_instance_id}.dcm"
        pixels_hu = read_slice(path).pixels_hu
        assert pixels_hu.min() == -1000
        assert np.median(pixels_hu) <= 100


def test_train_and_test_share_no_patient_and_series_are_regular(headers: dict[str, list[Header]]) -> None:
    patients = {split: {h.patient_id for h in group} for split, group in headers.items()}
    assert not patients["train"] & patients["test"]
    assert len(patients["train"] | patients["test"]) == 12
    assert all(re.fullmatch("ID_[0-9a-f]{8}", str(p)) for group in patients.values() for p in group)
    series: dict[str | None, list[Header]] = {}
    for header in headers["train"] + headers["test"]:
        series.setdefault(header.series_id, []).append(header)
    assert len(series) == 14
    for slices in series.values():
        z_mm = np.sort([h.z_mm for h in slices])
        assert 20 <= len(slices) <= 60
        steps_mm = np.diff(z_mm)
        # The skull base may be cut half as thick as the rest.
        fine = int(np.sum(steps_mm < 0.75 * steps_mm[-1]))
        assert steps_mm[fine:] == pytest.approx(steps_mm[-1], rel=1e-3)
        assert steps_mm[:fine] == pytest.approx(steps_mm[-1] / 2, rel=1e-3)
        assert len({(h.patient_id, h.study_id, h.orientation, h.rescale_intercept) for h in slices}) == 1


def test_phantom_json_says_what_made_it(written: tuple[Path, PhantomSummary]) -> None:
    facts = json.loads((written[0] / "phantom.json").read_text())
    made_by = {"generator_version": GENERATOR_VERSION, "seed": 0, "patients": 12, "size": 32}
    assert made_by.items() <= facts.items()
    assert facts["subtype_frequencies"] == "every subtype in train and in test"
    assert re.fullmatch("[0-9a-f]{64}", facts["data_hash"])
    assert facts["mask_bits"] == {label: bit for bit, label in enumerate(LABELS[:5])}
    assert "12 patients" in str(written[1])


def test_the_same_arguments_write_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed in (("a", 4), ("b", 4), ("c", 5)):
        write_phantom(tmp_path / name, patients=1, seed=seed, size=32)
    hashes = [json.loads((tmp_path / name / "phantom.json").read_text())["data_hash"] for name in ("a", "b", "c")]
    assert hashes[0] == hashes[1] != hashes[2]
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    images = [set(digest(next((tmp_path / name).rglob("stage_2_train"))).values()) for name in ("a", "c")]
    assert not images[0] & images[1]


def test_neither_the_order_of_making_nor_the_number_of_workers_changes_a_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = write_phantom(tmp_path / "forwards", patients=2, seed=1, size=32)
    monkeypatch.setattr(phantom, "draw_plan", lambda patients, seed: draw_plan(patients, seed)[::-1])
    assert write_phantom(tmp_path / "backwards", patients=2, seed=1, size=32, workers=2) == summary
    assert digest(tmp_path / "forwards") == digest(tmp_path / "backwards")


@pytest.mark.usefixtures("two_slices")
def test_progress_sees_every_patient(tmp_path: Path) -> None:
    seen: list[object] = []

    def watch(made: Iterable[object]) -> Iterator[object]:
        for each in made:
            assert not (tmp_path / "out").exists()
            seen.append(each)
            yield each

    write_phantom(tmp_path / "out", patients=2, seed=1, size=32, progress=watch)
    assert len(seen) == 2


@pytest.mark.usefixtures("two_slices")
def test_two_series_of_a_patient_differ(tmp_path: Path) -> None:
    plan = next(plan for plan in draw_plan(3, 2) if len(plan.forms) == 2)
    write_phantom(tmp_path / "out", patients=3, seed=2, size=32)
    paths = sorted((tmp_path / "out").rglob("*.dcm"))
    by_patient: dict[str | None, set[str | None]] = {}
    pixels: dict[str | None, set[bytes]] = {}
    for path in paths:
        each = read_slice(path)
        by_patient.setdefault(each.header.patient_id, set()).add(each.header.series_id)
        pixels.setdefault(each.header.series_id, set()).add(each.pixels_hu.tobytes())
    doubled = next(series for series in by_patient.values() if len(series) == 2)
    first, second = (pixels[series_id] for series_id in doubled)
    assert not first & second
    assert plan.index < 3


@pytest.mark.parametrize("patients", [12, 13, 40, 199])
@pytest.mark.parametrize("seed", range(5))
def test_a_plan_has_every_subtype_on_both_sides_and_every_form(patients: int, seed: int) -> None:
    plans = draw_plan(patients, seed)
    tested = [plan for plan in plans if plan.in_test]
    assert 0.2 <= len(tested) / patients <= 0.25
    for in_test in (False, True):
        assert {s for plan in plans if plan.in_test is in_test for s in plan.subtypes} == set(SUBTYPES)
    assert {form for plan in plans for form in plan.forms} == set(STORED_FORMS)
    assert all(len(plan.subtypes) == len(plan.extents) for plan in plans)
    assert all(0 < extent < 1 for plan in plans for extent in plan.extents)
    assert all(plan.second is None or plan.second in plan.subtypes for plan in plans)
    assert 0.3 <= np.mean([bool(plan.subtypes) for plan in plans]) <= 0.5


def test_a_plan_of_many_has_the_real_proportions() -> None:
    plans = draw_plan(5000, 0)
    share = {subtype: np.mean([subtype in plan.subtypes for plan in plans]) for subtype in SUBTYPES}
    real = {
        "epidural": 0.015,
        "intraparenchymal": 0.240,
        "intraventricular": 0.170,
        "subarachnoid": 0.179,
        "subdural": 0.169,
    }
    assert share == pytest.approx(real, abs=0.004)
    forms = Counter(form for plan in plans for form in plan.forms)
    assert forms[STORED_FORMS[0]] / sum(forms.values()) == pytest.approx(0.542, abs=0.01)


def test_header_groups_tell_nothing_about_bleeds() -> None:
    plans = [plan for seed in range(40) for plan in draw_plan(60, seed)]
    for form in STORED_FORMS[:4]:
        bleeding = [bool(plan.subtypes) for plan in plans if form in plan.forms]
        assert np.mean(bleeding) == pytest.approx(0.4, abs=3.5 * np.sqrt(0.24 / len(bleeding)))


@pytest.mark.parametrize("patients", [1, 2, 3, 6, 7])
def test_few_patients_get_the_large_groups_first_then_the_wrapped(patients: int) -> None:
    plans = draw_plan(patients, 0)
    used = {form for plan in plans for form in plan.forms}
    assert used == set(STORED_FORMS[: len([form for plan in plans for form in plan.forms])])
    assert any(plan.subtypes for plan in plans)


@pytest.mark.usefixtures("two_slices")
def test_one_patient_is_enough(tmp_path: Path) -> None:
    summary = write_phantom(tmp_path / "out", patients=1, seed=0, size=32)
    assert summary.test_slices == 0
    assert (tmp_path / "out" / "stage_2_test_answers.csv").read_text() == "ID,Label\n"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"patients": 0}, "Expected 1 to 20000 patients. Received: 0."),
        ({"patients": 20001}, "Received: 20001."),
        ({"size": 31}, "Expected images of 32 to 1024 pixels a side. Received: 31."),
        ({"size": 1025}, "Received: 1025."),
        ({"seed": -1}, "Expected a seed of 0 or more. Received: -1."),
        ({"seed": 2**63}, "Received one of 19 digits."),
        ({"workers": 0}, "Expected 1 worker or more. Received: 0."),
    ],
)
def test_arguments_out_of_range_are_refused(tmp_path: Path, changed: dict[str, int], message: str) -> None:
    with pytest.raises(HemorrhageError, match=re.escape(message)):
        write_phantom(tmp_path / "out", **changed)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(HemorrhageError, match="not an empty folder; nothing was changed"):
        write_phantom(tmp_path, patients=1, size=32)
    with pytest.raises(HemorrhageError, match="not an empty folder"):
        write_phantom(tmp_path / "mine.txt", patients=1, size=32)
    assert digest(tmp_path) == {"mine.txt": hashlib.sha256(b"mine").hexdigest()}


@pytest.mark.usefixtures("two_slices")
def test_an_empty_folder_is_filled_even_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "real")
    write_phantom(tmp_path / "out", patients=1, size=32)
    names = {DATASET_FOLDER, "phantom.json", "stage_2_test_answers.csv"}
    assert {path.name for path in (tmp_path / "real").iterdir()} == names
    assert (tmp_path / "out").is_symlink()


@pytest.mark.usefixtures("two_slices")
@pytest.mark.parametrize("is_there", [False, True])
@pytest.mark.parametrize(
    ("thrown", "raised"), [(KeyboardInterrupt(), KeyboardInterrupt), (OSError(28, "No space left"), HemorrhageError)]
)
def test_an_interrupted_run_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, thrown: BaseException, raised: type[BaseException], is_there: bool
) -> None:
    def fail(*_: object) -> None:
        raise thrown

    monkeypatch.setattr(phantom_patient, "write_slice", fail)
    if is_there:
        (tmp_path / "out").mkdir()
    with pytest.raises(raised):
        write_phantom(tmp_path / "out", patients=1, size=32)
    assert list(tmp_path.rglob("*")) == ([tmp_path / "out"] if is_there else [])


@pytest.mark.usefixtures("two_slices")
@pytest.mark.parametrize("is_there", [False, True])
def test_what_a_killed_run_left_is_removed_by_the_next(tmp_path: Path, is_there: bool) -> None:
    out = tmp_path / "out"
    left = (out if is_there else tmp_path) / f".out-{'0' * 32}"
    (left / DATASET_FOLDER).mkdir(parents=True)
    (left / ".lock").touch()
    write_phantom(out, patients=1, size=32)
    assert not left.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_two_runs_into_one_folder_are_kept_apart(tmp_path: Path) -> None:
    with building(tmp_path / "out"), pytest.raises(HemorrhageError, match="another process is writing it"):
        write_phantom(tmp_path / "out", patients=1, size=32)


def test_a_link_that_leads_to_itself_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(HemorrhageError, match="loop: could not be"):
        write_phantom(tmp_path / "loop", patients=1, size=32)
    with pytest.raises(HemorrhageError, match=r"loop.*could not be"):
        write_phantom(tmp_path / "loop" / "in", patients=1, size=32)


def start_verb(folder: Path, workers: int, before: str = "") -> "subprocess.Popen[str]":
    """Starts `hemorrhage phantom` on many patients, in a process group of its own, after the statements `before`."""
    words = ["phantom", str(folder / "out"), "--patients", "200", "--size", "64", "--workers", str(workers)]
    code = f"import sys\n{before}\nfrom hemorrhage.cli import main\nif __name__ == '__main__': sys.exit(main({words}))"
    (folder.parent / "verb.py").write_text(code)
    return subprocess.Popen(
        [sys.executable, str(folder.parent / "verb.py")], stderr=subprocess.PIPE, text=True, start_new_session=True
    )


@pytest.mark.parametrize("workers", [1, 2])
def test_a_disk_that_refuses_is_one_line_and_leaves_nothing(tmp_path: Path, workers: int) -> None:
    (tmp_path / "in").mkdir()
    limit = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))"
    verb = start_verb(tmp_path / "in", workers, limit)
    errors = verb.communicate(timeout=120)[1].splitlines()
    assert verb.returncode == 2
    assert "could not be written" in errors[-1] and "Free some space" in errors[-1]
    assert not any("Traceback" in line for line in errors)
    assert list((tmp_path / "in").iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_verb_leaves_nothing_and_no_process(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "in").mkdir()
    verb = start_verb(tmp_path / "in", workers=2)
    deadline = time.monotonic() + 120
    while not any((tmp_path / "in").rglob("*.dcm")) and verb.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    # To the whole group, as a terminal sends Ctrl-C.
    os.killpg(verb.pid, number) if number == signal.SIGINT else verb.send_signal(number)
    errors = verb.communicate(timeout=60)[1]
    assert verb.returncode == 2
    assert "Traceback" not in errors
    assert list((tmp_path / "in").iterdir()) == []
    with pytest.raises(ProcessLookupError):
        # Python's own tracker of resources ends a moment after the verb.
        for _ in range(100):
            os.killpg(verb.pid, 0)
            time.sleep(0.05)
