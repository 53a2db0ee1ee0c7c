"""The commit is git's in a checkout, and what a wheel says of itself elsewhere; never another repository's."""

import subprocess
from pathlib import Path

import pytest

import hemorrhage.commit as module
from hemorrhage.commit import COMMIT_FILE, find_commit, read_commit


def install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Returns a package's folder within a git repository of somebody else's."""
    subprocess.run(["git", "init", "-q", folder], check=True)
    package = folder / "lib" / "hemorrhage"
    package.mkdir(parents=True)
    monkeypatch.setattr(module, "_PACKAGE", package)
    return package


def test_a_wheel_says_its_own_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = install(tmp_path, monkeypatch)
    assert find_commit() is None
    (package / COMMIT_FILE).write_text("0123abcd-dirty\n")
    assert find_commit() == "0123abcd-dirty"
    (package / COMMIT_FILE).write_text("")
    assert find_commit() is None


def test_a_checkout_asks_git(tmp_path: Path) -> None:
    assert read_commit(tmp_path) is None
    git = ["git", "-C", tmp_path, "-c", "user.name=a", "-c", "user.email=a@example.org"]
    (tmp_path / "file").write_text("a")
    for words in (["init", "-q"], ["add", "file"], ["commit", "-qm", "first"]):
        subprocess.run([*git, *words], check=True)
    commit = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    assert read_commit(tmp_path) == commit
    (tmp_path / "file").write_text("b")
    assert read_commit(tmp_path) == f"{commit}-dirty"
