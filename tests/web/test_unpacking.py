"""Zips that are made to harm, and those that are not."""

import struct
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from hemorrhage.web.limits import Limits, RefusedError
from hemorrhage.web.unpacking import is_zip, unpack
from tests.web.making import make_zip

LIMITS = Limits(unpacked_bytes=1_000_000, zip_ratio=50)


def write(tmp_path: Path, content: bytes) -> tuple[Path, Path]:
    """Returns a file with the content, and a folder to unpack it into."""
    path, folder = tmp_path / "given", tmp_path / "out"
    path.write_bytes(content)
    folder.mkdir()
    return path, folder


def test_members_are_written_under_numbers_whatever_they_are_called(tmp_path: Path) -> None:
    names = ["../../escaped.dcm", "/etc/passwd", "folder/a.dcm", "C:\\b.dcm", "..\\c"]
    path, folder = write(tmp_path, make_zip([(name, name.encode()) for name in names]))
    members = unpack(path, folder, LIMITS, 10)
    assert [member.path for member in members] == [folder / str(number) for number in range(5)]
    assert [member.path.read_bytes().decode() for member in members if member.path] == names
    assert sorted(one.name for one in tmp_path.rglob("*")) == ["0", "1", "2", "3", "4", "given", "out"]


def test_a_link_in_a_zip_becomes_a_file(tmp_path: Path) -> None:
    entry = zipfile.ZipInfo("link")
    entry.external_attr = 0o120777 << 16
    path, folder = tmp_path / "given", tmp_path / "out"
    folder.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(entry, "/etc/passwd")
    (member,) = unpack(path, folder, LIMITS, 10)
    assert member.path is not None
    assert not member.path.is_symlink()
    assert member.path.read_text() == "/etc/passwd"


@pytest.mark.parametrize(
    ("content", "limits", "words"),
    [
        (make_zip([("zeros", b"\0" * 900_000)]), LIMITS, "times its size"),
        (make_zip([("zeros", b"\0" * 900_000)]), replace(LIMITS, unpacked_bytes=800_000), "unpacks to 879 kB"),
        (make_zip([(str(number), b"x") for number in range(11)]), LIMITS, "holds 11 files"),
        (make_zip([("a", b"x" * 100)])[:-30], LIMITS, "list of files is missing"),
        (b"PK\x03\x04 and nothing that is a zip", LIMITS, "list of files is missing"),
    ],
    ids=["ratio", "size", "files", "cut short", "no zip"],
)
def test_what_is_too_much_or_broken_is_refused_with_words(
    tmp_path: Path, content: bytes, limits: Limits, words: str
) -> None:
    path, folder = write(tmp_path, content)
    with pytest.raises(RefusedError, match=words):
        unpack(path, folder, limits, 10)
    assert not any(folder.iterdir())


def test_a_zip_that_lies_about_its_size_is_stopped_while_it_is_inflated(tmp_path: Path) -> None:
    content = bytearray(make_zip([("zeros", b"\0" * 700_000)]))
    at = content.rindex(b"PK\x01\x02")
    struct.pack_into("<L", content, at + 24, 10_000)
    path, folder = write(tmp_path, bytes(content))
    with pytest.raises(RefusedError, match=r"lies about its size|damaged"):
        unpack(path, folder, LIMITS, 10)
    assert sum(one.stat().st_size for one in folder.iterdir()) <= 100_000


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    content = bytearray(make_zip([("a", b"x" * 100)]))
    content[6] |= 1
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    path, folder = write(tmp_path, bytes(content))
    with pytest.raises(RefusedError, match="encrypted"):
        unpack(path, folder, LIMITS, 10)


def test_a_zip_within_a_zip_is_left_out_and_the_rest_is_there(tmp_path: Path) -> None:
    path, folder = write(tmp_path, make_zip([("in.zip", make_zip([("a", b"a")])), ("b.dcm", b"b")]))
    inner, other = unpack(path, folder, LIMITS, 10)
    assert inner.path is None
    assert "zip within a zip" in inner.why
    assert other.path is not None
    assert other.path.read_bytes() == b"b"


def test_a_list_of_files_larger_than_its_files_need_is_not_read(tmp_path: Path) -> None:
    content = bytearray(make_zip([("a", b"a")]))
    struct.pack_into("<L", content, content.rindex(b"PK\x05\x06") + 12, 500_000_000)
    path, folder = write(tmp_path, bytes(content))
    with pytest.raises(RefusedError, match="larger than its files can need"):
        unpack(path, folder, LIMITS, 10)


def test_a_zip_is_known_by_its_first_bytes(tmp_path: Path) -> None:
    path, _ = write(tmp_path, make_zip([("a", b"a")]))
    assert is_zip(path)
    path.write_bytes(b"\0" * 128 + b"DICM")
    assert not is_zip(path)
