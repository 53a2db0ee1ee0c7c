"""How a kernel stops: one line in the notebook, and a run that whoever started it counts as failed."""

from collections.abc import Iterator
from contextlib import contextmanager

from hemorrhage.errors import HemorrhageError


class Stop(HemorrhageError):  # noqa: N818 - its name is read in notebooks
    """A fault that ends a kernel; its text says what was expected, what was found, where, and what to do."""

    def _render_traceback_(self) -> list[str]:
        """Returns the one line that IPython shows in the place of a traceback; the cell still counts as failed."""
        return [f"Stopped: {self}"]


@contextmanager
def stopping() -> Iterator[None]:
    """Makes a Stop of what a user can mend; around a block, or as a decorator of what a notebook calls.

    Raises Stop for HemorrhageError, errors of the system such as a full disk, and want of memory.
    """
    try:
        yield
    except Stop:
        raise
    except (HemorrhageError, OSError) as error:
        raise Stop(" ".join(str(error).split())) from error
    except MemoryError as error:
        raise Stop("Out of memory. Give the kernel less to do at once: a smaller batch, or fewer slices.") from error
