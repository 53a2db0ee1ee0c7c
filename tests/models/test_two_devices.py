"""Two devices train as one does: TensorFlow's MirroredStrategy over two logical CPU devices, in processes of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import pytest

from tests.kaggle import write_kaggle_layout

# Logical devices have to be set up before TensorFlow is used at all, so that each run is a process of its own. Two CPU
# devices stand for two GPUs; whatever depends on how many there are asks count_gpus.
SCRIPT = """
import json, sys
import tensorflow
model, devices, steps, synchronized = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "True"
cpu = tensorflow.config.list_physical_devices("CPU")[0]
tensorflow.config.set_logical_device_configuration(cpu, [tensorflow.config.LogicalDeviceConfiguration()] * devices)
strategy = tensorflow.distribute.MirroredStrategy
tensorflow.distribute.MirroredStrategy = lambda: strategy([f"/cpu:{number}" for number in range(devices)])

import functools, keras

if synchronized:
    plain = keras.layers.BatchNormalization
    keras.layers.BatchNormalization = functools.partial(plain, synchronized=True)
from hemorrhage.models import devices as found

found.count_gpus = lambda: devices if devices > 1 else 0
from hemorrhage.pipeline import fitting, train
from hemorrhage.pipeline.config import resolve_config
from hemorrhage.pipeline.console import SILENT
from hemorrhage.pipeline.history import read_history
from hemorrhage.pipeline.inputs import find_input
from pathlib import Path

begun = []
scope = fitting.distribution_scope
def watch(*words):
    with scope(*words):
        begun.append(tensorflow.distribute.get_strategy().num_replicas_in_sync)
    return scope(*words)
fitting.distribution_scope = watch
train.count_gpus = found.count_gpus
settings = {"model": model, "size": 32, "epochs": 2, "batch": 16, "folds": 3, "workers": 1, "steps": steps}
settings |= {"weights": "none", "dropout": 0.0, "augment": "none", "precision": "float32", "learning_rate": 1e-3}
run = train.train(find_input(Path("input")), "run", resolve_config("default", settings), False, [], SILENT)
rows = [{key: float(row[key]) for key in ("loss", "validation")} for row in read_history(run)]
print(json.dumps({"replicas": begun, "rows": rows}))
"""

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="MirroredStrategy is TensorFlow's")


def train_on(folder: Path, model: str, devices: int, steps: int, synchronized: bool = False) -> dict[str, Any]:
    """Returns the number of replicas and the history of a training in `folder` on so many devices.

    Where `synchronized`, BatchNormalization takes its statistics over the batches of all devices.
    """
    workplace = folder / f"{model}-{devices}-{synchronized}"
    workplace.mkdir()
    (workplace / "input").symlink_to(folder / "input")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, model, str(devices), str(steps), str(synchronized)],
        cwd=workplace,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("devices")
    write_kaggle_layout(folder / "input", patients=12, slices=6)
    return folder


@pytest.fixture(scope="module")
def alone(workplace: Path) -> dict[str, Any]:
    return train_on(workplace, "compact", devices=1, steps=3)


def test_compact_has_the_same_loss_curve_on_two_devices_as_on_one(workplace: Path, alone: dict[str, Any]) -> None:
    # With the means and variances of the whole batch, as one device has them; sums are made in another order.
    shared = train_on(workplace, "compact", devices=2, steps=3, synchronized=True)
    assert (alone["replicas"], shared["replicas"]) == ([1], [2])
    for one, two in zip(alone["rows"], shared["rows"], strict=True):
        assert two == pytest.approx(one, rel=1e-3)


def test_with_statistics_of_half_a_batch_the_curve_is_near(workplace: Path, alone: dict[str, Any]) -> None:
    # As the package trains: each device normalizes by its own half of the batch, and shares its gradients.
    shared = train_on(workplace, "compact", devices=2, steps=3)
    for one, two in zip(alone["rows"], shared["rows"], strict=True):
        assert two == pytest.approx(one, rel=0.05)


def test_resnet50_trains_on_two_devices(workplace: Path) -> None:
    trained = train_on(workplace, "resnet50", devices=2, steps=2)
    assert trained["replicas"] == [2]
    assert len(trained["rows"]) == 2 and all(0 < row["loss"] < 10 for row in trained["rows"])
