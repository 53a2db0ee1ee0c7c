"""Text and JSON made the values of a frozen dataclass: by the kind of each field; an unknown key fails."""

import difflib
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from hemorrhage.errors import HemorrhageError


def parse_settings(pairs: Sequence[str], flags: Mapping[str, Any]) -> dict[str, Any]:
    """Returns key -> value of the command line: the texts of its `--set key=value` pairs, and its flags of their own.

    Raises HemorrhageError for a pair without '=', and for a key that is given twice: one of the two would be lost.
    """
    given = dict(flags)
    for pair in pairs:
        key, sign, value = pair.partition("=")
        key = key.strip().replace("-", "_")
        if not sign:
            raise HemorrhageError(f"Expected --set key=value, received --set {pair}.")
        if key in given:
            raise HemorrhageError(f"Expected {key} once, received {given[key]!r} and --set {pair}.")
        given[key] = value.strip()
    return given


def convert_settings(kind: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns `values` as the fields of the dataclass `kind` want them; text as the command line has it may be given.

    Raises HemorrhageError for a key that is no field, naming the nearest, or a value of another kind.
    """
    return {key: _convert(typing.get_type_hints(kind), key, value) for key, value in values.items()}


def require(holds: bool, key: str, expected: str, received: Any) -> None:
    """Raises HemorrhageError, saying what was expected of the setting `key`, unless it `holds`."""
    if not holds:
        raise HemorrhageError(f"Expected {key} to be {expected}, received {received!r}.")


def _convert(hints: Mapping[str, Any], key: str, value: Any) -> Any:
    if key not in hints:
        near = difflib.get_close_matches(key, hints, n=1)
        advice = f" Did you mean {near[0]}?" if near else f" Known: {', '.join(hints)}."
        raise HemorrhageError(f"Unknown setting {key!r}.{advice}")
    try:
        return _convert_to(hints[key], value)
    except (ValueError, TypeError) as error:
        raise HemorrhageError(f"Expected {key} to be {_kind(hints[key])}, received {value!r}.") from error


def _convert_to(hint: Any, value: Any) -> Any:
    if isinstance(hint, types.UnionType):
        return None if value is None or value == "none" else _convert_to(typing.get_args(hint)[0], value)
    if typing.get_origin(hint) is tuple:
        of = typing.get_args(hint)[0]
        return tuple(of(part) for part in (value.split(",") if isinstance(value, str) else value))
    if hint is bool:
        return _BOOLEANS[str(value).lower()]
    if hint is int and str(value) != str(int(value)):
        raise ValueError(value)
    return hint(value)


class _Booleans(dict[str, bool]):
    def __missing__(self, key: str) -> bool:
        raise ValueError(key)


_BOOLEANS = _Booleans({"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False})


def _kind(hint: Any) -> str:
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
    return names.get(hint) or ("a whole number or none" if isinstance(hint, types.UnionType) else "values a,b,...")
