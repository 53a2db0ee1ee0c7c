from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hemorrhage.data.folds import find_missing_labels, split_folds
from hemorrhage.data.labels import LABELS
from hemorrhage.errors import HemorrhageError


def make_slices(patients: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    patient_ids = np.repeat([f"P{number}" for number in range(patients)], 5)
    table = pd.DataFrame(rng.random((len(patient_ids), 6)) < 0.1, columns=list(LABELS)).astype(np.int8)
    return table.assign(image_id=[f"ID_{row}" for row in range(len(table))], patient_id=patient_ids)


def test_no_patient_is_on_two_sides_and_every_slice_has_a_fold() -> None:
    slices = make_slices(50)
    folds = split_folds(slices, 5, seed=0)
    assert folds["image_id"].tolist() == slices["image_id"].tolist()
    assert (folds.groupby("patient_id")["fold"].nunique() == 1).all()
    assert set(folds["fold"]) == {0, 1, 2, 3, 4}


def test_folds_depend_on_the_seed_and_not_on_the_order_of_rows() -> None:
    slices = make_slices(50)
    shuffled = slices.sample(frac=1, random_state=1)
    fold_of = split_folds(slices, 5, seed=0).set_index("image_id")["fold"]
    again = split_folds(shuffled, 5, seed=0).set_index("image_id")["fold"]
    other = split_folds(slices, 5, seed=1).set_index("image_id")["fold"]
    assert (fold_of == again.loc[fold_of.index]).all()
    assert (fold_of != other.loc[fold_of.index]).any()


def test_a_label_of_as_many_patients_as_folds_is_in_every_fold() -> None:
    slices = make_slices(40).assign(epidural=0)
    slices.loc[slices["patient_id"].isin(["P3", "P9", "P17", "P30"]), "epidural"] = 1
    folds = split_folds(slices, 4, seed=0)
    assert set(folds.loc[slices["epidural"] == 1, "fold"]) == {0, 1, 2, 3}


def test_a_missing_patient_is_an_error() -> None:
    slices = make_slices(10)
    slices.loc[7, "patient_id"] = None
    with pytest.raises(HemorrhageError, match=r"1 slices have no patient id \(first: ID_7\)"):
        split_folds(slices, 5, seed=0)


@pytest.mark.parametrize("folds", [1, 11])
def test_an_impossible_number_of_folds_is_an_error(folds: int) -> None:
    with pytest.raises(HemorrhageError, match="2 to 10 folds for 10 patients"):
        split_folds(make_slices(10), folds, seed=0)


def test_a_fold_without_a_rare_label_is_said() -> None:
    train, held_out = make_slices(10).assign(epidural=0), make_slices(10, seed=1)
    assert [str(missing) for missing in find_missing_labels(train, held_out)] == [
        "no epidural among the training slices, so the network cannot learn it"
    ]


def test_the_real_patients_stay_on_one_side_and_folds_are_alike(real_data: Path) -> None:
    slices = pd.read_parquet(real_data / "rsna_labels.parquet").dropna(subset=["patient_id"])
    assert len(slices) == 300_945
    folds = split_folds(slices, 5, seed=0)
    assert (folds.groupby("patient_id")["fold"].nunique() == 1).all()
    prevalence = slices.assign(fold=folds["fold"].to_numpy()).groupby("fold")[list(LABELS)].mean()
    assert (prevalence.std() / prevalence.mean() < 0.15).all()


def test_all_752803_rows_are_split_by_patient_series_or_invented_group(real_data: Path) -> None:
    slices = pd.read_parquet(real_data / "rsna_labels.parquet")
    invented = pd.Series([f"group-{row // 35}" for row in range(len(slices))], index=slices.index)
    group = slices["patient_id"].fillna(slices["series_id"]).fillna(invented)
    folds = split_folds(slices.assign(patient_id=group), 5, seed=0)
    assert (folds.groupby("patient_id")["fold"].nunique() == 1).all()
    assert folds["fold"].value_counts(normalize=True).between(0.19, 0.21).all()
