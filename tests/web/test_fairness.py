"""Turns: who has much to do does not keep waiting who has little."""

import threading

import pytest

from hemorrhage.web.fairness import FairWorkers


def test_owners_take_turns() -> None:
    workers, gate, done = FairWorkers("test", 1), threading.Event(), []
    workers.submit("first", gate.wait)
    futures = [workers.submit("busy", lambda number=number: done.append(f"busy {number}")) for number in range(3)]
    futures += [workers.submit("late", lambda: done.append("late 0"))]
    gate.set()
    for future in futures:
        future.result(timeout=5)
    assert done == ["busy 0", "late 0", "busy 1", "busy 2"]
    workers.close()


def test_a_fault_reaches_who_asks_and_the_thread_goes_on() -> None:
    workers = FairWorkers("test", 1)
    with pytest.raises(ZeroDivisionError):
        workers.submit("a", lambda: 1 // 0).result(timeout=5)
    assert workers.submit("a", lambda: 7).result(timeout=5) == 7
    workers.close()


def test_jobs_that_wait_are_cancelled_at_the_end() -> None:
    workers, gate = FairWorkers("test", 1), threading.Event()
    began = threading.Event()
    workers.submit("a", lambda: (began.set(), gate.wait()))
    waiting = workers.submit("b", lambda: 1)
    began.wait(5)
    threading.Timer(0.1, gate.set).start()
    workers.close()
    assert waiting.cancelled()
