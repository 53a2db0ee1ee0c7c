"""The official kaggle client: what is asked of it, shown or sent, and what it refuses in one line each.

It is loaded only when something is really sent: importing it already looks for credentials and may ask the network.
"""

import contextlib
import importlib
import io
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hemorrhage.errors import HemorrhageError
from hemorrhage.kaggle.manifest import hash_file

REQUIREMENT = "kaggle>=2.2,<3"
TOKEN_PAGE = "https://www.kaggle.com/settings/api"


@dataclass(frozen=True)
class Call:
    """One method of KaggleApi with its arguments, and the files and the metadata that go with it.

    `what` names it in errors, `if_forbidden` and `if_unknown` say what to do when Kaggle answers 403 or 404. `shown`
    are words that stand for an argument where it is printed.
    """

    what: str
    method: str
    arguments: Mapping[str, Any]
    if_forbidden: str
    if_unknown: str
    files: tuple[Path, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    shown: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """What a method of KaggleApi returned, and what it printed meanwhile."""

    value: Any
    said: str


def describe_call(call: Call) -> str:
    """Returns the call as text: method and arguments, each file with its size and sha256, the metadata."""
    lines = [f"would {call.what}: KaggleApi.{call.method} with"]
    lines += [f"  {name}: {call.shown.get(name, value)}" for name, value in call.arguments.items()]
    lines += ["files" if call.files else "files: none"]
    lines += [f"  {path.name}  {path.stat().st_size:,} bytes  sha256 {hash_file(path)}" for path in call.files]
    if call.metadata:
        lines += ["metadata", json.dumps(call.metadata, indent=2)]
    return "\n".join([*lines, "nothing was sent"])


def open_api() -> Any:
    """Returns the client's KaggleApi, authenticated.

    Raises HemorrhageError where the package or the credentials are missing, or Kaggle does not take them.
    """
    try:
        # It prints its own advice, and its import leaves the program where older versions find no credentials.
        with contextlib.redirect_stdout(io.StringIO()):
            api = importlib.import_module("kaggle.api.kaggle_api_extended").KaggleApi()
            api.authenticate()
    except ImportError as error:
        raise HemorrhageError(_describe_missing_package(error)) from error
    except (SystemExit, ValueError) as error:
        raise HemorrhageError(_describe_credentials()) from error
    except OSError as error:
        if _is_from_network(error):
            raise HemorrhageError(_describe_refusal(error, "sign in to Kaggle", {})) from error
        raise HemorrhageError(_describe_credentials()) from error
    return api


def send(call: Call, api: Any, hold_output: bool = True) -> Answer:
    """Returns Kaggle's answer to the call; HemorrhageError says in one line why it was refused or did not come.

    `hold_output` keeps what the client prints out of sight; it is in the answer.
    """
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said) if hold_output else contextlib.nullcontext():
            value = getattr(api, call.method)(**call.arguments)
    except OSError as error:
        if not _is_from_network(error):
            raise
        advice = {403: call.if_forbidden, 404: call.if_unknown}
        raise HemorrhageError(_describe_refusal(error, call.what, advice)) from error
    except (ValueError, SystemExit) as error:
        reason = f"{error} {said.getvalue()}" if isinstance(error, ValueError) else said.getvalue()
        raise HemorrhageError(f"Could not {call.what}: the kaggle client says: {reason.strip()}") from error
    return Answer(value, " ".join(said.getvalue().split()))


def _describe_missing_package(error: ImportError) -> str:
    if (error.name or "").split(".")[0] != "kaggle":
        return f"The kaggle package cannot be loaded ({error}). Install it anew: {_install_command()}."
    return (
        f"Expected the kaggle package, found none. Install it: {_install_command()}. (A dry run, DRY=1 or --dry-run, "
        "does without.)"
    )


def _install_command() -> str:
    return f"{os.path.relpath(sys.executable)} -m pip install '{REQUIREMENT}'"


def _describe_credentials() -> str:
    where = (
        "its text into the variable KAGGLE_API_TOKEN or the file ~/.kaggle/access_token; a key of the older kind goes "
        "as kaggle.json into ~/.kaggle, or as KAGGLE_USERNAME and KAGGLE_KEY"
    )
    if found := _list_credentials():
        return (
            f"Kaggle does not take the credentials in {' or '.join(found)}: wrong or expired. Make a new token at "
            f"{TOKEN_PAGE} and put {where}."
        )
    return f"Expected credentials for Kaggle, found none. Make a token at {TOKEN_PAGE} and put {where}."


def _list_credentials() -> list[str]:
    """Returns where credentials of any kind lie, in the order in which the client looks."""
    home = Path.home()
    folders = [os.environ.get("KAGGLE_CONFIG_DIR"), home / ".kaggle", home / ".config" / "kaggle"]
    files = [home / ".kaggle" / "access_token", home / ".kaggle" / "access_token.txt"]
    files += [Path(folder) / "kaggle.json" for folder in folders if folder]
    files += [home / ".kaggle" / "credentials.json"]
    variables = ["KAGGLE_API_TOKEN", "KAGGLE_KEY"]
    return [name for name in variables if os.environ.get(name)] + [str(path) for path in files if path.is_file()]


def _is_from_network(error: OSError) -> bool:
    """Whether requests raised it; a full disk and the like are errors of another kind."""
    return getattr(error, "response", None) is not None or type(error).__module__.startswith("requests")


def _describe_refusal(error: OSError, what: str, advice: Mapping[int, str]) -> str:
    response = getattr(error, "response", None)
    if response is None:
        return f"Could not {what}: Kaggle cannot be reached ({_shorten(str(error))}). Is there a network?"
    status = int(response.status_code)
    words = _find_words(response) or _shorten(str(error))
    return f"Could not {what}: Kaggle answers {status}: {words.rstrip('.')}. {_advise(status, response, advice)}"


def _advise(status: int, response: Any, advice: Mapping[int, str]) -> str:
    if status == 429:
        seconds = response.headers.get("Retry-After")
        return f"Too many requests; wait {seconds} s and try again." if seconds else "Wait some minutes and try again."
    if status >= 500:
        return "The fault is Kaggle's; try again later."
    default = f"Make a new token at {TOKEN_PAGE}." if status in (401, 403) else "See what the words say."
    return advice.get(status) or default


def _find_words(response: Any) -> str:
    """Returns the message of Kaggle's answer, or the beginning of its text."""
    try:
        message = response.json().get("message")
    except (ValueError, AttributeError):
        message = None
    return _shorten(str(message or response.text or response.reason or ""))


def _shorten(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 200 else f"{line[:200]}..."
