"""`make bench`: images a second of every way to a batch, on one core, held against the original's generator.

    python -m tests.bench.feed               the table and bench.json; PEERS=1 adds MONAI where it is installed
    python -m tests.bench.feed --size-check  a store of 100,000 slices against one of 1,000, and memory over epochs

The rows are timed in turn, round after round, so that other work on the machine falls on all of them alike; what is
printed are medians. Data are phantoms, or the real slices where HEMORRHAGE_REAL_DATA names their folder.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from hemorrhage.ct.codec import build_window_table, window_codes
from hemorrhage.ct.windows import DEFAULT_WINDOWS
from hemorrhage.data.augment import Augmentation, find_recipe
from hemorrhage.data.batches import SliceBatches
from hemorrhage.data.labels import LABELS
from hemorrhage.data.layout import DataSet, find_data_set
from hemorrhage.data.source import DicomSource, SliceSource, WindowedSource
from hemorrhage.data.store import Store, StoreSource, open_store
from hemorrhage.files import write_json
from hemorrhage.pipeline.phantom import write_phantom
from tests.bench.original import ORIGINAL_WINDOWS, OriginalBatches, read_plain

BATCH_SIZE = 32
REPORT = Path("bench.json")

Way = Callable[[Sequence[str]], None]
"""Reads the images of so many ids, one after the other, and keeps none."""


@dataclass(frozen=True)
class Effort:
    """How much is made and timed: phantom patients and their size in pixels, the store's size, the rounds, and the
    images of a round for rows that decode DICOM three times and for all others.
    """

    patients: int = 4
    phantom_size: int = 512
    size: int = 256
    rounds: int = 15
    slow_images: int = 48
    fast_images: int = 512


@dataclass(frozen=True)
class Figure:
    """One row of the table."""

    name: str
    images_per_second: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 after printing what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.feed")
    parser.add_argument("--size-check", action="store_true", help="a large store against a small one, and memory")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="hemorrhage-bench-") as folder, one_core():
        if options.size_check:
            # Imported where it is asked for, since it imports this module.
            from tests.bench.size import run_size_check

            run_size_check(Path(folder))
        else:
            run_bench(Path(folder), Effort())
    return 0


def run_bench(folder: Path, effort: Effort) -> list[Figure]:
    """Returns the rows after printing them and writing bench.json; data that have to be made are put into `folder`."""
    data_set = find_or_make_data(folder, effort)
    store = prepare_store(data_set, folder / "store", effort.size)
    ways = build_ways(data_set, store)
    if os.environ.get("PEERS") == "1":
        ways |= build_peers(slice_paths(data_set, store), effort.size)
    figures = measure(ways, readable_ids(store), effort)
    print_table(figures)
    print_targets({figure.name: figure.images_per_second for figure in figures})
    write_report(REPORT, figures)
    return figures


def find_or_make_data(folder: Path, effort: Effort) -> DataSet:
    """Returns the real slices where they are named, else a phantom data set made in `folder`."""
    real = os.environ.get("HEMORRHAGE_REAL_DATA")
    if real:
        print(f"data: the real slices of {Path(real) / 'rsna_mini'}")
        return find_data_set(Path(real) / "rsna_mini")
    print(f"data: {effort.patients} phantom patients of {effort.phantom_size} px")
    write_phantom(folder / "phantom", patients=effort.patients, size=effort.phantom_size)
    return find_data_set(folder / "phantom")


def prepare_store(data_set: DataSet, folder: Path, size: int) -> Store:
    """Returns the opened store of the data set, prepared in `folder`.

    Another process prepares it, as a user would: what large arrays leave behind in this one would spare the rows their
    page faults, which are most of what float64 slices cost.
    """
    source = str(data_set.labels_csv.parent)
    command = [sys.executable, "-m", "hemorrhage", "prepare", source, "--out", str(folder), "--size", str(size)]
    subprocess.run([*command, "--workers", "1"], check=True, capture_output=True)
    return open_store(folder)


def readable_ids(store: Store) -> list[str]:
    """Returns the ids of all slices in the store's frames."""
    return store.table.loc[store.table["error"].isna(), "image_id"].to_list()


def slice_paths(data_set: DataSet, store: Store) -> dict[str, Path]:
    """Returns the DICOM file of each slice."""
    roots = {"train": data_set.train_folder, "test": data_set.test_folder}
    rows = zip(store.table["image_id"], store.table["part"], store.table["file"], strict=True)
    return {image_id: root / file for image_id, part, file in rows if (root := roots[part]) is not None}


def build_ways(data_set: DataSet, store: Store) -> dict[str, Way]:
    """Returns the rows of the table by name, in its order."""
    paths, size = slice_paths(data_set, store), store.manifest.size
    source, window_table = StoreSource(store), build_window_table(DEFAULT_WINDOWS)
    return {
        "original": feed_original(paths, size),
        "original+augment": feed_original(paths, size, build_augmentation("original-imgaug", size)),
        "pydicom": lambda ids: read_each(ids, lambda one: read_plain(paths[one], size)),
        "dicom": feed_ours(DicomSource(paths, size)),
        "store": feed_ours(source),
        "store+augment": feed_ours(source, build_augmentation("original", size)),
        "floor": lambda ids: read_each(ids, lambda one: window_codes(source.read_codes(one), window_table)),
        "raw-read": lambda ids: read_each(ids, lambda one: paths[one].read_bytes()),
    }


def build_augmentation(recipe: str, size: int) -> Augmentation:
    """Returns the recipe of that name for images of `size` pixels."""
    return Augmentation(find_recipe(recipe), size, seed=0)


