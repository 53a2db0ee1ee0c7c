"""Where work is done: in this process, in processes of this machine, or on a Dask cluster, behind one interface."""

import logging
import multiprocessing
from collections.abc import Callable, Iterator, Sequence, Sized
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, as_completed, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from hemorrhage.errors import HemorrhageError
from hemorrhage.processes import open_pool

Task = TypeVar("Task", bound=Sized)
Result = TypeVar("Result")
Report = Callable[[int], object]
"""Is told how many parts of a task, of which it has `len(task)`, were done since it was told last."""

_CONNECT_SECONDS = 30
_WORKER_SECONDS = 60
_REPORT_SECONDS = 0.5
# A task whose worker went away is tried on another; a task that ends its workers this often is at fault itself.
_RETRIES = 3


class Crew(Protocol):
    """Whoever does the work."""

    def run(self, work: Callable[[Task, Report], Result], tasks: Sequence[Task], report: Report) -> Iterator[Result]:
        """Yields `work(task, report)` of every task as they are done; `work` must be a module's function.

        Raises HemorrhageError where a worker is lost, and whatever `work` raises.
        """
        ...


@contextmanager
def open_crew(workers: int, cluster: str | None, warn: Callable[[str], object]) -> Iterator[Crew]:
    """Yields the workers of a Dask cluster where `cluster` is its address, else so many processes, or this one alone.

    Raises HemorrhageError where the cluster cannot be reached or has no workers.
    """
    if cluster is not None:
        with _open_cluster(cluster, warn) as executor:
            yield _Cluster(executor, cluster)
    elif workers == 1:
        yield _Alone()
    else:
        count = multiprocessing.get_context("spawn").Value("Q")
        with open_pool(workers, _keep_count, (count,)) as pool:
            yield _Processes(pool, count)


@dataclass(frozen=True)
class _Alone:
    def run(self, work: Callable[[Task, Report], Result], tasks: Sequence[Task], report: Report) -> Iterator[Result]:
        return (work(task, report) for task in tasks)


@dataclass(frozen=True)
class _Processes:
    """`count` is a number in shared memory, to which every process adds what it has done."""

    pool: Executor
    count: Any

    def run(self, work: Callable[[Task, Report], Result], tasks: Sequence[Task], report: Report) -> Iterator[Result]:
        waiting: set[Future[Result]] = {self.pool.submit(_work_counted, work, task) for task in tasks}
        told = self.count.value
        try:
            while waiting:
                finished, waiting = wait(waiting, _REPORT_SECONDS, FIRST_COMPLETED)
                # Read without its lock, which a process that was killed may hold.
                done = self.count.get_obj().value
                report(done - told)
                told = done
                yield from (future.result() for future in finished)
        except BrokenProcessPool as error:
            raise HemorrhageError(
                "A worker process was lost, most often for want of memory. What is finished is kept: start again, with "
                "fewer --workers."
            ) from error


@dataclass(frozen=True)
class _Cluster:
    executor: Executor
    address: str

    def run(self, work: Callable[[Task, Report], Result], tasks: Sequence[Task], report: Report) -> Iterator[Result]:
        futures = {self.executor.submit(_work_silently, work, task): len(task) for task in tasks}
        try:
            for future in as_completed(futures):
                yield self._take(future)
                report(futures[future])
        finally:
            for future in futures:
                future.cancel()

    def _take(self, future: Future[Result]) -> Result:
        from distributed import KilledWorker

        try:
            return future.result()
        except CancelledError as error:
            raise HemorrhageError(
                f"{self.address}: the Dask scheduler went away. What is finished is kept: start again with the "
                "same words."
            ) from error
        except KilledWorker as error:
            raise HemorrhageError(
                f"{self.address}: several workers were lost over one shard, most often for want of memory. What is "
                "finished is kept: give them more, and start again with the same words."
            ) from error


_count: Any = None


def _keep_count(count: Any) -> None:
    global _count  # one a process, handed over at its start: shared memory cannot come with a task
    _count = count


def _add_to_count(done: int) -> None:
    with _count.get_lock():
        _count.value += done


def _work_counted(work: Callable[[Task, Report], Result], task: Task) -> Result:
    return work(task, _add_to_count)


def _work_silently(work: Callable[[Task, Report], Result], task: Task) -> Result:
    return work(task, lambda done: None)


@contextmanager
def _open_cluster(address: str, warn: Callable[[str], object]) -> Iterator[Executor]:
    try:
        from distributed import Client
    except ImportError as error:
        raise HemorrhageError("--cluster needs a package that is missing: pip install distributed") from error
    _silence_logs()
    try:
        client = Client(address, timeout=_CONNECT_SECONDS)
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        cause = " ".join(str(error).split())
        raise HemorrhageError(
            f"{address}: expected a Dask scheduler, none answered ({cause}). Start one with 'dask scheduler'."
        ) from error
    with client:
        _wait_for_workers(client, address, warn)
        yield client.get_executor(retries=_RETRIES, pure=False)


def _wait_for_workers(client: Any, address: str, warn: Callable[[str], object]) -> None:
    if client.scheduler_info()["workers"]:
        return
    warn(f"{address}: this scheduler has no workers yet; waiting {_WORKER_SECONDS} s for the first.")
    try:
        client.wait_for_workers(1, timeout=_WORKER_SECONDS)
    except TimeoutError as error:
        raise HemorrhageError(
            f"{address}: expected a Dask scheduler with workers, it has none. Start some with 'dask worker {address}'."
        ) from error


def _silence_logs() -> None:
    """Keeps Dask's own reports of a lost connection off stderr, where one line of this program says the same."""
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] == "distributed":
            logging.getLogger(name).setLevel(logging.CRITICAL)
