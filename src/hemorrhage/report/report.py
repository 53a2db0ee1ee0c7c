"""The verb report: a run in, one HTML file out that needs no network and no script."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from hemorrhage.errors import HemorrhageError
from hemorrhage.files import replacing
from hemorrhage.pipeline.console import Console
from hemorrhage.pipeline.out_of_fold import split_patients
from hemorrhage.pipeline.score import Score, measure_score
from hemorrhage.report.beside import Rival, build_beside, build_studies, read_rivals
from hemorrhage.report.by_label import build_metrics, build_rankings, build_reliability
from hemorrhage.report.cases import build_galleries, choose_galleries, list_shown
from hemorrhage.report.elements import Html, element, join, note
from hemorrhage.report.histograms import build_histograms
from hemorrhage.report.images import InputSlices, read_input_slices
from hemorrhage.report.learning import build_learning
from hemorrhage.report.material import Material, read_material
from hemorrhage.report.numbers import show_count, show_interval
from hemorrhage.report.oddities import build_identical, build_unreadable
from hemorrhage.report.operating import Operating, build_confusion, build_together, choose_operating
from hemorrhage.report.page import Part, build_page
from hemorrhage.report.places import build_headers, build_positions, build_worst
from hemorrhage.report.strips import build_strips
from hemorrhage.report.summary import build_summary, describe_run


def write_report(
    name: str, input_folder: Path | None, beside: Sequence[str], out: Path | None, console: Console
) -> Path:
    """Returns the page that was written of run `name`: `out`, by default report.html in the run's folder.

    Slices are shown where `input_folder` has them; `beside` are runs to compare with. Raises HemorrhageError for a run
    that is not there or has not predicted, an input of another data set, and runs that cannot be compared.
    """
    material = read_material(name)
    target = out or material.run.folder / "report.html"
    if target.is_dir():
        raise HemorrhageError(f"{target}: expected a file to write the report to, this is a folder.")
    rivals = read_rivals(material, beside)
    slices = read_input_slices(input_folder, material, console) if input_folder is not None else None
    page = compose_report(material, rivals, slices, console)
    with replacing(target) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return target


def compose_report(material: Material, rivals: Sequence[Rival], slices: InputSlices | None, console: Console) -> str:
    """Returns the page of a run."""
    truth, probability = material.found.truth, material.found.probability
    score = measure_score(truth, probability, material.found.slices)
    chosen = choose_operating(truth, probability, _split(material))
    parts = [
        Part("summary", "Summary", build_summary(material)),
        Part("score", "Score", _build_score(material, score, rivals)),
        Part("learning", "How it learned", build_learning(material)),
        Part("rankings", "ROC, precision and recall", build_rankings(truth, probability, score)),
        Part("reliability", "Reliability", build_reliability(truth, probability)),
        Part("calls", "Right and wrong calls", build_confusion(truth, chosen)),
        Part("together", "Labels that come together", build_together(truth, chosen)),
        *_list_places(material, slices),
        Part("strips", "Along a series", build_strips(material)),
        Part(
            "slices", "Slices: surest right, surest wrong, most unsure", _show_slices(material, chosen, slices, console)
        ),
        Part("probabilities", "Probabilities", build_histograms(material)),
        Part("unreadable", "Unreadable slices", build_unreadable(material)),
        Part("identical", "Slices with the same pixels", build_identical(material, _facts(slices))),
    ]
    return build_page(f"Report of the run {material.name}", _lead(material, score), parts)


def _build_score(material: Material, score: Score, rivals: Sequence[Rival]) -> Html:
    return join([build_beside(material, score, rivals), build_metrics(score), build_studies(score.studies)])


def _list_places(material: Material, slices: InputSlices | None) -> list[Part]:
    return [
        Part("headers", "Where does it fail? By scanner", build_headers(material, _facts(slices))),
        Part("positions", "Where does it fail? By place in the series", build_positions(material)),
        Part("worst", "Where does it fail? By patient and series", build_worst(material)),
    ]


def _facts(slices: InputSlices | None) -> pd.DataFrame | None:
    return slices.facts if slices is not None else None


def _split(material: Material) -> np.ndarray | None:
    """Folds of patients to choose thresholds by, None where there is one patient alone."""
    return split_patients(material.found, material.run) if len(np.unique(material.found.patients)) > 1 else None


def _lead(material: Material, score: Score) -> Html:
    shown = show_interval(score.weighted_log_loss, score.intervals.weighted_log_loss)
    slices, patients = show_count(score.slices), show_count(score.patients or 0)
    words = f"Weighted log loss {shown} on {slices} out-of-fold slices of {patients} patients."
    return join([element("p", words, class_="lead"), element("p", describe_run(material))])


def _show_slices(material: Material, chosen: Operating, slices: InputSlices | None, console: Console) -> Html:
    galleries = choose_galleries(material, chosen.thresholds)
    if not galleries:
        return note("No slice has a label: there is nothing to be right about.")
    heat, why = None, ""
    if slices is not None:
        # Imported where it is needed: it loads Keras.
        from hemorrhage.report.looking import look_at

        heat, why = look_at(material, list_shown(material, galleries), slices, console)
    return build_galleries(material, galleries, slices, heat, why)