def build_peers(paths: Mapping[str, Path], size: int) -> dict[str, Way]:
    """Returns MONAI's row, or nothing, and a line that says so, where it is not installed."""
    try:
        import torch
        from monai.transforms import LoadImage, Resize, ScaleIntensityRange
    except ImportError as error:
        print(f"monai: absent ({error}); pip install monai")
        return {}
    # More threads than this process has cores wait for each other: two on one core take 40 times as long.
    torch.set_num_threads(1)
    # LoadImage turns rows into columns unless it is told not to, and takes longer over it.
    load = LoadImage(reader="PydicomReader", image_only=True, ensure_channel_first=True, swap_ij=False)
    resize = Resize((size, size), mode="area")
    scales = [ScaleIntensityRange(window.low, window.high, 0.0, 1.0, clip=True) for window in ORIGINAL_WINDOWS]

    def read(image_id: str) -> object:
        image = resize(load(paths[image_id]))
        return torch.cat([scale(image) for scale in scales])

    return {"monai": lambda ids: read_each(ids, read)}


def feed_original(paths: Mapping[str, Path], size: int, augmentation: Augmentation | None = None) -> Way:
    """Returns a way to read slices through the original's generator."""

    def feed(image_ids: Sequence[str]) -> None:
        drain(OriginalBatches(paths, image_ids, no_labels(image_ids), BATCH_SIZE, size, augmentation))

    return feed


def feed_ours(source: SliceSource, augmentation: Augmentation | None = None) -> Way:
    """Returns a way to read slices through this project's batches."""
    windowed = WindowedSource(source, DEFAULT_WINDOWS)

    def feed(image_ids: Sequence[str]) -> None:
        drain(SliceBatches(windowed, np.array(image_ids), no_labels(image_ids), BATCH_SIZE, augmentation))

    return feed


def no_labels(image_ids: Sequence[str]) -> np.ndarray:
    """Returns labels for as many images: int8 N x 6."""
    return np.zeros((len(image_ids), len(LABELS)), dtype=np.int8)


def drain(batches: SliceBatches | OriginalBatches) -> None:
    """Reads every batch once, in this thread."""
    for index in range(len(batches)):
        batches[index]


def read_each(image_ids: Sequence[str], read: Callable[[str], object]) -> None:
    """Reads each image once."""
    for image_id in image_ids:
        read(image_id)


SLOW_ROWS = {"original", "original+augment", "monai"}


def measure(ways: Mapping[str, Way], image_ids: Sequence[str], effort: Effort) -> list[Figure]:
    """Returns the median images a second of each way; ids are drawn anew, in random order, in every round."""
    rng = np.random.default_rng(0)
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(effort.rounds):
        drawn = draw_ids(rng, image_ids, effort.fast_images)
        for name, way in ways.items():
            rates[name].append(time_rate(way, drawn[: effort.slow_images] if name in SLOW_ROWS else drawn))
    return [Figure(name, statistics.median(found)) for name, found in rates.items()]


def draw_ids(rng: np.random.Generator, image_ids: Sequence[str], count: int) -> list[str]:
    """Returns `count` ids in random order, none twice before all came once."""
    rounds = [rng.permutation(image_ids) for _ in range(-(-count // len(image_ids)))]
    return np.concatenate(rounds)[:count].tolist()


def time_rate(way: Way, image_ids: Sequence[str]) -> float:
    """Returns the images a second of one run."""
    start = time.perf_counter()
    way(image_ids)
    return len(image_ids) / (time.perf_counter() - start)


def print_table(figures: Sequence[Figure]) -> None:
    """Prints a row a figure."""
    base = figures[0].images_per_second
    print(f"\n{'one core':<18}{'images/s':>10}{'ratio to original':>20}{'ms an image':>14}")
    for figure in figures:
        rate = figure.images_per_second
        print(f"{figure.name:<18}{rate:>10.1f}{rate / base:>20.2f}{1000 / rate:>14.3f}")


def print_targets(rates: Mapping[str, float]) -> None:
    """Prints what was to be reached and what was."""
    print()
    for name, other, target in (
        ("store", "original", 25.0),
        ("store", "floor", 0.70),
        ("store+augment", "original+augment", 5.0),
    ):
        ratio = rates[name] / rates[other]
        print(f"{name} at least {target:g} x {other}: {ratio:.2f} x, {'reached' if ratio >= target else 'NOT reached'}")


def write_report(path: Path, figures: Sequence[Figure]) -> None:
    """Writes bench.json: name, images_per_second and ratio_to_original of each row."""
    base = figures[0].images_per_second
    rows = [
        {
            "name": figure.name,
            "images_per_second": figure.images_per_second,
            "ratio_to_original": figure.images_per_second / base,
        }
        for figure in figures
    ]
    write_json(path, rows)


@contextmanager
def one_core() -> Iterator[None]:
    """Keeps this thread, and OpenCV, on one core until it ends."""
    threads = cv2.getNumThreads()
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    cv2.setNumThreads(1)
    if allowed:
        os.sched_setaffinity(0, {max(allowed)})
    try:
        with warnings.catch_warnings():
            # pydicom warns of each of Kaggle's ids, since they are not valid UIDs.
            warnings.simplefilter("ignore", UserWarning)
            yield
    finally:
        cv2.setNumThreads(threads)
        if allowed:
            os.sched_setaffinity(0, allowed)


if __name__ == "__main__":
    raise SystemExit(main())
