"""Runs a notebook with nbclient: python execute.py IN OUT FOLDER [UNTIL], where UNTIL is the id of the last cell run.

It imports nothing of this project: it runs in an environment like Kaggle's image. The notebook is written to OUT
whether or not a cell fails; the exit status is 3 where one does. Kernels are reached by sockets in files, since there
may be no network, not even to this machine itself.
"""

import asyncio
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

FAILED = 3


def main() -> int:
    source, target, folder, *until = sys.argv[1:]
    notebook = nbformat.read(source, as_version=4)
    if until:
        last = [cell["id"] for cell in notebook.cells].index(until[0])
        notebook.cells = notebook.cells[: last + 1]
    status = 0
    try:
        asyncio.run(execute(notebook, folder))
    except CellExecutionError:
        status = FAILED
    nbformat.write(notebook, target)
    return status


async def execute(notebook: nbformat.NotebookNode, folder: str) -> None:
    with TemporaryDirectory() as sockets:
        manager = AsyncKernelManager(kernel_name="python3", transport="ipc", ip=f"{sockets}/kernel")
        client = NotebookClient(notebook, km=manager, timeout=600, resources={"metadata": {"path": folder}})
        try:
            await client.async_execute()
        finally:
            if manager.has_kernel:
                await manager.shutdown_kernel(now=True)


if __name__ == "__main__":
    Path(sys.argv[2]).unlink(missing_ok=True)
    sys.exit(main())
