"""Bytes as they arrive: counted, and written under names of ours."""

from dataclasses import replace
from pathlib import Path

import pytest

from hemorrhage.web.intake import PartWriter
from hemorrhage.web.limits import Limits, RefusedError

TYPE = "multipart/form-data; boundary=edge"


def body(*files: tuple[str, bytes]) -> bytes:
    """Returns a multipart body of names and contents."""
    parts = [
        f'--edge\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'.encode()
        + content
        + b"\r\n"
        for name, content in files
    ]
    return b"".join(parts) + b"--edge--\r\n"


def write(folder: Path, content: bytes, limits: Limits | None = None, step: int = 7, room: int = 10**9) -> PartWriter:
    """Returns a writer that was given the content a few bytes at a time, and its end, with `room` for so many."""
    spent = 0

    def spend(count: int) -> None:
        nonlocal spent
        spent += count
        if spent > room:
            raise RefusedError("There is no room.")

    writer = PartWriter(TYPE, folder, limits or Limits(), spend)
    try:
        for start in range(0, len(content), step):
            writer.write(content[start : start + step])
        writer.finish()
    finally:
        writer.close()
    return writer


def test_files_keep_their_bytes_and_their_names_never_become_paths(tmp_path: Path) -> None:
    given = [("../../etc/passwd", b"first\r\n--edg"), ("/a/b.dcm", bytes(range(256))), ("", b"")]
    writer = write(tmp_path, body(*given))
    assert [path.read_bytes() for path in writer.paths] == [content for _, content in given]
    assert writer.paths == [tmp_path / "0", tmp_path / "1", tmp_path / "2"]
    assert writer.names == ["../../etc/passwd", "/a/b.dcm", "file 3"]


def test_the_byte_that_is_too_much_is_refused_before_it_is_written(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match=r"More than 1\.95 kB") as raised:
        write(tmp_path, body(("a", b"x" * 5000)), replace(Limits(), bytes=2000))
    assert raised.value.status == 413
    assert (tmp_path / "0").stat().st_size <= 2000


def test_what_is_left_of_a_session_counts_as_well(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="no room"):
        write(tmp_path, body(("a", b"x" * 5000)), room=1000)
    assert (tmp_path / "0").stat().st_size <= 1000


def test_the_file_that_is_too_much_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="More than 2 files"):
        write(tmp_path, body(("a", b""), ("b", b""), ("c", b"")), replace(Limits(), files=2))
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (body(("a", b"xyz"))[:-20], "cut short"),
        (b"--edge--\r\n", "no files|not in the form|cut short"),
        (b"something else altogether", "not in the form"),
    ],
)
def test_a_broken_body_is_refused_with_words(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(RefusedError, match=words):
        write(tmp_path, content)


def test_another_kind_of_body_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="multipart/form-data"):
        PartWriter("application/json", tmp_path, Limits(), print)
