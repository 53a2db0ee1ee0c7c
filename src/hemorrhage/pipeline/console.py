"""How a verb speaks while it works: the command line gives it a voice, a test or a notebook may give it none."""

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
