"""How much the page takes in, and the error of what it refuses."""

from dataclasses import dataclass

from hemorrhage.errors import HemorrhageError

WARNING = "Research use only. Not for clinical decisions."

_GIB = 1024**3


@dataclass(frozen=True)
class Limits:
    """Sizes in bytes, times in seconds; `pixels` are those of one slice, `files` those of one upload."""

    bytes: int = _GIB
    files: int = 3000
    pixels: int = 2048 * 2048
    unpacked_bytes: int = 2 * _GIB
    zip_ratio: int = 50
    session_bytes: int = 4 * _GIB
    stored_bytes: int = 8 * _GIB
    sessions: int = 20
    waiting_uploads: int = 20
    json_bytes: int = 64 * 1024
    reader_memory: int = 1_500_000_000
    file_seconds: int = 20
    unpack_seconds: int = 120
    export_seconds: int = 120
    idle_seconds: int = 3600
    session_seconds: int = 12 * 3600


class RefusedError(HemorrhageError):
    """What the page will not do, in words for the person at it; `status` is that of HTTP."""

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.status = status


def in_words(count: int) -> str:
    """Returns a number of bytes as a person says it, such as `1.0 GB`."""
    for unit, size in (("GB", _GIB), ("MB", 1024**2), ("kB", 1024)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count} bytes"
