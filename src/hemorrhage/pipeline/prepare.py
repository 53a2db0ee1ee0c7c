"""The verbs prepare and merge: DICOM slices in, a slice store out.

The work is cut into shards of whole series. A shard is one file of codes and one of rows, each renamed into place when
it is whole; so a preparation may be killed at any moment, goes on where it was, and ends with the same bytes.
"""

import hashlib
import shutil
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hemorrhage.ct.codec import CODEC_VERSION, encode_slice
from hemorrhage.ct.crop import Box, find_box, find_head
from hemorrhage.ct.dicom import DicomError, read_slice
from hemorrhage.data.layout import STORE_MANIFEST, STORE_PLAN, DataSet
from hemorrhage.data.store import (
    STORE_VERSION,
    Manifest,
    frame_path,
    hash_file,
    shard_table_path,
    write_frame,
    write_manifest,
)
from hemorrhage.data.table import hash_pixels, read_table, write_table
from hemorrhage.errors import HemorrhageError
from hemorrhage.files import replacing
from hemorrhage.pipeline.console import Console
from hemorrhage.pipeline.executors import open_executor
from hemorrhage.pipeline.store_plan import Plan, StoreOptions, read_options, read_or_build_plan, read_plan


@dataclass(frozen=True)
class ShardJob:
    """All that a worker needs to make one shard, wherever it runs; folders are absolute."""

    folder: Path
    shard: int
    rows: pd.DataFrame
    roots: dict[str, Path]
    size: int
    crop: str


@dataclass(frozen=True)
class ShardChoice:
    """The shards of one machine out of several: those whose number leaves `index` when divided by `count`."""

    index: int
    count: int


def prepare(
    data_set: DataSet,
    folder: Path,
    options: StoreOptions,
    choice: ShardChoice | None,
    workers: int,
    cluster: str | None,
    console: Console,
) -> Manifest | None:
    """Returns the manifest of the store in `folder` once it is whole; None where only a `choice` of shards was made.

    Raises HemorrhageError where the folder holds something else, files went missing since the header scan, or a worker
    is lost; started again, it goes on where it was.
    """
    plan = read_or_build_plan(data_set, options, folder, console)
    wanted = [shard for shard in range(plan.shards) if choice is None or shard % choice.count == choice.index]
    roots = {"train": data_set.train_folder, "test": data_set.test_folder}
    known_roots = {part: root.absolute() for part, root in roots.items() if root is not None}
    by_shard = dict(list(plan.table.groupby("shard")))
    jobs = [
        ShardJob(folder.absolute(), shard, by_shard[shard], known_roots, options.size, options.crop)
        for shard in wanted
        if not is_shard_done(folder, shard)
    ]
    with open_executor(workers, cluster) as executor:
        _run(executor, jobs, sum(len(by_shard[shard]) for shard in wanted), console)
    return finish_store(folder, plan, console) if choice is None else None


def write_shard(job: ShardJob) -> int:
    """Writes the codes and then the rows of one shard, and returns its number of slices; the work of one worker.

    Raises HemorrhageError where a file that the header scan saw is gone: that is lost data, not an unreadable slice.
    """
    for leftover in (job.folder / "shards").glob(f".{job.shard:05d}-*"):
        leftover.unlink()
    kept = np.empty((len(job.rows), job.size, job.size), dtype=np.uint8)
    count, facts = 0, []
    for row in job.rows.to_dict("records"):
        codes, found = _describe(job, row)
        facts.append(found | {"place": -1 if codes is None else count})
        if codes is not None:
            kept[count] = codes
            count += 1
    table = pd.DataFrame(facts, columns=list(_FACTS)).astype(_FACTS)
    write_frame(frame_path(job.folder, job.shard), kept[:count])
    # The rows come last: a shard counts as done when they are there.
    rows = job.rows.drop(columns=["error"]).reset_index(drop=True)
    write_table(shard_table_path(job.folder, job.shard), pd.concat([rows, table], axis=1))
    return len(job.rows)


def is_shard_done(folder: Path, shard: int) -> bool:
    """Returns whether the shard is whole in the store `folder`."""
    return shard_table_path(folder, shard).is_file() and frame_path(folder, shard).is_file()


def merge(folder: Path, parts: Sequence[Path], console: Console) -> Manifest:
    """Returns the manifest of the store in `folder`, made of the shards of `parts`, which several machines prepared.

    Raises HemorrhageError where a part was prepared from other data or options, or shards are missing.
    """
    plans = [read_plan(_require_begun(part)) for part in parts]
    for part, plan in zip(parts, plans, strict=True):
        if plan.plan_hash != plans[0].plan_hash:
            raise HemorrhageError(f"{part}: prepared from other data or with other options than {parts[0]}.")
    if (folder / STORE_PLAN).is_file() and read_plan(folder).plan_hash != plans[0].plan_hash:
        raise HemorrhageError(f"{folder}: holds another store. Name another folder.")
    for name in ("plan.parquet", STORE_PLAN):
        _copy(parts[0] / name, folder / name)
    bar = console.track(parts, len(parts), "parts")
    for part in bar:
        for shard in range(plans[0].shards):
            if is_shard_done(part, shard) and not is_shard_done(folder, shard):
                _copy(frame_path(part, shard), frame_path(folder, shard))
                _copy(shard_table_path(part, shard), shard_table_path(folder, shard))
    return finish_store(folder, plans[0], console)


