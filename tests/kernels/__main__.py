"""`make kernels`: runs every notebook on synthetic heads and keeps what it showed in the repository."""

import sys
import tempfile
from pathlib import Path

from tests.kernels.chain import open_workshop, run_alone, run_chain
from tests.kernels.notebooks import KERNELS, keep_outputs, path_of, read_notebook, write_notebook


def main() -> int:
    """Returns 0 after writing all five notebooks anew."""
    with tempfile.TemporaryDirectory() as folder:
        shop = open_workshop(Path(folder))
        links = run_alone(shop) | run_chain(shop)
        for kernel in KERNELS:
            kept = keep_outputs(read_notebook(path_of(kernel)), links[kernel].execution.notebook)
            write_notebook(path_of(kernel), kept)
            print(f"wrote {path_of(kernel)}: {path_of(kernel).stat().st_size / 1000:.0f} KB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
