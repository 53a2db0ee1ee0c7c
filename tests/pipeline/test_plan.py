from dataclasses import replace
from pathlib import Path

import pytest

from hemorrhage.pipeline.config import resolve_config
from hemorrhage.pipeline.console import SILENT
from hemorrhage.pipeline.inputs import find_input
from hemorrhage.pipeline.plan import Timing, TrainingPlan, describe_plan, plan_training
from tests.pipeline.conftest import TINY

AT_256 = Timing(size=256, epochs=4, stepped=200, read=100, fed=90, predicted=300)
PLAN = TrainingPlan(
    timings=(AT_256,),
    slices_an_epoch=324_000,
    held_out_slices=108_000,
    weighed_slices=0,
    folds=5,
    model_bytes=70_000_000,
    models_kept=2,
    peak_bytes=10**9,
)


def test_hours_bottleneck_and_disk_by_hand() -> None:
    # 324,000 / 90 = 3600 s and 108,000 / 100 = 1080 s, since slices are read no quicker: 1.3 hours an epoch
    assert PLAN.hours_an_epoch == pytest.approx(1.3)
    assert PLAN.hours == pytest.approx(26)
    assert PLAN.bottleneck == "the feed"
    # weights and two moments: 210 MB each; 2 x 5 kept, one being written, one checkpoint
    assert PLAN.disk_bytes == 12 * 210_000_000
    assert "bottleneck: the feed" in describe_plan(PLAN)


def test_hours_of_hard_draws_have_a_prediction_of_the_training_slices_after_each_epoch_but_the_last() -> None:
    plan = replace(PLAN, weighed_slices=432_000)
    # 432,000 / 100 = 4320 s, 1.2 hours, three times in each of 5 folds
    assert plan.hours == pytest.approx(26 + 5 * 3 * 1.2)
    assert "432000 predicted after each epoch but the last" in describe_plan(plan)


def test_hours_of_growing_sizes_are_those_of_each() -> None:
    at_128 = Timing(size=128, epochs=2, stepped=800, read=400, fed=360, predicted=1200)
    plan = replace(PLAN, timings=(at_128, replace(AT_256, epochs=2)))
    # At 128 px all is four times as quick: 1.3 / 4 hours an epoch.
    assert plan.hours == pytest.approx(5 * (2 * 1.3 / 4 + 2 * 1.3))
    assert plan.epochs == 4
    assert [line.split(":")[0] for line in describe_plan(plan).splitlines()[:2]] == [
        "images a second at 128 px (2 epochs)",
        "images a second at 256 px (2 epochs)",
    ]


def test_a_plan_times_real_steps_and_writes_nothing(data_folder: Path) -> None:
    config = resolve_config("default", TINY | {"fold": "all"})
    plan = plan_training(find_input(data_folder), config, SILENT)
    (timing,) = plan.timings
    assert min(timing.stepped, timing.read, timing.fed, timing.predicted) > 0
    assert plan.slices_an_epoch + plan.held_out_slices == 40
    assert (plan.epochs, plan.folds, plan.weighed_slices) == (2, 3, 0)
    assert [path.name for path in Path("submissions").iterdir()] == [".scans"]


def test_a_plan_of_hard_draws_and_growing_sizes_times_each_size(data_folder: Path) -> None:
    config = resolve_config("default", TINY | {"size": 48, "sizes": "32,48", "epochs": 3, "draw": "hard"})
    plan = plan_training(find_input(data_folder), config, SILENT)
    assert [(timing.size, timing.epochs) for timing in plan.timings] == [(32, 2), (48, 1)]
    assert all(timing.fed > 0 for timing in plan.timings)
    assert plan.weighed_slices == 40 - plan.held_out_slices