def finish_store(folder: Path, plan: Plan, console: Console) -> Manifest:
    """Returns the manifest after writing the slice table, the list of unreadable slices and, last, the manifest."""
    missing = [shard for shard in range(plan.shards) if not is_shard_done(folder, shard)]
    if missing:
        raise HemorrhageError(
            f"{folder}: {len(missing)} of {plan.shards} shards are missing, first number {missing[0]}. Prepare them "
            "(--shard i/N makes those whose number leaves i when divided by N), then merge again."
        )
    for leftover in [*folder.glob(".*"), *(folder / "shards").glob(".*")]:
        leftover.unlink()
    table = pd.concat([read_table(shard_table_path(folder, shard)) for shard in range(plan.shards)], ignore_index=True)
    table["is_near_empty"] = (table["head_fraction"] < plan.min_head).fillna(False).astype(bool)
    write_table(folder / "slices.parquet", table)
    with replacing(folder / "unreadable.csv") as temporary:
        table.loc[table["error"].notna(), ["image_id", "part", "error"]].to_csv(temporary, index=False)
    manifest = _describe_store(folder, plan, table)
    write_manifest(folder, manifest)
    _say_findings(manifest, table, console)
    return manifest


def find_duplicates(table: pd.DataFrame) -> pd.DataFrame:
    """Returns the rows of a store's table whose pixels stand in more than one slice; constant slices are left out."""
    slices = table[table["pixel_hash"].notna() & ~table["is_constant"].fillna(True).astype(bool)]
    return slices[slices["pixel_hash"].duplicated(keep=False)].sort_values("pixel_hash")


def _run(executor: Executor, jobs: Sequence[ShardJob], total: int, console: Console) -> None:
    bar = console.bar(total, "slices")
    bar.update(total - sum(len(job.rows) for job in jobs))
    futures = [executor.submit(write_shard, job) for job in jobs]
    try:
        for future in as_completed(futures):
            bar.update(future.result())
    except BrokenProcessPool as error:
        raise HemorrhageError(
            "A worker process was lost, most often for want of memory. What is finished is kept: start again, with "
            "fewer --workers."
        ) from error
    finally:
        for future in futures:
            future.cancel()
        bar.close()


# What a worker finds out about a slice, beside what the plan knows.
_FACTS: dict[str, Any] = {
    "error": "object",
    "place": "Int32",
    "pixel_hash": "object",
    "codes_hash": "object",
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
        raise HemorrhageError(
            f"{path}: the header scan saw this file and it is gone. Bring the files back and start again, or name "
            "another --out to begin anew without them."
        )
    try:
        pixels_hu = read_slice(path).pixels_hu
    except DicomError as error:
        return None, {"error": error.cause}
    box = find_box(pixels_hu, job.crop)
    codes = encode_slice(pixels_hu, job.size, box)
    return codes, _measure(pixels_hu, codes, box)


def _measure(pixels_hu: np.ndarray, codes: np.ndarray, box: Box | None) -> dict[str, Any]:
    return {
        "error": None,
        "pixel_hash": hash_pixels(pixels_hu),
        "codes_hash": hashlib.blake2b(codes.tobytes(), digest_size=16).hexdigest(),
        "is_constant": bool(pixels_hu.min() == pixels_hu.max()),
        "head_fraction": float(find_head(pixels_hu).mean()),
        "crop_top": box.top if box else None,
        "crop_left": box.left if box else None,
        "crop_side": box.side if box else None,
    }


def _describe_store(folder: Path, plan: Plan, table: pd.DataFrame) -> Manifest:
    options = read_options(folder)
    readable = table[table["error"].isna()]
    return Manifest(
        store_version=STORE_VERSION,
        codec_version=CODEC_VERSION,
        size=options.size,
        crop=options.crop,
        min_head=options.min_head,
        slices=_count(readable["part"]),
        unreadable=_count(table.loc[table["error"].notna(), "part"]),
        patients=int(table["patient_id"].nunique()),
        duplicate_groups=int(find_duplicates(table)["pixel_hash"].nunique()),
        plan_hash=plan.plan_hash,
        table_hash=hash_file(folder / "slices.parquet"),
        shards=tuple(frame_path(folder, shard).stat().st_size for shard in range(plan.shards)),
    )


def _count(parts: Iterable[str]) -> dict[str, int]:
    counts = pd.Series(list(parts), dtype="object").value_counts()
    return {part: int(counts.get(part, 0)) for part in ("train", "test")}


def _say_findings(manifest: Manifest, table: pd.DataFrame, console: Console) -> None:
    if manifest.duplicate_groups:
        first = find_duplicates(table)["image_id"].head(2)
        console.warn(
            f"{manifest.duplicate_groups} groups of pixel-identical slices, such as {' = '.join(first)}; "
            "'hemorrhage audit' tells whether their labels agree."
        )
    if sum(manifest.unreadable.values()):
        console.warn(f"{sum(manifest.unreadable.values())} slices could not be read; unreadable.csv says why.")


def _require_begun(part: Path) -> Path:
    if not (part / STORE_PLAN).is_file():
        raise HemorrhageError(f"{part}: expected a folder of 'hemorrhage prepare --shard i/N', found no {STORE_PLAN}.")
    return part


def _copy(source: Path, target: Path) -> None:
    if source.absolute() == target.absolute():
        return
    with replacing(target) as temporary:
        shutil.copyfile(source, temporary)


def describe_store(manifest: Manifest, folder: Path) -> str:
    """Returns a line about a whole store for a terminal."""
    slices = sum(manifest.slices.values())
    size_bytes = sum(manifest.shards)
    return (
        f"{folder}: {slices} slices of {manifest.size} px ({manifest.slices['train']} training, "
        f"{manifest.slices['test']} test) of {manifest.patients} patients, {size_bytes / 1e6:.1f} MB, "
        f"{size_bytes / max(slices, 1) / 1000:.1f} KB a slice; {STORE_MANIFEST} marks it as whole"
    )
