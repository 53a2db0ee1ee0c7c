"""The words of the verbs that show what a run sees, and make something to look at."""

from pathlib import Path
from typing import Any

from hemorrhage.arguments_data import add_input, add_verb


def add_explain(verbs: Any) -> None:
    """Adds the verb explain."""
    parser = add_verb(
        verbs,
        "explain",
        "Draw where in one slice a run's networks found evidence for a label, or for each of the six (Grad-CAM).",
        "hemorrhage explain @phantom input/phantom --slice ID_0a1b2c3d4 --label subdural --out subdural.png",
    )
    parser.add_argument("run", metavar="NAME", help="a run, a folder under submissions/")
    parser.add_argument(
        "input", type=Path, nargs="?", default=Path("input"), metavar="INPUT", help="where an id is looked for (input)"
    )
    parser.add_argument("--slice", required=True, metavar="ID|PATH", help="a slice of INPUT by its id, or a DICOM file")
    parser.add_argument("--label", metavar="L", help="one label (default: all six)")
    parser.add_argument("--method", default="grad-cam", metavar="M", help="grad-cam (default), grad-cam++ or hires-cam")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="PNG", help="the picture to write, over an older one"
    )


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


def add_show(verbs: Any) -> None:
    """Adds the verb show."""
    parser = add_verb(
        verbs,
        "show",
        "Write a contact sheet as PNG: a batch as the network sees it, a series, or slices with a label.",
        "hemorrhage show batch input --model effb4 --set augment=strong --out batch.png\n"
        "  hemorrhage show batch input --run first --augment off\n"
        "  hemorrhage show series input --patient ID_0a1b2c3d --run first\n"
        "  hemorrhage show label input --label epidural --count 6",
    )
    parser.add_argument("what", choices=("batch", "series", "label"), metavar="WHAT", help="batch, series or label")
    add_input(parser)
    parser.add_argument("--out", type=Path, metavar="PNG", help="(default show-WHAT.png, over an older one)")
    parser.add_argument(
        "--run", metavar="NAME", help="batch: whose config; series: whose out-of-fold probabilities (default: none)"
    )
    parser.add_argument("--series", metavar="ID", help="series: this one (default: the one with most bleeding slices)")
    parser.add_argument("--patient", metavar="ID", help="series: the one of this patient with most bleeding slices")
    parser.add_argument("--label", metavar="LABEL", help="label: epidural, ..., any (default any)")
    parser.add_argument("--count", type=int, metavar="N", help="batch and label: at most so many slices (default 8)")
    parser.add_argument("--augment", choices=("off", "on", "both"), help="batch: without, with, or both (default)")
    parser.add_argument("--epoch", type=int, metavar="E", help="batch: of this epoch, from 1 (default 1)")
    parser.add_argument("--place", type=int, metavar="N", help="batch: which of the epoch, from 0 (default 0)")
    parser.add_argument("--model", help="batch: as in 'train', and so are the next")
    parser.add_argument("--preset", default="default", help="(default: default)")
    parser.add_argument("--size", type=int, metavar="PX")
    parser.add_argument("--windows", metavar="LIST")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="any value of the config")


def add_serve(verbs: Any) -> None:
    """Adds the verb serve."""
    parser = add_verb(
        verbs,
        "serve",
        "Serve a page on this machine where studies are dropped, read by RUN and looked at. Research use only.",
        "hemorrhage serve --run @phantom",
    )
    parser.add_argument("--run", default="@phantom", metavar="RUN", help="the run that reads (default @phantom)")
    parser.add_argument("--port", type=int, default=8765, metavar="P", help="(default 8765; 0 takes a free one)")
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="H",
        help="where to listen (default 127.0.0.1, this machine alone); elsewhere a token is required",
    )
    parser.add_argument("--pacs", metavar="URL", help="a DICOMweb server to list and pull studies from")
