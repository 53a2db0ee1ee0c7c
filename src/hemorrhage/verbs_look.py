"""What people look at, as verbs: the report and the sheets."""

import argparse

from hemorrhage.terminal import open_console


def run_report(options: argparse.Namespace) -> int:
    """Returns 0 after writing the page of a run."""
    from hemorrhage.report.report import write_report

    console = open_console()
    path = write_report(options.run, options.input, options.beside, options.out, console)
    print(f"wrote {path} ({path.stat().st_size / 1e6:.1f} MB)")
    return 0
