from pathlib import Path

import pytest

from hemorrhage.pipeline.config import resolve_config
from hemorrhage.pipeline.console import SILENT
from hemorrhage.pipeline.inputs import find_input
from hemorrhage.pipeline.plan import TrainingPlan, describe_plan, plan_training
from tests.pipeline.conftest import TINY


def test_hours_bottleneck_and_disk_by_hand() -> None:
    plan = TrainingPlan(
        stepped=200,
        read=100,
        fed=90,
        predicted=300,
        slices_an_epoch=324_000,
        held_out_slices=108_000,
        epochs=4,
        folds=5,
        model_bytes=70_000_000,
        models_kept=2,
        peak_bytes=10**9,
    )
    # 324,000 / 90 = 3600 s and 108,000 / 300 = 360 s: 1.1 hours an epoch, 22 for 4 epochs of 5 folds
    assert plan.hours_an_epoch == pytest.approx(1.1)
    assert plan.hours == pytest.approx(22)
    assert plan.bottleneck == "the feed"
    # weights and two moments: 210 MB each; 2 x 5 kept, one being written, one checkpoint
    assert plan.disk_bytes == 12 * 210_000_000
    assert "bottleneck: the feed" in describe_plan(plan)


def test_a_plan_times_real_steps_and_writes_nothing(data_folder: Path) -> None:
    config = resolve_config("default", TINY | {"fold": "all"})
    plan = plan_training(find_input(data_folder), config, SILENT)
    assert min(plan.stepped, plan.read, plan.fed, plan.predicted) > 0
    assert plan.slices_an_epoch + plan.held_out_slices == 40
    assert (plan.epochs, plan.folds) == (2, 3)
    assert [path.name for path in Path("submissions").iterdir()] == [".scans"]
