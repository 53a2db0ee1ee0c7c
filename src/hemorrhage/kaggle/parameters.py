"""What the cell of parameters may say: each value is held against the kind that it has to be before it is used."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hemorrhage.errors import HemorrhageError


@dataclass(frozen=True)
class Kind:
    """What a value has to be, in words, and whether one is."""

    words: str
    holds: Callable[[Any], bool]


def _is_whole(value: Any) -> bool:
    # A bool is an int to Python, and no number to whoever wrote it.
    return isinstance(value, int) and not isinstance(value, bool)


def _are_names(value: Any) -> bool:
    # A text is a sequence of texts as well, of its letters.
    is_list = isinstance(value, Sequence) and not isinstance(value, str)
    return is_list and all(isinstance(one, str) for one in value)


FLAG = Kind("True or False", lambda value: isinstance(value, bool))
WHOLE = Kind("a whole number", _is_whole)
HOURS = Kind("a number of hours", lambda value: (_is_whole(value) or isinstance(value, float)) and math.isfinite(value))
TEXT = Kind("text in quotes", lambda value: isinstance(value, str))
NAMES = Kind('a list of names such as ["first", "second"]', _are_names)
SETTINGS = Kind('settings such as {"epochs": 4}', lambda value: isinstance(value, Mapping) and _are_names([*value]))


def or_none(kind: Kind) -> Kind:
    """Returns the kind that None is of as well."""
    return Kind(f"{kind.words}, or None", lambda value: value is None or kind.holds(value))


def check_parameters(**given: tuple[Any, Kind]) -> None:
    """Raises HemorrhageError for the first of the parameters, NAME=(value, kind), that is not of its kind."""
    for name, (value, kind) in given.items():
        if not kind.holds(value):
            raise HemorrhageError(
                f"Expected {name} to be {kind.words}; received {value!r}. Correct the cell of parameters and run again."
            )
