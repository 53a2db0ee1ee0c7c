"""The words of the verbs by which people look at what a run does."""

from typing import Any

from hemorrhage.arguments_data import add_verb


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
