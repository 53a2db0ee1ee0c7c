"""The verb explain: a picture that says what it is, and one line for whatever it is wrongly asked."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hemorrhage.cli import main
from hemorrhage.ct.orientation import Edges
from hemorrhage.data.labels import LABELS
from hemorrhage.report.overlay import ExplainedSlice, draw_explanation
from tests.kaggle import write_kaggle_layout

KNOWN = "ID_000000001"


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("explaining")
    data = write_kaggle_layout(folder / "input", patients=1, test_patients=1)
    (folder / "broken.dcm").write_bytes((data / "stage_2_train" / f"{KNOWN}.dcm").read_bytes()[:2000])
    (folder / "submissions" / "empty").mkdir(parents=True)
    return folder


def explain(*words: str, run: str = "@phantom") -> int:
    return main(["explain", run, "input", *words])


def test_an_id_and_its_file_give_the_same_picture(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(workplace)
    assert explain("--slice", KNOWN, "--label", "subdural", "--out", "made/by-id.png") == 0
    by_id = capfd.readouterr().out.splitlines()
    assert by_id[0].startswith("subdural  ") and len(by_id) == 2 and "Research use only" in by_id[1]
    path = f"input/stage_2_train/{KNOWN}.dcm"
    assert explain("--slice", path, "--label", "subdural", "--out", "made/by-path.png") == 0
    assert capfd.readouterr().out.splitlines()[0] == by_id[0]
    with Image.open("made/by-id.png") as picture:
        assert min(picture.size) > 400


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--slice", "ID_00000000x", "--out", "a.png"), f"'ID_00000000x'. Near to it: {KNOWN[:-1]}"),
        (("--slice", "nowhere/a.dcm", "--out", "a.png"), "nowhere/a.dcm: expected a DICOM file"),
        (("--slice", "broken.dcm", "--out", "a.png"), "broken.dcm: expected a CT slice that can be read"),
        (("--slice", KNOWN, "--label", "bleed", "--out", "a.png"), "received 'bleed'"),
        (("--slice", KNOWN, "--method", "lime", "--out", "a.png"), "received 'lime'"),
        (("--slice", KNOWN, "--out", "a.jpg"), "a.jpg: expected the name of a picture"),
        (("--slice", KNOWN, "--out", "broken.dcm/a.png"), "broken.dcm: the folder could not be made"),
    ],
)
def test_a_wrong_word_is_one_line(
    words: tuple[str, ...],
    message: str,
    workplace: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(workplace)
    capfd.readouterr()
    assert explain(*words) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert message in line
    assert not Path("a.png").exists()


def test_a_run_without_networks_is_refused(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(workplace)
    assert explain("--slice", KNOWN, "--out", "a.png", run="empty") == 2
    assert "expected a run with a config.json" in capfd.readouterr().err


def test_the_picture_lies_over_the_slice_and_says_what_it_is() -> None:
    maps = {label: np.zeros((20, 30), np.float32) for label in LABELS}
    maps["any"][5:9, 5:9] = 1
    explained = ExplainedSlice(
        np.zeros((20, 30), np.int16), maps, dict.fromkeys(LABELS, 0.25), Edges("R", "L", "A", "P"), "a slice", ("fact",)
    )
    picture = draw_explanation(explained)
    assert "any 0.25" in picture.words and "Research use only" in picture.words
