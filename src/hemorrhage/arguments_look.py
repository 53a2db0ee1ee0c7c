"""The words of the verbs that make something to look at."""

from pathlib import Path
from typing import Any

from hemorrhage.arguments_data import add_verb


def add_report(verbs: Any) -> None:
    """Adds the verb report."""
    parser = add_verb(
        verbs,
        "report",
        "Write one HTML file about a run: its score beside others, curves, where it fails, and slices.",
        "hemorrhage report first --input input --beside second third",
    )
    parser.add_argument("run", metavar="NAME", help="a run, a folder under submissions/, after 'predict'")
    parser.add_argument(
        "--input",
        type=Path,
        metavar="INPUT",
        help="folder with the data set or store that it was trained on: slices, scanners (default: without these)",
    )
    parser.add_argument(
        "--beside", nargs="+", default=[], metavar="RUN", help="runs to compare with, on slices in common"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="(default submissions/NAME/report.html)")
