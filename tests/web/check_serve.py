"""The server as a process: how it begins, and what it leaves when it is told to end. Run by `make test-web`."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_server_says_where_it_is_and_erases_all_at_its_end(tmp_path: Path, number: signal.Signals) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "hemorrhage", "serve", "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=tmp_path
    ) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == "Research use only. Not for clinical decisions.\n"
        line = server.stdout.readline()
        assert line.startswith("run @phantom at http://127.0.0.1:")
        with httpx.Client(base_url=line.split()[3], headers={"x-hemorrhage": "1"}) as client:
            assert client.post("/api/session").status_code == 204
            files = [("files", ("secret.dcm", b"x" * 1000))]
            assert client.post("/api/uploads", files=files).status_code == 202
        assert list(tmp_path.glob("hemorrhage-serve-*/*/*"))
        server.send_signal(number)
        said, faults = server.communicate(timeout=60)
    assert (server.returncode, said, faults) == (0, "stopped; what was uploaded is erased\n", "")
    assert not list(tmp_path.iterdir())
