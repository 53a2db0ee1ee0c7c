"""The slice store: every slice decoded once, kept as one-byte codes in blosc2 frames with one slice a chunk.

STORE/store.json              version, size, crop, counts, hashes; written last, so that it marks a whole store
STORE/slices.parquet          the slice table: ids, header facts, labels, and where each slice lies
STORE/unreadable.csv          what could not be read, and why
STORE/shards/00000.b2nd       the codes of some whole series, uint8 N x size x size, one slice a chunk
STORE/shards/00000.parquet    their rows of the slice table
STORE/store-plan.json, plan.parquet  which slice goes into which shard; what a broken-off preparation goes on from
"""

import hashlib
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import blosc2
import numpy as np
import pandas as pd

from hemorrhage.ct.codec import CODEC_VERSION
from hemorrhage.data.layout import STORE_MANIFEST
from hemorrhage.data.table import read_table
from hemorrhage.errors import HemorrhageError
from hemorrhage.files import read_json, replacing, write_json

STORE_VERSION = 1

# 20.2 KB a slice at 256 px. Level 9 saves 4 % and takes 20 times as long; BITSHUFFLE makes single bytes larger.
_COMPRESSION = blosc2.CParams(
    codec=blosc2.Codec.ZSTD, clevel=5, filters=[blosc2.Filter.NOFILTER], filters_meta=[0], typesize=1, nthreads=1
)


@dataclass(frozen=True)
class Manifest:
    """What a store is; saved as store.json.

    `shards` are the bytes of each frame in order; `table_hash` is that of slices.parquet, `plan_hash` tells stores of
    the same data, size and crop from others.
    """

    store_version: int
    codec_version: int
    size: int
    crop: str
    min_head: float
    slices: dict[str, int]
    unreadable: dict[str, int]
    patients: int
    duplicate_groups: int
    plan_hash: str
    table_hash: str
    shards: tuple[int, ...]


@dataclass(frozen=True)
class Store:
    """A whole store, opened for reading: its manifest and its slice table; frames are opened when they are read."""

    folder: Path
    manifest: Manifest
    table: pd.DataFrame


def frame_path(folder: Path, shard: int) -> Path:
    """Returns where the codes of a shard lie in the store `folder`."""
    return folder / "shards" / f"{shard:05d}.b2nd"


def shard_table_path(folder: Path, shard: int) -> Path:
    """Returns where the rows of a shard lie in the store `folder`."""
    return folder / "shards" / f"{shard:05d}.parquet"


def write_frame(path: Path, codes: np.ndarray) -> None:
    """Writes uint8 N x size x size codes as one frame with a slice a chunk, atomically."""
    size = codes.shape[1]
    with replacing(path) as temporary:
        blosc2.asarray(
            codes,
            chunks=(1, size, size),
            blocks=(1, size, size),
            cparams=_COMPRESSION,
            urlpath=str(temporary),
            mode="w",
        )


def hash_file(path: Path) -> str:
    """Returns the BLAKE2b hash of a file's bytes, 32 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Writes store.json, which makes the store a whole one."""
    write_json(folder / STORE_MANIFEST, asdict(manifest))


def open_store(folder: Path) -> Store:
    """Returns the store in `folder`.

    Raises HemorrhageError where it is not finished, of another version, or where its table or a frame is missing, cut
    short or changed (frames by their length, the table by its hash).
    """
    manifest = read_manifest(folder)
    table_path = folder / "slices.parquet"
    if not table_path.is_file() or hash_file(table_path) != manifest.table_hash:
        raise HemorrhageError(f"{table_path}: missing or not the one that store.json names. {_PREPARE_AGAIN}")
    for shard, expected in enumerate(manifest.shards):
        path = frame_path(folder, shard)
        received = path.stat().st_size if path.is_file() else 0
        if received != expected:
            raise HemorrhageError(f"{path}: cut short or missing, expected {expected} bytes, found {received}. {_COPY}")
    return Store(folder, manifest, read_table(table_path))


def read_manifest(folder: Path) -> Manifest:
    """Returns the manifest of the store in `folder`; HemorrhageError where it is unfinished or of another version."""
    path = folder / STORE_MANIFEST
    if not path.is_file():
        raise HemorrhageError(f"{folder}: this store is not finished. {_PREPARE_AGAIN}")
    values: dict[str, Any] = read_json(path)
    found = (values.get("store_version"), values.get("codec_version"))
    if found != (STORE_VERSION, CODEC_VERSION):
        raise HemorrhageError(
            f"{path}: expected store version {STORE_VERSION} with codec version {CODEC_VERSION}, received {found[0]} "
            f"with {found[1]}. Prepare a new store with this version of the program."
        )
    try:
        return Manifest(**values | {"shards": tuple(values["shards"])})
    except (TypeError, KeyError) as error:
        raise HemorrhageError(f"{path}: not a store's manifest ({error}). {_COPY}") from error


_PREPARE_AGAIN = "Run 'hemorrhage prepare' again with the same words; it goes on where it was."
_COPY = "Copy the store again, or prepare a new one."


class StoreSource:
    """Slices read from a store: a SliceSource whose codes are those that a DicomSource would give."""

    def __init__(self, store: Store) -> None:
        self._folder = store.folder
        self._size = store.manifest.size
        there = store.table[store.table["error"].isna()]
        places = zip(there["shard"].to_list(), there["place"].to_list(), strict=True)
        self._places = dict(zip(there["image_id"].to_list(), places, strict=True))
        self._frames: dict[int, _Frame] = {}
        self._opening = threading.Lock()

    def read_codes(self, image_id: str) -> np.ndarray:
        """Returns the slice as in SliceSource; raises KeyError for an id that the store does not have.

        A frame that is damaged raises HemorrhageError.
        """
        shard, place = self._places[image_id]
        codes = np.empty((self._size, self._size), dtype=np.uint8)
        frame = self._frame(shard)
        try:
            with frame.lock:
                frame.array.schunk.decompress_chunk(place, codes)
        except (RuntimeError, ValueError) as error:
            path = frame_path(self._folder, shard)
            raise HemorrhageError(f"{path}: slice {image_id} is damaged ({error}). {_COPY}") from error
        return codes

    def _frame(self, shard: int) -> "_Frame":
        # Shared by all threads: an open frame holds a file and some 0.1 MB, and a full store has some 430.
        with self._opening:
            if shard not in self._frames:
                self._frames[shard] = _open_frame(frame_path(self._folder, shard))
            return self._frames[shard]


@dataclass(frozen=True)
class _Frame:
    """An open frame, and the lock that a reader holds, since it decompresses into a context of its own.

    The array is kept, not its schunk alone, which does not keep its array alive.
    """

    array: blosc2.NDArray
    lock: threading.Lock


def _open_frame(path: Path) -> _Frame:
    try:
        # Not memory-mapped: pages of the map would count as memory of this process until others need it.
        array = blosc2.open(str(path), mode="r", dparams=blosc2.DParams(nthreads=1))
    except (RuntimeError, ValueError, OSError) as error:
        raise HemorrhageError(f"{path}: not a frame of a store ({error}). {_COPY}") from error
    return _Frame(array, threading.Lock())
