"""The verbs prepare and merge: DICOM slices in, a slice store out.

The work is cut into shards of whole series. A shard is one file of codes, one of rows, and a seal with the hashes of
both, each renamed into place when it is whole; so a preparation may be killed at any moment, goes on where it was,
makes damaged shards anew, and ends with the same bytes.
"""

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from hemorrhage.ct.codec import CODEC_VERSION
from hemorrhage.data.layout import STORE_MANIFEST, STORE_PLAN, TEST_FOLDER, TRAIN_FOLDER, DataSet
from hemorrhage.data.store_files import (
    STORE_VERSION,
    Manifest,
    Seal,
    frame_path,
    hash_file,
    read_whole_seal,
    seal_path,
    shard_table_path,
    write_manifest,
)
from hemorrhage.data.table import read_table, write_table
from hemorrhage.errors import HemorrhageError
from hemorrhage.files import replacing
from hemorrhage.pipeline.console import Console, count
from hemorrhage.pipeline.executors import Crew, open_crew
from hemorrhage.pipeline.shards import ShardJob, write_shard
from hemorrhage.pipeline.store_lock import locking_store
from hemorrhage.pipeline.store_plan import (
    PLAN_TABLE,
    Plan,
    StoreOptions,
    read_or_build_plan,
    read_plan,
    read_plan_hash,
    require_place,
)
from hemorrhage.pipeline.store_slices import MAX_MISSING, require_few_missing, require_share


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
    max_missing: float = MAX_MISSING,
) -> Manifest | None:
    """Returns the manifest of the store in `folder` once it is whole; None where only a `choice` of shards was made.

    Raises HemorrhageError where the folder holds something else or another process writes it, more than the share
    `max_missing` of the slices is of no use, files went missing since the header scan, or a worker is lost; started
    again, it goes on where it was.
    """
    if workers < 1:
        raise HemorrhageError(f"Expected --workers of 1 or more, received {workers}.")
    require_share(max_missing)
    require_place(folder)
    is_part = choice is not None
    with locking_store(folder, is_part, console) as lock, open_crew(workers, cluster, console.warn) as crew:
        plan = read_or_build_plan(data_set, options, folder, max_missing, console)
        if is_part:
            lock.share()
        wanted = [shard for shard in range(plan.shards) if choice is None or shard % choice.count == choice.index]
        seals = _make_shards(data_set, folder, plan, wanted, crew, console)
        return None if is_part else finish_store(folder, plan, seals, max_missing, console)


def merge(folder: Path, parts: Sequence[Path], console: Console, max_missing: float = MAX_MISSING) -> Manifest:
    """Returns the manifest of the store in `folder`, made of the shards of `parts`, which several machines prepared.

    Raises HemorrhageError where a part was prepared from other data or options, shards are missing or damaged, or more
    than the share `max_missing` of the slices is of no use.
    """
    require_share(max_missing)
    require_place(folder)
    plans = [read_plan(_require_begun(part)) for part in parts]
    for part, plan in zip(parts, plans, strict=True):
        if plan.plan_hash != plans[0].plan_hash:
            raise HemorrhageError(f"{part}: prepared from other data or with other options than {parts[0]}.")
    with locking_store(folder, as_part=False, console=console):
        if (folder / STORE_PLAN).is_file() and read_plan_hash(folder) != plans[0].plan_hash:
            raise HemorrhageError(f"{folder}: holds another store. Name another folder.")
        for name in (STORE_PLAN, PLAN_TABLE):
            _copy(parts[0] / name, folder / name)
        seals = _collect_shards(folder, parts, plans[0], console)
        return finish_store(folder, plans[0], seals, max_missing, console)


