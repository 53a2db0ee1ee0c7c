import math

import pytest

from hemorrhage.errors import HemorrhageError
from hemorrhage.pipeline.config import Config, resolve_config
from hemorrhage.pipeline.schedule import learning_rate_at

PLAIN = {"model": "compact", "size": 64, "learning_rate": 0.1, "learning_rate_decay": 0.5, "epochs": 4}


def rates(config: Config, epochs: range, steps: int) -> list[float]:
    return [learning_rate_at(config, epoch, step, steps) for epoch in epochs for step in range(steps)]


def test_decay_without_warm_up_is_the_same_for_every_step_of_an_epoch() -> None:
    config = resolve_config("default", PLAIN)
    assert rates(config, range(3), 2) == pytest.approx([0.1, 0.1, 0.05, 0.05, 0.025, 0.025])


def test_the_rate_rises_in_equal_steps_over_a_part_of_an_epoch() -> None:
    config = resolve_config("default", PLAIN | {"warm_up": 0.5})
    assert rates(config, range(2), 4) == pytest.approx([0.05, 0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05])


def test_the_warm_up_begins_when_the_backbone_is_freed() -> None:
    config = resolve_config("default", PLAIN | {"freeze_epochs": 1, "freeze_learning_rate": 0.3, "warm_up": 1})
    assert rates(config, range(3), 2) == pytest.approx([0.3, 0.3, 0.05, 0.1, 0.05, 0.05])


def test_a_cosine_falls_from_the_highest_rate_to_none() -> None:
    config = resolve_config("default", PLAIN | {"schedule": "cosine"})
    root = math.sqrt(0.5)
    expected = [0.1, 0.05 * (1 + root), 0.05, 0.05 * (1 - root)]
    assert [learning_rate_at(config, epoch) for epoch in range(4)] == pytest.approx(expected)
    assert 0 < learning_rate_at(config, 3, 99, 100) < 1e-5


def test_a_cosine_begins_where_the_warm_up_ends() -> None:
    config = resolve_config("default", PLAIN | {"schedule": "cosine", "warm_up": 2})
    assert rates(config, range(4), 1) == pytest.approx([0.05, 0.1, 0.1, 0.05])


def test_a_cosine_is_restarted_for_every_snapshot_and_the_ends_are_averaged() -> None:
    config = resolve_config("default", PLAIN | {"schedule": "cosine", "snapshots": 2, "freeze_epochs": 0})
    assert rates(config, range(4), 1) == pytest.approx([0.1, 0.05, 0.1, 0.05])
    assert config.averaged == ((2, 0.5), (4, 0.5))


def test_epochs_are_averaged_by_weight_where_there_are_no_snapshots() -> None:
    assert resolve_config("default", PLAIN | {"average_epochs": "1,3"}).averaged == ((3, 0.25), (4, 0.75))
    assert resolve_config("default", PLAIN | {"average_epochs": "9,1,3", "epochs": 2}).averaged == (
        (1, 0.25),
        (2, 0.75),
    )


def test_sizes_take_equal_parts_of_the_epochs() -> None:
    config = resolve_config("default", PLAIN | {"sizes": "32,48,64", "epochs": 7})
    assert [config.size_at(epoch) for epoch in range(7)] == [32, 32, 32, 48, 48, 64, 64]
    assert [resolve_config("default", PLAIN).size_at(epoch) for epoch in range(4)] == [64] * 4


@pytest.mark.parametrize(
    ("settings", "cause"),
    [
        ({"schedule": "linear"}, "schedule to be one of decay, cosine"),
        ({"warm_up": 4}, "warm_up to be shorter than the 4 epochs"),
        ({"warm_up": -1}, "warm_up to be a value from 0"),
        ({"snapshots": 2}, "snapshots to be 0, or with schedule=cosine"),
        ({"snapshots": 3, "schedule": "cosine"}, "a divisor of the 4 epochs"),
        ({"snapshots": 8, "schedule": "cosine"}, "a divisor of the 4 epochs"),
        ({"snapshots": 2, "schedule": "cosine", "average_epochs": "1,1"}, "one weight where there are snapshots"),
        ({"sizes": "32,48"}, "the last of them the size of the run, 64"),
        ({"sizes": "16,64"}, "sizes from 32"),
        ({"sizes": "32,128,64"}, "sizes from 32"),
        ({"sizes": "a"}, "sizes to be values"),
        ({"sizes": "32,64", "average_epochs": "1,1,1"}, "in every epoch that is averaged; epochs \\[2\\] are not"),
        ({"ema": 1}, "ema to be a value from 0 to 0.999999"),
        ({"accumulate": 0}, "accumulate to be a value from 1"),
        ({"mixup": -1}, "mixup to be a value from 0"),
        ({"cutmix": "nan"}, "cutmix to be a value from 0"),
        ({"erase": 1.5}, "erase to be a value from 0 to 1"),
    ],
)
def test_bad_values_are_refused(settings: dict[str, object], cause: str) -> None:
    with pytest.raises(HemorrhageError, match=cause):
        resolve_config("default", PLAIN | settings)
