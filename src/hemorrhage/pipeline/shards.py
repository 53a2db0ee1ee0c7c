"""One shard of a store: the slices of some whole series, decoded, coded, and written with what was found out."""

import errno
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hemorrhage.ct.codec import encode_slice
from hemorrhage.ct.crop import Box, find_box, find_head
from hemorrhage.ct.dicom import DicomError, Header, read_slice
from hemorrhage.data.store_files import Seal, frame_path, shard_table_path, write_frame, write_seal
from hemorrhage.data.table import hash_pixels, write_table
from hemorrhage.errors import HemorrhageError


@dataclass(frozen=True)
class ShardJob:
    """All that a worker needs to make one shard, wherever it runs; folders are absolute. Its length is its slices'."""

    folder: Path
    shard: int
    rows: pd.DataFrame
    roots: dict[str, Path]
    size: int
    crop: str
    plan_hash: str

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class SealedShard:
    """A shard that is whole."""

    shard: int
    seal: Seal


def write_shard(job: ShardJob, report: Callable[[int], object]) -> SealedShard:
    """Returns the shard after writing its codes, its rows and, last, its seal; the work of one worker.

    `report` is told of every slice. Raises HemorrhageError where a file that the header scan saw is gone, has changed
    or cannot be got at: that is no unreadable slice, and goes when the files are back.
    """
    # What the header scan could not read has no codes; of 750,000 missing files there may be one shard.
    kept = np.empty((int(job.rows["error"].isna().sum()), job.size, job.size), dtype=np.uint8)
    count, facts = 0, []
    for row in job.rows.to_dict("records"):
        codes, found = _describe(job, row)
        facts.append(found | {"place": -1 if codes is None else count})
        if codes is not None:
            kept[count] = codes
            count += 1
        report(1)
    table = pd.DataFrame(facts, columns=list(_FACTS)).astype(_FACTS)
    write_frame(frame_path(job.folder, job.shard), kept[:count])
    rows = job.rows.drop(columns=["error"]).reset_index(drop=True)
    write_table(shard_table_path(job.folder, job.shard), pd.concat([rows, table], axis=1))
    return SealedShard(job.shard, write_seal(job.folder, job.shard, job.plan_hash))


def require_damage(error: DicomError) -> None:
    """Raises HemorrhageError where a slice could not be read because the system refused it, not for what is in it."""
    cause = error.__cause__
    # Damaged files lead to errors without a number (of decoders) and to seeks before their beginning (EINVAL).
    if isinstance(cause, OSError) and cause.errno not in (None, errno.EINVAL):
        raise HemorrhageError(
            f"{error.path}: this file is there and the system does not give it ({cause.strerror}). Make it readable "
            "and start again with the same words; what is finished is kept."
        ) from error


# What a worker finds out about a slice, beside what the plan knows.
_FACTS: dict[str, Any] = {
    "error": "object",
    "place": "Int32",
    "pixel_hash": "object",
    "is_constant": "boolean",
    "head_fraction": "float64",
    "crop_top": "Int32",
    "crop_left": "Int32",
    "crop_side": "Int32",
}


def _describe(job: ShardJob, row: Mapping[Any, Any]) -> tuple[np.ndarray | None, dict[str, Any]]:
    """Returns a slice's codes and facts; None and the cause where it cannot be read."""
    if isinstance(row["error"], str):
        return None, {"error": row["error"]}
    path = job.roots[row["part"]] / row["file"]
    if not path.is_file():
        raise _differ(path, "is gone")
    if path.stat().st_size != row["file_bytes"]:
        raise _differ(path, f"had {row['file_bytes']} bytes, now {path.stat().st_size}")
    try:
        ct_slice = read_slice(path)
    except DicomError as error:
        require_damage(error)
        return None, {"error": error.cause}
    _require_same_header(path, ct_slice.header, row)
    box = find_box(ct_slice.pixels_hu, job.crop)
    codes = encode_slice(ct_slice.pixels_hu, job.size, box)
    return codes, _measure(ct_slice.pixels_hu, box)


def _require_same_header(path: Path, header: Header, row: Mapping[Any, Any]) -> None:
    for name in ("patient_id", "study_id", "series_id", "z_mm"):
        received, expected = getattr(header, name), None if pd.isna(row[name]) else row[name]
        if received != expected:
            raise _differ(path, f"had {name} {expected}, now {received}")


def _differ(path: Path, how: str) -> HemorrhageError:
    return HemorrhageError(
        f"{path}: the header scan saw this file and it {how}. Bring the same files back and start again, or name "
        "another --out to begin anew with those that are there."
    )


def _measure(pixels_hu: np.ndarray, box: Box | None) -> dict[str, Any]:
    return {
        "error": None,
        "pixel_hash": hash_pixels(pixels_hu),
        "is_constant": bool(pixels_hu.min() == pixels_hu.max()),
        "head_fraction": float(find_head(pixels_hu).mean()),
        "crop_top": box.top if box else None,
        "crop_left": box.left if box else None,
        "crop_side": box.side if box else None,
    }