def finish_store(folder: Path, plan: Plan, seals: Mapping[int, Seal], max_missing: float, console: Console) -> Manifest:
    """Returns the manifest after writing the slice table, the list of unreadable slices and, last, the manifest."""
    _require_all(folder, plan, seals)
    table = pd.concat([read_table(shard_table_path(folder, shard)) for shard in range(plan.shards)], ignore_index=True)
    table["is_near_empty"] = (table["head_fraction"] < plan.options.min_head).fillna(False).astype(bool)
    for part, what in (("train", "labelled"), ("test", "test")):
        require_few_missing(table[table["part"] == part], what, max_missing, folder)
    if table["error"].notna().all():
        raise HemorrhageError(f"{folder}: not one of {count(len(table), 'slice')} could be read. Bring the files back.")
    write_table(folder / "slices.parquet", table)
    with replacing(folder / "unreadable.csv") as temporary:
        table.loc[table["error"].notna(), ["image_id", "part", "error"]].to_csv(temporary, index=False)
    manifest = _describe_store(folder, plan, seals, table)
    write_manifest(folder, manifest)
    _say_findings(manifest, table, console)
    return manifest


def find_duplicates(table: pd.DataFrame) -> pd.DataFrame:
    """Returns the rows of a store's table whose pixels stand in more than one slice; constant slices are left out."""
    slices = table[table["pixel_hash"].notna() & ~table["is_constant"].fillna(True).astype(bool)]
    return slices[slices["pixel_hash"].duplicated(keep=False)].sort_values("pixel_hash")


def describe_store(manifest: Manifest, folder: Path) -> str:
    """Returns a line about a whole store for a terminal."""
    slices = sum(manifest.slices.values())
    size_bytes = sum(manifest.shards)
    return (
        f"{folder}: {count(slices, 'slice')} of {manifest.size} px ({manifest.slices['train']} training, "
        f"{manifest.slices['test']} test) of {count(manifest.patients, 'patient')}, {size_bytes / 1e6:.1f} MB, "
        f"{size_bytes / max(slices, 1) / 1000:.1f} KB a slice; {STORE_MANIFEST} marks it as whole"
    )


def _make_shards(
    data_set: DataSet, folder: Path, plan: Plan, wanted: Sequence[int], crew: Crew, console: Console
) -> dict[int, Seal]:
    """Returns the seals of the wanted shards, after making those that are not whole."""
    seals = _read_seals(folder, wanted, plan, "it is made anew", console)
    by_shard = dict(list(plan.table.groupby("shard")))
    roots = {"train": data_set.train_folder, "test": data_set.test_folder}
    known_roots = {part: root.absolute() for part, root in roots.items() if root is not None}
    options = plan.options
    jobs = [
        ShardJob(folder.absolute(), shard, by_shard[shard], known_roots, options.size, options.crop, plan.plan_hash)
        for shard in wanted
        if shard not in seals
    ]
    _require_roots(data_set, jobs)
    bar = console.bar(sum(len(by_shard[shard]) for shard in wanted), "slices")
    try:
        bar.update(sum(len(by_shard[shard]) for shard in seals))
        seals |= {done.shard: done.seal for done in crew.run(write_shard, jobs, bar.update)}
    finally:
        bar.close()
    return seals


def _require_roots(data_set: DataSet, jobs: Sequence[ShardJob]) -> None:
    names = {"train": TRAIN_FOLDER, "test": TEST_FOLDER}
    for job in jobs:
        gone = sorted(set(job.rows.loc[job.rows["file"].notna(), "part"]) - set(job.roots))
        if gone:
            beside = (data_set.train_csv or data_set.sample_csv or Path()).parent
            raise HemorrhageError(
                f"{beside / names[gone[0]]}: this folder was there when the store was begun and it is gone. Bring it "
                "back and start again, or name another --out."
            )


def _read_seals(folder: Path, shards: Iterable[int], plan: Plan, fate: str, console: Console) -> dict[int, Seal]:
    """Returns the seals of those shards that are whole; of a damaged one a line says its `fate`."""
    there = [shard for shard in shards if seal_path(folder, shard).is_file()]
    seals: dict[int, Seal] = {}
    for shard in console.track(there, len(there), "shards checked") if there else ():
        seal = read_whole_seal(folder, shard, plan.plan_hash)
        if seal is None:
            console.warn(f"{frame_path(folder, shard)}: this shard was damaged or changed; {fate}.")
        else:
            seals[shard] = seal
    return seals


