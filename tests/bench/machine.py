"""What a benchmark ran on: GPU, driver, cores, versions and command."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from typing import Any

import blosc2
import cv2
import keras

from hemorrhage.models.devices import count_gpus
from hemorrhage.pipeline.environment import describe_environment


def describe_machine(command: Sequence[str]) -> dict[str, Any]:
    """Returns what a reader needs to know of the machine and the versions, as JSON values."""
    environment = describe_environment(command)
    versions = {name: version for name, version in environment["packages"].items() if version is not None}
    versions |= {"blosc2": blosc2.__version__, "opencv": cv2.__version__}
    return environment | {"gpu": describe_gpu(), "cpu_cores": count_cores(), "packages": versions}


def count_cores() -> int:
    """Returns the number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def describe_gpu() -> str:
    """Returns the GPUs that the backend sees, by count and name, and the driver where nvidia-smi tells it."""
    gpus = count_gpus()
    if not gpus:
        return "no GPU"
    driver = read_driver()
    return f"{gpus} x {name_gpu()}" + (f", driver {driver}" if driver else "")


def name_gpu() -> str:
    """Returns the name of the backend's first GPU."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow

        first = tensorflow.config.get_visible_devices("GPU")[0]
        return tensorflow.config.experimental.get_device_details(first).get("device_name", first.name)
    if backend == "jax":
        import jax

        return next(device.device_kind for device in jax.devices() if device.platform == "gpu")
    import torch

    return torch.cuda.get_device_name(0)


def read_driver() -> str | None:
    """Returns the version of NVIDIA's driver; None where nvidia-smi is missing or finds none."""
    if shutil.which("nvidia-smi") is None:
        return None
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    done = subprocess.run(query, capture_output=True, text=True, check=False)
    return done.stdout.splitlines()[0].strip() if done.returncode == 0 and done.stdout.strip() else None
