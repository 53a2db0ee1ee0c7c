"""The command line as a user meets it: help, one line an error, exit statuses."""

import itertools
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hemorrhage.cli import main
from hemorrhage.data.labels import write_long
from hemorrhage.data.source import DicomSource
from hemorrhage.errors import HemorrhageError
from tests.kaggle import write_kaggle_layout

VERBS = [
    "phantom",
    "audit",
    "train",
    "probe",
    "lr-find",
    "predict",
    "series",
    "select",
    "blend",
    "calibrate",
    "studies",
    "headers",
    "explain",
    "submit",
    "report",
    "show",
    "score",
    "demo",
]


@pytest.fixture
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write_kaggle_layout(tmp_path / "input", patients=4)


def fail(capfd: pytest.CaptureFixture[str], *arguments: str, status: int = 2) -> str:
    """Returns the one line on stderr of a command that must end with `status`."""
    capfd.readouterr()
    try:
        received = main(arguments)
    except SystemExit as stop:  # argparse ends the program itself
        received = stop.code  # type: ignore[assignment]
    lines = capfd.readouterr().err.splitlines()
    assert received == status
    assert len(lines) == 1, lines
    assert "Traceback" not in lines[0]
    return lines[0]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(verb: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([verb, "--help"])
    assert stop.value.code == 0
    assert f"example:\n  hemorrhage {verb}" in capfd.readouterr().out


def test_help_and_score_load_neither_keras_nor_tensorflow() -> None:
    code = (
        "import sys, hemorrhage.cli as cli\n"
        "try: cli.main(['train', '--help'])\n"
        "except SystemExit: pass\n"
        "import hemorrhage.pipeline.score_text, hemorrhage.pipeline.submit, hemorrhage.pipeline.audit\n"
        "import hemorrhage.pipeline.calibrate, hemorrhage.pipeline.studies, hemorrhage.pipeline.headers\n"
        "import hemorrhage.pipeline.select\n"
        "sys.exit(bool({'keras', 'tensorflow'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=False).returncode == 0


def test_python_m_hemorrhage_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hemorrhage", "score", "no.csv", "no.csv"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("hemorrhage score: no.csv: expected a CSV")


def test_an_unknown_model_preset_or_setting_is_one_line(data_folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    train = ("train", str(data_folder), "--run", "first")
    assert "compact, resnet18" in fail(capfd, *train, "--model", "resnet51")
    assert "original-resnet50" in fail(capfd, *train, "--preset", "best")
    assert "Did you mean dropout" in fail(capfd, *train, "--set", "dropuot=1")
    assert "--run" in fail(capfd, "train", str(data_folder))
    assert "choose from" in fail(capfd, "trian", str(data_folder)) or "invalid choice" in fail(capfd, "trian")


def test_missing_and_empty_input_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    missing = str(tmp_path / "missing")
    assert "expected a folder" in fail(capfd, "train", missing, "--run", "first", "--model", "compact")
    assert "expected a folder" in fail(capfd, "audit", missing, status=1)
    assert "stage_2_train.csv" in fail(capfd, "train", str(tmp_path), "--run", "first", "--model", "compact")


def test_a_bad_csv_is_one_line(data_folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    train = ("train", str(data_folder), "--run", "first", "--model", "compact")
    csv = data_folder / "stage_2_train.csv"
    text = csv.read_text()
    csv.write_text("")
    assert "expected a CSV" in fail(capfd, *train)
    assert "expected a CSV" in fail(capfd, "audit", str(data_folder), status=1)
    csv.write_text(text + "ID_000000000_intracranial,1\n")
    assert "intracranial" in fail(capfd, *train)


@pytest.mark.parametrize("hours", ["0", "-1", "nan", "inf"])
def test_hours_that_are_none_are_refused(data_folder: Path, hours: str, capfd: pytest.CaptureFixture[str]) -> None:
    line = fail(capfd, "train", str(data_folder), "--run", "first", "--model", "compact", "--max-hours", hours)
    assert "Expected --max-hours above 0" in line


def test_a_shard_is_named_in_ascii_digits(data_folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert "--shard I/N" in fail(capfd, "prepare", str(data_folder), "--out", "store", "--shard", "\u0660/\u0662")


@pytest.mark.parametrize("how", [["--plan"], ["--run", "first"]])
def test_a_source_that_fails_in_a_reading_thread_is_one_line(
    data_folder: Path, how: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Not above: it loads TensorFlow, which main is to quieten first.
    from tests.network import small_network

    read, reads = DicomSource.read_codes, itertools.count()

    def fail_later(source: DicomSource, image_id: str) -> np.ndarray:
        if next(reads) >= 7:
            raise HemorrhageError(f"00000.b2nd: slice {image_id} is damaged")
        return read(source, image_id)

    monkeypatch.setattr(DicomSource, "read_codes", fail_later)
    settings = ["--folds", "2", "--batch", "2", "--size", "32", "--set", "workers=4"]
    with small_network():
        assert main(["train", str(data_folder), "--model", "compact", *settings, *how]) == 2
    # Not capfd: where another test loaded TensorFlow before main could quieten it, its own log is there.
    error = capsys.readouterr().err
    assert "Traceback" not in error
    assert "hemorrhage train: 00000.b2nd: slice" in error.splitlines()[-1]


def test_a_warning_is_said_once(data_folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Path("submissions").write_text("a file where the folder should be")
    assert main(["prepare", str(data_folder), "--out", "store", "--size", "128", "--workers", "1"]) == 0
    assert len([line for line in capfd.readouterr().err.splitlines() if "header scans are not kept" in line]) == 1


def test_two_data_sets_under_the_input_are_both_named(data_folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    other = data_folder.parent / "other"
    shutil.copytree(data_folder, other)
    line = fail(capfd, "train", str(data_folder.parent), "--run", "first", "--model", "compact")
    assert str(data_folder / "stage_2_train.csv") in line
    assert str(other / "stage_2_train.csv") in line


def test_half_of_the_files_missing_stops_training_and_the_audit(
    data_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for path in sorted((data_folder / "stage_2_train").iterdir())[::2]:
        path.unlink()
    assert "8 of 16" in fail(capfd, "train", str(data_folder), "--run", "first", "--model", "compact")
    assert "8 of 16" in fail(capfd, "audit", str(data_folder), status=1)


def test_a_folder_that_cannot_be_written_is_one_line(data_folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Path("submissions").write_text("a file where the folder should be")
    line = fail(capfd, "train", str(data_folder), "--run", "first", "--model", "compact")
    assert "submissions" in line
    assert "Not a directory" in line or "File exists" in line
    assert Path("submissions").read_text() == "a file where the folder should be"


def test_unknown_runs_are_one_line(data_folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert "expected a run" in fail(capfd, "predict", "first", str(data_folder))
    assert "expected a run" in fail(capfd, "submit", "first")
    assert "expected a run" in fail(capfd, "select", "part", "first", "--fold", "0")
    assert "expected a run" in fail(capfd, "blend", "both", "first", "second")


def test_too_little_memory_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fill(*_: object, **__: object) -> None:
        raise MemoryError("Unable to allocate 2.00 MiB")

    monkeypatch.setattr("hemorrhage.pipeline.phantom.write_phantom", fill)
    line = fail(capfd, "phantom", str(tmp_path / "out"))
    assert "out of memory (Unable to allocate 2.00 MiB)" in line


@pytest.mark.parametrize("text", ["[]", '"x"', "{"])
def test_a_demo_says_what_to_do_about_a_damaged_phantom(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "input" / "phantom-quick").mkdir(parents=True)
    (tmp_path / "input" / "phantom-quick" / "phantom.json").write_text(text)
    assert "Delete input/phantom-quick" in fail(capfd, "demo", "--quick")


def test_phantom_refuses_what_is_there(data_folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = sorted(data_folder.iterdir())
    assert "not an empty folder" in fail(capfd, "phantom", str(data_folder))
    assert "patients" in fail(capfd, "phantom", "new", "--patients", "0")
    assert sorted(data_folder.iterdir()) == before


def test_audit_speaks_json(data_folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", str(data_folder), "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["facts"]["labels"]["images"] == 16


def test_the_last_line_of_score_is_the_score(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    ids = np.array(["ID_000000001", "ID_000000002"])
    write_long(tmp_path / "a.csv", ids, np.full((2, 6), 0.5))
    write_long(tmp_path / "b.csv", ids, np.eye(6, dtype=int)[4:])
    assert main(["score", str(tmp_path / "a.csv"), str(tmp_path / "b.csv")]) == 0
    assert capfd.readouterr().out.splitlines()[-1] == "weighted log loss 0.69315"
    assert main(["score", str(tmp_path / "a.csv"), str(tmp_path / "b.csv"), "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["weighted_log_loss"] == pytest.approx(0.693147, abs=1e-6)
    (tmp_path / "a.csv").write_text("\n".join((tmp_path / "a.csv").read_text().splitlines()[:-1]))
    assert "lacks any" in fail(capfd, "score", str(tmp_path / "a.csv"), str(tmp_path / "b.csv"))
