"""A Kaggle that answers on this machine alone, and the command called against it with the real client."""

import importlib.util
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

needs_client = pytest.mark.skipif(
    importlib.util.find_spec("kaggle") is None, reason="the kaggle package is wanted: pip install 'kaggle>=2.2,<3'"
)

# The client knows the address of a Kaggle on one's own machine, but not its port.
_REACH = """
import sys
import kagglesdk.kaggle_env as env
env._env_to_endpoint[env.KaggleEnv.LOCAL] = "http://localhost:{port}"
"""
_RUN = f"""{_REACH}
import hemorrhage.kaggle.{{module}}
{{setting}}
from hemorrhage.kaggle.__main__ import main
sys.exit(main(sys.argv[1:]))
"""
# What `kaggle datasets create` does.
_CREATE = f"""{_REACH}
from kaggle.api.kaggle_api_extended import KaggleApi
api = KaggleApi()
api.authenticate()
answer = api.dataset_create_new(sys.argv[1], quiet=True)
print(answer.status, answer.error)
"""


@dataclass
class FakeKaggle:
    """`answers` maps a method of the API, such as SaveKernel, to (status, JSON); `requests` are what came, in order."""

    port: int = 0
    answers: dict[str, tuple[int, Mapping[str, Any]]] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    archive: bytes = b""
    requests: list[tuple[str, Mapping[str, str], bytes]] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        return [name for name, _, _ in self.requests]

    def body_of(self, name: str) -> dict[str, Any]:
        return next(json.loads(body) for asked, _, body in self.requests if asked == name)


@contextmanager
def serving() -> Iterator[FakeKaggle]:
    """Yields a Kaggle on a free port of this machine."""
    kaggle = FakeKaggle()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            name = self.path.rstrip("/").rsplit("/", 1)[-1]
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            kaggle.requests.append((name, dict(self.headers), body))
            if name == "DownloadDataFiles" and name not in kaggle.answers:
                self.reply(302, b"", {"Location": f"http://localhost:{kaggle.port}/data.zip"})
            elif name == "data.zip":
                self.send_archive()
            else:
                status, value = kaggle.answers.get(name, (200, {}))
                self.reply(status, json.dumps(value).encode(), {"Content-Type": "application/json", **kaggle.headers})

        do_POST = do_PUT = do_GET = answer  # noqa: N815 - the names that the server looks for

        def send_archive(self) -> None:
            facts = {"Accept-Ranges": "bytes", "ETag": '"first"', "Last-Modified": "Sat, 01 Nov 2025 00:00:00 GMT"}
            start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
            self.reply(206 if start else 200, kaggle.archive[start:], facts)

        def reply(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
            self.send_response(status)
            for key, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("localhost", 0), Handler)
    kaggle.port = server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield kaggle
    finally:
        server.shutdown()
        server.server_close()


def call(
    kaggle: FakeKaggle, folder: Path, *words: str, module: str = "client", setting: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Returns how `python -m hemorrhage.kaggle` ends in a folder that is its home as well, asking `kaggle` alone."""
    return _run(_RUN.format(port=kaggle.port, module=module, setting=setting), folder, words, environment)


def create_dataset(
    kaggle: FakeKaggle, folder: Path, dataset: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Returns how `kaggle datasets create -p DATASET` ends, asking `kaggle` alone."""
    return _run(_CREATE.format(port=kaggle.port), folder, (str(dataset),), environment)


def _run(
    code: str, folder: Path, words: Sequence[str], environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("KAGGLE")}
    given = {"KAGGLE_API_ENVIRONMENT": "LOCALHOST", "HOME": str(folder), **environment}
    return subprocess.run(
        [sys.executable, "-c", code, *words], cwd=folder, env=kept | given, capture_output=True, text=True, check=False
    )
