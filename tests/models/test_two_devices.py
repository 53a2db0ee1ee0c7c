"""Two devices train as one does: TensorFlow's MirroredStrategy over two logical CPU devices, in their own process."""

import json
import os
import subprocess
import sys
from typing import Any

import keras
import pytest

from tests.kaggle import write_kaggle_layout

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="MirroredStrategy is TensorFlow's")

# Name: network, devices, steps an epoch, and whether BatchNormalization looks at the batches of all devices. Networks
# of other shapes follow each other in one process, as folds do that are resumed at different epochs.
JOBS: dict[str, tuple[str, int, int, bool]] = {
    "one": ("compact", 1, 3, False),
    "two, as it is": ("compact", 2, 3, False),
    "resnet50": ("resnet50", 2, 1, False),
    "two": ("compact", 2, 3, True),
}

# Logical devices are set up before TensorFlow is used at all. Two of the CPU stand for two GPUs; all that depends on
# how many there are asks count_gpus. The rate is low, since Adam makes whole steps of the rounding of sums made in
# another order: at 1e-3 the curves part by 0.3 % within six steps, at 1e-5 by 0.0001 %.
SCRIPT = """
import functools, json, sys
from pathlib import Path

import keras
import tensorflow

cpu = tensorflow.config.list_physical_devices("CPU")[0]
tensorflow.config.set_logical_device_configuration(cpu, [tensorflow.config.LogicalDeviceConfiguration()] * 2)
tensorflow.config.threading.set_inter_op_parallelism_threads(8)
strategy = tensorflow.distribute.MirroredStrategy
tensorflow.distribute.MirroredStrategy = lambda: strategy(["/cpu:0", "/cpu:1"])

from hemorrhage.models import devices
from hemorrhage.pipeline import fitting, train
from hemorrhage.pipeline.config import resolve_config
from hemorrhage.pipeline.console import SILENT
from hemorrhage.pipeline.history import read_history
from hemorrhage.pipeline.inputs import find_input
from hemorrhage.pipeline.plan import plan_training

plain, fit_epoch, seen = keras.layers.BatchNormalization, fitting.fit_epoch, []

def watch(*words):
    seen.append(tensorflow.distribute.get_strategy().num_replicas_in_sync)
    return fit_epoch(*words)

fitting.fit_epoch = watch
settings = {"size": 32, "epochs": 2, "batch": 16, "folds": 3, "workers": 1, "weights": "none", "dropout": 0.0}
settings |= {"augment": "none", "precision": "float32", "learning_rate": 1e-5}
results = {}
for place, (name, (model, count, steps, synchronized)) in enumerate(json.loads(sys.argv[1]).items()):
    devices.count_gpus = train.count_gpus = lambda: count if count > 1 else 0
    keras.layers.BatchNormalization = functools.partial(plain, synchronized=synchronized)
    config = resolve_config("default", settings | {"model": model, "steps": steps})
    run = train.train(find_input(Path("input")), f"run-{place}", config, False, [], SILENT)
    rows = [{key: float(row[key]) for key in ("loss", "validation")} for row in read_history(run)]
    results[name] = {"replicas": seen[-1], "rows": rows}
config = resolve_config("default", settings | {"model": "compact"})
with devices.distribution_scope(config.batch):
    results["plan"] = plan_training(find_input(Path("input")), config, SILENT).hours
print(json.dumps(results))
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Returns by the name of each of JOBS its devices and its history; and the hours of a plan."""
    folder = tmp_path_factory.mktemp("devices")
    write_kaggle_layout(folder / "input", patients=12, slices=6)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(JOBS)],
        cwd=folder,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_each_was_trained_on_as_many_devices_as_it_should(trained: dict[str, Any]) -> None:
    assert [trained[name]["replicas"] for name in JOBS] == [job[1] for job in JOBS.values()]


def test_compact_has_the_same_loss_curve_on_two_devices_as_on_one(trained: dict[str, Any]) -> None:
    # With means and variances of the whole batch, as one device has them.
    for one, two in zip(trained["one"]["rows"], trained["two"]["rows"], strict=True):
        assert two == pytest.approx(one, rel=1e-4)


def test_with_statistics_of_half_a_batch_the_curve_is_near(trained: dict[str, Any]) -> None:
    # As the package trains: each device normalizes by its own half of the batch, and shares its gradients.
    for one, two in zip(trained["one"]["rows"], trained["two, as it is"]["rows"], strict=True):
        assert two == pytest.approx(one, rel=0.02)


def test_resnet50_trains_on_two_devices(trained: dict[str, Any]) -> None:
    rows = trained["resnet50"]["rows"]
    assert len(rows) == 2 and all(0 < row["loss"] < 10 for row in rows)


def test_a_plan_is_made_on_two_devices(trained: dict[str, Any]) -> None:
    assert trained["plan"] > 0
