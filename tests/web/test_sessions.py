"""Sessions and their folder: who sees what, and what is gone when."""

import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hemorrhage.web.limits import Limits, RefusedError
from hemorrhage.web.records import StudyRecord, UploadRecord
from hemorrhage.web.sessions import Session, Sessions

Make = Callable[[Limits], Sessions]


@pytest.fixture
def make_sessions(tmp_path: Path) -> Iterator[Make]:
    """Returns a function that makes sessions in a folder of the test, and closes them at its end."""
    made: list[Sessions] = []

    def make(limits: Limits) -> Sessions:
        made.append(Sessions(limits, tmp_path))
        return made[-1]

    yield make
    for sessions in made:
        sessions.close()


def find(sessions: Sessions, token: str) -> Session:
    """Returns the session of a token that stands for one."""
    session = sessions.find(token)
    assert session is not None
    return session


def test_the_folder_is_of_this_user_alone_and_goes_at_the_end(make_sessions: Make, tmp_path: Path) -> None:
    sessions = make_sessions(Limits())
    session = find(sessions, sessions.open())
    assert stat.S_IMODE(sessions.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(session.folder.stat().st_mode) == 0o700
    (session.folder / "0").write_bytes(b"pixels")
    sessions.close()
    assert session.is_erased
    assert not any(tmp_path.iterdir())


def test_a_session_that_is_erased_takes_its_files_and_no_others(make_sessions: Make) -> None:
    sessions = make_sessions(Limits())
    first, second = sessions.open(), sessions.open()
    folders = [find(sessions, token).folder for token in (first, second)]
    sessions.erase(first)
    assert [folder.exists() for folder in folders] == [False, True]
    assert sessions.find(first) is None
    assert sessions.find(second) is not None
    sessions.erase(first)
    sessions.erase(None)


def test_nobody_sees_what_another_has(make_sessions: Make) -> None:
    sessions = make_sessions(Limits())
    mine, other = find(sessions, sessions.open()), find(sessions, sessions.open())
    upload, study = UploadRecord(mine.folder), StudyRecord("Study 1", "", [])
    mine.uploads[upload.id], mine.studies[study.id] = upload, study
    name = mine.name_pacs_study("1.2.3")
    assert mine.study(study.id) is study
    assert mine.pacs_uid(name) == "1.2.3"
    assert mine.name_pacs_study("1.2.3") == name
    for ask in (lambda: other.upload(upload.id), lambda: other.study(study.id), lambda: other.pacs_uid(name)):
        with pytest.raises(RefusedError, match="no such") as raised:
            ask()
        assert raised.value.status == 404


def test_what_nobody_looks_at_is_swept(make_sessions: Make) -> None:
    sessions = make_sessions(replace(Limits(), idle_seconds=100))
    idle, seen = sessions.open(), sessions.open()
    folder = find(sessions, idle).folder
    find(sessions, idle).seen -= 101
    sessions.sweep()
    assert sessions.find(idle) is None
    assert not folder.exists()
    assert sessions.find(seen) is not None


def test_a_session_ends_even_while_it_is_looked_at(make_sessions: Make) -> None:
    sessions = make_sessions(replace(Limits(), session_seconds=100))
    token = sessions.open()
    find(sessions, token).began -= 101
    sessions.sweep()
    assert sessions.find(token) is None


def test_there_is_an_end_to_sessions_and_to_what_they_store(make_sessions: Make) -> None:
    sessions = make_sessions(replace(Limits(), sessions=2, session_bytes=50, stored_bytes=80))
    first, second = find(sessions, sessions.open()), find(sessions, sessions.open())
    with pytest.raises(RefusedError, match="Too many people"):
        sessions.open()
    sessions.spend(first, 45)
    with pytest.raises(RefusedError, match="This session holds 50 bytes already"):
        sessions.spend(first, 6)
    sessions.spend(first, -6)
    with pytest.raises(RefusedError, match="no more room"):
        sessions.spend(second, 36)
    sessions.spend(second, -1)
    assert (first.stored_bytes, second.stored_bytes) == (45, 35)


def test_what_a_killed_server_left_is_removed_and_a_running_one_is_not(make_sessions: Make, tmp_path: Path) -> None:
    left = tmp_path / "hemorrhage-serve-left"
    left.mkdir()
    (left / "lock").touch()
    (left / "0").write_bytes(b"pixels")
    running = make_sessions(Limits())
    assert not left.exists()
    make_sessions(Limits()).close()
    assert running.folder.exists()
    running.close()
