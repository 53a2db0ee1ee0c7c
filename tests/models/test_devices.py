import contextlib

import keras
import pytest

from hemorrhage.errors import HemorrhageError
from hemorrhage.models import devices


@pytest.fixture(autouse=True)
def restored_policy():
    before = keras.config.dtype_policy()
    yield
    keras.config.set_dtype_policy(before)


@pytest.mark.parametrize(("gpus", "expected"), [(0, "float32"), (1, "mixed_float16")])
def test_auto_precision_takes_float16_only_with_a_gpu(monkeypatch, gpus, expected):
    monkeypatch.setattr(devices, "count_gpus", lambda: gpus)
    assert devices.set_precision("auto") == expected
    assert keras.config.dtype_policy().name == expected


def test_a_named_precision_wins_over_the_hardware(monkeypatch):
    monkeypatch.setattr(devices, "count_gpus", lambda: 1)
    assert devices.set_precision("float32") == "float32"


def test_an_unknown_precision_lists_the_known_ones():
    with pytest.raises(HemorrhageError, match="auto, float32, mixed_float16, received 'float8'"):
        devices.set_precision("float8")


def test_fewer_than_two_gpus_need_no_strategy(monkeypatch):
    monkeypatch.setattr(devices, "count_gpus", lambda: 1)
    assert isinstance(devices.distribution_scope(31), contextlib.nullcontext)


def test_counting_gpus_works_without_one():
    assert devices.count_gpus() >= 0


def test_a_batch_that_two_gpus_cannot_share_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    if keras.backend.backend() != "tensorflow":
        pytest.skip("MirroredStrategy is TensorFlow's")
    monkeypatch.setattr(devices, "count_gpus", lambda: 2)
    with pytest.raises(HemorrhageError, match="divides by the 2 GPUs, received 31"):
        devices.distribution_scope(31)


def test_gradients_are_not_accumulated_over_several_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "count_gpus", lambda: 2)
    monkeypatch.setattr(keras.backend, "backend", lambda: "tensorflow")
    with pytest.raises(HemorrhageError, match="accumulate=1 on 2 GPUs, received 4"):
        devices.distribution_scope(8, accumulate=4)
