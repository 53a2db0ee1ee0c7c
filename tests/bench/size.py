"""`make bench-size`: whether a store of 100,000 slices opens and feeds like one of 1,000, and memory over epochs."""

import resource
import shutil
import statistics
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from hemorrhage.data.layout import find_data_set
from hemorrhage.data.store import Store, StoreSource, open_store
from hemorrhage.data.store_files import frame_path, hash_file, write_frame, write_manifest
from hemorrhage.data.table import write_table
from hemorrhage.pipeline.phantom import write_phantom
from tests.bench.feed import draw_ids, feed_ours, prepare_store, readable_ids, time_rate

SHARD_SLICES = 500


@dataclass(frozen=True)
class SizeEffort:
    """How many slices the two stores have, their size in pixels, the rounds, and the images drawn in a round."""

    small: int = 1000
    large: int = 100_000
    size: int = 128
    rounds: int = 9
    images: int = 10_000
    epochs: int = 3


def run_size_check(folder: Path, effort: SizeEffort | None = None) -> float:
    """Returns the large store's rate as a share of the small one's, after printing it, opening times and memory."""
    effort = effort or SizeEffort()
    folders = write_stores(folder, effort)
    stores = []
    for store_folder in folders:
        start = time.perf_counter()
        store = open_store(store_folder)
        source = StoreSource(store)
        seconds = time.perf_counter() - start
        size_bytes = sum(store.manifest.shards)
        print(
            f"{len(store.table)} slices of {effort.size} px, {len(store.manifest.shards)} shards, "
            f"{size_bytes / 1e6:.0f} MB: open and ready to read in {seconds:.2f} s"
        )
        stores.append((store, source))
    print_memory(*stores[1], effort.epochs)
    return compare_rates(stores, effort)


def write_stores(folder: Path, effort: SizeEffort) -> list[Path]:
    """Returns the folders of a small and a large store, made of the same few phantom slices over and over."""
    write_phantom(folder / "phantom", patients=2, size=effort.size)
    few = prepare_store(find_data_set(folder / "phantom"), folder / "few", effort.size)
    frame = folder / "frame.b2nd"
    source = StoreSource(few)
    codes = [source.read_codes(image_id) for image_id in readable_ids(few)]
    write_frame(frame, np.stack([codes[number % len(codes)] for number in range(SHARD_SLICES)]))
    return [write_repeated(folder / str(count), few, frame, count) for count in (effort.small, effort.large)]


def write_repeated(folder: Path, few: Store, frame: Path, count: int) -> Path:
    """Returns the folder of a store of `count` slices, whose shards are copies of `frame` with SHARD_SLICES each."""
    shards = count // SHARD_SLICES
    frame_path(folder, 0).parent.mkdir(parents=True)
    for shard in range(shards):
        shutil.copyfile(frame, frame_path(folder, shard))
    readable = few.table[few.table["error"].isna()]
    numbers = np.arange(shards * SHARD_SLICES)
    table = readable.iloc[numbers % len(readable)].reset_index(drop=True)
    table["image_id"] = [f"ID_{number:09x}" for number in numbers]
    table["shard"] = pd.array(numbers // SHARD_SLICES, dtype="Int32")
    table["place"] = pd.array(numbers % SHARD_SLICES, dtype="Int32")
    write_table(folder / "slices.parquet", table)
    manifest = replace(
        few.manifest,
        slices={"train": len(table), "test": 0},
        table_hash=hash_file(folder / "slices.parquet"),
        shards=(frame.stat().st_size,) * shards,
        frame_hashes=(hash_file(frame),) * shards,
    )
    write_manifest(folder, manifest)
    return folder


def compare_rates(stores: list[tuple[Store, StoreSource]], effort: SizeEffort) -> float:
    """Returns the second store's median rate as a share of the first one's, after printing both."""
    rng = np.random.default_rng(0)
    ids = [readable_ids(store) for store, _ in stores]
    ways = [feed_ours(source) for _, source in stores]
    for way, known in zip(ways, ids, strict=True):
        # The first read of a shard opens it; in an epoch of training that is once in 500 slices.
        way(known[::SHARD_SLICES])
    rates = [
        [time_rate(way, draw_ids(rng, known, effort.images)) for way, known in zip(ways, ids, strict=True)]
        for _ in range(effort.rounds)
    ]
    small, large = (statistics.median(column) for column in zip(*rates, strict=True))
    print(f"fed in random order, one core: {small:.0f} and {large:.0f} images/s, {large / small:.2f} x")
    return large / small


def print_memory(store: Store, source: StoreSource, epochs: int) -> None:
    """Prints the memory after each of some epochs of batches over the whole store."""
    rng = np.random.default_rng(1)
    feed, ids = feed_ours(source), readable_ids(store)
    print(f"before the first epoch: {_describe_memory()}")
    for epoch in range(epochs):
        feed(draw_ids(rng, ids, len(ids)))
        print(f"after epoch {epoch + 1} of {len(ids)} slices: {_describe_memory()}")


def _describe_memory() -> str:
    # Kilobytes on Linux, bytes on macOS.
    unit = 1e6 if sys.platform == "darwin" else 1e3
    text = f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit:.0f} MB"
    status = Path("/proc/self/status")
    if not status.is_file():
        return text
    held = dict(line.split(":", 1) for line in status.read_text().splitlines())
    own, mapped = (int(held[name].split()[0]) / 1e3 for name in ("RssAnon", "RssFile"))
    return f"{text}; now {own:.0f} MB of its own and {mapped:.0f} MB of mapped files, which the system may drop"
