"""How a verb speaks while it works: the command line gives it a voice, a test or a notebook may give it none."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol


class Bar(Protocol):
    """A progress bar, as tqdm has it."""

    def update(self, n: int = 1) -> object: ...
    def close(self) -> object: ...


class _NoBar:
    def update(self, n: int = 1) -> None:
        """Shows nothing."""

    def close(self) -> None:
        """Has nothing to close."""


class LineBar:
    """A progress bar for what is no terminal: a line a minute."""

    def __init__(self, total: int, what: str, say: Callable[[str], object], seconds: float = 60.0) -> None:
        self._total, self._what, self._say, self._seconds = total, what, say, seconds
        self._done = 0
        self._begun = self._said = time.monotonic()

    def update(self, n: int = 1) -> None:
        """Counts `n` more, and says how far it is where a minute has passed."""
        self._done += n
        now = time.monotonic()
        if now - self._said >= self._seconds:
            self._said = now
            minutes = (now - self._begun) / 60
            self._say(f"{self._what}: {self._done:,} of {self._total:,} after {minutes:.0f} min")

    def close(self) -> None:
        """Has nothing to close."""


def unit_of(what: str) -> str:
    """Returns what a bar counts: the first plural in its title, `slices` of `test slices`, or steps."""
    return next((word for word in what.split() if word.endswith("s")), "steps")


@dataclass(frozen=True)
class Console:
    """`say` prints a line of result, `warn` a line the user should act on, `bar` opens a bar of (total, what)."""

    say: Callable[[str], None]
    warn: Callable[[str], None]
    bar: Callable[[int, str], Bar]

    def track(self, things: Iterable[Any], total: int, what: str) -> Iterator[Any]:
        """Yields `things` while a bar shows how many of `total` have passed."""
        bar = self.bar(total, what)
        try:
            for thing in things:
                yield thing
                bar.update(1)
        finally:
            bar.close()


def count(number: int, what: str) -> str:
    """Returns `1 epoch` or `2 epochs`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _say_nothing(text: str) -> None:
    del text


SILENT = Console(say=_say_nothing, warn=_say_nothing, bar=lambda total, what: _NoBar())
