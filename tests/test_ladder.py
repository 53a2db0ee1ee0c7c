"""The ladder of docs/score.md is what the predictions kept beside it give."""

from pathlib import Path
from typing import Any

import pytest

from hemorrhage.files import read_json
from tests.bench.ladder import compare, format_row

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="module")
def rungs() -> list[dict[str, Any]]:
    return compare(DOCS / "ladder")


def test_the_table_is_that_of_the_predictions(rungs: list[dict[str, Any]]) -> None:
    text = (DOCS / "score.md").read_text()
    assert [row["rung"] for row in rungs if format_row(row) not in text] == []
    for row, kept in zip(rungs, read_json(DOCS / "ladder" / "ladder.json")["rungs"], strict=True):
        assert row == pytest.approx(kept, abs=1e-9)


@pytest.mark.parametrize("rung", ["context", "smoothing", "series"])
def test_what_looks_across_slices_is_better_by_more_than_chance(rung: str, rungs: list[dict[str, Any]]) -> None:
    (row,) = (each for each in rungs if each["rung"] == rung)
    assert row["difference_high"] < 0
