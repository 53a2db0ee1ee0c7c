"""A run made of others is there whole or not at all, and one process at a time makes it."""

from pathlib import Path

import pytest

from hemorrhage.errors import HemorrhageError
from hemorrhage.files import write_json
from hemorrhage.pipeline.making import locking, making
from hemorrhage.pipeline.runs import Run, find_run


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def runs() -> list[str]:
    return sorted(path.name for path in Path("submissions").iterdir() if path.name != ".locks")


def test_a_run_is_there_when_the_block_ends() -> None:
    with making("both") as made:
        write_json(made.blend_json_path, {})
        assert runs() == [".making-both"]
    assert runs() == ["both"]
    assert find_run("both").kind == "blend"


@pytest.mark.parametrize("error", [KeyboardInterrupt, HemorrhageError])
def test_of_a_block_that_ends_in_an_error_nothing_stays(error: type[BaseException]) -> None:
    with pytest.raises(error), making("both") as made:
        write_json(made.blend_json_path, {})
        raise error
    assert runs() == []


def test_what_a_killed_process_left_is_made_anew() -> None:
    left = Path("submissions/.making-both/models")
    left.mkdir(parents=True)
    (left / "series-000.keras").touch()
    with making("both") as made:
        write_json(made.blend_json_path, {})
    assert [path.name for path in Path("submissions/both").iterdir()] == ["blend.json"]


@pytest.mark.parametrize("there", ["both/notes.txt", "both"])
def test_what_has_the_name_already_is_left_alone(there: str) -> None:
    path = Path("submissions") / there
    path.parent.mkdir(parents=True)
    path.touch()
    with pytest.raises(HemorrhageError, match="this run exists"), making("both"):
        pass
    assert path.is_file()


def test_two_processes_do_not_make_one_run() -> None:
    refused = pytest.raises(HemorrhageError, match="both: another process is writing it")
    with locking(Run(Path("submissions/both"))), refused, making("both"):
        pass


@pytest.mark.parametrize(
    ("name", "words"), [("x" * 300, "at most 100 letters"), ("@nope", "come with the package: @phantom")]
)
def test_names_that_are_none(name: str, words: str) -> None:
    with pytest.raises(HemorrhageError, match=words) as found:
        find_run(name)
    assert len(str(found.value)) < 300
