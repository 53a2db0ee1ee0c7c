"""One process at a time in a run, and a run that is there whole or not at all."""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from hemorrhage.errors import HemorrhageError
from hemorrhage.files import make_folder
from hemorrhage.pipeline.runs import Run, name_run


@contextmanager
def locking(run: Run) -> Iterator[None]:
    """Holds the run's folder for one process; raises HemorrhageError where another holds it.

    The system lets go of the lock when the process ends, however it ends.
    """
    # Beside the runs, so that a training which fails at its start leaves no folder behind.
    path = make_folder(run.folder.parent / ".locks") / run.folder.name
    try:
        file = path.open("w")
    except OSError as error:
        raise HemorrhageError(
            f"{path}: could not be written ({error.strerror}), and by it one process at a time holds a run. Name a "
            "folder that can be written by going to another."
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise HemorrhageError(f"{run.folder}: another process is writing it. Choose another name.") from error
        yield


@contextmanager
def making(name: str) -> Iterator[Run]:
    """Yields a run that is made beside its place and becomes the run `name` when the block ends without an error.

    Of a block that fails or is interrupted nothing stays. Raises HemorrhageError where the run has anything in it.
    """
    run = name_run(name)
    with locking(run):
        if run.folder.is_file() or (run.folder.is_dir() and any(run.folder.iterdir())):
            raise HemorrhageError(f"{run.folder}: this run exists. Choose another name.")
        made = Run(run.folder.parent / f".making-{name}")
        # Of a process that was killed.
        shutil.rmtree(made.folder, ignore_errors=True)
        try:
            make_folder(made.folder)
            yield made
            made.folder.replace(run.folder)
        finally:
            shutil.rmtree(made.folder, ignore_errors=True)
