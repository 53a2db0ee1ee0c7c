"""How long the page takes from files to answers, and whether it answers meanwhile: `python -m tests.bench.page`.

Starts a server with the network that ships, sends one slice of 512 px some times over and a study of 35, and asks the
server something else all the while.
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np

from hemorrhage.ct.writing import write_dataset
from tests.web.making import build_slice, draw_ellipses

SLICES = 35
PAUSE_SECONDS = 0.05


@dataclass(frozen=True)
class Timing:
    """Seconds until an upload was read and predicted, and of each other question meanwhile."""

    seconds: float
    meanwhile: list[float]


def main() -> None:
    """Prints a line for each upload."""
    with tempfile.TemporaryDirectory() as folder:
        files = [write_large_slice(Path(folder) / str(number), number) for number in range(SLICES)]
        command = [sys.executable, "-m", "hemorrhage", "serve", "--port", "0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            server.stdout.readline()
            url = server.stdout.readline().split()[3]
            for some in (*([files[number]] for number in range(5)), files):
                print(describe(len(some), time_upload(url, some)), flush=True)
            server.terminate()
            server.communicate()


def write_large_slice(path: Path, number: int) -> Path:
    """Returns the file of a slice of 512 px with noise, which deflates as badly as a real one."""
    noise = np.random.default_rng(number).integers(-5, 6, (512, 512))
    pixels_hu = np.kron(draw_ellipses(), np.ones((4, 4), np.int16)) + noise.astype(np.int16)
    write_dataset(path, build_slice(number, pixels_hu, PixelSpacing=["0.45", "0.45"]))
    return path


def time_upload(url: str, files: list[Path]) -> Timing:
    """Returns how long a session of its own waits for the answers of some files."""
    contents = [("files", (path.name, path.read_bytes())) for path in files]
    meanwhile: list[float] = []
    is_done = threading.Event()
    asking = threading.Thread(target=_keep_asking, args=(url, is_done, meanwhile))
    with httpx.Client(base_url=url, headers={"x-hemorrhage": "1"}, timeout=120) as client:
        client.post("/api/session")
        asking.start()
        began = time.monotonic()
        upload = client.post("/api/uploads", files=contents).json()["upload"]
        while client.get(f"/api/uploads/{upload}").json()["state"] not in ("done", "failed"):
            time.sleep(PAUSE_SECONDS / 2)
        seconds = time.monotonic() - began
        is_done.set()
        asking.join()
        (row,) = client.get("/api/worklist").json()
        assert row["state"] == "done", row
        client.delete("/api/session")
    return Timing(seconds, meanwhile)


def describe(slices: int, timing: Timing) -> str:
    """Returns a line for a person."""
    return (
        f"{slices:3} slices: {timing.seconds:.2f} s; asked {len(timing.meanwhile)} times meanwhile, median "
        f"{1000 * np.median(timing.meanwhile):.0f} ms, longest {1000 * max(timing.meanwhile):.0f} ms; "
        f"load of the machine {os.getloadavg()[0]:.1f}"
    )


def _keep_asking(url: str, is_done: threading.Event, seconds: list[float]) -> None:
    with httpx.Client(base_url=url, timeout=120) as client:
        while not is_done.is_set():
            began = time.monotonic()
            client.get("/api/about").raise_for_status()
            seconds.append(time.monotonic() - began)
            time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    main()
