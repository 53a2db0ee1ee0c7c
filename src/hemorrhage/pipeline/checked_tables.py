"""The tables that verbs take from each other, read so that a damaged one is an error here and not a number later."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from hemorrhage.data.labels import LABELS
from hemorrhage.data.table import read_table
from hemorrhage.errors import HemorrhageError

KEY_COLUMNS = ["image_id", "patient_id", "series_id", "z_mm"]
"""What a prediction table says of a slice, before its probabilities and its `error`."""


def read_predictions(path: Path, advice: str = "Run 'hemorrhage predict' first.") -> pd.DataFrame:
    """Returns a prediction table: KEY_COLUMNS, the six probabilities (all of them, or NaN) and `error`, a row a slice.

    Raises HemorrhageError, which ends in `advice`, where there is no file, a column is missing, an id is there twice or
    is no text, a slice has some labels only, or a probability is none.
    """
    if not path.is_file():
        raise HemorrhageError(f"{path}: expected predictions, found none. {advice}")
    table = _read_rows(path, [*KEY_COLUMNS, *LABELS, "error"], advice)
    for name in ("z_mm", *LABELS):
        _require_numbers(path, table, name, advice)
    values = table[list(LABELS)].to_numpy(dtype=np.float64)
    is_known = ~np.isnan(values)
    wrong = (is_known.any(axis=1) & ~is_known.all(axis=1)) | (is_known & ~((values >= 0) & (values <= 1))).any(axis=1)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise HemorrhageError(
            f"{path}: expected six probabilities a slice or none, received {values[row].tolist()} of "
            f"{table['image_id'].iloc[row]}. {advice}"
        )
    return table


def read_fold_table(path: Path) -> pd.DataFrame:
    """Returns the fold table of a run: image_id, patient_id, fold, and what else was written; a row a slice.

    Raises HemorrhageError as read_predictions, and for a fold that is no number or a patient in two folds.
    """
    advice = "Train the run again."
    if not path.is_file():
        raise HemorrhageError(f"{path}: expected the run's folds and labels, found none. {advice}")
    table = _read_rows(path, ["image_id", "patient_id", "fold"], advice)
    if not pd.api.types.is_integer_dtype(table["fold"]):
        raise HemorrhageError(f"{path}: expected folds in whole numbers, received {table['fold'].dtype}. {advice}")
    split = table.groupby("patient_id")["fold"].nunique()
    if (split > 1).any():
        raise HemorrhageError(
            f"{path}: expected each patient in one fold, {int((split > 1).sum())} are in several: what is learned "
            f"from them would be judged by them. {advice}"
        )
    return table


def require_known(path: Path, image_ids: Sequence[str] | pd.Series, folds: pd.DataFrame, folds_path: Path) -> None:
    """Raises HemorrhageError unless every one of `image_ids`, of the table at `path`, is in the fold table."""
    unknown = pd.Index(image_ids).difference(pd.Index(folds["image_id"]))
    if len(unknown):
        raise HemorrhageError(
            f"{path}: expected slices of {folds_path}, received {len(unknown)} of {len(image_ids)} that are not in it, "
            f"first {unknown[0]}. Predict again with the data that the run was trained on."
        )


def _read_rows(path: Path, columns: Sequence[str], advice: str) -> pd.DataFrame:
    """Returns the table at `path` with `columns` and one row for each image_id."""
    table = read_table(path)
    lacking = [name for name in columns if name not in table]
    if lacking:
        there = ", ".join(map(str, table.columns[:8]))
        raise HemorrhageError(f"{path}: expected the columns {', '.join(lacking)}, received {there}. {advice}")
    require_ids(path, table["image_id"], advice)
    return table


def require_ids(path: Path, image_ids: pd.Series, advice: str) -> None:
    """Raises HemorrhageError unless `image_ids`, of the table at `path`, are texts, each there once."""
    strange = [value for value in image_ids if not isinstance(value, str)]
    if strange:
        raise HemorrhageError(f"{path}: expected ids as text in image_id, received {str(strange[0])[:60]!r}. {advice}")
    twice = image_ids[image_ids.duplicated()]
    if len(twice):
        raise HemorrhageError(
            f"{path}: expected a row an image, {len(twice)} are there again, first {twice.iloc[0]}. {advice}"
        )


def _require_numbers(path: Path, table: pd.DataFrame, name: str, advice: str) -> None:
    if not pd.api.types.is_float_dtype(table[name]):
        raise HemorrhageError(f"{path}: expected numbers in {name}, received {table[name].dtype}. {advice}")
