import errno
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import blosc2
import numpy as np
import pandas as pd
import pytest

from hemorrhage.ct.codec import CODEC_VERSION
from hemorrhage.data.store import StoreSource, open_store
from hemorrhage.data.store_files import (
    STORE_VERSION,
    Manifest,
    frame_path,
    hash_file,
    read_whole_seal,
    seal_path,
    shard_table_path,
    write_frame,
    write_manifest,
    write_seal,
)
from hemorrhage.data.table import write_table
from hemorrhage.errors import HemorrhageError

SIZE = 32
CODES = np.random.default_rng(0).integers(0, 245, size=(6, SIZE, SIZE), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Returns a store of two shards with four and two slices, and one slice that could not be read."""
    write_frame(frame_path(tmp_path, 0), CODES[:4])
    write_frame(frame_path(tmp_path, 1), CODES[4:])
    table = pd.DataFrame(
        {
            "image_id": [f"ID_{number}" for number in range(7)],
            "shard": [0, 0, 0, 0, 1, 1, 1],
            "place": [0, 1, 2, 3, 0, 1, -1],
            "error": [None] * 6 + ["cut short."],
        }
    )
    write_table(tmp_path / "slices.parquet", table)
    write_manifest(tmp_path, make_manifest(tmp_path))
    return tmp_path


def make_manifest(folder: Path) -> Manifest:
    return Manifest(
        store_version=STORE_VERSION,
        codec_version=CODEC_VERSION,
        size=SIZE,
        crop="none",
        min_head=0.0,
        slices={"train": 6, "test": 0},
        unreadable={"train": 1, "test": 0},
        patients=1,
        duplicate_groups=0,
        plan_hash="p",
        table_hash=hash_file(folder / "slices.parquet"),
        shards=tuple(frame_path(folder, shard).stat().st_size for shard in range(2)),
        frame_hashes=tuple(hash_file(frame_path(folder, shard)) for shard in range(2)),
    )


def test_every_slice_comes_back_in_any_order_from_any_thread(folder: Path) -> None:
    source = StoreSource(open_store(folder))
    order = np.random.default_rng(1).integers(0, 6, size=400)
    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(lambda number: source.read_codes(f"ID_{number}"), order))
    assert (np.stack(read) == CODES[order]).all()


def test_slices_that_are_not_in_the_store_are_no_slices(folder: Path) -> None:
    source = StoreSource(open_store(folder))
    for name in ("ID_6", "ID_7"):
        with pytest.raises(KeyError):
            source.read_codes(name)


def test_the_same_codes_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.b2nd", "b.b2nd"):
        write_frame(tmp_path / name, CODES)
    assert (tmp_path / "a.b2nd").read_bytes() == (tmp_path / "b.b2nd").read_bytes()


def test_a_store_without_its_manifest_is_not_whole(folder: Path) -> None:
    (folder / "store.json").unlink()
    with pytest.raises(HemorrhageError, match="not finished"):
        open_store(folder)


@pytest.mark.parametrize("version", [{"store_version": 1}, {"codec_version": 0}])
def test_another_version_is_refused(folder: Path, version: dict[str, int]) -> None:
    write_manifest(folder, replace(make_manifest(folder), **version))  # type: ignore[arg-type]
    with pytest.raises(HemorrhageError, match="expected store version 2 with codec version 1"):
        open_store(folder)


def test_a_frame_that_is_cut_short_or_gone_is_named(folder: Path) -> None:
    path = frame_path(folder, 1)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(HemorrhageError, match=r"00001\.b2nd: cut short or missing"):
        open_store(folder)
    path.unlink()
    with pytest.raises(HemorrhageError, match="found 0"):
        open_store(folder)


def test_a_changed_table_is_refused(folder: Path) -> None:
    write_table(folder / "slices.parquet", pd.DataFrame({"image_id": ["ID_0"]}))
    with pytest.raises(HemorrhageError, match=r"slices\.parquet"):
        open_store(folder)


@pytest.mark.parametrize("text", ["[]", "null", "3", '"x"', "{", '{"store_version": 2, "codec_version": 1}'])
def test_a_manifest_that_is_none_is_refused_with_advice(folder: Path, text: str) -> None:
    (folder / "store.json").write_text(text)
    with pytest.raises(HemorrhageError, match=r"store\.json.*Copy the store again"):
        open_store(folder)


def test_a_manifest_that_was_edited_is_refused(folder: Path) -> None:
    path = folder / "store.json"
    path.write_text(path.read_text().replace('"crop": "none"', '"crop": "head"'))
    with pytest.raises(HemorrhageError, match="changed or damaged"):
        open_store(folder)


def test_a_frame_of_another_size_than_the_store_says_is_refused(folder: Path) -> None:
    write_manifest(folder, replace(make_manifest(folder), size=SIZE + 8))
    with pytest.raises(HemorrhageError, match="expected slices of 40 x 40 bytes"):
        StoreSource(open_store(folder)).read_codes("ID_0")


def test_a_flipped_bit_anywhere_in_a_frame_is_an_error_and_no_image(folder: Path) -> None:
    path, whole = frame_path(folder, 0), frame_path(folder, 0).read_bytes()
    for offset in (*range(0, len(whole), 211), 97, len(whole) - 1):
        flipped = bytearray(whole)
        flipped[offset] ^= 1
        path.write_bytes(flipped)
        with pytest.raises(HemorrhageError, match=r"00000\.b2nd: not the frame that store\.json names"):
            StoreSource(open_store(folder)).read_codes("ID_0")


def test_a_seal_holds_for_its_plan_and_its_files_alone(tmp_path: Path) -> None:
    write_frame(frame_path(tmp_path, 0), CODES)
    write_table(shard_table_path(tmp_path, 0), pd.DataFrame({"place": range(6)}))
    assert read_whole_seal(tmp_path, 0, "p") is None
    seal = write_seal(tmp_path, 0, "p")
    assert read_whole_seal(tmp_path, 0, "p") == seal
    assert read_whole_seal(tmp_path, 0, "q") is None
    for path in (frame_path(tmp_path, 0), shard_table_path(tmp_path, 0), seal_path(tmp_path, 0)):
        whole = path.read_bytes()
        for damaged in (b"", whole[:-40], whole[:40] + b"?" + whole[41:]):
            path.write_bytes(damaged)
            assert read_whole_seal(tmp_path, 0, "p") is None
        path.write_bytes(whole)


def test_no_slices_are_a_frame_as_well(tmp_path: Path) -> None:
    write_frame(tmp_path / "none.b2nd", CODES[:0])
    assert blosc2.open(str(tmp_path / "none.b2nd")).shape == (0, SIZE, SIZE)


def test_a_frame_that_finds_no_space_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(HemorrhageError, match=r"a\.b2nd: could not be written \(No space left.*Free some space"):
        write_frame(tmp_path / "a.b2nd", CODES)


def test_threads_share_the_frames_they_open(folder: Path) -> None:
    source = StoreSource(open_store(folder))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: source.read_codes(f"ID_{number % 6}"), range(100)))
    assert sorted(source._frames) == [0, 1]
