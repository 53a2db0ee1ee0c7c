"""What a session holds: uploads, and the studies that came of them. Threads of the server change it, requests read it.

All ids are random names of the server's. Nothing here names a patient.
"""

import secrets
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hemorrhage.web.facts import Facts


def make_id() -> str:
    """Returns a new name that cannot be guessed."""
    return secrets.token_urlsafe(12)


@dataclass(frozen=True)
class LeftOut:
    """A file that is not read, by the sender's name for it, and why."""

    file: str
    why: str


@dataclass
class SliceRecord:
    """A slice of a chosen series; `hu_path` is where its HU are, None with an `error`."""

    name: str
    source: Path
    facts: Facts
    hu_path: Path | None = None
    shape: tuple[int, int] = (0, 0)
    error: str = ""
    predicted: np.ndarray | None = None
    calibrated: np.ndarray | None = None

    @property
    def probabilities(self) -> np.ndarray | None:
        """What is shown, float64 of 6: calibrated where the run has a calibration."""
        return self.predicted if self.calibrated is None else self.calibrated


@dataclass
class SeriesRecord:
    """A series of a study; only a chosen one has slices, in order of z from below."""

    title: str
    why: str
    chosen: bool
    count: int
    facts: Facts
    slices: list[SliceRecord] = field(default_factory=list)
    id: str = field(default_factory=make_id)


@dataclass
class StudyRecord:
    """A study as the page shows it; `answer` is float64 of 6 and `answer_kind` how it came of the slices."""

    title: str
    description: str
    series: list[SeriesRecord]
    left_out: int = 0
    state: str = "reading"
    done: int = 0
    total: int = 0
    error: str = ""
    answer: np.ndarray | None = None
    answer_kind: str = ""
    is_calibrated: bool = False
    id: str = field(default_factory=make_id)

    @property
    def chosen(self) -> SeriesRecord | None:
        """The series that is read, None where none may be."""
        return next((series for series in self.series if series.chosen), None)


@dataclass
class UploadRecord:
    """What was sent at once, and how far the reading of it is."""

    folder: Path
    state: str = "receiving"
    done: int = 0
    total: int = 0
    message: str = "receiving"
    studies: list[str] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    error: str = ""
    bytes: int = 0
    id: str = field(default_factory=make_id)
