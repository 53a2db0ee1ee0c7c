"""The server's side of the process that opens files: asked one thing at a time, started anew where it was killed."""

import json
import multiprocessing
import os
import secrets
import subprocess
import sys
import threading
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from hemorrhage.web import reading
from hemorrhage.web.limits import Limits, RefusedError
from hemorrhage.web.reading import READY

_START_SECONDS = 60.0


class ReaderProcess:
    """A process that describes, decodes and unpacks; one request at a time, whoever asks.

    `secret` is the key of the ids that it hashes: readers with the same one give the same ids.
    """

    def __init__(self, limits: Limits, secret: bytes | None = None) -> None:
        self._limits = limits
        self._secret = secret or secrets.token_bytes(32)
        self._turn = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._is_ready = False
        self._is_closed = False

    def start(self) -> None:
        """Starts the process where none is running, so that the first file need not wait for it."""
        with self._turn:
            self._open()

    def ask(self, do: str, path: Path, seconds: int | None = None, **more: Any) -> Any:
        """Returns the answer to one request; raises RefusedError, with words, where there is none.

        A process that takes longer than `seconds`, or that the system ended, is replaced at the next request.
        """
        limit = seconds or self._limits.file_seconds
        request = {"do": do, "path": str(path), "seconds": limit} | more
        with self._turn:
            reply = self._exchange(request, limit)
        if "fault" in reply:
            raise RefusedError(f"could not be read, by a fault of this program ({reply['fault']}).", 500)
        if "error" in reply:
            raise RefusedError(reply["error"], reply["status"])
        return reply["answer"]

    def close(self) -> None:
        """Ends the process at once, and starts no other; who waits for an answer is told so."""
        self._is_closed = True
        process = self._process
        if process is not None:
            process.kill()
        # Whoever waits holds the turn until the pipe's end, which comes with the process's.
        with self._turn:
            self._discard()

    def _discard(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        if self._connection is not None:
            self._connection.close()
        self._process = self._connection = None

    def _exchange(self, request: dict[str, Any], seconds: int) -> dict[str, Any]:
        connection = self._open()
        try:
            # The time that a busy machine takes to start it is not the file's.
            if not self._is_ready:
                self._is_ready = connection.poll(_START_SECONDS) and connection.recv_bytes() == READY
            if not self._is_ready:
                self._discard()
                return {"error": "The process that opens files does not start; the machine is too busy.", "status": 503}
            connection.send_bytes(json.dumps(request).encode())
            # Processor time is limited from within; a file that waits for something is ended from here.
            if connection.poll(1.5 * seconds + 1):
                return dict(json.loads(connection.recv_bytes()))
        except (EOFError, OSError):
            self._discard()
            return {"error": "took more memory or time than a slice may; it was given up.", "status": 413}
        self._discard()
        return {"error": f"took longer than {seconds} seconds; it was given up.", "status": 413}

    def _open(self) -> Connection:
        if self._is_closed:
            raise RefusedError("The server is being stopped.", 503)
        if self._connection is not None and self._process is not None and self._process.poll() is None:
            return self._connection
        self._discard()
        ours, theirs = multiprocessing.Pipe()
        # Not by multiprocessing, which would first import what this program began with, and that may be Keras. A
        # session of its own keeps Ctrl-C from it.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", reading.__name__, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            env=_build_environment(),
        )
        theirs.close()
        self._connection, self._is_ready = ours, False
        ours.send_bytes(json.dumps({"limits": asdict(self._limits), "secret": self._secret.hex()}).encode())
        return ours


def _build_environment() -> dict[str, str]:
    """This process's environment with the same modules to be found, and without what is secret (tokens, logins)."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HEMORRHAGE_")}
    return {**kept, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
