"""The process that opens files: what breaks it costs one message, and the next file is read."""

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian

from hemorrhage.ct.writing import write_dataset
from hemorrhage.web.limits import Limits, RefusedError
from hemorrhage.web.reader import ReaderProcess
from tests.web.making import build_slice, draw_ellipses, make_zip

LIMITS = Limits(pixels=128 * 128)


@pytest.fixture(scope="module")
def reader() -> Iterator[ReaderProcess]:
    """Returns a process that reads."""
    process = ReaderProcess(LIMITS, b"key")
    yield process
    process.close()


@pytest.fixture
def head(tmp_path: Path) -> Path:
    """Returns a slice that can be read."""
    path = tmp_path / "head"
    write_dataset(path, build_slice())
    return path


def write_bomb(path: Path) -> None:
    """Writes a deflated DICOM file of 1 MB that unpacks to 1 GB."""
    write_dataset(path, build_slice())
    content = path.read_bytes()
    syntax = DeflatedExplicitVRLittleEndian.encode()
    # The file meta information of a slice, its transfer syntax replaced by one of another length.
    start = content.index(b"\x02\x00\x10\x00UI")
    length = struct.unpack_from("<H", content, start + 6)[0]
    meta = content[:start] + b"\x02\x00\x10\x00UI" + struct.pack("<H", len(syntax)) + syntax
    meta += content[start + 8 + length : start + 8 + length]
    at = meta.index(b"\x02\x00\x00\x00UL") + 8
    meta = meta[:at] + struct.pack("<L", len(meta) - at - 4) + meta[at + 4 :]
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    megabyte = deflate.compress(b"\0" * 1_000_000) + deflate.flush(zlib.Z_FULL_FLUSH)
    path.write_bytes(meta + 1000 * megabyte + deflate.flush())


def test_a_slice_gives_facts_without_its_patient_and_hu(reader: ReaderProcess, head: Path, tmp_path: Path) -> None:
    facts = reader.ask("describe", head)
    assert facts["texts"]["modality"] == "CT"
    assert set(facts["ids"]) == {"patient", "study", "series", "image"}
    assert "SECRET" not in str(facts)
    assert "1.2.3" not in str(facts["ids"])
    assert reader.ask("decode", head, out=str(tmp_path / "hu.npy")) == {"shape": [128, 128]}
    assert np.array_equal(np.load(tmp_path / "hu.npy"), draw_ellipses())


def test_the_deflate_bomb_costs_one_message(reader: ReaderProcess, head: Path, tmp_path: Path) -> None:
    bomb = tmp_path / "bomb"
    write_bomb(bomb)
    assert bomb.stat().st_size < 1_100_000
    with pytest.raises(RefusedError, match="transfer syntax Deflated Explicit VR Little Endian is not allowed"):
        reader.ask("describe", bomb)
    assert reader.ask("describe", head)["texts"]["modality"] == "CT"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a DICOM file"),
        (b"<html>" * 100, "not a DICOM file"),
        (b"\0" * 128 + b"DICM" + b"\xff" * 64, "damaged|transfer syntax"),
    ],
)
def test_what_is_no_dicom_is_said_in_words(reader: ReaderProcess, tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "other"
    path.write_bytes(content)
    with pytest.raises(RefusedError, match=words) as raised:
        reader.ask("describe", path)
    assert str(tmp_path) not in str(raised.value)


def test_a_slice_with_too_many_pixels_is_refused_before_it_is_decoded(reader: ReaderProcess, tmp_path: Path) -> None:
    path = tmp_path / "large"
    write_dataset(path, build_slice(pixels_hu=np.zeros((130, 128), np.int16)))
    with pytest.raises(RefusedError, match="130 x 128 pixels"):
        reader.ask("decode", path, out=str(tmp_path / "hu.npy"))
    assert not (tmp_path / "hu.npy").exists()


def test_a_slice_that_is_cut_short_is_said_in_words(reader: ReaderProcess, head: Path, tmp_path: Path) -> None:
    head.write_bytes(head.read_bytes()[:-1000])
    with pytest.raises(RefusedError, match="cut short"):
        reader.ask("decode", head, out=str(tmp_path / "hu.npy"))


def test_a_zip_is_unpacked_there_and_another_file_is_not(reader: ReaderProcess, head: Path, tmp_path: Path) -> None:
    archive = tmp_path / "zip"
    archive.write_bytes(make_zip([("a", head.read_bytes())]))
    folder = tmp_path / "out"
    folder.mkdir()
    assert reader.ask("unpack", head, out=str(folder), files_left=5) is None
    (member,) = reader.ask("unpack", archive, out=str(folder), files_left=5)
    assert Path(member["path"]).read_bytes() == head.read_bytes()


def test_a_file_that_takes_too_long_ends_the_process_and_the_next_is_read(head: Path, tmp_path: Path) -> None:
    reader = ReaderProcess(replace(LIMITS, file_seconds=1), b"key")
    try:
        reader.ask("describe", head)
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        with pytest.raises(RefusedError, match="took longer than 1 seconds"):
            reader.ask("describe", pipe)
        assert reader.ask("describe", head)["texts"]["modality"] == "CT"
    finally:
        reader.close()


def test_a_process_that_needs_too_much_memory_says_so_and_the_next_file_is_read(head: Path, tmp_path: Path) -> None:
    # Its file meta information claims, and has, an element of 400 MB, which is read before anything can be said of it.
    content = head.read_bytes()
    at = content.index(b"\x02\x00\x12\x00UI")
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.write(content[:at] + b"\x02\x00\x02\x01OB\0\0" + struct.pack("<L", 400_000_000))
        file.truncate(400_001_000)
    reader = ReaderProcess(replace(LIMITS, reader_memory=50_000_000), b"key")
    try:
        with pytest.raises(RefusedError, match=r"[Mm]emory"):
            reader.ask("describe", large)
        assert reader.ask("describe", head)["texts"]["modality"] == "CT"
    finally:
        reader.close()


def test_a_killed_process_is_replaced(reader: ReaderProcess, head: Path) -> None:
    assert reader._process is not None
    reader._process.kill()
    reader._process.wait()
    assert reader.ask("describe", head)["texts"]["modality"] == "CT"
