import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hemorrhage.ct.crop import find_head_box
from hemorrhage.ct.dicom import read_slice
from hemorrhage.data.batches import SliceBatches
from hemorrhage.data.labels import LABELS
from hemorrhage.data.layout import DataSet, find_data_set
from hemorrhage.data.source import DicomSource, WindowedSource
from hemorrhage.data.store import StoreSource, open_store
from hemorrhage.errors import HemorrhageError
from hemorrhage.pipeline import store_plan
from hemorrhage.pipeline.config import resolve_config
from hemorrhage.pipeline.console import SILENT, Console
from hemorrhage.pipeline.inputs import find_input
from hemorrhage.pipeline.predict import predict
from hemorrhage.pipeline.prepare import ShardChoice, merge, prepare
from hemorrhage.pipeline.runs import Run
from hemorrhage.pipeline.store_plan import StoreOptions, assign_shards
from hemorrhage.pipeline.train import train
from tests.pipeline.conftest import TINY

SMALL = StoreOptions(size=128)


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cuts the small data set into many shards; the environment tells the processes that tests start."""
    monkeypatch.setattr(store_plan, "SHARD_SLICES", 6)


def make_store(data: DataSet, folder: Path, options: StoreOptions = SMALL, **how: object) -> Path:
    words = {"choice": None, "workers": 1, "cluster": None, "console": SILENT} | how
    prepare(data, folder, options, **words)  # type: ignore[arg-type]
    return folder


def read_files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def data(data_folder: Path) -> DataSet:
    return find_data_set(data_folder)


@pytest.mark.parametrize("crop", ["none", "head"])
def test_batches_from_dicom_and_from_the_store_are_byte_identical(data: DataSet, workplace: Path, crop: str) -> None:
    store = open_store(make_store(data, workplace / "store", StoreOptions(size=128, crop=crop)))
    table = store.table[store.table["part"] == "train"]
    ids, labels = table["image_id"].to_numpy(), table[list(LABELS)].to_numpy(dtype=np.float32)
    assert data.train_folder is not None
    paths = {one: data.train_folder / f"{one}.dcm" for one in ids}
    windows = resolve_config().window_set
    sources = (StoreSource(store), DicomSource(paths, 128, crop))
    from_store, from_dicom = (
        SliceBatches(WindowedSource(source, windows), ids, labels, batch_size=7) for source in sources
    )
    assert len(from_store) == len(from_dicom) == 6
    for index in range(6):
        for ours, theirs in zip(from_store[index], from_dicom[index], strict=True):
            assert ours.tobytes() == theirs.tobytes()


def test_whole_series_lie_together_in_shards_of_one_part() -> None:
    series = [f"S{number}" for number in range(9) for _ in range(4)]
    ids = [f"ID_{number}" for number in range(36)]
    table = pd.DataFrame({"image_id": ids, "series_id": series, "part": ["train"] * 20 + ["test"] * 16})
    # A shard ends at the first series that takes it to 6: two series each, and test begins a new one.
    assert assign_shards(table).tolist() == [0] * 8 + [1] * 8 + [2] * 4 + [3] * 8 + [4] * 8


def test_slices_without_a_series_fill_shards_like_others() -> None:
    table = pd.DataFrame({"image_id": [f"ID_{number}" for number in range(13)], "series_id": None, "part": "train"})
    assert assign_shards(table).tolist() == [0] * 6 + [1] * 6 + [2]


def test_the_table_keeps_labels_geometry_and_what_was_measured(data: DataSet, workplace: Path) -> None:
    store = open_store(make_store(data, workplace / "store", StoreOptions(size=128, crop="head", min_head=0.5)))
    train_rows = store.table[store.table["part"] == "train"].set_index("image_id")
    assert train_rows["any"].sum() == 10
    assert train_rows["z_mm"].tolist() == [0, 5, 10, 15] * 10
    assert data.train_folder is not None
    pixels_hu = read_slice(data.train_folder / "ID_000000001.dcm").pixels_hu
    box = find_head_box(pixels_hu)
    row = train_rows.loc["ID_000000001"]
    assert (row["crop_top"], row["crop_left"], row["crop_side"]) == (box.top, box.left, box.side)
    # A disc of radius 20 in 48 x 48: 0.545
    assert row["head_fraction"] == pytest.approx(np.pi * 20**2 / 48**2, abs=0.02)
    assert not train_rows["is_near_empty"].any()
    assert "path" not in store.table.columns


def test_near_empty_slices_are_skipped_in_training_and_never_in_test(data: DataSet, workplace: Path) -> None:
    folder = make_store(data, workplace / "store", StoreOptions(size=128, min_head=0.9))
    assert open_store(folder).table["is_near_empty"].all()
    config = resolve_config("default", TINY | {"size": 128, "epochs": 1})
    with pytest.raises(HemorrhageError, match="slices to train on"):
        train(find_input(folder), "none", config, False, ["test"], SILENT)
    config = resolve_config("default", TINY | {"size": 128, "epochs": 1, "skip_near_empty": False})
    run = train(find_input(folder), "all", config, False, ["test"], SILENT)
    predict("all", folder, None, None, SILENT)
    assert pd.read_parquet(run.test_path)["any"].notna().sum() == 12


def test_a_run_from_the_store_equals_a_run_from_dicom(data_folder: Path, data: DataSet, workplace: Path) -> None:
    store = make_store(data, workplace / "store")
    config = resolve_config("default", TINY | {"size": 128, "epochs": 1, "deterministic": True, "draw": "balance-any"})
    tests = []
    for name, folder in (("dicom", data_folder), ("store", store)):
        run = train(find_input(folder), name, config, False, ["test"], SILENT)
        predict(name, folder, None, None, SILENT)
        tests.append(pd.read_parquet(run.test_path)[["image_id", *LABELS]])
    assert tests[0].equals(tests[1])


def test_a_store_of_another_size_or_crop_than_the_run_is_refused(data: DataSet, workplace: Path, trained: Run) -> None:
    store = make_store(data, workplace / "store")
    with pytest.raises(HemorrhageError, match="expected slices of 32 px with crop none"):
        predict("first", store, None, None, SILENT)
    assert find_input(store).defaults() == {"size": 128, "crop": "none"}


def test_workers_change_nothing(data: DataSet, workplace: Path) -> None:
    one = make_store(data, workplace / "one", workers=1)
    two = make_store(data, workplace / "two", workers=2)
    assert read_files(one) == read_files(two)


def test_parts_of_several_machines_merge_to_the_same_store(data: DataSet, workplace: Path) -> None:
    whole = make_store(data, workplace / "whole")
    parts = [workplace / f"part-{index}" for index in range(3)]
    for index, part in enumerate(parts):
        make_store(data, part, choice=ShardChoice(index, 3))
        with pytest.raises(HemorrhageError, match="not finished"):
            open_store(part)
    with pytest.raises(HemorrhageError, match="shards are missing"):
        merge(workplace / "merged", parts[:2], SILENT)
    merge(workplace / "merged", parts, SILENT)
    assert read_files(workplace / "merged") == read_files(whole)


def test_parts_of_other_options_do_not_merge(data: DataSet, workplace: Path) -> None:
    first = make_store(data, workplace / "a", choice=ShardChoice(0, 2))
    other = make_store(data, workplace / "b", StoreOptions(size=160), choice=ShardChoice(1, 2))
    with pytest.raises(HemorrhageError, match="other data or with other options"):
        merge(workplace / "merged", [first, other], SILENT)
    with pytest.raises(HemorrhageError, match=r"store-plan\.json"):
        merge(workplace / "merged", [workplace / "nothing"], SILENT)


def test_a_preparation_goes_on_with_the_same_words_alone(data: DataSet, workplace: Path) -> None:
    folder = make_store(data, workplace / "store")
    with pytest.raises(HemorrhageError, match="options differ"):
        make_store(data, folder, StoreOptions(size=160))
    assert data.train_csv is not None
    data.train_csv.write_text(data.train_csv.read_text() + "\n")
    with pytest.raises(HemorrhageError, match="train_csv differ"):
        make_store(data, folder)
    (workplace / "other").mkdir()
    (workplace / "other" / "file").touch()
    with pytest.raises(HemorrhageError, match="new or empty folder"):
        make_store(data, workplace / "other")


def test_unreadable_slices_are_listed_and_left_out(data: DataSet, workplace: Path) -> None:
    assert data.train_folder is not None
    files = sorted(data.train_folder.iterdir())
    files[0].write_text("not DICOM")
    files[1].unlink()
    store = open_store(make_store(data, workplace / "store"))
    assert store.manifest.slices == {"train": 38, "test": 12}
    assert store.manifest.unreadable == {"train": 2, "test": 0}
    errors = pd.read_csv(workplace / "store" / "unreadable.csv").set_index("image_id")["error"]
    assert "not a DICOM file" in errors[files[0].stem]
    assert errors[files[1].stem] == "no such file"
    slices = find_input(workplace / "store").read_training(0.5, SILENT)
    assert (len(slices.table), len(slices.left_out)) == (38, 2)


def test_files_lost_after_the_scan_stop_the_work_and_nothing_is_lost(data: DataSet, workplace: Path) -> None:
    folder = workplace / "store"
    # The last training slice lies in shard 4, which this machine leaves to another.
    make_store(data, folder, choice=ShardChoice(1, 2))
    assert data.train_folder is not None
    last = sorted(data.train_folder.iterdir())[-1]
    last.rename(workplace / "kept.dcm")
    before = read_files(folder)
    with pytest.raises(HemorrhageError, match="the header scan saw this file and it is gone"):
        make_store(data, folder)
    assert {name: read_files(folder)[name] for name in before} == before
    (workplace / "kept.dcm").rename(last)
    make_store(data, folder)
    assert read_files(folder) == read_files(make_store(data, workplace / "whole"))


def test_a_subset_has_so_many_patients_and_no_test(data: DataSet, workplace: Path) -> None:
    store = open_store(make_store(data, workplace / "store", StoreOptions(size=128, patients=4)))
    assert store.manifest.patients == 4
    assert store.manifest.slices == {"train": 16, "test": 0}
    assert store.table["any"].sum() > 0
    with pytest.raises(HemorrhageError, match="below the 10"):
        make_store(data, workplace / "more", StoreOptions(size=128, patients=10))


def test_identical_slices_are_reported(data: DataSet, workplace: Path) -> None:
    assert data.train_folder is not None
    files = sorted(data.train_folder.iterdir())
    shutil.copy(files[0], files[5])
    said: list[str] = []
    make_store(data, workplace / "store", console=Console(said.append, said.append, SILENT.bar))
    assert f"{files[0].stem} = {files[5].stem}" in said[0]


@pytest.mark.parametrize(
    "words", [{"size": 64}, {"size": 1024}, {"crop": "brain"}, {"patients": 1}, {"min_head": 1.0}, {"min_head": -0.1}]
)
def test_options_out_of_range_are_refused(words: dict[str, object]) -> None:
    with pytest.raises(HemorrhageError, match="Expected --"):
        StoreOptions(**words)  # type: ignore[arg-type]


START = (
    "import sys; from pathlib import Path\n"
    "from hemorrhage.pipeline import store_plan; store_plan.SHARD_SLICES = 2\n"
    "from hemorrhage.data.layout import find_data_set\n"
    "from hemorrhage.pipeline.console import SILENT\n"
    "from hemorrhage.pipeline.prepare import prepare\n"
    "if __name__ == '__main__':\n"
    "    prepare(find_data_set(Path(sys.argv[1])), Path(sys.argv[2]), store_plan.StoreOptions(size=256), None, "
    "int(sys.argv[3]), None, SILENT)\n"
)


def start(data_folder: Path, store: Path, workers: int) -> subprocess.Popen[bytes]:
    script = store.parent / "start.py"
    script.write_text(START)
    return subprocess.Popen(
        [sys.executable, str(script), str(data_folder), str(store), str(workers)], start_new_session=True
    )


def test_killed_at_any_moment_it_goes_on_and_ends_with_the_same_bytes(data_folder: Path, workplace: Path) -> None:
    whole, cut = workplace / "whole", workplace / "cut"
    assert start(data_folder, whole, 1).wait() == 0
    chance = random.Random(0)
    kills = 0
    for attempt in range(6):
        process = start(data_folder, cut, 1 + attempt % 2)
        waited = 0.0
        # Kill once files begin to appear, a moment later each time: that is where a half could be seen.
        known = len(list(cut.rglob("*")))
        while process.poll() is None and waited < 20 and len(list(cut.rglob("*"))) <= known:
            time.sleep(0.002)
            waited += 0.002
        time.sleep(chance.random() * 0.05)
        if process.poll() is not None:
            break
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        kills += 1
        if not (cut / "store.json").is_file():
            with pytest.raises(HemorrhageError):
                open_store(cut)
    assert kills >= 3
    assert start(data_folder, cut, 1).wait() == 0
    assert read_files(cut) == read_files(whole)


def test_a_dask_cluster_makes_the_same_store_and_survives_the_loss_of_a_worker(data: DataSet, workplace: Path) -> None:
    distributed = pytest.importorskip("distributed", reason="the package distributed is not installed")
    whole = make_store(data, workplace / "whole")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        victim = next(iter(cluster.workers.values()))
        bars = Stopper(victim)
        console = Console(say=SILENT.say, warn=SILENT.warn, bar=lambda total, what: bars)
        make_store(data, workplace / "cluster", cluster=cluster.scheduler_address, console=console)
        assert bars.killed
    assert read_files(workplace / "cluster") == read_files(whole)


class Stopper:
    """A progress bar that kills a worker when the first shard is done."""

    def __init__(self, worker: object) -> None:
        self._worker = worker
        self.killed = False

    def update(self, n: int = 1) -> None:
        if n and not self.killed:
            os.kill(self._worker.pid, signal.SIGKILL)  # type: ignore[attr-defined]
            self.killed = True

    def close(self) -> None:
        """Has nothing to close."""


def test_a_cluster_that_does_not_answer_is_one_clear_error(data: DataSet, workplace: Path) -> None:
    pytest.importorskip("distributed", reason="the package distributed is not installed")
    from hemorrhage.pipeline import executors

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(executors, "_CONNECT_SECONDS", 1)
        for address in ("tcp://127.0.0.1:1", "tls://127.0.0.1:1"):
            with pytest.raises(HemorrhageError, match="expected a Dask scheduler"):
                make_store(data, workplace / "store", cluster=address)
    # It is tried before the header scan, which can take many minutes.
    assert not (workplace / "submissions").exists()


def test_a_cluster_without_workers_is_waited_for_and_refused(
    data: DataSet, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    distributed = pytest.importorskip("distributed", reason="the package distributed is not installed")
    from hemorrhage.pipeline import executors

    monkeypatch.setattr(executors, "_WORKER_SECONDS", 1)
    said: list[str] = []
    console = Console(said.append, said.append, SILENT.bar)
    with (
        distributed.LocalCluster(n_workers=0, dashboard_address=None, host="127.0.0.1") as cluster,
        pytest.raises(HemorrhageError, match="with workers, it has none"),
    ):
        make_store(data, workplace / "store", cluster=cluster.scheduler_address, console=console)
    assert "no workers yet" in said[0]
