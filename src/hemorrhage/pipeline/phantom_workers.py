"""Tasks shared out among processes, results in the order of the tasks, and an interruption that ends it all at once."""

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

import cv2

from hemorrhage.errors import HemorrhageError
from hemorrhage.processes import open_pool

Task = TypeVar("Task")
Result = TypeVar("Result")

_TASKS_A_WORKER = 2


def map_in_processes(work: Callable[[Task], Result], tasks: Iterable[Task], workers: int) -> Iterator[Result]:
    """Yields `work(task)` of every task in order, made by so many processes, or by this one where `workers` is 1.

    Only a few tasks a worker are under way at a time. `work` must be a module's function, tasks and results
    picklable. If the caller stops early, or is interrupted, the processes are ended where they are. Raises
    HemorrhageError where one is lost, and whatever `work` raises.
    """
    if workers == 1:
        yield from map(work, tasks)
        return
    waiting = iter(tasks)
    others = set(multiprocessing.active_children())
    with open_pool(workers) as executor:
        under_way: deque[Future[Result]] = deque()
        try:
            while True:
                with _interrupts_held():
                    room = _TASKS_A_WORKER * workers - len(under_way)
                    under_way.extend(executor.submit(_work_alone, work, task) for task in islice(waiting, room))
                if not under_way:
                    return
                yield under_way.popleft().result()
        except BrokenProcessPool as error:
            raise HemorrhageError(
                "A worker process was lost, most often for want of memory. Start again with fewer --workers."
            ) from error
        finally:
            if under_way:
                for process in set(multiprocessing.active_children()) - others:
                    process.terminate()


def _work_alone(work: Callable[[Task], Result], task: Task) -> Result:
    # Every core has a worker already.
    cv2.setNumThreads(1)
    return work(task)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Holds back Ctrl-C while processes are started, which are then deaf to it: only this one shall answer."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
