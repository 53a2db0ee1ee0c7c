"""A kernel opens with its banner where all is well, and stops in one line where something attached is at fault."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import hemorrhage
from hemorrhage.commit import find_commit
from hemorrhage.data.layout import find_data_set
from hemorrhage.kaggle import exploring, preparing
from hemorrhage.kaggle.manifest import MANIFEST, Manifest, write_manifest
from hemorrhage.kaggle.mounts import ROOT_VARIABLE
from hemorrhage.kaggle.session import close_session, open_session
from hemorrhage.kaggle.stops import Stop
from hemorrhage.pipeline.console import SILENT
from hemorrhage.pipeline.prepare import prepare
from hemorrhage.pipeline.store_plan import StoreOptions
from tests.kaggle import write_kaggle_layout


@pytest.fixture(scope="module")
def attached(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a copy of /kaggle/input with the data, the wheels and a store."""
    folder = tmp_path_factory.mktemp("attached") / "input"
    data = write_kaggle_layout(folder / "competition", patients=4, test_patients=1)
    prepare(
        find_data_set(data), folder / "prepare" / "store-128", StoreOptions(128, "none", None), None, 1, None, SILENT
    )
    manifest = Manifest("hemorrhage", hemorrhage.__version__, find_commit(), (), {}, (), ())
    (folder / "wheels").mkdir()
    write_manifest(folder / "wheels" / MANIFEST, manifest)
    return folder


@pytest.fixture
def inputs(attached: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Returns the folder of what is attached to this kernel, a copy that a test may damage."""
    (tmp_path / "working").mkdir()
    monkeypatch.chdir(tmp_path / "working")
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    return Path(shutil.copytree(attached, tmp_path / "input"))


def test_the_banner_says_what_is_there_and_the_end_what_was_written(
    inputs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session = open_session("explore")
    lines = capsys.readouterr().out.splitlines()
    names = [line.split()[0] for line in lines if not line.startswith(" ")]
    assert names == ["kernel", "versions", "devices", "data", "store", "room", "clock"]
    assert "96 label rows of 16 training images, 4 test images" in "\n".join(lines)
    Path("made.csv").write_bytes(b"x" * 1500)
    close_session(session, [Path("made.csv")], ["the next one"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "wrote     made.csv, 1.5 KB" and lines[-1] == "next      the next one"


def cut(name: str) -> Callable[[Path], None]:
    """Returns a fault: a file of what is attached without its second half."""

    def damage(inputs: Path) -> None:
        path = min(inputs.glob(name))
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    return damage


def again(name: str) -> Callable[[Path], None]:
    """Returns a fault: another version of what is attached, beside the first."""
    return lambda inputs: shutil.copytree(inputs / name, inputs / "another-version")


def empty(name: str) -> Callable[[Path], None]:
    """Returns a fault: a table with its header alone."""
    return lambda inputs: (inputs / name).write_text("ID,Label\n")


FAULTS = {
    "two versions of the data": (again("competition"), r"expected one stage_2_train\.csv, found .* Detach all but one"),
    "two versions of the store": (again("prepare"), "Expected one store, found .* Detach all but one"),
    "two versions of the wheels": (again("wheels"), "expected one hemorrhage_manifest.json, found .* Detach all but"),
    "a store cut short": (cut("prepare/store-128/shards/*.b2nd"), "cut short or missing, expected"),
    "a damaged table of a store": (cut("prepare/store-128/slices.parquet"), "not the one that store.json names"),
    "a damaged mark of a store": (cut("prepare/store-128/store.json"), r"store\.json"),
    "damaged labels": (cut("competition/stage_2_train.csv"), r"stage_2_train\.csv: "),
    "no labels": (empty("competition/stage_2_train.csv"), r"stage_2_train\.csv: "),
    "nothing to predict": (empty("competition/stage_2_sample_submission.csv"), r"sample_submission\.csv: "),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_what_is_attached_is_one_line(inputs: Path, fault: str) -> None:
    damage, words = FAULTS[fault]
    damage(inputs)
    with pytest.raises(Stop, match=words) as stop:
        open_session("explore")
    (line,) = stop.value._render_traceback_()
    assert "\n" not in line


def test_without_slices_to_look_at_no_header_is_read(inputs: Path) -> None:
    shutil.rmtree(inputs / "competition" / "stage_2_train")
    session = open_session("explore")
    with pytest.raises(Stop, match="expected a folder stage_2_train beside it, found none"):
        exploring.open_exploring(session)
    with pytest.raises(Stop, match="expected a folder stage_2_train beside it, found none"):
        preparing.open_preparing(session)


def test_parameters_of_another_kind_are_one_line(inputs: Path) -> None:
    with pytest.raises(Stop, match="Expected ALLOW_CPU to be True or False; received 'False'"):
        open_session("train", allow_cpu="False")  # type: ignore[arg-type]
    with pytest.raises(Stop, match="Expected LIMIT_HOURS to be a number of hours; received '12'"):
        open_session("train", limit_hours="12")  # type: ignore[arg-type]
