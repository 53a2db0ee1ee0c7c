"""Work in threads, in turns: who has much to do does not keep waiting who has little."""

import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

Job = tuple[Future[Any], Callable[[], Any]]


class FairWorkers:
    """Threads that take the next job of each owner in turn; `close` lets the jobs that run come to their end."""

    def __init__(self, name: str, threads: int) -> None:
        self._waiting: OrderedDict[str, deque[Job]] = OrderedDict()
        self._changed = threading.Condition()
        self._is_closed = False
        self._threads = [
            threading.Thread(target=self._run, name=f"{name}-{number}", daemon=True) for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, owner: str, job: Callable[[], Any]) -> Future[Any]:
        """Returns the future of a job, which runs after those that its owner already has, and in turn with others'."""
        future: Future[Any] = Future()
        with self._changed:
            self._waiting.setdefault(owner, deque()).append((future, job))
            self._changed.notify()
        return future

    def close(self) -> None:
        """Takes no more jobs out, cancels those that wait, and waits for those that run for some seconds."""
        with self._changed:
            self._is_closed = True
            for jobs in self._waiting.values():
                for future, _ in jobs:
                    future.cancel()
            self._waiting.clear()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(timeout=5)

    def _run(self) -> None:
        while (taken := self._take()) is not None:
            future, job = taken
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(job())
            except BaseException as error:  # noqa: BLE001 - it is raised where the result is asked for
                future.set_exception(error)

    def _take(self) -> Job | None:
        with self._changed:
            while not self._waiting and not self._is_closed:
                self._changed.wait()
            if self._is_closed:
                return None
            owner, jobs = self._waiting.popitem(last=False)
            job = jobs.popleft()
            # Behind all others, who each have their turn before this owner's next.
            if jobs:
                self._waiting[owner] = jobs
            return job
