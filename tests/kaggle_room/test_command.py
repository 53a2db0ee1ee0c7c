"""The command and its make targets: instant help, one line an error, and a name that no shell puts in."""

import os
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from hemorrhage.cli import main as hemorrhage_main
from hemorrhage.kaggle.__main__ import main
from hemorrhage.pipeline.runs import Run

ROOT = Path(__file__).parents[2]
PROGRAM = ".venv/bin/python -m hemorrhage.kaggle"


@pytest.mark.parametrize("verb", ["dataset", "push", "upload", "download"])
def test_every_verb_has_help_with_an_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([verb, "--help"])
    assert stop.value.code == 0
    assert f"example:\n  python -m hemorrhage.kaggle {verb}" in capsys.readouterr().out


def test_help_loads_neither_pandas_nor_the_client() -> None:
    code = (
        "import sys, hemorrhage.kaggle.__main__ as command\n"
        "try: command.main(['push', '--help'])\n"
        "except SystemExit: pass\n"
        "sys.exit(bool({'pandas', 'numpy', 'keras', 'kaggle', 'requests'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=False).returncode == 0


def test_no_verb_loads_keras() -> None:
    code = (
        "import sys, hemorrhage.kaggle.dataset, hemorrhage.kaggle.push, hemorrhage.kaggle.upload\n"
        "import hemorrhage.kaggle.download\n"
        "sys.exit(bool({'keras', 'tensorflow', 'kaggle'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_wrong_word_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["pull"])
    assert stop.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["kaggle-dataset"], "dataset"),
        (["kaggle-dataset", "USER=sam", "DRY=1"], "dataset --user sam --dry-run"),
        (["push", "KERNEL=train", "USER=sam", "DRY=1"], "push train --user sam --dry-run"),
        (["push", "KERNEL=train", "DRY=0"], "push train"),
        (["upload", "RUN=first", "DRY=1"], "upload first --dry-run"),
        (["download", "DRY=1", "ARGS=--out elsewhere"], "download --dry-run --out elsewhere"),
    ],
)
def test_a_target_calls_its_verb_with_the_user_of_the_command_line_alone(words: list[str], expected: str) -> None:
    done = subprocess.run(
        ["make", "--no-print-directory", *words, "--dry-run", "--assume-old=.venv/.ready", "READY="],
        cwd=ROOT,
        env=os.environ | {"USER": "login"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert " ".join(done.stdout.split()) == f"{PROGRAM} {expected}", done.stderr


def test_submit_never_asks_the_network(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*words: object) -> NoReturn:
        raise AssertionError(f"the network was asked: {words}")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(f"socket.socket.{name}", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)
    monkeypatch.setattr("subprocess.Popen", refuse)
    run.submission_path.unlink()
    assert hemorrhage_main(["submit", "first"]) == 0
    assert run.submission_path.is_file()
