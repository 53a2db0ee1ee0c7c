"""What the machine under a kernel has: GPUs by name, processors, memory and disk."""

import os
import shutil
import subprocess
from pathlib import Path


def describe_gpus(seen: int) -> str:
    """Returns how many GPUs Keras has `seen`, with the names that the driver gives them."""
    if not seen:
        return "no GPU"
    names = _ask_driver()
    return f"{seen} GPU{'s' if seen > 1 else ''}" + (f" ({', '.join(names)})" if names else "")


def _ask_driver() -> list[str]:
    if shutil.which("nvidia-smi") is None:
        return []
    command = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]


def describe_space(folder: Path) -> str:
    """Returns how much of the disk under `folder` and of the memory is free, and how many processors there are."""
    disk, memory = format_bytes(shutil.disk_usage(folder).free), format_bytes(_free_memory())
    return f"{disk} free in {folder}, {memory} of memory free, {os.cpu_count()} processors"


def format_bytes(size: float) -> str:
    """Returns such as 1.3 GB, 20 MB or 4 KB."""
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "KB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size:.0f} bytes"


def _free_memory() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        name, _, amount = line.partition(":")
        if name == "MemAvailable":
            return 1024 * int(amount.split()[0])
    raise OSError("/proc/meminfo: expected a line MemAvailable, found none.")
