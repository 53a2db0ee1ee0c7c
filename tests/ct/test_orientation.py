import math

import pytest

from hemorrhage.ct.orientation import Edges, find_edges


@pytest.mark.parametrize(
    ("orientation", "edges"),
    [
        # Rows run to the patient's left and columns to the back, as head CT is stored; x and y grow to these.
        ((1, 0, 0, 0, 1, 0), Edges("R", "L", "A", "P")),
        ((-1, 0, 0, 0, 1, 0), Edges("L", "R", "A", "P")),
        ((1, 0, 0, 0, -1, 0), Edges("R", "L", "P", "A")),
        ((0, 1, 0, 0, 0, -1), Edges("A", "P", "H", "F")),
        # A gantry tilted by twenty degrees.
        ((1, 0, 0, 0, math.cos(0.35), -math.sin(0.35)), Edges("R", "L", "A", "P")),
    ],
)
def test_the_letters_at_the_edges(orientation: tuple[float, ...], edges: Edges) -> None:
    assert find_edges(orientation) == edges


@pytest.mark.parametrize("orientation", [(), (1, 0, 0), (0,) * 6, (1, 0, 0, 0, math.nan, 0)])
def test_a_header_without_an_orientation_has_no_letters(orientation: tuple[float, ...]) -> None:
    assert find_edges(orientation) is None
