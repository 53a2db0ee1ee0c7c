"""The hours of a kernel: how many are gone since its process began, and how many Kaggle leaves it."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

LIMIT_HOURS = 12.0
"""What Kaggle gives one run of a kernel."""

KEPT_BACK_HOURS = 0.5
"""For what cannot be cut short: the validation of an epoch, its saving, and Kaggle's copying of the output."""


@dataclass(frozen=True)
class Clock:
    """When the kernel began, in the seconds of time.monotonic, and how many hours it may take."""

    began: float
    limit_hours: float = LIMIT_HOURS

    @property
    def hours_used(self) -> float:
        return (time.monotonic() - self.began) / 3600

    @property
    def hours_left(self) -> float:
        return self.limit_hours - self.hours_used


def start_clock(limit_hours: float = LIMIT_HOURS) -> Clock:
    """Returns the clock of this process, which a notebook's kernel is: it started when the process did."""
    return Clock(time.monotonic() - _process_age_seconds(), limit_hours)


def _process_age_seconds() -> float:
    # The 22nd field, in ticks since the system began; the second one, a name in brackets, may hold spaces.
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")
