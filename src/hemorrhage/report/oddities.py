"""What is odd about the data of a run: slices that could not be read, and slices with the same pixels."""

import pandas as pd

from hemorrhage.data.labels import LABELS
from hemorrhage.pipeline.audit import find_identical
from hemorrhage.report.elements import Html, build_table, join, note, paragraph
from hemorrhage.report.material import Material
from hemorrhage.report.numbers import show_count

_SHOWN = 25


def build_unreadable(material: Material) -> Html:
    """Returns the slices that training left out or that have no prediction, and why."""
    left_out = material.left_out
    if left_out.empty:
        return note("None: every slice was read, in training and in prediction.")
    rows = [(str(row.image_id), str(row.error), str(row.where)) for row in left_out.head(_SHOWN).itertuples()]
    table = build_table("Slices that were not read", ("slice", "why", "met in"), rows, words=3)
    return join([paragraph(_say_shown(len(left_out), "slice")), table])


def build_identical(material: Material, facts: pd.DataFrame | None) -> Html:
    """Returns groups of slices with equal pixels under different ids; `facts` is the input's slice table."""
    if facts is None:
        return note("Whether slices have the same pixels is not known without them: name their folder by --input.")
    if "pixel_hash" not in facts or facts["pixel_hash"].isna().all():
        return note(
            "Headers alone do not tell whether slices have the same pixels: 'hemorrhage audit' looks at each, and a "
            "store made by 'hemorrhage prepare' remembers it."
        )
    labels = pd.DataFrame(material.found.truth, columns=list(LABELS)).assign(image_id=material.found.slices["image_id"])
    groups = tabulate_identical(facts, labels)
    if groups.empty:
        return note("None: no two slices have the same pixels.")
    rows = [
        (", ".join(row["ids"]), show_count(row["patients"]), row["agree"])
        for row in groups.head(_SHOWN).to_dict("records")
    ]
    table = build_table("Slices with the same pixels", ("slices", "patients", "labels agree"), rows, words=3)
    return join([paragraph(_say_shown(len(groups), "group")), table])


def tabulate_identical(facts: pd.DataFrame, labels: pd.DataFrame) -> pd.DataFrame:
    """Returns a row a group of slices with equal pixels: ids, patients (a number), agree (yes or no).

    Groups across patients come first, those whose labels disagree before the others.
    """
    known = find_identical(facts).merge(labels[["image_id", *LABELS]], on="image_id", suffixes=("_input", ""))
    grouped = known.groupby("pixel_hash", sort=False)
    groups = pd.DataFrame(
        {
            "ids": grouped["image_id"].agg(list),
            "patients": grouped["patient_id"].nunique(),
            "agree": (grouped[list(LABELS)].nunique() == 1).all(axis=1).map({True: "yes", False: "no"}),
        }
    )
    return groups.sort_values(["patients", "agree"], ascending=[False, True], kind="stable").reset_index(drop=True)


def _say_shown(total: int, what: str) -> str:
    first = f" The first {_SHOWN} are shown." if total > _SHOWN else ""
    return f"{show_count(total)} {what}{'' if total == 1 else 's'}.{first}"
