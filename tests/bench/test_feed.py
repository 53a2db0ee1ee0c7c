import json
from pathlib import Path

import numpy as np
import pytest

from hemorrhage.ct.codec import build_window_table, window_codes
from hemorrhage.ct.dicom import read_slice
from hemorrhage.data.layout import find_data_set
from hemorrhage.data.source import DicomSource
from hemorrhage.pipeline.phantom import write_phantom
from tests.bench.feed import Effort, run_bench
from tests.bench.original import ORIGINAL_WINDOWS, read_original, read_plain
from tests.bench.size import SHARD_SLICES, SizeEffort, run_size_check

ROWS = ["original", "original+augment", "pydicom", "dicom", "store", "store+augment", "floor", "raw-read"]
TINY = Effort(patients=2, phantom_size=64, size=128, rounds=1, slow_images=2, fast_images=4)
SIZE = 128
# Of 255: rounding of the HU and the image, and the codec's levels in the soft tissue window.
BOUNDS = (3, 3, 7)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the file of a slice from the middle of a phantom head."""
    folder = tmp_path_factory.mktemp("bench") / "phantom"
    write_phantom(folder, patients=1, size=2 * SIZE)
    train = find_data_set(folder).train_folder
    assert train is not None
    slices = sorted(train.glob("*.dcm"), key=lambda one: read_slice(one).header.z_mm or 0.0)
    return slices[len(slices) // 2]


@pytest.fixture(scope="module")
def ours(path: Path) -> np.ndarray:
    """Returns the slice as a batch would have it in the original's windows."""
    codes = DicomSource({path.stem: path}, SIZE).read_codes(path.stem)
    return window_codes(codes, build_window_table(ORIGINAL_WINDOWS)).astype(float)


def test_a_plain_reading_and_ours_agree_everywhere(path: Path, ours: np.ndarray) -> None:
    difference = np.abs(read_plain(path, SIZE) * 255 - ours)
    # What pads the image, far below air, is clipped by ours alone before pixels are averaged: leave its border out.
    lowest_hu = read_slice(path).pixels_hu.reshape(SIZE, 2, SIZE, 2).min(axis=(1, 3))
    assert (difference[lowest_hu >= -1024].max(axis=0) <= BOUNDS).all()


def test_the_original_and_ours_agree_where_no_pixel_leaves_the_window(path: Path, ours: np.ndarray) -> None:
    original = read_original(path, SIZE)
    assert (original.shape, original.dtype) == ((SIZE, SIZE, 3), np.float64)
    assert (original.min(), original.max()) == (0, 1)
    blocks = read_slice(path).pixels_hu.reshape(SIZE, 2, SIZE, 2)
    for channel, (window, bound) in enumerate(zip(ORIGINAL_WINDOWS, BOUNDS, strict=True)):
        inside = (blocks.min(axis=(1, 3)) >= window.low) & (blocks.max(axis=(1, 3)) <= window.high)
        assert inside.mean() > 0.1
        assert np.abs(original * 255 - ours)[..., channel][inside].max() <= bound


def test_the_bench_prints_every_row_and_writes_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HEMORRHAGE_REAL_DATA", raising=False)
    monkeypatch.delenv("PEERS", raising=False)
    run_bench(tmp_path, TINY)
    printed = capsys.readouterr().out
    assert [line.split()[0] for line in printed.splitlines() if line.startswith(tuple(ROWS))][: len(ROWS)] == ROWS
    report = json.loads((tmp_path / "bench.json").read_text())
    assert [row["name"] for row in report] == ROWS
    assert report[0]["ratio_to_original"] == 1
    for row in report:
        assert set(row) == {"name", "images_per_second", "ratio_to_original"}
        assert row["images_per_second"] > 0
        assert row["ratio_to_original"] == pytest.approx(row["images_per_second"] / report[0]["images_per_second"])


def test_the_size_check_compares_two_stores(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    effort = SizeEffort(small=SHARD_SLICES, large=3 * SHARD_SLICES, rounds=1, images=32, epochs=1)
    assert run_size_check(tmp_path, effort) > 0
    printed = capsys.readouterr().out
    assert f"{3 * SHARD_SLICES} slices of 128 px, 3 shards" in printed
    assert f"after epoch 1 of {3 * SHARD_SLICES} slices" in printed
