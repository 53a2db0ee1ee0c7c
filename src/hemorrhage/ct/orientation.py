"""Which side of a slice is which of the patient: the letters at its edges."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_TOWARDS = ("LR", "PA", "HF")
"""Of the patient's axes x, y and z what lies towards + and towards - (DICOM PS3.3, C.7.6.2.1.1)."""


@dataclass(frozen=True)
class Edges:
    """A letter for each edge of a slice: R, L, A, P, H (head) or F (feet)."""

    left: str
    right: str
    top: str
    bottom: str


def find_edges(orientation: Sequence[float]) -> Edges | None:
    """Returns the letters of a slice of this ImageOrientationPatient, each of the nearest axis; None where it has none.

    Its first three numbers are the direction of the rows, to the right, the others that of the columns, downwards.
    """
    given = np.array(orientation, dtype=np.float64)
    if given.shape != (6,) or not (given[:3].any() and given[3:].any() and np.isfinite(given).all()):
        return None
    right, left = _find_ends(given[:3])
    bottom, top = _find_ends(given[3:])
    return Edges(left, right, top, bottom)


def _find_ends(direction: np.ndarray) -> tuple[str, str]:
    """The letter that a direction points to, and the one it comes from."""
    axis = int(np.abs(direction).argmax())
    ahead, behind = _TOWARDS[axis][0], _TOWARDS[axis][1]
    return (ahead, behind) if direction[axis] > 0 else (behind, ahead)
