"""Markup: text is escaped, tables say what their cells belong to, numbers have the digits that mean something."""

import numpy as np
import pytest

from hemorrhage.report.charts import Axes, Line, draw_chart
from hemorrhage.report.elements import Html, build_table, element, join
from hemorrhage.report.numbers import (
    show_decimal,
    show_difference,
    show_duration,
    show_interval,
    show_probability,
    show_share,
)
from hemorrhage.report.scales import UNIT, Scale, span

NAN = float("nan")


def test_text_and_attributes_are_escaped_and_markup_is_not() -> None:
    made = element("p", "<b> & 'x'", Html("<i>y</i>"), class_="a", title='"<', hidden=None)
    assert made.markup == '<p class="a" title="&quot;&lt;">&lt;b&gt; &amp; &#x27;x&#x27;<i>y</i></p>'
    assert join(["<", 3]).markup == "&lt;3"


def test_a_table_names_its_rows_and_columns() -> None:
    made = build_table("Two", ("", "a"), [("first", 1), ("second", element("td", "x", class_="heat1"))]).markup
    assert '<th scope="col" class="number">a</th>' in made
    assert '<th scope="row">first</th><td class="number">1</td>' in made
    assert '<th scope="row">second</th><td class="heat1">x</td>' in made
    assert "<caption>Two</caption>" in made


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (show_decimal(0.05434), "0.0543"),
        (show_decimal(NAN), "-"),
        (show_decimal(None), "-"),
        (show_interval(0.5, (0.25, 0.75), 2), "0.50 (0.25 to 0.75)"),
        (show_interval(0.5, (NAN, NAN), 2), "0.50 (no interval)"),
        (show_interval(None, (0.1, 0.2)), "-"),
        (show_difference(-0.01), "-0.0100"),
        (show_probability(0.0001), "<0.001"),
        (show_probability(0.99999), ">0.999"),
        (show_probability(0.0), "0.000"),
        (show_share(0.0042), "0.42 %"),
        (show_share(0.1434), "14.3 %"),
        (show_duration(45), "45 s"),
        (show_duration(720), "12 min"),
        (show_duration(12240), "3.4 h"),
    ],
)
def test_numbers(shown: str, expected: str) -> None:
    assert shown == expected


def test_ticks_are_round_and_within() -> None:
    assert UNIT.ticks() == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])
    assert Scale(0.5, 6.5, is_whole=True).ticks() == [2, 4, 6]
    assert Scale(1e-4, 1, is_log=True).ticks() == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1, 1])
    assert [f"{value:g}" for value in Scale(-50, 50).ticks()] == ["-40", "-20", "0", "20", "40"]


def test_values_are_held_in_the_axis() -> None:
    np.testing.assert_allclose(Scale(1e-4, 1, is_log=True).place(np.array([0, 1e-2, 2])), [0, 0.5, 1])
    assert span(np.array([1.0, 2.0])) == Scale(0.0, 2.16)
    assert span(np.zeros(3)) == Scale(0.0, 1.0)


def test_a_line_goes_from_corner_to_corner() -> None:
    line = Line("x", np.array([0.0, 1.0]), np.array([0.0, 1.0]), color=2, dash=1)
    chart = draw_chart("what it shows", Axes("across", "up", UNIT, UNIT), [line]).markup
    assert '<polyline points="58.0,228.0 368.0,10.0" class="c2 d1"/>' in chart
    assert 'role="img" aria-label="what it shows"' in chart
    assert ">across</text>" in chart and ">up</text>" in chart
