"""The process in which files of strangers are opened: it may be killed at any moment, and costs one message then.

Requests and answers are JSON over a pipe, so that a process that has been taken over can send the server no more than
text. Memory, processor time and time on the wall are limited (see reader.ReaderProcess).
"""

import json
import resource
import sys
import traceback
import warnings
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from hemorrhage.ct.dicom import DicomError, read_header, read_slice
from hemorrhage.errors import HemorrhageError
from hemorrhage.web.facts import read_facts
from hemorrhage.web.limits import Limits, RefusedError
from hemorrhage.web.unpacking import is_zip, unpack

READY = b"ready"
"""What the process says once it can be asked."""


def serve_requests(connection: Connection) -> None:
    """Answers requests until the other end of the pipe is closed; the first message has the limits and the secret."""
    given = json.loads(connection.recv_bytes())
    limits, secret = Limits(**given["limits"]), bytes.fromhex(given["secret"])
    warnings.filterwarnings("ignore", module="pydicom")
    _limit_memory(limits.reader_memory)
    connection.send_bytes(READY)
    while True:
        try:
            request = json.loads(connection.recv_bytes())
        except EOFError:
            return
        _limit_time(request["seconds"])
        connection.send_bytes(json.dumps(_answer(request, limits, secret)).encode())


def _limit_memory(extra_bytes: int) -> None:
    # Elsewhere than on Linux the limit is not kept by the system; time and sizes still are.
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + extra_bytes
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _limit_time(seconds: int) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + seconds + 1, hard))


def _answer(request: dict[str, Any], limits: Limits, secret: bytes) -> dict[str, Any]:
    """Returns {"answer": ...}, {"error": words, "status": ...}, or {"fault": where} for a defect of this program."""
    try:
        return {"answer": _do(request, limits, secret)}
    except DicomError as error:
        return {"error": error.cause, "status": 400}
    except RefusedError as error:
        return {"error": str(error), "status": error.status}
    except HemorrhageError as error:
        return {"error": str(error), "status": 400}
    except MemoryError:
        return {"error": "needs more memory than a slice may; it was given up.", "status": 413}
    except Exception as error:  # noqa: BLE001 - its text may hold a patient's name, so only its place goes on
        place = traceback.extract_tb(error.__traceback__)[-1]
        return {"fault": f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}"}


def _do(request: dict[str, Any], limits: Limits, secret: bytes) -> Any:
    path = Path(request["path"])
    match request["do"]:
        case "unpack":
            return _unpack(path, Path(request["out"]), limits, request["files_left"])
        case "describe":
            return read_facts(path, secret).to_json()
        case "decode":
            return _decode(path, Path(request["out"]), limits)
        case "export":
            # Its library takes a second to load, which the first slice should not wait for.
            from hemorrhage.web.export_dicom import write_export

            return write_export(request["export"], path)
        case unknown:
            raise ValueError(unknown)


def _unpack(path: Path, folder: Path, limits: Limits, files_left: int) -> list[dict[str, str | None]] | None:
    """The members of a zip; None where the file is no zip."""
    if not is_zip(path):
        return None
    return [
        {"name": member.name, "path": str(member.path) if member.path else None, "why": member.why}
        for member in unpack(path, folder, limits, files_left)
    ]


def _decode(path: Path, out: Path, limits: Limits) -> dict[str, Any]:
    header = read_header(path)
    if header.rows * header.columns > limits.pixels:
        raise RefusedError(f"has {header.rows} x {header.columns} pixels; at most {limits.pixels} are taken.", 413)
    pixels_hu = read_slice(path).pixels_hu
    np.save(out, np.ascontiguousarray(pixels_hu), allow_pickle=False)
    return {"shape": list(pixels_hu.shape)}


if __name__ == "__main__":
    serve_requests(Connection(int(sys.argv[1])))
