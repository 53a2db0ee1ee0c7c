"""The six labels, their order and their weights: the one place where either is written down."""

import numpy as np

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
