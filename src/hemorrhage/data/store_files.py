"""The files of a slice store: where they lie, how frames are written, and the hashes by which they are believed."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import blosc2
import numpy as np

from hemorrhage.ct.codec import CODEC_VERSION
from hemorrhage.data.layout import STORE_MANIFEST
from hemorrhage.errors import HemorrhageError
from hemorrhage.files import describe_os_error, read_object, replacing, write_json

STORE_VERSION = 2

PREPARE_AGAIN = "Run 'hemorrhage prepare' again with the same words; it goes on where it was."
COPY = "Copy the store again, or prepare a new one."

# 20.2 KB a slice at 256 px. Level 9 saves 4 % and takes 20 times as long; BITSHUFFLE makes single bytes larger.
_COMPRESSION = blosc2.CParams(
    codec=blosc2.Codec.ZSTD, clevel=5, filters=[blosc2.Filter.NOFILTER], filters_meta=[0], typesize=1, nthreads=1
)


@dataclass(frozen=True)
class Seal:
    """What makes a shard whole: the plan it was made by, and the length and the hashes of its two files."""

    plan_hash: str
    frame_bytes: int
    frame_hash: str
    table_hash: str


@dataclass(frozen=True)
class Manifest:
    """What a store is; saved as store.json, with a hash of its own.

    `shards` are the bytes of each frame in order and `frame_hashes` their hashes; `table_hash` is that of
    slices.parquet, `plan_hash` tells stores of the same data, size and crop from others.
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
    frame_hashes: tuple[str, ...]


def frame_path(folder: Path, shard: int) -> Path:
    """Returns where the codes of a shard lie in the store `folder`."""
    return folder / "shards" / f"{shard:05d}.b2nd"


def shard_table_path(folder: Path, shard: int) -> Path:
    """Returns where the rows of a shard lie in the store `folder`."""
    return folder / "shards" / f"{shard:05d}.parquet"


def seal_path(folder: Path, shard: int) -> Path:
    """Returns where the seal of a shard lies in the store `folder`."""
    return folder / "shards" / f"{shard:05d}.json"


def write_frame(path: Path, codes: np.ndarray) -> None:
    """Writes uint8 N x size x size codes as one frame with a slice a chunk, atomically."""
    one_slice = (1, *codes.shape[1:])
    # Made in memory: where blosc2 writes a file itself, a full disk is a RuntimeError that does not say so.
    frame = blosc2.asarray(codes, chunks=one_slice, blocks=one_slice, cparams=_COMPRESSION).to_cframe()
    with replacing(path) as temporary:
        temporary.write_bytes(frame)


def hash_file(path: Path) -> str:
    """Returns the BLAKE2b hash of a file's bytes, 32 hexadecimal digits."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError as error:
        raise HemorrhageError(
            f"{path}: could not be read ({describe_os_error(error)}). Allow reading it, or copy the store again."
        ) from error


def hash_json(value: Any) -> str:
    """Returns the BLAKE2b hash of a value that JSON can hold, 32 hexadecimal digits."""
    return hashlib.blake2b(json.dumps(value, sort_keys=True).encode(), digest_size=16).hexdigest()


def write_seal(folder: Path, shard: int, plan_hash: str) -> Seal:
    """Returns the seal of a shard whose two files are in place, after writing it."""
    frame = frame_path(folder, shard)
    table_hash = hash_file(shard_table_path(folder, shard))
    seal = Seal(plan_hash, frame.stat().st_size, hash_file(frame), table_hash)
    write_json(seal_path(folder, shard), asdict(seal))
    return seal


def read_whole_seal(folder: Path, shard: int, plan_hash: str) -> Seal | None:
    """Returns the seal of a shard; None where it is of another plan, or the shard's files are not those it was made of.

    Every byte of both files is read.
    """
    paths = [seal_path(folder, shard), shard_table_path(folder, shard), frame_path(folder, shard)]
    if not all(path.is_file() for path in paths):
        return None
    try:
        seal = Seal(**read_object(paths[0], COPY))
    except (HemorrhageError, TypeError):
        return None
    # The length first, since it costs nothing.
    if seal.plan_hash != plan_hash or seal.frame_bytes != paths[2].stat().st_size:
        return None
    return seal if (seal.table_hash, seal.frame_hash) == (hash_file(paths[1]), hash_file(paths[2])) else None


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Writes store.json, which makes the store a whole one."""
    values = asdict(manifest)
    write_json(folder / STORE_MANIFEST, values | {"manifest_hash": hash_json(values)})


def read_manifest(folder: Path) -> Manifest:
    """Returns the manifest of the store in `folder`; HemorrhageError where it is unfinished or of another version."""
    path = folder / STORE_MANIFEST
    if not path.is_file():
        raise HemorrhageError(f"{folder}: this store is not finished. {PREPARE_AGAIN}")
    values = read_object(path, COPY)
    require_versions(path, values)
    expected = values.pop("manifest_hash", None)
    if hash_json(values) != expected:
        raise HemorrhageError(f"{path}: not what 'hemorrhage prepare' wrote there; it was changed or damaged. {COPY}")
    return Manifest(**values | {"shards": tuple(values["shards"]), "frame_hashes": tuple(values["frame_hashes"])})


def require_versions(path: Path, values: dict[str, Any]) -> None:
    """Raises HemorrhageError where the JSON of a store at `path` says another version than this program makes."""
    found = (values.get("store_version"), values.get("codec_version"))
    if found != (STORE_VERSION, CODEC_VERSION):
        raise HemorrhageError(
            f"{path}: expected store version {STORE_VERSION} with codec version {CODEC_VERSION}, received {found[0]} "
            f"with {found[1]}. Prepare a new store with this version of the program."
        )
