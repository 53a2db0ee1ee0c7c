"""Pools of processes that end with the program that started them, however it ends, and leave Ctrl-C to it."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from typing import Any


@contextmanager
def open_pool(
    workers: int, initializer: Callable[..., object] | None = None, initargs: tuple[Any, ...] = ()
) -> Iterator[ProcessPoolExecutor]:
    """Yields a pool of spawned processes; where the block ends with an error, they are ended in the middle of work.

    Spawned, not forked: a forked child would inherit locks that other libraries' threads hold.
    """
    # The processes wait for the end of this pipe, which comes when this process is gone.
    reader, writer = multiprocessing.Pipe(duplex=False)
    others = set(multiprocessing.active_children())
    pool = _Pool(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(reader, initializer, initargs),
    )
    is_done = False
    try:
        yield pool
        is_done = True
    finally:
        if not is_done:
            for process in set(multiprocessing.active_children()) - others:
                process.terminate()
        pool.shutdown(wait=True, cancel_futures=True)
        writer.close()
        reader.close()


class _Pool(ProcessPoolExecutor):
    """A pool whose processes are deaf to Ctrl-C from their first moment; it starts them as tasks are submitted."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **words: Any) -> Future[Any]:
        """Returns the future of fn(*args, **words)."""
        with _interrupts_held():
            return super().submit(fn, *args, **words)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    # A child inherits the mask. The tracker is started first, since starting it would lift the mask.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin(reader: Connection, initializer: Callable[..., object] | None, initargs: tuple[Any, ...]) -> None:
    threading.Thread(target=_end_with, args=(reader,), daemon=True).start()
    if initializer is not None:
        initializer(*initargs)


def _end_with(reader: Connection) -> None:
    reader.poll(None)
    os._exit(1)
