"""The out-of-fold predictions of a run beside their labels: what may be learned from without a look at the pixels."""

import hashlib
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hemorrhage.data.folds import split_folds
from hemorrhage.data.labels import LABELS
from hemorrhage.errors import HemorrhageError
from hemorrhage.pipeline.checked_tables import KEY_COLUMNS, read_predictions, require_known
from hemorrhage.pipeline.runs import Run, read_labelled_folds

FOLDS = 5


@dataclass(frozen=True)
class OutOfFold:
    """The slices with a prediction: their KEY_COLUMNS, and truth and probability, N x 6.

    `hash` is that of the table's ids and probabilities.
    """

    slices: pd.DataFrame
    truth: np.ndarray
    probability: np.ndarray
    hash: str

    @property
    def patients(self) -> np.ndarray:
        """The patient of each slice, N."""
        return self.slices["patient_id"].to_numpy(dtype=str)


def read_out_of_fold(run: Run) -> OutOfFold:
    """Returns a run's out-of-fold predictions with the labels in its fold table.

    Raises HemorrhageError where either is missing, or a slice has no label.
    """
    table = read_predictions(run.out_of_fold_path, f"Run 'hemorrhage predict {run.folder.name} INPUT' first.")
    known = table[table["any"].notna()].reset_index(drop=True)
    if known.empty:
        raise HemorrhageError(f"{run.out_of_fold_path}: expected predictions, none of {len(table)} slices has one.")
    return OutOfFold(
        slices=known[KEY_COLUMNS],
        truth=_find_labels(run, known["image_id"]),
        probability=known[list(LABELS)].to_numpy(dtype=np.float64),
        hash=hash_predictions(table),
    )


def read_out_of_fold_hash(run: Run) -> str:
    """Returns the hash of the run's present out-of-fold predictions."""
    return hash_predictions(read_predictions(run.out_of_fold_path))


def hash_predictions(table: pd.DataFrame) -> str:
    """Returns a hash of a prediction table's ids and probabilities, whatever their order: 32 hex digits."""
    ordered = table.sort_values("image_id")
    digest = hashlib.blake2b("\n".join(ordered["image_id"]).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(ordered[list(LABELS)].to_numpy(dtype=np.float64)).tobytes())
    return digest.hexdigest()


def split_patients(found: OutOfFold, run: Run) -> np.ndarray:
    """Returns for each slice a fold of patients, int64 N; FOLDS of them, or as many as there are patients.

    They are drawn anew, since the predictions may be of one fold of the run. Raises HemorrhageError for one patient.
    """
    labels = pd.DataFrame(found.truth, columns=list(LABELS))
    patients = len(np.unique(found.patients))
    if patients < 2:
        raise HemorrhageError(
            f"{run.out_of_fold_path}: expected predictions of two patients or more to hold some out, received of "
            f"{patients}. Train with more held-out patients, or all folds (--fold all)."
        )
    table = pd.concat([found.slices[["image_id", "patient_id"]], labels], axis=1)
    return split_folds(table, min(FOLDS, patients), seed=0)["fold"].to_numpy()


def _find_labels(run: Run, image_ids: pd.Series) -> np.ndarray:
    folds = read_labelled_folds(run)
    require_known(run.out_of_fold_path, image_ids, folds, run.folds_path)
    return folds.set_index("image_id").loc[image_ids, list(LABELS)].to_numpy()
