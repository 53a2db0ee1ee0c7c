"""The score of a run beside constants and beside other runs, on the slices that they have in common."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hemorrhage.data.bootstrap import bootstrap_intervals
from hemorrhage.data.metrics import constant_score
from hemorrhage.data.uncertainty import StudyFigures
from hemorrhage.errors import HemorrhageError
from hemorrhage.pipeline.out_of_fold import read_out_of_fold
from hemorrhage.pipeline.runs import find_run, list_members, require_own
from hemorrhage.pipeline.score import Score
from hemorrhage.report.elements import EMPTY, Content, Html, build_table, join, paragraph
from hemorrhage.report.material import Material, measure_losses
from hemorrhage.report.numbers import NOTHING, show_count, show_decimal, show_interval

_ROUNDS = 1000


@dataclass(frozen=True)
class Rival:
    """Another run on the `slices` that it has in common with this one: both scores, and how much higher its own is.

    The intervals are of 95 %, by patient; that of the difference is of the same draws.
    """

    name: str
    slices: int
    own: float
    rival: float
    rival_interval: tuple[float, float]
    difference_interval: tuple[float, float]

    @property
    def difference(self) -> float:
        """Above 0 where this run is better."""
        return self.rival - self.own


def read_rivals(material: Material, names: Sequence[str]) -> list[Rival]:
    """Returns the runs `names`, and those that this one was made of where they have predicted, each once.

    Raises HemorrhageError for a run that is not there, has not predicted, has no slice in common with this one, or
    says other labels of one.
    """
    parts = [] if material.run.kind == "train" else [name for name in list_members(material.run)]
    able = [name for name in parts if name not in material.gone and find_run(name).out_of_fold_path.is_file()]
    wanted = [name for name in dict.fromkeys([*names, *able]) if name != material.name]
    return [_meet(material, name) for name in wanted]


def _meet(material: Material, name: str) -> Rival:
    run = require_own(find_run(name))
    other = read_out_of_fold(run)
    place_of = {image_id: place for place, image_id in enumerate(other.slices["image_id"])}
    pairs = [(place, place_of[one]) for place, one in enumerate(material.found.slices["image_id"]) if one in place_of]
    if not pairs:
        raise HemorrhageError(
            f"{run.out_of_fold_path}: expected slices of {material.run.folder}, it has none of these "
            f"{len(material.losses)}. Name a run that was judged by the same patients."
        )
    own, their = (np.array(rows) for rows in zip(*pairs, strict=True))
    if (material.found.truth[own] != other.truth[their]).any():
        raise HemorrhageError(
            f"{run.folds_path}: it has other labels of the same slices than {material.run.folds_path}. Name a run "
            "that was trained with the same labels."
        )
    return compare(name, material.losses[own], measure_losses(other)[their], material.found.patients[own])


def compare(name: str, own: np.ndarray, rival: np.ndarray, patients: np.ndarray) -> Rival:
    """Returns how two runs compare: the weighted log loss of the same N slices by each, and whose they are."""
    both = np.stack([rival, rival - own])
    ends = bootstrap_intervals(patients, lambda weights: (both * weights).sum(axis=1) / weights.sum(), _ROUNDS)
    (low, high), (least, most) = ends.tolist()
    return Rival(name, len(own), float(own.mean()), float(rival.mean()), (low, high), (least, most))


def build_beside(material: Material, score: Score, rivals: Sequence[Rival]) -> Html:
    """Returns the score with its interval beside constant answers and beside other runs."""
    truth = material.found.truth
    rows: list[list[Content]] = [
        [f"this run, {material.name}", _show_score(score), show_count(score.slices), NOTHING, NOTHING],
        ["training prevalence for every slice", show_decimal(constant_score(truth, material.prior)), "", "", ""],
        ["0.5 for every slice", show_decimal(constant_score(truth, np.full(6, 0.5))), "", "", ""],
        *(_show_rival(rival) for rival in rivals),
    ]
    head = ("", "weighted log loss (95 % interval)", "slices", "this run on these", "higher than this run by (95 %)")
    words = (
        "Lower is better. The intervals are of 1,000 draws of whole patients; a difference is of the same draws, and "
        "a run whose interval is above 0 is worse than this one by more than chance."
    )
    hint = "" if rivals else " Other runs stand here when they are named by --beside."
    return join([build_table("Score", head, rows), paragraph(words + hint)])


def build_studies(figures: StudyFigures | None) -> Html:
    """Returns how well each answer for a whole series, made of its slices' probabilities, ranks the series."""
    if figures is None:
        return EMPTY
    names = list(next(iter(figures.areas.values())))
    rows = [
        [
            label,
            show_count(figures.positives[label]),
            *(show_interval(one.auc, one.interval, 3) for one in areas.values()),
        ]
        for label, areas in figures.areas.items()
    ]
    caption = f"AUC over {show_count(figures.studies)} series (95 %); a series is positive where a slice is"
    return build_table(caption, ("label", "positive", *names), rows)


def _show_score(score: Score) -> str:
    return show_interval(score.weighted_log_loss, score.intervals.weighted_log_loss)


def _show_rival(rival: Rival) -> list[Content]:
    low, high = rival.difference_interval
    return [
        rival.name,
        show_interval(rival.rival, rival.rival_interval),
        show_count(rival.slices),
        show_decimal(rival.own),
        f"{rival.difference:+.4f} ({low:+.4f} to {high:+.4f})",
    ]
