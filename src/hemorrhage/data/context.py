"""What lies next to a slice: the slices of its series one step below and above, found by z.

A neighbor is wanted at a distance in mm, not a slice further on: series are cut every 2.5 to 7.5 mm, and what a network
is to see should not depend on that. Where there is none, at the ends and in gaps of a series, a slice stands in for its
own neighbor: the network then sees no change, which is less of a surprise than air.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

CONTEXTS = ("none", "stack", "mean")
"""No neighbors; below, own and above as channels of one image; or their mean, the own counted twice."""


@dataclass(frozen=True)
class Context:
    """How neighbors enter an image (one of CONTEXTS but "none"), and which they are: image id -> (below, above)."""

    kind: str
    neighbors: Mapping[str, tuple[str, str]]

    @classmethod
    def build(cls, kind: str, slices: pd.DataFrame, distance_mm: float) -> "Context | None":
        """Returns the context of `slices` as find_neighbors has it, None for the kind "none"."""
        if kind == "none":
            return None
        found = find_neighbors(slices, distance_mm)
        pairs = zip(found["below_id"], found["above_id"], strict=True)
        return cls(kind, dict(zip(found["image_id"], pairs, strict=True)))


def find_neighbors(slices: pd.DataFrame, distance_mm: float) -> pd.DataFrame:
    """Returns image_id, below_id and above_id, a row a slice in their order; a slice's own id where it has none.

    `slices` has image_id, patient_id, series_id and z_mm. The neighbor above is the slice of the same series of the
    same patient whose z is nearest to z + distance_mm, and not farther from that than half of it; below likewise.
    Of slices at one z the first by id is taken. A slice without a series or a z has no neighbors.
    """
    given = slices[["image_id", "patient_id", "series_id", "z_mm"]].reset_index(drop=True)
    below, above = given["image_id"].to_numpy(copy=True), given["image_id"].to_numpy(copy=True)
    placed = given[given["series_id"].notna() & given["z_mm"].notna()].sort_values(["z_mm", "image_id"])
    ids = given["image_id"].to_numpy()
    for rows in placed.groupby(["patient_id", "series_id"], dropna=False, sort=False).indices.values():
        z_mm, places = placed["z_mm"].to_numpy()[rows], placed.index.to_numpy()[rows]
        for found, wanted_mm in ((below, -distance_mm), (above, distance_mm)):
            nearest = _find_nearest(z_mm, z_mm + wanted_mm)
            is_near = np.abs(z_mm[nearest] - z_mm - wanted_mm) <= distance_mm / 2
            found[places[is_near]] = ids[places[nearest[is_near]]]
    return given[["image_id"]].assign(below_id=below, above_id=above)


def _find_nearest(sorted_mm: np.ndarray, wanted_mm: np.ndarray) -> np.ndarray:
    """The place in `sorted_mm` of the value nearest to each wanted one, of equals the first."""
    right = np.searchsorted(sorted_mm, wanted_mm).clip(1, max(len(sorted_mm) - 1, 1))
    left = right - 1
    if len(sorted_mm) == 1:
        return np.zeros(len(wanted_mm), dtype=np.int64)
    is_left = wanted_mm - sorted_mm[left] <= sorted_mm[right] - wanted_mm
    nearest = np.where(is_left, left, right)
    return np.searchsorted(sorted_mm, sorted_mm[nearest])
