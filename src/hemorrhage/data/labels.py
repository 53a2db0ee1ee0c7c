"""The six labels, their order and weights, and Kaggle's long CSV that carries them.

A long CSV has the header `ID,Label` and one row for each image and label: `ID_xxxxxxxxx_<label>,<value>`.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from hemorrhage.errors import HemorrhageError

LABELS = ("epidural", "intraparenchymal", "intraventricular", "subarachnoid", "subdural", "any")
"""Kaggle's row order. `any` is 1 where one of the other five is."""

SUBTYPES = LABELS[:-1]

LABEL_WEIGHTS = {label: 2.0 if label == "any" else 1.0 for label in LABELS}
"""The competition's weights; a score divides by their sum, 7."""


def label_index(label: str) -> int:
    """Returns the column of `label` in every N x 6 array; raises ValueError for an unknown one."""
    return LABELS.index(label)


def weight_vector() -> np.ndarray:
    """Returns the competition's weights in the order of LABELS, float64, summing to 1."""
    weights = np.array([LABEL_WEIGHTS[label] for label in LABELS], dtype=np.float64)
    return weights / weights.sum()


@dataclass(frozen=True)
class Labels:
    """The labels of a data set, one row a slice, and what was odd about the file.

    `table` has image_id and the six labels as int8. `contradicting_ids` are rows that appear again with another
    value; the table keeps the last.
    """

    table: pd.DataFrame
    duplicate_rows: int
    contradicting_ids: tuple[str, ...]


def read_labels(path: Path) -> Labels:
    """Returns the labels of a long CSV, in the order in which the images first appear.

    Raises HemorrhageError for a missing or empty file, another header, an unknown label, an image without all
    six, or a value other than 0 and 1. Repeated rows are counted; see require_agreement.
    """
    rows = _read_long(path)
    wrong = np.flatnonzero((rows.values != 0) & (rows.values != 1))
    if len(wrong):
        raise HemorrhageError(
            f"{path}: expected labels 0 or 1, row {rows.name(wrong[0])} has {rows.values[wrong[0]]} "
            f"({len(wrong)} such rows)."
        )
    matrix = rows.to_matrix()
    contradicting = np.flatnonzero(matrix[rows.image_codes, rows.label_codes] != rows.values)
    return Labels(
        table=_to_table(rows.image_ids, matrix.astype(np.int8)),
        duplicate_rows=len(rows.values) - matrix.size,
        contradicting_ids=tuple(rows.name(row) for row in contradicting),
    )


def require_agreement(labels: Labels, path: Path) -> Labels:
    """Returns `labels`; raises HemorrhageError where repeated rows of its file contradict each other."""
    if labels.contradicting_ids:
        raise HemorrhageError(
            f"{path}: {len(labels.contradicting_ids)} repeated rows contradict each other, first "
            f"{labels.contradicting_ids[0]}. Remove the wrong ones; guessing would train on noise."
        )
    return labels


def read_probabilities(path: Path) -> pd.DataFrame:
    """Returns a submission as image_id and six float64 columns, in the order in which the images first appear.

    Raises HemorrhageError as read_labels does, for a row that appears twice, and for a value that is missing or
    outside [0, 1].
    """
    rows = _read_long(path)
    bad = np.flatnonzero(~((rows.values >= 0) & (rows.values <= 1)))
    if len(bad):
        raise HemorrhageError(
            f"{path}: expected probabilities in [0, 1], row {rows.name(bad[0])} has {rows.values[bad[0]]} "
            f"({len(bad)} such rows)."
        )
    matrix = rows.to_matrix()
    if len(rows.values) != matrix.size:
        repeated = pd.Series(rows.image_codes * len(LABELS) + rows.label_codes).duplicated().to_numpy()
        raise HemorrhageError(f"{path}: {repeated.sum()} rows appear twice, first {rows.name(repeated.argmax())}.")
    return _to_table(rows.image_ids, matrix)


def write_long(path: Path, image_ids: np.ndarray, values: np.ndarray) -> None:
    """Writes N x 6 `values` in the order of LABELS as a long CSV; the caller chooses a path to be renamed from."""
    ids = np.char.add(np.repeat(np.asarray(image_ids, dtype=str), len(LABELS)), np.tile(_SUFFIXES, len(image_ids)))
    pd.DataFrame({"ID": ids, "Label": values.reshape(-1)}).to_csv(path, index=False)


