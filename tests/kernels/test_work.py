"""The work of the kernels, on small discs: shards and merging, training that goes on, inference, and their plans."""

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hemorrhage.data.layout import find_data_set
from hemorrhage.data.store import open_store
from hemorrhage.kaggle import exploring, inferring, preparing, training
from hemorrhage.kaggle.clock import Clock
from hemorrhage.kaggle.forecast import forecast_run
from hemorrhage.kaggle.manifest import MANIFEST, Manifest, describe_file, write_manifest
from hemorrhage.kaggle.mounts import find_mounts
from hemorrhage.kaggle.session import Session
from hemorrhage.kaggle.stops import Stop
from hemorrhage.kaggle.timing import spread
from hemorrhage.pipeline.config import resolve_config
from hemorrhage.pipeline.console import SILENT
from hemorrhage.pipeline.inputs import find_input
from hemorrhage.pipeline.plan import Timing, TrainingPlan
from tests.kaggle import write_kaggle_layout
from tests.network import small_network

SETTINGS: dict[str, Any] = {"model": "compact", "size": 32, "epochs": 1, "batch": 8, "folds": 2, "workers": 1}


@pytest.fixture(autouse=True)
def compact_is_small() -> Iterator[None]:
    with small_network():
        yield


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_kaggle_layout(tmp_path / "input" / "competition")
    wheels = tmp_path / "input" / "wheels"
    wheels.mkdir()
    write_manifest(wheels / MANIFEST, Manifest("hemorrhage", "0", None, (), {}, (), ()))
    (tmp_path / "working").mkdir()
    monkeypatch.chdir(tmp_path / "working")
    return tmp_path


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def open_here(root: Path, said: list[str]) -> Callable[..., Session]:
    """Returns a function that opens a session on what is mounted now."""

    def open_session(hours_left: float = 10) -> Session:
        mounts = find_mounts(root)
        manifest = Manifest("hemorrhage", "0", None, (), {}, (), ())
        console = replace(SILENT, say=said.append, warn=said.append)
        store = next(iter(mounts.stores), None)
        data = find_data_set(mounts.data_sets[0])
        return Session("test", mounts, manifest, data, store, Clock(time.monotonic(), hours_left), console)

    return open_session


def attach_output(root: Path, name: str) -> None:
    """Makes what was written the output of a kernel, and empties the working folder, as the next one finds it."""
    shutil.copytree(root / "working", root / "input" / name)
    for path in (root / "working").iterdir():
        shutil.rmtree(path)


def test_shards_of_several_kernels_are_merged_by_another(root: Path, open_here: Callable[..., Session]) -> None:
    for shard in range(2):
        job = preparing.open_preparing(open_here(), 128, shard=shard, shards=2)
        assert preparing.run_preparing(job) is None
        assert preparing.show_store(job) is None
        assert "the other shards" in preparing.next_steps(job)[0]
    attach_output(root, "parts")
    job = preparing.open_preparing(open_here(), 128, merges=True)
    manifest = preparing.run_preparing(job)
    assert manifest is not None and manifest.slices == {"train": 40, "test": 12}
    assert open_store(root / "working" / "store-128").manifest == manifest
    assert "KERNEL=train" in preparing.next_steps(job)[0]


def test_a_preparation_says_its_hours_and_bytes_before(open_here: Callable[..., Session], said: list[str]) -> None:
    preparing.open_preparing(open_here(), 128, shard=1, shards=4)
    (line,) = said
    assert line.startswith("plan: part 1 of 4 of 52 slices at ") and "hours" in line and "(estimated from 52" in line


def test_parts_that_cannot_be_are_refused(open_here: Callable[..., Session]) -> None:
    with pytest.raises(Stop, match="Expected SHARD from 0 to SHARDS - 1, received 2 of 2"):
        preparing.open_preparing(open_here(), shard=2, shards=2)
    with pytest.raises(Stop, match="expected parts of a store below it, found none"):
        preparing.open_preparing(open_here(), merges=True)
    with pytest.raises(Stop, match="Expected --size to be 128 to 512, received 64"):
        preparing.open_preparing(open_here(), 64)


