"""What prepare and merge do with damaged, foreign, shared and missing files: nothing is believed, nothing is lost."""

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest

from hemorrhage.cli import main
from hemorrhage.data.layout import DataSet, find_any_data_set, find_data_set
from hemorrhage.data.store import open_store
from hemorrhage.errors import HemorrhageError
from hemorrhage.pipeline import store_lock, store_plan
from hemorrhage.pipeline.console import SILENT, Console
from hemorrhage.pipeline.prepare import ShardChoice, merge
from hemorrhage.pipeline.store_lock import locking_store
from hemorrhage.pipeline.store_plan import StoreOptions, hash_plan, read_plan
from tests.pipeline.test_prepare import make_store, read_files

OTHER = StoreOptions(size=160)


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cuts the small data set into seven shards."""
    monkeypatch.setattr(store_plan, "SHARD_SLICES", 6)


@pytest.fixture
def data(data_folder: Path) -> DataSet:
    return find_data_set(data_folder)


@pytest.fixture
def store(data: DataSet, workplace: Path) -> Path:
    return make_store(data, workplace / "store")


def listen(lines: list[str]) -> Console:
    return Console(lines.append, lines.append, SILENT.bar)


def train_files(data: DataSet) -> list[Path]:
    assert data.train_folder is not None
    return sorted(data.train_folder.iterdir())


def test_hidden_files_of_the_user_stay(data: DataSet, workplace: Path) -> None:
    folder = workplace / "store"
    (folder / ".git").mkdir(parents=True)
    (folder / ".env").write_text("secret")
    ours = folder / f".plan-{'0' * 32}.parquet"
    ours.touch()
    make_store(data, folder)
    assert (folder / ".env").read_text() == "secret"
    assert (folder / ".git").is_dir()
    assert not ours.exists()


@pytest.mark.parametrize("name", ["00001.b2nd", "00001.parquet", "00001.json"])
@pytest.mark.parametrize("damage", [lambda whole: b"", lambda whole: whole[:90] + bytes([whole[90] ^ 1]) + whole[91:]])
def test_a_damaged_shard_is_made_anew(data: DataSet, store: Path, name: str, damage: Callable[[bytes], bytes]) -> None:
    before = read_files(store)
    path = store / "shards" / name
    path.write_bytes(damage(path.read_bytes()))
    said: list[str] = []
    make_store(data, store, console=listen(said))
    assert "shard was damaged or changed; it is made anew" in said[0]
    assert read_files(store) == before


def test_a_damaged_shard_of_a_part_is_left_out_and_named(data: DataSet, workplace: Path) -> None:
    parts = [make_store(data, workplace / f"part-{index}", choice=ShardChoice(index, 2)) for index in range(2)]
    path = parts[1] / "shards" / "00003.b2nd"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    said: list[str] = []
    with pytest.raises(HemorrhageError, match="1 of 7 shards are missing, first number 3"):
        merge(workplace / "merged", parts, listen(said))
    assert "part-1" in said[0] and "left out" in said[0]
    path.write_bytes(whole)
    merge(workplace / "merged", parts, SILENT)
    assert read_files(workplace / "merged") == read_files(make_store(data, workplace / "whole"))


def test_a_lost_or_damaged_plan_table_is_made_again(data: DataSet, store: Path) -> None:
    before = read_files(store)
    (store / "store.json").unlink()
    path = store / "plan.parquet"
    for damaged in (b"", before["plan.parquet"][:-20], None):
        path.unlink() if damaged is None else path.write_bytes(damaged)
        with pytest.raises(HemorrhageError, match=r"plan\.parquet.*Run 'hemorrhage prepare' again"):
            read_plan(store)
        make_store(data, store)
        assert read_files(store) == before


def test_a_plan_table_of_other_data_is_not_made_again(data: DataSet, store: Path) -> None:
    (store / "plan.parquet").unlink()
    train_files(data)[0].unlink()
    with pytest.raises(HemorrhageError, match="no longer those it was made of"):
        make_store(data, store)


@pytest.mark.parametrize("text", ["[]", "null", "3", '"x"', "{", "{}", '{"store_version": 2, "codec_version": 1}'])
def test_a_plan_that_is_none_is_one_line_with_advice(data: DataSet, store: Path, workplace: Path, text: str) -> None:
    (store / "store-plan.json").write_text(text)
    for attempt in (lambda: make_store(data, store), lambda: merge(workplace / "merged", [store], SILENT)):
        with pytest.raises(HemorrhageError, match=r"store-plan\.json.*(prepare into a new|Prepare a new)"):
            attempt()


def test_parts_of_another_version_do_not_merge(store: Path, workplace: Path) -> None:
    path = store / "store-plan.json"
    values = json.loads(path.read_text()) | {"codec_version": 0}
    values.pop("plan_hash")
    path.write_text(json.dumps(values | {"plan_hash": hash_plan(pd.read_parquet(store / "plan.parquet"), values)}))
    with pytest.raises(HemorrhageError, match="expected store version 2 with codec version 1, received 2 with 0"):
        merge(workplace / "merged", [store], SILENT)


def test_a_plan_tells_data_sets_apart_by_their_patients(data: DataSet, workplace: Path) -> None:
    first = make_store(data, workplace / "a", choice=ShardChoice(0, 2))
    dataset = pydicom.dcmread(train_files(data)[0])
    dataset.PatientID = "ID_ffffffff"
    dataset.save_as(train_files(data)[0])
    second = make_store(data, workplace / "b", choice=ShardChoice(1, 2))
    with pytest.raises(HemorrhageError, match="other data or with other options"):
        merge(workplace / "merged", [first, second], SILENT)


@pytest.mark.parametrize("change", [lambda path: path.write_bytes(path.read_bytes() + b"  "), "PatientID"])
def test_a_file_that_changed_since_the_header_scan_stops_the_work(
    data: DataSet, workplace: Path, change: str | Callable[[Path], object]
) -> None:
    folder, path = make_store(data, workplace / "store", choice=ShardChoice(1, 2)), train_files(data)[0]
    if isinstance(change, str):
        dataset = pydicom.dcmread(path)
        setattr(dataset, change, "ID_ffffffff")
        dataset.save_as(path)
    else:
        change(path)
    with pytest.raises(HemorrhageError, match="the header scan saw this file and it had"):
        make_store(data, folder)


def test_merge_leaves_other_folders_alone(store: Path, data_folder: Path) -> None:
    (data_folder / "unreadable.csv").write_text("mine")
    with pytest.raises(HemorrhageError, match="new or empty folder or a store begun before"):
        merge(data_folder, [store], SILENT)
    assert (data_folder / "unreadable.csv").read_text() == "mine"


def test_one_preparation_at_a_time_but_parts_side_by_side(
    data: DataSet, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = workplace / "store"
    with locking_store(folder, as_part=True, console=SILENT) as lock:
        with pytest.raises(HemorrhageError, match="another preparation is writing it"):
            make_store(data, folder)
        assert not (folder / "store-plan.json").exists()
        ours = folder / f".plan-{'0' * 32}.parquet"
        ours.touch()
        store_plan.read_or_build_plan(data, StoreOptions(size=128), folder, 0.05, SILENT)
        lock.share()
        make_store(data, folder, choice=ShardChoice(0, 2))
        with pytest.raises(HemorrhageError, match="options differ"):
            make_store(data, folder, OTHER, choice=ShardChoice(1, 2))
        assert ours.exists()
    assert not ours.exists()
    make_store(data, folder)
    assert read_files(folder) == read_files(make_store(data, workplace / "whole"))


def test_a_part_waits_for_the_plan_of_another(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    with locking_store(workplace / "store", as_part=True, console=SILENT) as lock:
        monkeypatch.setattr(store_lock.time, "sleep", lambda seconds: lock.share())
        with locking_store(workplace / "store", as_part=True, console=listen(said)):
            assert "waiting for its plan" in said[0]
    assert not (workplace / "store").exists()


def test_a_store_stopped_before_its_plan_table_goes_on(data: DataSet, store: Path) -> None:
    before = read_files(store)
    for path in list(store.rglob("*")):
        if path.is_file() and path.name != "store-plan.json":
            path.unlink()
    make_store(data, store)
    assert read_files(store) == before


def test_a_part_that_is_gone_is_one_line(data_folder: Path, store: Path) -> None:
    for path in (store / "shards").glob("*.json"):
        path.unlink()
    (data_folder / "stage_2_train").rename(data_folder / "elsewhere")
    with pytest.raises(HemorrhageError, match="stage_2_train: this folder was there when the store was begun"):
        make_store(find_data_set(data_folder), store)


@pytest.mark.parametrize("missing", [1, 3])
def test_missing_slices_are_refused_above_a_share(data: DataSet, workplace: Path, missing: int) -> None:
    for path in train_files(data)[:missing]:
        path.unlink()
    if missing == 1:
        make_store(data, workplace / "store", max_missing=0.05)
        return
    with pytest.raises(HemorrhageError, match=r"3 of 40 labelled slices .* more than the 5\.0% .*--max-missing"):
        make_store(data, workplace / "store")
    assert not (workplace / "store").exists()
    store = open_store(make_store(data, workplace / "store", max_missing=0.1))
    assert store.manifest.unreadable == {"train": 3, "test": 0}


def test_slices_that_cannot_be_decoded_count_as_missing(data: DataSet, workplace: Path) -> None:
    for path in train_files(data)[:3]:
        dataset = pydicom.dcmread(path)
        dataset.BitsStored, dataset.HighBit = 16, 15
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.RLELossless
        dataset.PixelData = pydicom.encaps.encapsulate([b"\x07" * 70])
        dataset["PixelData"].is_undefined_length = True
        dataset.save_as(path)
    with pytest.raises(HemorrhageError, match="3 of 40 labelled slices are missing or unreadable"):
        make_store(data, workplace / "store")
    said: list[str] = []
    make_store(data, workplace / "store", max_missing=0.1, console=listen(said))
    assert "3 slices could not be read" in said[-1] and "prepare into a new folder" in said[-1]


def test_no_memory_is_kept_for_missing_slices(data: DataSet, workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_plan, "SHARD_SLICES", 10**9)
    for path in train_files(data)[1:]:
        path.unlink()
    shapes: list[object] = []
    empty = np.empty
    monkeypatch.setattr(np, "empty", lambda shape, *a, **k: shapes.append(shape) or empty(shape, *a, **k))
    make_store(data, workplace / "store", max_missing=1)
    assert [shape for shape in shapes if np.shape(shape) == (3,)] == [(1, 128, 128), (12, 128, 128)]


def test_a_data_set_without_its_slices_is_no_store(data_folder: Path, workplace: Path) -> None:
    (data_folder / "stage_2_train").rename(workplace / "elsewhere")
    with pytest.raises(HemorrhageError, match=r"40 of 40 labelled slices .* no folder stage_2_train"):
        make_store(find_data_set(data_folder), workplace / "store")
    said: list[str] = []
    make_store(find_data_set(data_folder), workplace / "store", max_missing=1, console=listen(said))
    assert "test slices alone" in said[0]
    for path in (data_folder / "stage_2_test").iterdir():
        path.write_text("not DICOM")
    with pytest.raises(HemorrhageError, match="not one of 12 slices could be read"):
        make_store(find_data_set(data_folder), workplace / "other", max_missing=1)


def test_files_without_a_label_are_counted(data: DataSet, workplace: Path) -> None:
    shutil.copy(train_files(data)[0], train_files(data)[0].with_name("ID_other.dcm"))
    said: list[str] = []
    make_store(data, workplace / "store", console=listen(said))
    assert "1 file of " in said[0] and "no label" in said[0]


def test_training_patients_cannot_be_drawn_where_there_are_none(data_folder: Path, workplace: Path) -> None:
    (data_folder / "stage_2_train.csv").unlink()
    found = find_any_data_set(data_folder)
    assert found is not None
    with pytest.raises(HemorrhageError, match="--patients 2 draws training patients, and there are none"):
        make_store(found, workplace / "store", StoreOptions(size=128, patients=2))


def test_a_file_that_the_system_does_not_give_stops_the_work(
    data: DataSet, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused, read = train_files(data)[5], pydicom.filereader.read_file_meta_info

    def refuse(path: Path) -> object:
        if Path(path) == refused:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return read(path)

    folder = make_store(data, workplace / "begun", choice=ShardChoice(1, 2))
    with monkeypatch.context() as patch:
        patch.setattr(pydicom.filereader, "read_file_meta_info", refuse)
        # While the header scan is read from its cache, and while it is made.
        for place in (folder, workplace / "store"):
            shutil.rmtree(workplace / "submissions", ignore_errors=True)
            with pytest.raises(HemorrhageError, match="the system does not give it"):
                make_store(data, place)
    make_store(data, folder)
    # The cache of the scan above says that the slice is unreadable, which it is no longer.
    assert open_store(make_store(data, workplace / "store")).table["error"].isna().all()


def test_places_for_a_store_that_are_none_are_one_line(data: DataSet, workplace: Path) -> None:
    (workplace / "file").touch()
    with pytest.raises(HemorrhageError, match=r"Not a directory.*Name another folder"):
        make_store(data, workplace / "file")
    with pytest.raises(HemorrhageError, match="folder's name in UTF-8"):
        make_store(data, workplace / os.fsdecode(b"st\xff"))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["prepare", "store", "--out", "x"], "this is a store already"),
        (["prepare", "empty", "--out", "x"], "expected stage_2_train.csv or stage_2_sample_submission.csv"),
        (["prepare", "input", "--out", "x", "--workers", "0"], "--workers of 1 or more"),
        (["prepare", "input", "--out", "x", "--max-missing", "nan"], "--max-missing from 0 to 1"),
        (["prepare", "input", "--out", "x", "--shard", "\uff11/\uff12"], "--shard I/N"),
    ],
)
def test_words_that_prepare_cannot_take_are_one_line(
    store: Path, workplace: Path, capsys: pytest.CaptureFixture[str], words: list[str], expected: str
) -> None:
    (workplace / "empty").mkdir()
    assert main(words) == 2
    line = capsys.readouterr().err
    assert expected in line and line.count("\n") == 1


def test_near_empty_slices_are_counted(data: DataSet, workplace: Path) -> None:
    said: list[str] = []
    make_store(data, workplace / "store", StoreOptions(size=128, min_head=0.9), console=listen(said))
    assert "40 of 40 training slices have less than 0.9 of head" in said[-1]


def test_the_bar_moves_slice_by_slice(tmp_path: Path, data: DataSet, workplace: Path) -> None:
    steps: list[int] = []

    class Steps:
        update = staticmethod(steps.append)
        close = staticmethod(lambda: None)

    make_store(data, workplace / "store", console=Console(SILENT.say, SILENT.warn, lambda total, what: Steps()))
    assert steps.count(1) >= 52
