"""The page itself: header, table of contents, parts in order, footer, and its style; nothing outside it is needed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hemorrhage import __version__
from hemorrhage.report.elements import Html, element, join

NOT_CLINICAL = "Research use only. Not for clinical decisions."
_STYLE = Path(__file__).with_name("report.css")
# No script, no request to anywhere, whatever a data set's text may hold.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


@dataclass(frozen=True)
class Part:
    """One part of the page: `key` is its place in links."""

    key: str
    title: str
    body: Html


def build_page(title: str, lead: Html, parts: Sequence[Part]) -> str:
    """Returns the HTML of the whole page."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("title", title),
        element("style", Html(_STYLE.read_text(encoding="utf-8"))),
    )
    body = element(
        "body",
        element("a", "To the report", href="#main", class_="skip"),
        element("header", element("h1", title), element("p", NOT_CLINICAL, class_="warning"), lead),
        _build_contents(parts),
        element("main", *(_build_part(part) for part in parts), id="main"),
        element("footer", element("p", NOT_CLINICAL, class_="warning"), element("p", f"hemorrhage {__version__}")),
    )
    return f"<!doctype html>\n{element('html', head, body, lang='en').markup}\n"


def _build_contents(parts: Sequence[Part]) -> Html:
    links = [element("li", element("a", part.title, href=f"#{part.key}")) for part in parts]
    return element("nav", element("ol", *links), aria_label="Contents")


def _build_part(part: Part) -> Html:
    heading = element("h2", part.title, id=f"{part.key}-title")
    return element("section", join([heading, part.body]), id=part.key, aria_labelledby=f"{part.key}-title")
