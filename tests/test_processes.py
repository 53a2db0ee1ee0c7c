import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

WORKERS = """
import os, sys, time
from hemorrhage.processes import open_pool
if __name__ == "__main__":
    with open_pool(2) as pool:
        print(*{future.result() for future in [pool.submit(os.getpid) for _ in range(20)]}, flush=True)
        [pool.submit(time.sleep, 60) for _ in range(9)]
        time.sleep(60)
"""


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_their_parent(tmp_path: Path, kill: signal.Signals) -> None:
    (tmp_path / "workers.py").write_text(WORKERS)
    said, errors = tmp_path / "said", tmp_path / "errors"
    with said.open("w") as stdout, errors.open("w") as stderr:
        command = [sys.executable, str(tmp_path / "workers.py")]
        process = subprocess.Popen(command, stdout=stdout, stderr=stderr, start_new_session=True)
    give_up = time.monotonic() + 30
    while not said.read_text().endswith("\n") and time.monotonic() < give_up:
        time.sleep(0.02)
    workers = [int(word) for word in said.read_text().split()]
    assert workers
    process.kill() if kill == signal.SIGKILL else os.killpg(process.pid, kill)
    process.wait(timeout=10)
    give_up = time.monotonic() + 10
    while any(is_alive(worker) for worker in workers) and time.monotonic() < give_up:
        time.sleep(0.05)
    assert not any(is_alive(worker) for worker in workers)
    if kill == signal.SIGINT:
        # The parent's own alone: workers do not hear it.
        assert errors.read_text().count("Traceback") == 1


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