def _collect_shards(folder: Path, parts: Sequence[Path], plan: Plan, console: Console) -> dict[int, Seal]:
    """Returns the seals of the shards in `folder`, after copying there what the parts have and it has not."""
    seals = _read_seals(folder, range(plan.shards), plan, "the parts may have it", console)
    for part in console.track(parts, len(parts), "parts"):
        lacking = [shard for shard in range(plan.shards) if shard not in seals]
        fate = f"it is left out. 'hemorrhage prepare --out {part}' with the same words mends it"
        found = _read_seals(part, lacking, plan, fate, console)
        for shard in found:
            for path in (frame_path, shard_table_path, seal_path):
                _copy(path(part, shard), path(folder, shard))
        seals |= found
    return seals


def _require_all(folder: Path, plan: Plan, seals: Mapping[int, Seal]) -> None:
    missing = [shard for shard in range(plan.shards) if shard not in seals]
    if missing:
        raise HemorrhageError(
            f"{folder}: {len(missing)} of {count(plan.shards, 'shard')} are missing, first number {missing[0]}. "
            "Prepare them (--shard i/N makes those whose number leaves i when divided by N), then merge again."
        )


def _describe_store(folder: Path, plan: Plan, seals: Mapping[int, Seal], table: pd.DataFrame) -> Manifest:
    readable = table[table["error"].isna()]
    return Manifest(
        store_version=STORE_VERSION,
        codec_version=CODEC_VERSION,
        size=plan.options.size,
        crop=plan.options.crop,
        min_head=plan.options.min_head,
        slices=_count_parts(readable["part"]),
        unreadable=_count_parts(table.loc[table["error"].notna(), "part"]),
        patients=int(table["patient_id"].nunique()),
        duplicate_groups=int(find_duplicates(table)["pixel_hash"].nunique()),
        plan_hash=plan.plan_hash,
        table_hash=hash_file(folder / "slices.parquet"),
        shards=tuple(seals[shard].frame_bytes for shard in range(plan.shards)),
        frame_hashes=tuple(seals[shard].frame_hash for shard in range(plan.shards)),
    )


def _count_parts(parts: Iterable[str]) -> dict[str, int]:
    counts = pd.Series(list(parts), dtype="object").value_counts()
    return {part: int(counts.get(part, 0)) for part in ("train", "test")}


def _say_findings(manifest: Manifest, table: pd.DataFrame, console: Console) -> None:
    if manifest.duplicate_groups:
        first = find_duplicates(table)["image_id"].head(2)
        console.warn(
            f"{count(manifest.duplicate_groups, 'group')} of pixel-identical slices, such as {' = '.join(first)}; "
            "'hemorrhage audit' tells whether their labels agree."
        )
    unreadable = sum(manifest.unreadable.values())
    if unreadable:
        console.warn(
            f"{count(unreadable, 'slice')} could not be read; unreadable.csv says why. This store stays without them: "
            "where the files are mended, prepare into a new folder."
        )
    if manifest.min_head:
        is_training = table["error"].isna() & (table["part"] == "train")
        marked = int(table.loc[is_training, "is_near_empty"].sum())
        console.say(
            f"{marked} of {count(int(is_training.sum()), 'training slice')} have less than {manifest.min_head:g} of "
            "head (--min-head); training skips them"
        )


def _require_begun(part: Path) -> Path:
    if not (part / STORE_PLAN).is_file():
        raise HemorrhageError(f"{part}: expected a folder of 'hemorrhage prepare --shard i/N', found no {STORE_PLAN}.")
    return part


def _copy(source: Path, target: Path) -> None:
    if source.absolute() == target.absolute():
        return
    with replacing(target) as temporary:
        shutil.copyfile(source, temporary)
