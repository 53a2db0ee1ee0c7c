"""What the terminal is told of a defect: where it lies, and nothing that a file said."""

import sys
import traceback
from pathlib import Path


def say_fault(error: BaseException) -> None:
    """Prints where a defect of this program lies, and never its text, which may hold what was read from a file."""
    places = traceback.extract_tb(error.__traceback__)
    trail = " < ".join(f"{Path(place.filename).name}:{place.lineno}" for place in reversed(places[-6:]))
    print(f"fault: {type(error).__name__} at {trail}", file=sys.stderr, flush=True)
