"""The kernel prepare: the competition's DICOM files become a slice store, in one kernel or in shards by several."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hemorrhage.ct.windows import BRAIN
from hemorrhage.data.layout import STORE_MANIFEST, list_slice_files
from hemorrhage.data.source import WindowedSource
from hemorrhage.data.store import StoreSource, open_store
from hemorrhage.data.store_files import Manifest
from hemorrhage.errors import HemorrhageError
from hemorrhage.kaggle.checks import check_hours, check_slices, check_space, folder_bytes
from hemorrhage.kaggle.machine import format_bytes
from hemorrhage.kaggle.parameters import FLAG, TEXT, WHOLE, check_parameters, or_none
from hemorrhage.kaggle.session import Session
from hemorrhage.kaggle.stops import stopping
from hemorrhage.kaggle.timing import Pace, time_slices
from hemorrhage.pipeline.prepare import ShardChoice, describe_store, merge, prepare
from hemorrhage.pipeline.store_plan import StoreOptions
from hemorrhage.report.gallery import draw_tiles
from hemorrhage.report.picture import Picture

# Tables and scans, and what a few timed slices do not say of all.
_MARGIN = 1.05


@dataclass(frozen=True)
class PreparingJob:
    """A store to be made: whole, one of `choice.count` parts of it, or of the attached `parts`."""

    session: Session
    options: StoreOptions
    choice: ShardChoice | None
    parts: tuple[Path, ...]
    folder: Path


@stopping()
def open_preparing(
    session: Session,
    size: int = 256,
    crop: str = "none",
    patients: int | None = None,
    shard: int = 0,
    shards: int = 1,
    merges: bool = False,
) -> PreparingJob:
    """Returns the store to be made, after timing a few slices and printing the hours and bytes of all.

    With several `shards` this kernel makes number `shard` of them; `merges` joins those that are attached. Raises Stop
    where these do not go together, or time or room is wanting.
    """
    check_parameters(SIZE=(size, WHOLE), CROP=(crop, TEXT), PATIENTS=(patients, or_none(WHOLE)))
    check_parameters(SHARD=(shard, WHOLE), SHARDS=(shards, WHOLE), MERGE=(merges, FLAG))
    options = StoreOptions(size, crop, patients)
    if merges:
        return _open_merging(session, options)
    if not 0 <= shard < shards:
        raise HemorrhageError(f"Expected SHARD from 0 to SHARDS - 1, received {shard} of {shards}.")
    choice = ShardChoice(shard, shards) if shards > 1 else None
    name = f"store-{size}" + (f"-part-{shard}-of-{shards}" if choice else "")
    job = PreparingJob(session, options, choice, (), session.mounts.working / name)
    _check_plan(job)
    return job


def _open_merging(session: Session, options: StoreOptions) -> PreparingJob:
    parts = session.mounts.parts
    if not parts:
        raise HemorrhageError(
            f"{session.mounts.input}: expected parts of a store below it, found none. Attach the outputs of the "
            "kernels that made them, or set MERGE = False."
        )
    size = sum(folder_bytes(part) for part in parts)
    check_space(session.mounts, size, "the merged store")
    session.console.say(f"plan: {format_bytes(size)} of {len(parts)} parts are joined: {', '.join(map(str, parts))}")
    return PreparingJob(session, options, None, parts, session.mounts.working / f"store-{options.size}")


def _check_plan(job: PreparingJob) -> None:
    data, share = job.session.data, 1 / job.choice.count if job.choice else 1.0
    folders = check_slices(data)[: 1 if job.options.patients is not None else None]
    paths = [path for folder in folders for path in list_slice_files(folder)]
    pace = time_slices(paths, job.options.size, job.options.crop)
    hours = pace.header_hours(len(paths)) + share * pace.pixel_hours(len(paths))
    size = int(share * len(paths) * pace.coded_bytes)
    job.session.console.say(describe_pace(pace, len(paths), job, hours, size))
    if hours > (limit := check_hours(job.session.clock, None)):
        raise HemorrhageError(
            f"Expected a store that takes at most {limit:.1f} hours, this one some {hours:.1f}. Make it in several "
            "kernels side by side: SHARDS = 2 or more, with another SHARD in each, and one more with MERGE = True."
        )
    check_space(job.session.mounts, int(_MARGIN * size), "the store")


def describe_pace(pace: Pace, slices: int, job: PreparingJob, hours: float, size: int) -> str:
    """Returns the plan of a preparation as text."""
    part = f"part {job.choice.index} of {job.choice.count} of " if job.choice else ""
    at_most = "at most, with all patients: " if job.options.patients is not None else ""
    return (
        f"plan: {at_most}{part}{slices:,} slices at {1000 * pace.pixel_seconds:.1f} ms and "
        f"{pace.coded_bytes / 1000:.1f} KB each: some {hours:.2g} hours with {os.cpu_count()} processors, "
        f"{format_bytes(size)} (estimated from {pace.slices} slices timed just now)"
    )


@stopping()
def run_preparing(job: PreparingJob) -> Manifest | None:
    """Returns the manifest of the whole store, None where this kernel made a part of it, after writing either.

    Raises Stop for whatever 'prepare' and 'merge' refuse, and where the disk fills up.
    """
    console = job.session.console
    if job.parts:
        manifest: Manifest | None = merge(job.folder, job.parts, console)
    else:
        manifest = prepare(job.session.data, job.folder, job.options, job.choice, os.cpu_count() or 1, None, console)
    console.say(describe_store(manifest, job.folder) if manifest else f"{job.folder}: this part is whole")
    return manifest


@stopping()
def show_store(job: PreparingJob, most: int = 6) -> Picture | None:
    """Returns slices out of the middle of some series of the finished store, None where this kernel made a part."""
    if not (job.folder / STORE_MANIFEST).is_file():
        return None
    store = open_store(job.folder)
    readable = store.table[store.table["error"].isna()].sort_values(["series_id", "z_mm"])
    by_series = list(readable.groupby("series_id")["image_id"])[:most]
    ids = [rows.iloc[len(rows) // 2] for _, rows in by_series]
    images = WindowedSource(StoreSource(store), (BRAIN,))
    tiles = [images.read_image(image_id)[..., 0] for image_id in ids]
    return draw_tiles(tiles, ids, "Out of the store, brain window", job.session.mounts.is_synthetic)


def next_steps(job: PreparingJob) -> Sequence[str]:
    """Returns what to run after a preparation."""
    if (job.folder / STORE_MANIFEST).is_file():
        return ["make push KERNEL=train USER=<your Kaggle name>  (this output is in its kernel_sources)"]
    return [
        "the other shards, in copies of this kernel with another SHARD",
        "then one with MERGE = True, to which the outputs of all of them are attached",
    ]
