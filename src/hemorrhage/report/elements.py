"""HTML made of elements: whatever is not Html already is text, and is escaped."""

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Html:
    """Markup that goes into a page as it is."""

    markup: str


Content = Html | str | int
"""What may stand in an element. Numbers with a fraction are shown by numbers.py, so that nobody reads 17 digits."""

EMPTY = Html("")

_VOID = frozenset({"img", "meta", "line", "rect", "path", "circle", "polyline"})


def element(name: str, /, *children: Content, **attributes: str | int | None) -> Html:
    """Returns one element; a trailing _ of an attribute's name is dropped, others are hyphens, None leaves it out."""
    given = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items() if value is not None}
    words = "".join(f' {key}="{html.escape(str(value))}"' for key, value in given.items())
    if name in _VOID:
        return Html(f"<{name}{words}>" if name in ("img", "meta") else f"<{name}{words}/>")
    return Html(f"<{name}{words}>{join(children).markup}</{name}>")


def join(parts: Iterable[Content]) -> Html:
    """Returns the parts one after the other."""
    return Html("".join(part.markup if isinstance(part, Html) else html.escape(str(part)) for part in parts))


def paragraph(*children: Content) -> Html:
    """Returns a paragraph."""
    return element("p", *children)


def note(text: str) -> Html:
    """Returns the line that stands where a part of the page has nothing to show, and says why."""
    return element("p", text, class_="none")


def build_table(caption: str, header: Sequence[Content], rows: Sequence[Sequence[Content]], words: int = 1) -> Html:
    """Returns a table whose first column names its rows; the first `words` columns are text, the others numbers.

    It scrolls sideways on a narrow screen, by keys as well. A cell that is a whole element "td" stays as it is.
    """
    head = element("tr", *(_cell("th", cell, place, words, "col") for place, cell in enumerate(header)))
    body = [
        element("tr", *(_cell("td" if place else "th", cell, place, words, "row") for place, cell in enumerate(row)))
        for row in rows
    ]
    table = element("table", element("caption", caption), element("thead", head), element("tbody", *body))
    return element("div", table, class_="scroll", tabindex=0, role="region", aria_label=caption)


def _cell(name: str, cell: Content, place: int, words: int, scope: str) -> Html:
    if isinstance(cell, Html) and cell.markup.startswith("<td"):
        return cell
    kind = None if place < words else "number"
    return element(name, cell, scope=scope if name == "th" else None, class_=kind)


def hide(summary: str, *children: Content) -> Html:
    """Returns what is shown when its summary is opened; needs no script."""
    return element("details", element("summary", summary), *children)


def show_figure(caption: Content, *shown: Content, below: Html = EMPTY) -> Html:
    """Returns a figure with its caption, and what stands below it, such as its data."""
    return element("div", element("figure", *shown, element("figcaption", caption)), below)
