import shutil
from pathlib import Path

import pydicom
import pytest

from hemorrhage.data.layout import find_data_set
from hemorrhage.errors import HemorrhageError
from hemorrhage.pipeline.audit import Findings, audit, format_facts
from hemorrhage.pipeline.console import SILENT
from hemorrhage.pipeline.prepare import prepare
from hemorrhage.pipeline.store_plan import StoreOptions


def run_audit(folder: Path, quick: bool = False) -> Findings:
    return audit(folder, quick, SILENT)


def train_files(folder: Path) -> list[Path]:
    return sorted((folder / "stage_2_train").iterdir())


def change(path: Path, **elements: object) -> None:
    dataset = pydicom.dcmread(path)
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    dataset.save_as(path, enforce_file_format=False)


def test_a_good_data_set_is_counted_and_safe(data_folder: Path) -> None:
    findings = run_audit(data_folder)
    assert findings.unsafe == []
    assert findings.warnings == []
    assert findings.facts["labels"]["images"] == 40
    assert findings.facts["labels"]["positives"]["any"] == "10 (25.00%)"
    slices = findings.facts["train slices"]
    assert (slices["files"], slices["patients"], slices["series"]) == (40, 10, 10)
    assert slices["sizes"] == {"48 x 48": 40}
    assert slices["header groups (bits stored / pixel representation / intercept)"] == {"16 / 1 / -1024": 40}
    assert findings.facts["test files"]["in the sample submission"] == 12
    assert "12" in format_facts(findings)


def test_wrapped_slices_are_counted(data_folder: Path) -> None:
    change(train_files(data_folder)[0], BitsStored=12, HighBit=11, PixelRepresentation=0, RescaleIntercept="0")
    assert run_audit(data_folder).facts["train slices"]["slices touched by the PixelRepresentation fix"] == 1


def test_a_file_in_a_thousand_may_be_bad_and_more_is_unsafe(data_folder: Path) -> None:
    train_files(data_folder)[0].write_text("not DICOM")
    train_files(data_folder)[1].unlink()
    findings = run_audit(data_folder)
    assert any("1 labelled files cannot be read" in line and "not a DICOM file" in line for line in findings.unsafe)
    assert any("1 of 40 labelled images have no file" in line for line in findings.unsafe)


def test_pixels_that_lie_are_seen_with_and_without_decoding(data_folder: Path) -> None:
    path = train_files(data_folder)[0]
    path.write_bytes(path.read_bytes()[:-100])
    assert any("cut short" in line for line in run_audit(data_folder).unsafe)
    assert any("cut short" in line for line in run_audit(data_folder, quick=True).unsafe)


def test_contradicting_labels_are_unsafe_and_repeated_ones_are_not(data_folder: Path) -> None:
    csv = data_folder / "stage_2_train.csv"
    rows = csv.read_text().splitlines()
    csv.write_text("\n".join([*rows, *rows[1:7]]) + "\n")
    findings = run_audit(data_folder)
    assert findings.unsafe == []
    assert "6 label rows are repeated" in findings.warnings[0]
    csv.write_text("\n".join([*rows, rows[1][:-1] + "1"]) + "\n")
    assert "contradict" in run_audit(data_folder).unsafe[0]


def test_missing_patient_ids_are_unsafe(data_folder: Path) -> None:
    change(train_files(data_folder)[0], PatientID="")
    assert "1 labelled files have no patient id" in run_audit(data_folder).unsafe[0]


def test_equal_image_ids_are_unsafe(data_folder: Path) -> None:
    deeper = data_folder / "stage_2_train" / "more"
    deeper.mkdir()
    shutil.copy(train_files(data_folder)[0], deeper)
    assert "1 image ids belong to more than one file" in run_audit(data_folder).unsafe[0]


def test_files_without_label_and_labels_without_any_are_warnings(data_folder: Path) -> None:
    path = train_files(data_folder)[0]
    shutil.copy(path, path.with_name("ID_fffffffff.dcm"))
    change(path.with_name("ID_fffffffff.dcm"), SOPInstanceUID="ID_fffffffff")
    csv = data_folder / "stage_2_train.csv"
    csv.write_text(csv.read_text().replace("_any,1", "_any,0", 1))
    findings = run_audit(data_folder)
    assert findings.unsafe == []
    assert any("1 files have no label" in line for line in findings.warnings)
    assert any("1 images have an 'any'" in line for line in findings.warnings)


def test_identical_slices_across_patients_are_reported_with_their_labels(data_folder: Path) -> None:
    files = train_files(data_folder)
    for source, target in ((files[0], files[4]), (files[1], files[38])):
        pixels = pydicom.dcmread(source).PixelData
        change(target, PixelData=pixels)
    findings = run_audit(data_folder)
    # Patient 0 bleeds in slice 1, patient 9 does not in slice 2; slices 0 are both without.
    assert findings.facts["pixel-identical slices"] == {
        "groups": 2,
        "groups across patients": 2,
        "of these with labels that disagree": 1,
    }
    assert findings.unsafe == []
    assert f"{files[0].stem} = {files[4].stem}" in findings.warnings[-1]


def test_constant_slices_are_no_duplicates(data_folder: Path) -> None:
    for path in (train_files(data_folder)[0], train_files(data_folder)[4]):
        change(path, PixelData=bytes(48 * 48 * 2))
    findings = run_audit(data_folder)
    assert findings.facts["train slices"]["constant slices"] == 2
    assert findings.facts["pixel-identical slices"]["groups"] == 0


def test_test_files_are_held_against_the_sample_submission(data_folder: Path) -> None:
    files = sorted((data_folder / "stage_2_test").iterdir())
    files[0].unlink()
    files[1].rename(files[1].with_name("ID_eeeeeeeee.dcm"))
    findings = run_audit(data_folder)
    assert findings.facts["test files"]["missing"] == 2
    assert any("1 test files are not in the sample" in line for line in findings.warnings)
    assert any("another id inside" in line for line in findings.warnings)


def test_no_data_is_an_error(workplace: Path) -> None:
    with pytest.raises(HemorrhageError, match=r"stage_2_train\.csv"):
        run_audit(workplace)


def test_the_real_slices_are_safe(real_data: Path) -> None:
    findings = run_audit(real_data / "rsna_mini")
    assert findings.unsafe == []
    assert findings.facts["train slices"]["readable"] == 228
    assert findings.facts["test slices"]["readable"] == 110
    assert findings.facts["across train and test"]["patients in both"] == 0


def test_a_store_is_audited_like_its_files(data_folder: Path, workplace: Path) -> None:
    files = train_files(data_folder)
    change(files[0], PatientID="ID_00000000")
    change(files[8], PatientID="ID_99999999")
    dataset = pydicom.dcmread(files[8])
    dataset.PixelData = pydicom.dcmread(files[0]).PixelData
    dataset.save_as(files[8], enforce_file_format=False)
    files[1].unlink()
    files[2].write_text("not DICOM")
    prepare(find_data_set(data_folder), workplace / "store", StoreOptions(128), None, 1, None, SILENT)
    of_files, of_store = run_audit(data_folder), run_audit(workplace / "store")
    del of_files.facts["labels"]["file"], of_store.facts["labels"]["file"]
    assert of_store.facts == of_files.facts
    assert len(of_store.unsafe) == len(of_files.unsafe) == 2
    assert [line.split(":")[0] for line in of_store.warnings] == [line.split(":")[0] for line in of_files.warnings]
    assert of_store.facts["pixel-identical slices"]["groups across patients"] == 1
