"""Folds by patient, stratified over the six labels."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from iterstrat.ml_stratifiers import MultilabelStratifiedKFold

from hemorrhage.data.labels import LABELS
from hemorrhage.errors import HemorrhageError


def split_folds(slices: pd.DataFrame, folds: int, seed: int) -> pd.DataFrame:
    """Returns image_id, patient_id and fold (int64, 0 to folds - 1) for the rows of `slices`.

    `slices` has image_id, patient_id and the six labels. A patient's slices all get one fold: labels are
    aggregated by patient (1 where any slice has 1) and patients are stratified over them and over having more
    slices than the mean (Sechidis et al. 2011, as iterative-stratification implements it). Row order does not
    matter. Raises HemorrhageError where a patient id is missing or there are fewer patients than folds.
    """
    if slices["patient_id"].isna().any():
        missing = slices.loc[slices["patient_id"].isna(), "image_id"]
        raise HemorrhageError(
            f"{len(missing)} slices have no patient id (first: {missing.iloc[0]}), so that folds could not keep "
            "patients apart. Expected PatientID in every header."
        )
    by_patient = slices.groupby("patient_id", sort=True)
    sizes = by_patient.size()
    patients = by_patient[list(LABELS)].max().assign(is_large=(sizes > sizes.mean()).astype(np.int8))
    if len(patients) < 2:
        raise HemorrhageError(f"Expected slices of two patients or more to hold some out, received {len(patients)}.")
    if folds < 2 or folds > len(patients):
        raise HemorrhageError(f"Expected 2 to {len(patients)} folds for {len(patients)} patients, received {folds}.")
    fold_of_patient = pd.Series(_stratify(patients.to_numpy(), folds, seed), index=patients.index)
    table = slices[["image_id", "patient_id"]].reset_index(drop=True)
    return table.assign(fold=table["patient_id"].map(fold_of_patient))


def _stratify(labels: np.ndarray, folds: int, seed: int) -> np.ndarray:
    splitter = MultilabelStratifiedKFold(n_splits=folds, shuffle=True, random_state=seed)
    fold_of_row = np.empty(len(labels), dtype=np.int64)
    for fold, (_, held_out) in enumerate(splitter.split(np.zeros(len(labels)), labels)):
        fold_of_row[held_out] = fold
    return fold_of_row


@dataclass(frozen=True)
class MissingLabel:
    """A label without a positive slice on one side of a fold."""

    label: str
    side: str

    def __str__(self) -> str:
        there = f"no {self.label} among the {self.side} slices"
        if self.side == "training":
            return f"{there}, so the network cannot learn it"
        return f"{there}, so its AUC and average precision there are undefined"


def find_missing_labels(train: pd.DataFrame, held_out: pd.DataFrame) -> list[MissingLabel]:
    """Returns the labels that have no positive among the training or the held-out slices."""
    sides = {"training": train, "validation": held_out}
    return [MissingLabel(label, side) for side, slices in sides.items() for label in LABELS if not slices[label].any()]
