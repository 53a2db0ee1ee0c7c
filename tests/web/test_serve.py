"""The verb serve: what it is told wrongly is one line, and whom it lets in."""

import socket
from pathlib import Path

import pytest

from hemorrhage.cli import main
from hemorrhage.errors import HemorrhageError
from hemorrhage.web.serve import TOKEN_VARIABLE, Address, bind, find_token


def fails_with(words: str, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Asserts that a command ends with status 2 and one line that has the words."""
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("hemorrhage serve: ")
    assert words in line


def test_wrong_words_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    fails_with("found none; there are: @phantom", ["serve", "--run", "missing", "--port", "0"], capsys)
    (tmp_path / "submissions" / "begun").mkdir(parents=True)
    (tmp_path / "submissions" / "begun" / "config.json").write_text("{}")
    fails_with("begun", ["serve", "--run", "begun", "--port", "0"], capsys)
    pacs = ["serve", "--port", "0", "--pacs", "http://127.0.0.1:9/dicom-web"]
    fails_with("127.0.0.1:9 does not answer", pacs, capsys)
    fails_with("does not exist.example", ["serve", "--host", "does not exist.example"], capsys)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        fails_with(f"port {port}, but that cannot be had (Address already in use)", ["serve", "--port", port], capsys)


def test_a_token_is_wanted_elsewhere_and_may_not_be_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    assert find_token("127.0.0.1") == (None, False)
    token, is_new = find_token("0.0.0.0")
    assert is_new
    assert token is not None
    assert len(token) == 32
    monkeypatch.setenv(TOKEN_VARIABLE, "sixteen letters!")
    assert find_token("127.0.0.1") == ("sixteen letters!", False)
    monkeypatch.setenv(TOKEN_VARIABLE, "short")
    with pytest.raises(HemorrhageError, match="16 characters or more, received 5"):
        find_token("127.0.0.1")


def test_addresses_of_loopback_are_bound() -> None:
    with bind(Address("127.0.0.1", 0)) as listening:
        assert listening.getsockname()[0] == "127.0.0.1"
