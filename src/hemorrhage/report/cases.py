"""Slices that a run was surest of and right, surest of and wrong, and most unsure of, for each label."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hemorrhage.ct.dicom import DicomError
from hemorrhage.data.labels import LABELS
from hemorrhage.report.elements import Html, element, join, note, paragraph, show_figure
from hemorrhage.report.gallery import SYNTHETIC, WINDOWS
from hemorrhage.report.images import InputSlices, build_mosaic, show_image
from hemorrhage.report.material import Material, name_truth
from hemorrhage.report.numbers import show_probability

KINDS = ("Surest right", "Surest wrong", "Most unsure")
A_KIND = 3
"""Slices of each kind of each label."""

Heat = Callable[[str, str], np.ndarray | None]
"""Where a network looked in a slice (its id) for a label: float size x size in 0 to 1, None where that is not known."""


@dataclass(frozen=True)
class Gallery:
    """The rows of the slices of one label that are shown, by kind."""

    label: str
    rows: Mapping[str, np.ndarray]


def choose_galleries(material: Material, thresholds: np.ndarray) -> list[Gallery]:
    """Returns the galleries of the labels that any slice has; `thresholds`, of 6, say where a label is called."""
    truth, probability = material.found.truth, material.found.probability
    return [
        Gallery(
            label, choose_rows(truth[:, column], probability[:, column], thresholds[column], material.found.patients)
        )
        for column, label in enumerate(LABELS)
        if truth[:, column].any()
    ]


def choose_rows(
    truth: np.ndarray, probability: np.ndarray, threshold: float, patients: np.ndarray
) -> dict[str, np.ndarray]:
    """Returns A_KIND rows at most of each of KINDS for one label, each of another patient.

    Right are positives that are called, those with the highest probabilities; wrong are slices with the highest log
    loss; unsure those whose log odds are nearest to the threshold's.
    """
    odds = to_log_odds(probability)
    doubt = np.abs(odds - to_log_odds(np.array([threshold]))[0])
    right = np.where((truth == 1) & (probability >= threshold), -probability, np.inf)
    wrong = np.where(truth == 1, odds, -odds)
    is_wrong = (probability >= threshold) != (truth == 1)
    ranks = (right, np.where(is_wrong, wrong, np.inf), doubt)
    return {kind: _take_first(rank, patients) for kind, rank in zip(KINDS, ranks, strict=True)}


def to_log_odds(probability: np.ndarray) -> np.ndarray:
    """Returns the log odds, of probabilities held in 1e-9 to 1 - 1e-9."""
    kept = np.clip(probability, 1e-9, 1 - 1e-9)
    return np.asarray(np.log(kept / (1 - kept)))


def _take_first(rank: np.ndarray, patients: np.ndarray) -> np.ndarray:
    """The rows of lowest finite rank, one a patient."""
    order = np.argsort(rank, kind="stable")
    order = order[np.isfinite(rank[order])]
    _, first = np.unique(patients[order], return_index=True)
    return order[np.sort(first)[:A_KIND]]


def list_shown(material: Material, galleries: Sequence[Gallery]) -> list[str]:
    """Returns the ids of the slices in the galleries, each once."""
    rows = {int(row) for gallery in galleries for chosen in gallery.rows.values() for row in chosen}
    return [str(image_id) for image_id in material.found.slices["image_id"].iloc[sorted(rows)]]


def build_galleries(
    material: Material, galleries: Sequence[Gallery], slices: InputSlices | None, heat: Heat | None, why: str
) -> Html:
    """Returns the galleries; a line in their place without `slices`. `why` says of what the heat is, or why not."""
    if slices is None:
        return note("Slices are shown where their folder is named by --input.")
    words = f"Each slice is shown in the windows {', '.join(WINDOWS)} (above left, above right, below left)"
    fourth = (
        "; below right the brain window again, with what speaks for the label in color, the more the brighter "
        "(Grad-CAM). It shows where the network found it, not why, and not where blood is."
        if heat is not None
        else "; below right in soft tissue."
    )
    sides = (
        " Slices lie as their files have them, which for most scanners means that the patient's right is on the left. "
        "Those of a row are of different patients."
    )
    notes = [f"These are {SYNTHETIC}."] if slices.is_synthetic else []
    parts = [paragraph(words + fourth + sides), *(note(text) for text in (*notes, why) if text)]
    return join([*parts, *(_build_gallery(material, gallery, slices, heat) for gallery in galleries)])


def _build_gallery(material: Material, gallery: Gallery, slices: InputSlices, heat: Heat | None) -> Html:
    there, ids = set(slices.facts["image_id"]), material.found.slices["image_id"].to_numpy()
    parts: list[Html] = [element("h3", gallery.label)]
    for kind, rows in gallery.rows.items():
        cases = [_show_case(material, gallery.label, row, slices, heat) for row in rows if ids[row] in there]
        parts += [element("h4", f"{gallery.label}: {kind.lower()}")]
        parts += [element("div", *cases, class_="cases") if cases else note("There is none.")]
    return join(parts)


def _show_case(material: Material, label: str, row: int, slices: InputSlices, heat: Heat | None) -> Html:
    column, image_id = LABELS.index(label), str(material.found.slices["image_id"].iloc[row])
    said = show_probability(float(material.found.probability[row, column]))
    truth = name_truth(material.found.truth[row])
    caption = f"{image_id}: {label} said {said}; truth {truth}"
    try:
        pixels_hu = slices.read_hu(image_id)
    except DicomError as error:
        return note(f"{caption}. It can no longer be read: {error.cause}")
    found = heat(image_id, label) if heat is not None else None
    over = "" if found is None else ", and where the network found the label"
    if found is not None and not found.any():
        caption, over = f"{caption}; nothing in it speaks for {label}", ", in the last of which nothing is marked"
    alt = f"Slice {image_id} through the windows {', '.join(WINDOWS)}{over}. {label} said {said}, truth {truth}."
    return show_figure(caption, show_image(build_mosaic(pixels_hu, found), alt))
