"""The few lines that ask a backend for something that Keras does not offer; each imports its backend when called."""

import functools
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import keras

from hemorrhage.errors import HemorrhageError
from hemorrhage.models.names import PRECISIONS


def count_gpus() -> int:
    """Returns the number of GPUs that the backend in use can see."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow

        return len(tensorflow.config.get_visible_devices("GPU"))
    if backend == "jax":
        import jax

        return sum(device.platform == "gpu" for device in jax.devices())
    if backend == "torch":
        import torch

        return torch.cuda.device_count()
    return 0


def set_precision(mode: str) -> str:
    """Sets the policy of the layers built from now on and returns its name, "float32" or "mixed_float16".

    "auto" takes mixed_float16 where there is a GPU: a CPU computes float16 slower than float32.
    Raises HemorrhageError for another mode.
    """
    if mode not in PRECISIONS:
        raise HemorrhageError(f"Expected a precision of {', '.join(PRECISIONS)}, received {mode!r}.")
    policy = mode if mode != "auto" else "mixed_float16" if count_gpus() else "float32"
    keras.config.set_dtype_policy(policy)
    return policy


def distribution_scope(batch_size: int, accumulate: int = 1) -> AbstractContextManager[Any]:
    """Returns the context to build and compile a model in: all GPUs where TensorFlow sees two or more, else a null one.

    MirroredStrategy splits each batch over the GPUs. Other backends train on one device. Raises HemorrhageError where
    `batch_size` does not divide by the number of GPUs, which Keras would meet with an error of shapes, or where
    gradients are to be accumulated over several GPUs, which ended in an error under Keras 3.15.
    """
    gpus = count_gpus()
    if keras.backend.backend() != "tensorflow" or gpus < 2:
        return nullcontext()
    if batch_size % gpus:
        raise HemorrhageError(f"Expected a batch that divides by the {gpus} GPUs, received {batch_size}.")
    if accumulate > 1:
        raise HemorrhageError(
            f"Expected accumulate=1 on {gpus} GPUs, received {accumulate}. Give a larger --batch, which is split over "
            "them, or train on one: CUDA_VISIBLE_DEVICES=0."
        )
    return _find_strategy().scope()


@functools.cache
def _find_strategy() -> Any:
    """Returns the one MirroredStrategy of this process.

    A second one would number its collective operations from the beginning again, and where their shapes are others than
    the first one's (another network, or its head alone) TensorFlow ends in an error of shapes.
    """
    import tensorflow

    return tensorflow.distribute.MirroredStrategy()


def enable_determinism(seed: int) -> None:
    """Seeds Python, NumPy and the backend, and asks TensorFlow and PyTorch for deterministic operations.

    To be called before a model is built. Training gets slower on a GPU. JAX is deterministic on a CPU; on a GPU
    it has to be started with XLA_FLAGS=--xla_gpu_deterministic_ops=true.
    """
    keras.utils.set_random_seed(seed)
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow

        tensorflow.config.experimental.enable_op_determinism()
    elif backend == "torch":
        import torch

        torch.use_deterministic_algorithms(True)
