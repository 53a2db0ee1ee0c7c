"""Every command of the README can be typed, and every verb made: targets exist, flags parse, as a dry run shows."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from hemorrhage.arguments import build_parser
from hemorrhage.cli import _VERBS
from hemorrhage.kaggle import __main__ as kaggle
from hemorrhage.pipeline.config import resolve_config
from hemorrhage.pipeline.settings import parse_settings

ROOT = Path(__file__).parents[1]
_KAGGLE = "python -m hemorrhage.kaggle"


def commands() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    lines = [line.split(" #")[0].strip() for block in blocks for line in block.splitlines() if line.strip()]
    return [line.replace("$RSNA", "input/rsna") for line in lines if not line.startswith("RSNA=")]


def test_the_readme_has_the_two_commands_of_a_newcomer() -> None:
    assert {"make demo", "make test"} <= set(commands())


@pytest.mark.parametrize("command", [one for one in commands() if one.startswith("make ")])
def test_every_make_command_names_a_target_that_runs_the_verb(command: str) -> None:
    for line in list_commands(command):
        parse(line)


@pytest.mark.parametrize("verb", _VERBS)
def test_every_verb_is_a_target_whose_command_parses(verb: str) -> None:
    (line,) = list_commands(f'make {verb} RUNS="first second"')
    assert parse(line) == verb


def list_commands(command: str) -> list[str]:
    """Returns the verbs, with their words, that a make command runs."""
    # The environment counts as made: this asks what would be run after it.
    done = subprocess.run(
        [*shlex.split(command), "--dry-run", "--assume-old=.venv/.ready", "READY="],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    program = ".venv/bin/"
    lines = [line.removeprefix(program) for line in done.stdout.splitlines()]
    return [line for line in lines if line.startswith(("hemorrhage", _KAGGLE))]


@pytest.mark.parametrize("command", [one for one in commands() if not one.startswith("make ")])
def test_every_other_command_parses(command: str) -> None:
    assert parse(command) in command


def parse(command: str) -> str:
    """Returns the verb of a command that its parser, and for train the config, takes."""
    if command.startswith(_KAGGLE):
        return str(kaggle.build_parser().parse_args(shlex.split(command.removeprefix(_KAGGLE))).name)
    words = shlex.split(command.replace("python -m hemorrhage", "hemorrhage"))
    assert words[0] == "hemorrhage"
    options = build_parser().parse_args(words[1:])
    if options.name == "train":
        flags = {"model": options.model} if options.model else {}
        resolve_config(options.preset, parse_settings(options.set, flags))
    return str(options.name)


def test_files_that_the_readme_links_to_are_there() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", (ROOT / "README.md").read_text())
    missing = [link for link in links if not link.startswith("http") and not (ROOT / link).exists()]
    assert missing == []