def test_a_store_that_takes_too_long_is_to_be_made_in_shards(
    open_here: Callable[..., Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = preparing.time_slices
    monkeypatch.setattr(preparing, "time_slices", lambda *words: replace(slow(*words), pixel_seconds=1e5))
    with pytest.raises(Stop, match=r"takes at most 9\.5 hours, this one some .* SHARDS = 2 or more"):
        preparing.open_preparing(open_here(), 128)


def test_a_training_goes_on_in_the_next_kernel_and_is_predicted_with(
    root: Path, open_here: Callable[..., Session], said: list[str]
) -> None:
    settings = SETTINGS | {"checkpoint_minutes": 0, "checkpoint_steps": 1}
    first = training.run_training(training.open_training(open_here(), "first", settings, max_hours=1e-9))
    assert not first.is_whole
    assert "attach this kernel's own output" in training.next_steps(first, "train", ["infer"])[0]
    with pytest.raises(Stop, match="expected all its epochs, the hours were over before"):
        training.require_whole(first)
    attach_output(root, "train")
    with pytest.raises(Stop, match="Training has not finished"):
        inferring.open_inferring(open_here())
    job = training.open_training(open_here(), "first", settings)
    assert "goes on from" in said[-1] and "first: 0 epochs and 1 step)" in said[-1]
    second = training.require_whole(training.run_training(job))
    assert training.next_steps(second, "train", ["infer"]) == ["infer"]
    assert second.run.folder == Path("submissions/first")
    stages = inferring.Stages("embeddings", {"epochs": 1, "units": 4})
    answers = inferring.open_inferring(open_here(), ["first"], "identity", stages)
    expected = forecast_run(answers.runs[0], find_input(answers.session.input_folder), "identity", embeds=True)
    assert f"{expected.embedding_bytes / 1000:.1f} KB of embeddings for first (estimated from 64" in said[-2]
    inferring.predict_runs(answers)
    kept = [np.load(path).nbytes for path in second.run.folder.glob("embeddings/fold-*/*.npy")]
    assert len(kept) == 2 and sum(kept) == expected.embedding_bytes
    names = inferring.add_series(answers)
    chosen = inferring.blend_all(answers, names)
    submission = inferring.submit_run(answers, chosen)
    assert (
        names == ["first", "first-series"]
        and chosen == "blend"
        and submission.path == root / "working" / "submission.csv"
        and submission.slices == 12
    )
    assert inferring.show_answers(answers, chosen).words.startswith("3 slices")


def test_a_run_of_other_folds_is_no_way_to_go_on(root: Path, open_here: Callable[..., Session]) -> None:
    settings = SETTINGS | {"checkpoint_minutes": 0, "checkpoint_steps": 1}
    training.run_training(training.open_training(open_here(), "first", settings, max_hours=1e-9))
    attach_output(root, "train")
    data = root / "input" / "competition"
    rows = (data / "stage_2_train.csv").read_text().splitlines()
    (data / "stage_2_train.csv").write_text("\n".join(rows[:-24]) + "\n")
    with pytest.raises(Stop, match="trained on 40 slices, the data attached now give 36"):
        training.open_training(open_here(), "first", settings)


def test_without_test_slices_no_hour_is_spent(root: Path, open_here: Callable[..., Session]) -> None:
    preparing.run_preparing(preparing.open_preparing(open_here(), 128, patients=5))
    attach_output(root, "few")
    with pytest.raises(Stop, match=r"store-128: expected test slices in the store.* PATIENTS = None"):
        training.open_quickstart(open_here(), "first", SETTINGS)
    with pytest.raises(Stop, match="expected test slices in the store"):
        inferring.open_inferring(open_here())


def test_wrong_words_are_one_line(open_here: Callable[..., Session]) -> None:
    with pytest.raises(Stop, match=r"Unknown setting 'modle'\. Did you mean model"):
        training.open_training(open_here(), "first", {"modle": "compact"})
    with pytest.raises(Stop, match="expected the output of the kernel train below it"):
        inferring.open_inferring(open_here())
    with pytest.raises(Stop, match="Expected hours to work in"):
        training.open_training(open_here(0.4), "first", SETTINGS)


def make_plan(hours: float) -> TrainingPlan:
    """Returns a plan of one epoch and fold that takes so many hours for 1,000 slices."""
    timing = Timing(size=32, epochs=1, stepped=1e9, read=1e9, fed=900 / (3600 * hours), predicted=1e9)
    return TrainingPlan((timing,), 900, 100, 0, 1, 1, 1, 1)


def test_a_plan_that_is_too_long_takes_fewer_patients() -> None:
    config = resolve_config("default", SETTINGS)
    assert training.shrink_to_hours(config, make_plan(0.2), 0.3) == config
    assert training.shrink_to_hours(config, make_plan(0.48), 0.3).limit == pytest.approx(500, abs=1)
    with pytest.raises(Exception, match="Choose a smaller model or size"):
        training.shrink_to_hours(config, make_plan(100), 0.3)


def test_weights_of_the_dataset_are_put_where_keras_looks(
    root: Path, open_here: Callable[..., Session], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from hemorrhage.kaggle.weights import is_offered, offer_weights

    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    weights = root / "input" / "wheels" / "some_notop.h5"
    weights.write_bytes(b"weights")
    session = open_here()
    manifest = replace(session.manifest, files=(describe_file(weights, "weights"),))
    assert not is_offered("some_notop.h5")
    assert offer_weights(session.mounts, manifest) == ["some_notop.h5"]
    assert offer_weights(session.mounts, manifest) == ["some_notop.h5"]
    assert is_offered("some_notop.h5")


def test_explore_says_its_hours_and_reads_everything(open_here: Callable[..., Session], said: list[str]) -> None:
    session = open_here()
    exploring.open_exploring(session)
    assert said[0].startswith("plan: 52 headers at ")
    data = exploring.read_exploration(session)
    assert said[1].startswith("train: 40 files, 40 readable, 10 patients, 10 series; sizes 48 x 48 (40)")
    for show in (exploring.show_labels, exploring.show_headers, exploring.show_repair, exploring.show_windows):
        assert show(data).png.startswith(b"\x89PNG")
    assert exploring.show_series(data).words.startswith("4 slices of one series")


def test_a_sample_is_spread_from_the_first_to_the_last() -> None:
    paths = [Path(str(number)) for number in range(10)]
    assert [path.name for path in spread(paths, 4)] == ["0", "3", "6", "9"]
    assert spread(paths, 99) == paths
    assert spread([], 4) == [] and spread(paths, 1) == paths[:1]
