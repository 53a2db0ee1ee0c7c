"""Slices that are worth a look: the middle of a bleed, whole series, a wrapped slice."""

import pandas as pd
import pytest

from hemorrhage.data.labels import LABELS
from hemorrhage.errors import HemorrhageError
from hemorrhage.report.choosing import (
    choose_examples,
    choose_series,
    choose_wrapped,
    join_labels,
    name_groups,
    name_labels,
)


def make_slices(series: str, labels: list[str], wrapped: bool = False) -> pd.DataFrame:
    rows = [
        {
            "image_id": f"{series}{place}",
            "path": f"{series}{place}.dcm",
            "series_id": series,
            "z_mm": 5.0 * place,
            "error": None,
            "is_wrapped": wrapped,
            **{label: int(label in text.split("+") or (label == "any" and text != "")) for label in LABELS},
        }
        for place, text in enumerate(labels)
    ]
    return pd.DataFrame(rows)


def test_an_example_is_the_middle_of_the_largest_bleed() -> None:
    slices = pd.concat([make_slices("a", ["", "subdural", ""]), make_slices("b", ["subdural"] * 5)])
    chosen = choose_examples(slices, 2)
    assert chosen["subdural"]["image_id"].tolist() == ["b2", "a1"]
    assert list(chosen) == ["subdural"]  # no other label is there, nor a series without any


def test_a_slice_with_fewer_labels_beside_the_middle_is_preferred() -> None:
    slices = make_slices("a", ["epidural"] * 4 + ["epidural+subdural"] + ["epidural"] * 4)
    assert choose_examples(slices, 1)["epidural"]["image_id"].tolist() == ["a3"]


def test_none_is_of_a_series_without_any_bleed() -> None:
    slices = pd.concat([make_slices("a", ["", "", "any"]), make_slices("b", ["", ""])])
    assert choose_examples(slices, 1)["none"]["image_id"].tolist() == ["b1"]


def test_a_series_is_shown_from_below_with_at_most_so_many_slices() -> None:
    slices = pd.concat([make_slices("a", [""] * 9), make_slices("b", ["", *["subdural"] * 6])]).iloc[::-1]
    assert choose_series(slices, 4)["image_id"].tolist() == ["b0", "b2", "b4", "b6"]
    with pytest.raises(HemorrhageError, match="received none"):
        choose_series(slices.head(0), 4)


def test_a_wrapped_slice_is_found_where_there_is_one() -> None:
    plain, wrapped = make_slices("a", [""] * 3), make_slices("b", [""] * 3, wrapped=True)
    row = choose_wrapped(pd.concat([plain, wrapped]))
    assert row is not None and row["image_id"] == "b1"
    assert choose_wrapped(plain) is None


def test_labels_are_joined_to_readable_slices_in_order_of_z() -> None:
    slices = make_slices("a", ["", "", ""]).drop(columns=list(LABELS)).iloc[::-1]
    slices.loc[slices["image_id"] == "a1", "error"] = "cut short"
    labels = make_slices("a", ["", "", "subdural"])[["image_id", *LABELS]]
    assert join_labels(slices, labels)["image_id"].tolist() == ["a0", "a2"]


def test_names_of_labels_and_groups() -> None:
    slices = make_slices("a", ["epidural+subdural", "", "any"])
    assert [name_labels(row) for _, row in slices.iterrows()] == ["epidural, subdural", "no bleed", "any"]
    groups = name_groups(slices.assign(bits=[12, 12, 16], intercept=[-1024.0, -1024.0, 0.0]), ["bits", "intercept"])
    assert groups.to_dict() == {"12 / -1024": 2, "16 / 0": 1}
