"""Every value of the training craft in a real, tiny run: interrupted and resumed it ends with the same weights."""

from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from hemorrhage.data.labels import LABELS
from hemorrhage.models.optimizers import swap_average
from hemorrhage.models.weights import read_model
from hemorrhage.pipeline import fitting, segments
from hemorrhage.pipeline.config import config_from_json, config_to_json, resolve_config
from hemorrhage.pipeline.console import SILENT
from hemorrhage.pipeline.hardness import forget_losses, slice_losses
from hemorrhage.pipeline.inputs import find_input
from hemorrhage.pipeline.runs import Run, averaged_epochs, read_config
from hemorrhage.pipeline.train import train
from tests.pipeline.conftest import TINY

# 28 slices in batches of 8 are 4 steps an epoch, one a segment.
WORDS = TINY | {"deterministic": True, "checkpoint_steps": 1, "checkpoint_minutes": 0}
# By kind: the values, and the steps, from 1 and counting those that were begun, at which the run is stopped. One whose
# first four steps were done begins its second epoch at the fifth.
CRAFT: dict[str, tuple[dict[str, object], tuple[int, ...]]] = {
    "steps": ({"schedule": "cosine", "warm_up": 0.5, "ema": 0.9, "accumulate": 3, "snapshots": 2}, (3, 6)),
    "feed": ({"mixup": 0.4, "cutmix": 1.0, "erase": 0.5, "augment": "strong", "draw": "hard"}, (6,)),
    "sizes": ({"size": 48, "sizes": "32,48", "ema": 0.9, "accumulate": 2}, (5,)),
}


def run_training(data_folder: Path, name: str, resume: bool = False, **flags: object) -> Run:
    return train(find_input(data_folder), name, resolve_config("default", WORDS | flags), resume, ["test"], SILENT)


class Stop(Exception):  # noqa: N818 - it stands for a killed process
    """What ends a run in the middle of a test."""


@pytest.mark.parametrize("kind", list(CRAFT))
def test_a_stopped_run_ends_with_the_weights_of_one_that_was_not(
    kind: str, data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags, stops = CRAFT[kind]
    whole = run_training(data_folder, "whole", **flags)
    fit, begun = segments._fit, []

    def interrupt(model: keras.Model, *rest: object) -> float:
        begun.append(model)
        if len(begun) in stops:
            raise Stop
        return fit(model, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(segments, "_fit", interrupt)
    for attempt in range(len(stops)):
        with pytest.raises(Stop):
            run_training(data_folder, "cut", resume=attempt > 0, **flags)
    cut = run_training(data_folder, "cut", resume=True, **flags)
    assert len(begun) == 8 + len(stops)
    assert_equal_runs(cut, whole)


def assert_equal_runs(one: Run, other: Run) -> None:
    assert one.saved_epochs() == other.saved_epochs()
    last = one.saved_epochs()[-1]
    ours, theirs = (read_model(run.model_path(last), compiled=True) for run in (one, other))
    # The optimizer's variables hold its moments, the raw weights beside their average, and gradients that wait.
    for part, twin in ((ours.weights, theirs.weights), (ours.optimizer.variables, theirs.optimizer.variables)):
        for value, expected in zip(part, twin, strict=True):
            assert (value.numpy() == expected.numpy()).all(), value.name
    histories = [pd.read_csv(run.history_path).drop(columns=["seconds", "images_per_second"]) for run in (one, other)]
    pd.testing.assert_frame_equal(*histories)
    assert one.out_of_fold_path.read_bytes() == other.out_of_fold_path.read_bytes()


def test_the_average_is_what_an_epoch_saves_and_validates_while_raw_weights_train_on(data_folder: Path) -> None:
    raw = run_training(data_folder, "raw", epochs=1)
    averaged = run_training(data_folder, "averaged", epochs=1, ema=0.9)
    plain, mean = (read_model(run.model_path(1), compiled=True) for run in (raw, averaged))
    kernels = [model.get_layer("probabilities").kernel.numpy() for model in (plain, mean)]
    assert (kernels[0] != kernels[1]).any()
    swap_average(mean)
    for one, other in zip(plain.get_weights(), mean.get_weights(), strict=True):
        assert (one == other).all()
    validation = pd.read_parquet(averaged.validation_path(1))
    assert not np.allclose(validation[list(LABELS)], pd.read_parquet(raw.validation_path(1))[list(LABELS)], atol=1e-9)


def test_the_losses_of_training_slices_are_kept_until_the_next_epoch_ends(
    data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forgotten: list[int] = []
    monkeypatch.setattr(fitting, "forget_losses", lambda run, epoch: forgotten.append(epoch))
    run = run_training(data_folder, "hard", draw="hard", epochs=3, steps=2)
    assert [path.name for path in sorted(run.folder.glob("losses/*"))] == ["epoch-001.parquet", "epoch-002.parquet"]
    assert forgotten == [1, 2, 3]
    forget_losses(run, 2)
    assert [path.name for path in run.folder.glob("losses/*")] == ["epoch-002.parquet"]
    losses = pd.read_parquet(run.folder / "losses" / "epoch-002.parquet")
    folds = pd.read_parquet(run.folds_path)
    assert set(losses["image_id"]) == set(folds.loc[folds["fold"] != 0, "image_id"])
    assert (losses["loss"] > 0).all()
    assert pd.read_csv(run.history_path)["slices"].tolist() == [16, 16, 16]


def test_losses_of_slices_are_the_competition_s() -> None:
    truth = np.array([[0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 1, 1]])
    probability = np.array([[0.5] * 6, [0.5, 0.5, 0.5, 0.5, 0.25, 0.25]])
    expected = [np.log(2), (4 * np.log(2) + 3 * np.log(4)) / 7]
    assert slice_losses(truth, probability) == pytest.approx(expected)


def test_snapshots_are_kept_and_averaged(data_folder: Path) -> None:
    run = run_training(data_folder, "snap", schedule="cosine", snapshots=2, epochs=4, steps=1)
    assert run.saved_epochs() == [2, 4]
    assert averaged_epochs(run, read_config(run)) == [(2, 0.5), (4, 0.5)]
    second, fourth = (pd.read_parquet(run.validation_path(epoch))[list(LABELS)].to_numpy() for epoch in (2, 4))
    averaged = pd.read_parquet(run.out_of_fold_path)[list(LABELS)].to_numpy()
    assert np.abs(averaged - (second + fourth) / 2).max() < 1e-12


def test_a_config_of_an_earlier_version_is_still_read() -> None:
    values = config_to_json(resolve_config("default"))
    for key in ("schedule", "warm_up", "mixup", "cutmix", "erase", "sizes", "ema", "accumulate", "snapshots"):
        del values[key]
    assert config_from_json(values) == resolve_config("default")


def test_the_size_of_a_model_changes_between_epochs(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changes: list[int] = []
    carry = fitting.carry_over
    monkeypatch.setattr(fitting, "carry_over", lambda old, new: changes.append(new.input_shape[1]) or carry(old, new))
    run = run_training(data_folder, "grown", size=64, sizes="32,48,64", epochs=3, steps=1)
    assert changes == [48, 64]
    assert read_model(run.model_path(3)).input_shape[1] == 64
    assert pd.read_csv(run.history_path)["validation"].between(0, 5).all()
