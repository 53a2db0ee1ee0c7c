"""Which slices are worth a look: of each subtype the one in the midst of the largest bleed, and a series with blood."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from hemorrhage.data.labels import LABELS, SUBTYPES
from hemorrhage.errors import HemorrhageError


def join_labels(slices: pd.DataFrame, labels: pd.DataFrame) -> pd.DataFrame:
    """Returns the readable slices that have labels, with them, in the order of series and z."""
    readable = slices[slices["error"].isna()]
    return readable.merge(labels, on="image_id").sort_values(["series_id", "z_mm", "image_id"], ignore_index=True)


def choose_examples(slices: pd.DataFrame, count: int) -> dict[str, pd.DataFrame]:
    """Returns `count` slices for each subtype, and for "none": of different series, each in the midst of its bleed.

    `slices` are those of join_labels. Series with the most slices of a subtype come first. A label that no slice has
    is left out.
    """
    chosen = {label: _choose_middles(slices, slices[label] == 1, count) for label in SUBTYPES}
    chosen["none"] = _choose_middles(slices, slices.groupby("series_id")["any"].transform("max") == 0, count)
    return {label: rows for label, rows in chosen.items() if len(rows)}


def _choose_middles(slices: pd.DataFrame, wanted: pd.Series, count: int) -> pd.DataFrame:
    """Returns a middle one of the wanted slices of each series, those of the most wanted slices first."""
    found = slices[wanted]
    sizes = found.groupby("series_id").size().sort_values(ascending=False, kind="stable")
    middles = [_choose_middle(found[found["series_id"] == series]) for series in sizes.index[:count]]
    return pd.DataFrame(middles, columns=slices.columns).reset_index(drop=True)


def _choose_middle(rows: pd.DataFrame) -> pd.Series:
    """Returns the row nearest to the middle, where each further label counts as much as _LABEL_COST of the rows."""
    distance = np.abs(np.arange(len(rows)) - len(rows) // 2) / len(rows)
    cost = distance + _LABEL_COST * rows[list(SUBTYPES)].to_numpy().sum(axis=1)
    return rows.iloc[int(cost.argmin())]


_LABEL_COST = 0.15


def choose_series(slices: pd.DataFrame, most: int) -> pd.DataFrame:
    """Returns at most `most` slices, evenly spread over the series with the most positive slices, by z from below.

    Raises HemorrhageError where there are no slices.
    """
    if slices.empty:
        raise HemorrhageError("Expected readable slices with labels, received none. Look at what 'audit' says.")
    series = slices.groupby("series_id")["any"].sum().idxmax()
    rows = slices[slices["series_id"] == series].sort_values("z_mm", ignore_index=True)
    step = -(-len(rows) // most)
    return rows.iloc[::step].reset_index(drop=True)


def choose_wrapped(slices: pd.DataFrame) -> pd.Series | None:
    """Returns a slice from the midst of a series whose negative values wrapped round, None where there is none."""
    wrapped = _choose_middles(slices, slices["is_wrapped"].fillna(False).astype(bool), 1)
    return wrapped.iloc[0] if len(wrapped) else None


def name_labels(row: pd.Series) -> str:
    """Returns the subtypes of a slice in words, "no bleed" without any."""
    return ", ".join(label for label in SUBTYPES if row[label] == 1) or ("any" if row[LABELS[-1]] == 1 else "no bleed")


def path_of(row: pd.Series) -> Path:
    """Returns the file of a slice."""
    return Path(str(row["path"]))


def name_groups(slices: pd.DataFrame, columns: Sequence[str]) -> pd.Series:
    """Returns how many readable slices share each combination of the columns, the most frequent first, by its words."""
    readable = slices[slices["error"].isna()]
    words = readable[list(columns)].astype("Float64").map(lambda value: f"{value:g}").agg(" / ".join, axis=1)
    return words.value_counts()
