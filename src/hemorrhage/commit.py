"""The commit that this code is of: a checkout asks git, a wheel has it written into it when it is built."""

import subprocess
from pathlib import Path

COMMIT_FILE = "commit.txt"
"""In the package's folder, of a wheel alone."""

_PACKAGE = Path(__file__).parent


def find_commit() -> str | None:
    """Returns the commit of the code that runs, with -dirty behind it where files differ from it; None if unknown."""
    source = _PACKAGE.parents[1]
    if (source / "pyproject.toml").is_file():
        return read_commit(source)
    # Installed: any repository around it is another's.
    written = _PACKAGE / COMMIT_FILE
    return written.read_text(encoding="utf-8").strip() or None if written.is_file() else None


def read_commit(source: Path) -> str | None:
    """Returns the commit of a source tree, with -dirty behind it where files differ from it; None without git."""
    try:
        done = subprocess.run(
            ["git", "-C", str(source), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        return None
    return done.stdout.strip() or None


def abbreviate(commit: str | None) -> str:
    """Returns the first 12 digits of a commit, with -dirty behind them where it has that; `unknown` for None."""
    digits, dash, dirty = (commit or "unknown").partition("-")
    return digits[:12] + dash + dirty
