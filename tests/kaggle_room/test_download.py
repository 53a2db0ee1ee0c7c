"""The data come down where the disk has room, and go on where they stopped."""

import zipfile
from pathlib import Path
from typing import Any

import pytest

from hemorrhage.errors import HemorrhageError
from hemorrhage.kaggle.__main__ import main
from hemorrhage.kaggle.download import (
    STAGE_2,
    Expected,
    Place,
    describe_download,
    download,
    is_complete,
    measure_need,
    unpack,
)
from hemorrhage.kaggle.names import COMPETITION
from hemorrhage.pipeline.console import SILENT

SMALL = Expected(slices=3, archive_bytes=1000, slice_bytes=8)
FILES = {
    f"{COMPETITION}/stage_2_train.csv": b"ID,Label\n",
    f"{COMPETITION}/stage_2_sample_submission.csv": b"ID,Label\n",
    f"{COMPETITION}/stage_2_train/ID_1.dcm": b"a" * 8,
    f"{COMPETITION}/stage_2_train/ID_2.dcm": b"b" * 8,
    f"{COMPETITION}/stage_2_test/ID_3.dcm": b"c" * 8,
}


def write_archive(path: Path, files: dict[str, bytes] = FILES) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


class FakeApi:
    """Writes the archive, as the client would."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []

    def competition_download_files(self, **arguments: Any) -> None:
        self.calls.append(arguments)
        write_archive(Path(arguments["path"]) / f"{COMPETITION}.zip")


def no_api() -> Any:
    raise AssertionError("the network was asked")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "input")


def test_the_archive_is_fetched_unpacked_and_removed(place: Place) -> None:
    api = FakeApi()
    assert download(place, lambda: api, SILENT, keep_archive=False, expected=SMALL) == place.folder
    assert api.calls == [{"competition": COMPETITION, "path": str(place.out), "force": False, "quiet": False}]
    assert (place.folder / "stage_2_train" / "ID_2.dcm").read_bytes() == b"b" * 8
    assert sorted(path.name for path in place.out.iterdir()) == [COMPETITION]
    assert is_complete(place, SMALL)
    assert download(place, no_api, SILENT, keep_archive=False, expected=SMALL) == place.folder


def test_an_archive_that_is_there_is_unpacked_without_the_network_and_may_stay(place: Place) -> None:
    write_archive(place.archive)
    unpack(place, SILENT)
    kept, lost = place.folder / "stage_2_train" / "ID_1.dcm", place.folder / "stage_2_test" / "ID_3.dcm"
    before = kept.stat().st_mtime_ns
    lost.write_bytes(b"cut")
    assert measure_need(place, SMALL).total == 8
    download(place, no_api, SILENT, keep_archive=True, expected=SMALL)
    assert lost.read_bytes() == b"c" * 8
    assert kept.stat().st_mtime_ns == before
    assert place.archive.is_file()


def test_half_an_archive_counts_and_is_fetched_on(place: Place) -> None:
    place.out.mkdir()
    place.archive.write_bytes(b"x" * 400)
    place.partial_mark.write_text("{}")
    assert measure_need(place, SMALL).archive == 600
    api = FakeApi()
    with pytest.raises(HemorrhageError, match="expected a zip archive"):
        # The client takes its own mark away when it has fetched everything; this one does not.
        place.archive.write_bytes(b"no archive")
        unpack(place, SILENT)
    place.partial_mark.unlink()
    download(place, lambda: api, SILENT, keep_archive=False, expected=SMALL)
    assert len(api.calls) == 1


def test_a_disk_too_small_is_refused_before_anything_is_asked(place: Place) -> None:
    huge = Expected(slices=3, archive_bytes=10**18, slice_bytes=8)
    said: list[str] = []
    with pytest.raises(HemorrhageError, match=r"expected 1000000000\.0 GB of free disk"):
        download(place, no_api, SILENT, keep_archive=False, expected=huge)
    assert "nothing was sent" in describe_download(place, said.append, huge)
    assert "without a dry run this stops here" in said[0]
    assert not place.out.exists()


def test_the_disk_of_the_whole_data_is_computed_from_the_slices(place: Place) -> None:
    assert STAGE_2.unpacked_bytes == 874_035 * 524_288
    assert measure_need(place).total == 180_000_000_000 + int(874_035 * 524_288 * 1.02)


@pytest.mark.parametrize("name", ["../outside.dcm", "/outside.dcm", f"{COMPETITION}/../../outside.dcm"])
def test_a_name_that_leads_out_of_the_folder_is_refused(place: Place, name: str) -> None:
    write_archive(place.archive, {name: b"x"})
    with pytest.raises(HemorrhageError, match="leads out of the folder"):
        unpack(place, SILENT)


def test_a_damaged_file_in_the_archive_is_named_and_not_written(place: Place) -> None:
    content = write_archive(place.archive).read_bytes()
    place.archive.write_bytes(content.replace(b"b" * 8, b"x" * 8))
    with pytest.raises(HemorrhageError, match=r"ID_2\.dcm is damaged"):
        unpack(place, SILENT)
    assert [path.name for path in (place.folder / "stage_2_train").iterdir()] == ["ID_1.dcm"]


def test_a_dry_run_says_the_disk_first_and_the_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["download", "--dry-run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("disk: 647.4 GB = 180.0 GB archive + 467.4 GB unpacked")
    assert f"would download {COMPETITION}: KaggleApi.competition_download_files with" in lines
    assert lines[-1] == "nothing was sent"
    assert list(tmp_path.iterdir()) == []
