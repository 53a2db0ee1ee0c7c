"""Tables that verbs take from each other: what is damaged is said with its file and what to do."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hemorrhage.data.labels import LABELS
from hemorrhage.errors import HemorrhageError
from hemorrhage.pipeline.checked_tables import read_fold_table, read_predictions, require_known


def predictions(**changes: Any) -> pd.DataFrame:
    ids = ["ID_a", "ID_b", "ID_c"]
    places = {"image_id": ids, "patient_id": ["p", "p", "q"], "series_id": ["s", "s", "t"], "z_mm": [0.0, 5.0, np.nan]}
    values = {label: [0.0, 1.0, np.nan] for label in LABELS}
    return pd.DataFrame(places | values | {"error": [None, None, "cut short"]} | changes)


def written(table: pd.DataFrame, folder: Path) -> Path:
    path = folder / "test.parquet"
    table.to_parquet(path, index=False)
    return path


def test_whole_predictions_are_returned(tmp_path: Path) -> None:
    found = read_predictions(written(predictions(), tmp_path))
    assert found["image_id"].tolist() == ["ID_a", "ID_b", "ID_c"]
    assert found["any"].isna().tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"image_id": ["ID_a", "ID_b", "ID_a"]}, "a row an image, 1 are there again, first ID_a"),
        ({"image_id": [["ID_a"], ["ID_b"], ["ID_c"]]}, "ids as text in image_id"),
        ({"image_id": ["ID_a", "ID_b", None]}, "ids as text in image_id"),
        ({"z_mm": ["low", "high", "low"]}, "numbers in z_mm"),
        ({"epidural": [0.1, np.nan, np.nan]}, r"six probabilities a slice or none, received .* of ID_b"),
        ({"any": [0.1, 1.1, np.nan]}, r"six probabilities a slice or none, received .* of ID_b"),
        ({"subdural": [0.1, 0.2, 0.3]}, r"six probabilities a slice or none, received .* of ID_c"),
    ],
)
def test_damaged_predictions_are_refused(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    path = written(predictions(**changes), tmp_path)
    with pytest.raises(HemorrhageError, match=rf"test.parquet: expected {words}.*Run 'hemorrhage predict' first"):
        read_predictions(path)


@pytest.mark.parametrize("column", ["patient_id", "z_mm", "any", "error"])
def test_a_lost_column_is_named(column: str, tmp_path: Path) -> None:
    path = written(predictions().drop(columns=column), tmp_path)
    with pytest.raises(HemorrhageError, match=f"expected the columns {column}, received image_id"):
        read_predictions(path)


def test_missing_predictions_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(HemorrhageError, match=r"expected predictions, found none\. Predict it\."):
        read_predictions(tmp_path / "none.parquet", "Predict it.")


FOLDS = pd.DataFrame({"image_id": ["ID_a", "ID_b", "ID_c"], "patient_id": ["p", "p", "q"], "fold": [0, 0, 1]})


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (FOLDS.drop(columns="fold"), "the columns fold"),
        (FOLDS.assign(fold=[0.0, np.nan, 1.0]), "folds in whole numbers"),
        (FOLDS.assign(fold=[0, 1, 1]), "each patient in one fold, 1 are in several"),
        (FOLDS.assign(image_id="ID_a"), "a row an image"),
    ],
)
def test_damaged_folds_are_refused(table: pd.DataFrame, words: str, tmp_path: Path) -> None:
    with pytest.raises(HemorrhageError, match=rf"expected {words}.*Train the run again"):
        read_fold_table(written(table, tmp_path))


def test_slices_that_no_fold_knows_are_refused(tmp_path: Path) -> None:
    require_known(tmp_path, ["ID_c", "ID_a"], FOLDS, tmp_path)
    with pytest.raises(HemorrhageError, match="received 2 of 3 that are not in it, first ID_x"):
        require_known(tmp_path, ["ID_a", "ID_x", "ID_y"], FOLDS, tmp_path)