_SUFFIXES = np.array([f"_{label}" for label in LABELS])


@dataclass(frozen=True)
class _LongRows:
    image_ids: np.ndarray
    image_codes: np.ndarray
    label_codes: np.ndarray
    values: np.ndarray

    def name(self, row: int | np.integer) -> str:
        return f"{self.image_ids[self.image_codes[row]]}_{LABELS[self.label_codes[row]]}"

    def to_matrix(self) -> np.ndarray:
        matrix = np.full((len(self.image_ids), len(LABELS)), np.nan)
        matrix[self.image_codes, self.label_codes] = self.values
        return matrix


def _read_long(path: Path) -> _LongRows:
    table = _read_csv(path)
    image_ids, image_codes, labels = _split_ids(path, table["ID"].combine_chunks())
    rows = _LongRows(
        image_ids=image_ids,
        image_codes=image_codes,
        label_codes=_encode_labels(path, labels),
        values=table["Label"].to_numpy().astype(np.float64),
    )
    _require_six_each(path, rows)
    return rows


def _read_csv(path: Path) -> pa.Table:
    if not path.is_file():
        raise HemorrhageError(f"{path}: expected a CSV with the header ID,Label, found no such file.")
    try:
        convert = pa.csv.ConvertOptions(column_types={"ID": pa.string(), "Label": pa.float64()})
        table = pa.csv.read_csv(path, convert_options=convert)
    except OSError as error:
        raise HemorrhageError(f"{path}: could not be read ({error.strerror or error}).") from error
    except pa.ArrowInvalid as error:
        raise HemorrhageError(f"{path}: expected a CSV with the header ID,Label ({error}).") from error
    if table.column_names != ["ID", "Label"]:
        received = ",".join(table.column_names)[:80]
        raise HemorrhageError(f"{path}: expected the header ID,Label, received {received}.")
    if table.num_rows == 0:
        raise HemorrhageError(f"{path}: expected rows under the header ID,Label, received none.")
    return table


def _split_ids(path: Path, ids: pa.StringArray) -> tuple[np.ndarray, np.ndarray, pa.StringArray]:
    parts = pc.split_pattern(pc.fill_null(ids, ""), "_", max_splits=1, reverse=True)
    whole = pc.equal(pc.list_value_length(parts), 2).to_numpy(zero_copy_only=False)
    if not whole.all():
        raise HemorrhageError(f"{path}: expected ids like ID_000012eaf_any, received {ids[int(whole.argmin())]}.")
    flat = parts.flatten()
    even = np.arange(0, len(flat), 2)
    images = flat.take(pa.array(even)).dictionary_encode()
    image_ids = np.array(images.dictionary.to_pylist(), dtype=object)
    return image_ids, images.indices.to_numpy(), flat.take(pa.array(even + 1))


def _encode_labels(path: Path, labels: pa.StringArray) -> np.ndarray:
    codes = pc.index_in(labels, value_set=pa.array(LABELS))
    if codes.null_count:
        unknown = pc.unique(labels.filter(pc.is_null(codes))).to_pylist()
        raise HemorrhageError(f"{path}: expected the labels {', '.join(LABELS)}; received also {unknown[:3]}.")
    return codes.to_numpy()


def _require_six_each(path: Path, rows: _LongRows) -> None:
    present = np.zeros((len(rows.image_ids), len(LABELS)), dtype=bool)
    present[rows.image_codes, rows.label_codes] = True
    incomplete = np.flatnonzero(~present.all(axis=1))
    if len(incomplete):
        first = incomplete[0]
        missing = ", ".join(label for label, there in zip(LABELS, present[first], strict=True) if not there)
        raise HemorrhageError(
            f"{path}: expected six rows for every image; {rows.image_ids[first]} lacks {missing} "
            f"({len(incomplete)} such images)."
        )


def _to_table(image_ids: np.ndarray, matrix: np.ndarray) -> pd.DataFrame:
    table = pd.DataFrame(matrix, columns=list(LABELS))
    table.insert(0, "image_id", image_ids)
    return table
