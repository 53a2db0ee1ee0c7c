"""The slice store: every slice decoded once, kept as one-byte codes in blosc2 frames with one slice a chunk.

STORE/store.json              version, size, crop, counts, hashes; written last, so that it marks a whole store
STORE/slices.parquet          the slice table: ids, header facts, labels, and where each slice lies
STORE/unreadable.csv          what could not be read, and why
STORE/shards/00000.b2nd       the codes of some whole series, uint8 N x size x size, one slice a chunk
STORE/shards/00000.parquet    their rows of the slice table
STORE/shards/00000.json       the hashes of these two; written last, so that it marks a whole shard
STORE/store-plan.json, plan.parquet  which slice goes into which shard; what a broken-off preparation goes on from
"""

import threading
from dataclasses import dataclass
from pathlib import Path

import blosc2
import numpy as np
import pandas as pd

from hemorrhage.data.store_files import COPY, PREPARE_AGAIN, Manifest, frame_path, hash_file, read_manifest
from hemorrhage.data.table import read_table
from hemorrhage.errors import HemorrhageError


@dataclass(frozen=True)
class Store:
    """A whole store, opened for reading: its manifest and its slice table; frames are opened when they are read."""

    folder: Path
    manifest: Manifest
    table: pd.DataFrame


def open_store(folder: Path) -> Store:
    """Returns the store in `folder`.

    Raises HemorrhageError where it is not finished, of another version, or where its manifest, its table or a frame
    is missing, cut short or changed (frames by their length; by their hash when they are first read).
    """
    manifest = read_manifest(folder)
    table_path = folder / "slices.parquet"
    if not table_path.is_file() or hash_file(table_path) != manifest.table_hash:
        raise HemorrhageError(f"{table_path}: missing or not the one that store.json names. {PREPARE_AGAIN}")
    for shard, expected in enumerate(manifest.shards):
        path = frame_path(folder, shard)
        received = path.stat().st_size if path.is_file() else 0
        if received != expected:
            raise HemorrhageError(f"{path}: cut short or missing, expected {expected} bytes, found {received}. {_MEND}")
    return Store(folder, manifest, read_table(table_path))


_MEND = "Copy it again, or run 'hemorrhage prepare' with the same words, which makes this shard anew."


class StoreSource:
    """Slices read from a store: a SliceSource whose codes are those that a DicomSource would give."""

    def __init__(self, store: Store) -> None:
        self._folder = store.folder
        self._manifest = store.manifest
        there = store.table[store.table["error"].isna()]
        places = zip(there["shard"].to_list(), there["place"].to_list(), strict=True)
        self._places = dict(zip(there["image_id"].to_list(), places, strict=True))
        # Shared by all threads: an open frame holds a file and some 0.1 MB, and a full store has some 430.
        self._frames: dict[int, blosc2.NDArray] = {}
        # A reader holds its frame's lock, since a frame decompresses into a context of its own.
        self._locks = [threading.Lock() for _ in store.manifest.shards]

    def read_codes(self, image_id: str) -> np.ndarray:
        """Returns the slice as in SliceSource; raises KeyError for an id that the store does not have.

        A frame that is damaged raises HemorrhageError.
        """
        shard, place = self._places[image_id]
        codes = np.empty((self._manifest.size, self._manifest.size), dtype=np.uint8)
        try:
            with self._locks[shard]:
                frame = self._frames.get(shard)
                if frame is None:
                    frame = self._frames[shard] = _open_frame(self._folder, shard, self._manifest)
                frame.schunk.decompress_chunk(place, codes)
        except (RuntimeError, ValueError, IndexError) as error:
            path = frame_path(self._folder, shard)
            raise HemorrhageError(f"{path}: slice {image_id} is damaged ({error}). {_MEND}") from error
        return codes


def _open_frame(folder: Path, shard: int, manifest: Manifest) -> blosc2.NDArray:
    """Returns a frame after reading all of it once: zstd unpacks most flipped bits into other pixels without a word."""
    path = frame_path(folder, shard)
    if hash_file(path) != manifest.frame_hashes[shard]:
        raise HemorrhageError(f"{path}: not the frame that store.json names; it was changed or damaged. {_MEND}")
    try:
        # Not memory-mapped: pages of the map would count as memory of this process until others need it.
        frame = blosc2.open(str(path), mode="r", dparams=blosc2.DParams(nthreads=1))
    except (RuntimeError, ValueError, OSError) as error:
        raise HemorrhageError(f"{path}: not a frame of a store ({error}). {COPY}") from error
    # A slice of another size would be unpacked into too little or too much memory.
    size, shape = manifest.size, getattr(frame, "shape", ())
    if shape[1:] != (size, size) or frame.dtype != np.uint8 or frame.chunks != (1, size, size):
        raise HemorrhageError(f"{path}: expected slices of {size} x {size} bytes, received {shape}. {COPY}")
    return frame
