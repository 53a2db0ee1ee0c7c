"""Where a run's networks find each label in the slices of a report, or in words why that is not shown."""

from collections.abc import Sequence

import numpy as np

from hemorrhage.data.labels import LABELS
from hemorrhage.errors import HemorrhageError
from hemorrhage.pipeline.console import Console
from hemorrhage.pipeline.explain import RunMaps, open_explainer
from hemorrhage.pipeline.runs import read_folds
from hemorrhage.report.cases import Heat
from hemorrhage.report.images import InputSlices
from hemorrhage.report.material import Material


def look_at(
    material: Material, image_ids: Sequence[str], slices: InputSlices, console: Console
) -> tuple[Heat | None, str]:
    """Returns the heat of the slices `image_ids`, and what is to be said of it; None, and why, where there is none.

    Each slice is explained by networks that did not learn from its patient.
    """
    try:
        maps = _explain(material, image_ids, slices, console)
    except HemorrhageError as error:
        return None, f"What the networks looked at is not shown: {error}"
    drawn = {image_id: each.at(image_id, slices.size) for each in maps for image_id in each.image_ids}

    def heat(image_id: str, label: str) -> np.ndarray | None:
        return drawn[image_id][LABELS.index(label)] if image_id in drawn else None

    return heat, next((each.note for each in maps if each.note), "")


def _explain(material: Material, image_ids: Sequence[str], slices: InputSlices, console: Console) -> list[RunMaps]:
    """Returns the maps of the slices of each fold, by that fold's networks."""
    explainer = open_explainer(material.run, None, console)
    there = set(slices.facts["image_id"])
    fold_of = read_folds(material.run).set_index("image_id")["fold"].loc[[one for one in image_ids if one in there]]
    known = slices.facts
    found = []
    for fold in sorted(set(fold_of) & explainer.folds):
        ids = fold_of.index[fold_of == fold].tolist()
        patients = known.loc[known["image_id"].isin(ids), "patient_id"]
        whole = known[known["patient_id"].isin(patients)]
        found.append(explainer.explain(whole, slices.opener, ids, fold=int(fold)))
    return found
