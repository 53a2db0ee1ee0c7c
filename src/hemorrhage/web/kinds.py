"""What kind of image a file is, by its header alone, and whether a head CT network may read it."""

import re
from dataclasses import dataclass

import numpy as np

from hemorrhage.web.facts import Facts
from hemorrhage.web.limits import Limits

_MODALITIES = {
    "MR": "MR images (magnetic resonance)",
    "CR": "radiographs",
    "DX": "radiographs",
    "US": "ultrasound images",
    "PT": "PET images",
    "NM": "scintigrams",
    "XA": "angiograms",
    "SR": "a report, not images",
    "KO": "a list of key images, not images",
    "PR": "a presentation state, not images",
    "SEG": "a segmentation, not images",
    "OT": "other images (secondary captures perhaps)",
    "SC": "secondary captures: pictures of a screen, which have no HU",
    "DOC": "a document, not images",
}
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_HEAD = re.compile(r"head|brain|skull|cranium|cerebr|neuro|schädel|schaedel|kopf|hirn|crane|\bcct\b", re.IGNORECASE)
_ELSEWHERE = re.compile(
    r"chest|thorax|lung|abdom|pelvi|spine|liver|kidney|cardiac|heart|knee|hip\b|shoulder|ankle|wrist|extremity",
    re.IGNORECASE,
)
_WIDEST_MM = 400.0
_TILT = 0.8
"""The cosine between slice normal and body axis from which a slice is axial: gantries tilt up to 30 degrees or so."""


@dataclass(frozen=True)
class Kind:
    """Why a file is not read, in words; empty where it is an axial CT slice that may be of a head."""

    why_not: str = ""


def find_kind(facts: Facts, limits: Limits) -> Kind:
    """Returns the kind of image that the header describes."""
    return Kind(_refuse_other_images(facts) or _refuse_other_slices(facts) or _refuse_other_parts(facts, limits))


def _refuse_other_images(facts: Facts) -> str:
    modality = facts.text("modality")
    if modality != "CT":
        what = _MODALITIES.get(modality, f"images of modality {modality}" if modality else "files without a modality")
        return f"{what}; the network reads CT alone"
    if facts.text("sop_class").startswith(_SECONDARY_CAPTURE):
        return "secondary captures: pictures of a screen, which have no HU"
    if not facts.text("pixels"):
        return "no pixels, a report perhaps"
    if (facts.number("samples") or 1) != 1:
        return "colour images; CT slices are grey"
    if (facts.number("frames") or 1) > 1:
        return "many images in one file (enhanced CT), which is not read yet; export it as single slices"
    return ""


def _refuse_other_slices(facts: Facts) -> str:
    words = facts.text("image_type").upper().split("\\")
    if "LOCALIZER" in words or "SCOUT" in facts.text("series_description").upper():
        return "a localizer (scout view), made to plan the scan"
    directions = facts.directions
    if directions is not None and abs(float(np.cross(directions[0], directions[1])[2])) < _TILT:
        return "coronal or sagittal slices; the network reads axial ones alone"
    derived = {"MIP", "MINIP", "MPR", "VOLUME", "3D", "PERFUSION"} & set(words)
    if derived and directions is None:
        return f"computed images ({', '.join(sorted(derived))}), not slices as scanned"
    if derived & {"MIP", "MINIP", "3D", "PERFUSION"}:
        return f"computed images ({', '.join(sorted(derived))}), not slices as scanned"
    return ""


def _refuse_other_parts(facts: Facts, limits: Limits) -> str:
    rows, columns = facts.shape
    if rows * columns > limits.pixels:
        return f"{rows} x {columns} pixels a slice; at most {limits.pixels} are taken"
    said = [facts.text(name) for name in ("body_part", "series_description", "protocol", "study_description")]
    # The nearest to the image counts: a study of head and chest has series of both.
    for text in said:
        if _HEAD.search(text):
            return ""
        if found := _ELSEWHERE.search(text):
            return f"not a head: its header says {found[0].lower()}"
    spacing = facts.pixel_spacing_mm
    if spacing and max(rows * spacing[0], columns * spacing[1]) > _WIDEST_MM:
        return f"a field of {max(rows * spacing[0], columns * spacing[1]):.0f} mm; a head is scanned in 200 to 300"
    return ""
