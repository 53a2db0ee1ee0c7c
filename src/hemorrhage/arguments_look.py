"""The words of the verbs that show what a run sees."""

from pathlib import Path
from typing import Any

from hemorrhage.arguments_data import add_verb


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
