"""Where work is done: threads of this process, processes of this machine, or a Dask cluster, behind one interface."""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager

from hemorrhage.errors import HemorrhageError

_CONNECT_SECONDS = 30
# A task whose worker went away is tried on another; a task that ends its workers this often is at fault itself.
_RETRIES = 3


@contextmanager
def open_executor(workers: int, cluster: str | None) -> Iterator[Executor]:
    """Yields an executor: a Dask cluster's where `cluster` is its address, else `workers` processes, or one thread.

    Tasks and results must be picklable. Raises HemorrhageError where the cluster cannot be reached.
    """
    if cluster is not None:
        with _open_cluster(cluster) as executor:
            yield executor
        return
    # Spawned, not forked: a forked child would inherit locks that other libraries' threads hold.
    context = multiprocessing.get_context("spawn")
    executor = ThreadPoolExecutor(1) if workers <= 1 else ProcessPoolExecutor(workers, mp_context=context)
    try:
        yield executor
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _open_cluster(address: str) -> Iterator[Executor]:
    try:
        from distributed import Client
    except ImportError as error:
        raise HemorrhageError("--cluster needs a package that is missing: pip install distributed") from error
    try:
        client = Client(address, timeout=_CONNECT_SECONDS)
    except (OSError, ValueError) as error:
        raise HemorrhageError(f"{address}: expected a Dask scheduler, none answered ({error}).") from error
    with client:
        yield client.get_executor(retries=_RETRIES, pure=False)
