"""What things are called on Kaggle."""

import re

from hemorrhage.errors import HemorrhageError

COMPETITION = "rsna-intracranial-hemorrhage-detection"
DATASET = "hemorrhage-wheels"
PLACEHOLDER = "USER"
"""Stands for the user's name in kernels/*/kernel-metadata.json."""


def require_user(user: str | None) -> str:
    """Returns the Kaggle name; raises HemorrhageError where it is missing, the placeholder, or cannot be one."""
    if not user or user == PLACEHOLDER or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]+", user):
        raise HemorrhageError(
            "Expected USER=name (--user name), your name in the address kaggle.com/name: letters, digits, '-' and '_'; "
            f"received {repr(user) if user else 'none'}."
        )
    return user


def slugify(title: str) -> str:
    """Returns what Kaggle makes of a title: lower case, with one '-' for each run of other signs."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
