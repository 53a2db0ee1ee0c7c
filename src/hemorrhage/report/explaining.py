"""The verb explain: a run and a slice in, a picture out of where its networks saw what they answer."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hemorrhage.ct.codec import decode
from hemorrhage.ct.dicom import read_slice
from hemorrhage.ct.orientation import find_edges
from hemorrhage.data.labels import LABELS
from hemorrhage.errors import HemorrhageError
from hemorrhage.files import make_folder
from hemorrhage.models.saliency import require_labels, require_method
from hemorrhage.pipeline.console import Console
from hemorrhage.pipeline.explain import Explainer, RunMaps, open_explainer
from hemorrhage.pipeline.one_slice import ChosenSlice, choose_slice
from hemorrhage.pipeline.runs import Run, find_run, read_folds
from hemorrhage.report.overlay import ExplainedSlice, draw_explanation


def write_explanation(
    name: str, wanted: str, input_folder: Path, label: str | None, method: str, out: Path, console: Console
) -> str:
    """Returns a line for each label with its probability, after writing the picture of one slice to `out`.

    `wanted` is a DICOM file, or an id in the data set under `input_folder`. A slice that was held out of the run's
    training is explained by the network that did not learn from its patient. Raises HemorrhageError for an unknown
    run, slice, label or method, a slice that cannot be read, and an `out` that is no PNG or cannot be written.
    """
    labels = (label,) if label else LABELS
    require_method(method)
    require_labels(labels)
    require_picture(out)
    run = find_run(name)
    explainer = open_explainer(run, None, console)
    chosen = choose_slice(wanted, input_folder, explainer.needs_series, console)
    explained = explain_slice(run, explainer, chosen, labels, method)
    draw_explanation(explained).write(out)
    return "\n".join(f"{label:<18}{explained.probabilities[label]:.4f}" for label in labels)


def explain_slice(
    run: Run, explainer: Explainer, chosen: ChosenSlice, labels: Sequence[str], method: str
) -> ExplainedSlice:
    """Returns a slice with the maps and the run's probabilities of `labels`; errors as in write_explanation."""
    fold, learned = _find_fold(run, explainer, chosen.image_id)
    slices = chosen.slices if fold is None else chosen.slices.assign(fold=fold)
    maps = explainer.explain(slices, chosen.opener, [chosen.image_id], labels, method, fold)
    if maps.unreadable:
        raise HemorrhageError(
            f"{chosen.image_id}: expected a slice that can be read: {maps.unreadable[chosen.image_id]}."
        )
    predicted = explainer.predict(slices, chosen.opener, [chosen.image_id], fold)
    pixels_hu, on_it, orientation = _read_pixels(explainer, chosen, maps)
    return ExplainedSlice(
        pixels_hu,
        dict(zip(labels, on_it, strict=True)),
        {label: float(predicted[label].iloc[0]) for label in labels},
        find_edges(orientation),
        f"{Path(chosen.image_id).name}, {run.folder.name}, {method}",
        tuple(line for line in (learned, maps.note, _say_orientation(orientation)) if line),
    )


def require_picture(out: Path) -> None:
    """Raises HemorrhageError where `out` is not the name of a PNG in a folder that can be written."""
    if out.suffix.lower() != ".png" or out.is_dir():
        raise HemorrhageError(f"{out}: expected the name of a picture to write that ends in .png.")
    # Before minutes of work, not after them.
    if not os.access(make_folder(out.parent), os.W_OK):
        raise HemorrhageError(f"{out.parent}: expected a folder that can be written. Name another by --out.")


def _find_fold(run: Run, explainer: Explainer, image_id: str) -> tuple[int | None, str]:
    """The fold whose network did not learn from a slice's patient, None for all, and what that means."""
    if not run.folds_path.is_file():
        return None, ""
    folds = read_folds(run).set_index("image_id")["fold"]
    if image_id not in folds.index:
        return None, ""
    fold = int(folds[image_id])
    if fold in explainer.folds:
        return fold, f"By the network of fold {fold}, which did not learn from this patient."
    return None, "This run has learned from this patient: its answer flatters it."


def _read_pixels(
    explainer: Explainer, chosen: ChosenSlice, maps: RunMaps
) -> tuple[np.ndarray, np.ndarray, tuple[float, ...]]:
    """HU of the slice as its file has them, or of a store as it was coded; the maps on it, and its orientation."""
    if chosen.path is not None:
        found = read_slice(chosen.path)
        return found.pixels_hu, maps.on(chosen.image_id, found.pixels_hu), found.header.orientation
    config = explainer.parts[0].predictor.config
    pixels_hu = decode(chosen.opener(chosen.slices, config.size, config.crop).read_codes(chosen.image_id))
    return pixels_hu, maps.at(chosen.image_id, config.size), ()


def _say_orientation(orientation: tuple[float, ...]) -> str:
    edges = find_edges(orientation)
    if edges is None:
        return "Which side is which is not known: the orientation is not in the header, or not kept in a store."
    return (
        "R and L are the patient's right and left, A front, P back." if {edges.left, edges.right} == {"R", "L"} else ""
    )
