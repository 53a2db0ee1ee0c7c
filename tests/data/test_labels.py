from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hemorrhage.data.labels import (
    LABELS,
    read_labels,
    read_probabilities,
    require_agreement,
    weight_vector,
    write_long,
)
from hemorrhage.errors import HemorrhageError


def write_rows(path: Path, rows: list[str], header: str = "ID,Label") -> Path:
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def rows_of(image_id: str, values: list[object]) -> list[str]:
    return [f"{image_id}_{label},{value}" for label, value in zip(LABELS, values, strict=True)]


def test_the_weights_are_sevenths_with_any_twice() -> None:
    assert weight_vector() * 7 == pytest.approx([1, 1, 1, 1, 1, 2])


def test_the_long_csv_becomes_one_row_a_slice_in_order_of_appearance(tmp_path: Path) -> None:
    rows = rows_of("ID_b", [0, 1, 0, 0, 0, 1]) + rows_of("ID_a", [0] * 6)
    table = read_labels(write_rows(tmp_path / "a.csv", rows)).table
    assert table.columns.tolist() == ["image_id", *LABELS]
    assert table["image_id"].tolist() == ["ID_b", "ID_a"]
    assert table[list(LABELS)].to_numpy().tolist() == [[0, 1, 0, 0, 0, 1], [0] * 6]
    assert (table[list(LABELS)].dtypes == np.int8).all()


def test_rows_in_any_order_give_the_same_table(tmp_path: Path) -> None:
    rows = rows_of("ID_b", [0, 1, 0, 0, 0, 1]) + rows_of("ID_a", [1, 0, 0, 0, 0, 1])
    table = read_labels(write_rows(tmp_path / "a.csv", rows[::-1])).table.set_index("image_id")
    assert table.loc["ID_b"].tolist() == [0, 1, 0, 0, 0, 1]
    assert table.loc["ID_a"].tolist() == [1, 0, 0, 0, 0, 1]


def test_kaggles_repeated_rows_are_counted_and_kept_once(tmp_path: Path) -> None:
    images = [rows_of(f"ID_{number}", [0] * 6) for number in range(6)]
    rows = [row for image in images + images[:4] for row in image]
    labels = read_labels(write_rows(tmp_path / "a.csv", rows))
    assert (len(labels.table), labels.duplicate_rows, labels.contradicting_ids) == (6, 24, ())


def test_contradicting_rows_are_named_and_refused(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "a.csv", [*rows_of("ID_a", [0] * 6), "ID_a_subdural,1"])
    labels = read_labels(path)
    assert labels.contradicting_ids == ("ID_a_subdural",)
    with pytest.raises(HemorrhageError, match="ID_a_subdural"):
        require_agreement(labels, path)


@pytest.mark.parametrize(
    ("rows", "header", "cause"),
    [
        ([], "ID,Label", "received none"),
        (["ID_a_any,0"], "id,label", "expected the header ID,Label"),
        (["ID_a_any,0,1"], "ID,Label,More", "expected the header ID,Label"),
        (["ID_a_any,0"], "ID,Label", "lacks epidural"),
        ([*rows_of("ID_a", [0] * 6), "ID_a_intracranial,0"], "ID,Label", "intracranial"),
        (["any,0"], "ID,Label", "expected ids like"),
        (rows_of("ID_a", [0, 0, 0, 0, 0, 2]), "ID,Label", "ID_a_any has 2.0"),
        (rows_of("ID_a", [0, 0, 0, 0, 0, ""]), "ID,Label", "ID_a_any has nan"),
        (rows_of("ID_a", [0, 0, 0, 0, 0, "x"]), "ID,Label", "expected a CSV"),
    ],
)
def test_malformed_label_files_are_refused(tmp_path: Path, rows: list[str], header: str, cause: str) -> None:
    path = write_rows(tmp_path / "a.csv", rows, header)
    with pytest.raises(HemorrhageError, match=cause) as error:
        read_labels(path)
    assert str(path) in str(error.value)


def test_empty_and_missing_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").touch()
    with pytest.raises(HemorrhageError, match="expected a CSV"):
        read_labels(tmp_path / "a.csv")
    with pytest.raises(HemorrhageError, match="found no such file"):
        read_labels(tmp_path / "b.csv")


def test_probabilities_come_back_to_the_last_digit(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((50, 6))
    values[0] = [1e-6, 1 - 1e-6, 0.1, 1 / 3, 1e-15, 0.5]
    ids = np.array([f"ID_{number:09x}" for number in range(50)])
    write_long(tmp_path / "a.csv", ids, values)
    lines = (tmp_path / "a.csv").read_text().splitlines()
    assert lines[:2] == ["ID,Label", "ID_000000000_epidural,1e-06"]
    assert len(lines) == 1 + 50 * 6
    table = read_probabilities(tmp_path / "a.csv")
    assert (table[list(LABELS)].to_numpy() == values).all()
    assert table["image_id"].tolist() == ids.tolist()


@pytest.mark.parametrize("value", ["1.5", "-0.1", "", "nan", "inf"])
def test_probabilities_out_of_range_are_refused(tmp_path: Path, value: str) -> None:
    path = write_rows(tmp_path / "a.csv", rows_of("ID_a", [0.5, 0.5, value, 0.5, 0.5, 0.5]))
    with pytest.raises(HemorrhageError, match="ID_a_intraventricular"):
        read_probabilities(path)


def test_a_row_that_appears_twice_in_a_submission_is_refused(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "a.csv", [*rows_of("ID_a", [0.5] * 6), "ID_a_any,0.5"])
    with pytest.raises(HemorrhageError, match="1 rows appear twice, first ID_a_any"):
        read_probabilities(path)


def test_the_full_label_table_loads_whole(tmp_path: Path, real_data: Path) -> None:
    table = pd.read_parquet(real_data / "rsna_labels.parquet")
    values = table[list(LABELS)].to_numpy()
    write_long(tmp_path / "all.csv", table["image_id"].to_numpy(), values)
    labels = read_labels(tmp_path / "all.csv")
    assert len(labels.table) == 752_803
    assert (labels.table[list(LABELS)].to_numpy() == values).all()
    assert labels.table["any"].sum() == 107_933
