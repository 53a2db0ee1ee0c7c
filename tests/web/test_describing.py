"""What the page is told, in words."""

import pytest

from hemorrhage.web.describing import describe_facts, format_age
from hemorrhage.web.facts import Facts
from hemorrhage.web.records import SeriesRecord


@pytest.mark.parametrize(
    ("text", "words"),
    [("061Y", "61 years"), ("003M", "3 months"), ("010D", "10 days"), ("61", "61"), ("Y", "Y"), ("old", "old")],
)
def test_an_age_is_said_in_words(text: str, words: str) -> None:
    assert format_age(text) == words


def test_numbers_of_a_header_are_said_without_their_padding() -> None:
    texts = {"thickness": "5.0", "kvp": "120.000", "age": "061Y", "kernel": "H31s", "rows": "512", "columns": "512"}
    facts = dict(describe_facts(SeriesRecord("Series 2", "", True, 1, Facts(texts, {}))))
    assert facts["Slice thickness"] == "5 mm"
    assert facts["Tube voltage"] == "120 kV"
    assert facts["Age"] == "61 years"
    assert facts["Kernel"] == "H31s"
