"""Where does it fail? The loss by scanner, by place in the head, by patient and by series."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hemorrhage.data.labels import LABELS
from hemorrhage.data.metrics import constant_score
from hemorrhage.data.ranking import Ranking
from hemorrhage.data.series import describe_places, list_series
from hemorrhage.report.charts import Axes, Line, build_legend, draw_chart
from hemorrhage.report.elements import Content, Html, build_table, element, join, note, paragraph, show_figure
from hemorrhage.report.headers import GROUP_COLUMNS
from hemorrhage.report.material import Material
from hemorrhage.report.numbers import show_count, show_decimal, show_probability, show_share
from hemorrhage.report.scales import UNIT, span

_TENTHS = 10
_WORST = 15


@dataclass(frozen=True)
class Group:
    """The slices of one group: how many, of how many patients, the share with any bleed, their mean loss and that of
    the constant prior, the AUC of `any` (NaN where undefined), and their share of the whole loss.
    """

    name: str
    slices: int
    patients: int
    bleeding: float
    loss: float
    prior: float
    auc: float
    burden: float


def measure_groups(material: Material, names: Sequence[str]) -> list[Group]:
    """Returns the figures of the slices that share a name, N names in; the largest group first."""
    codes, known = pd.factorize(pd.Series(list(names)))
    groups = [_measure_group(material, str(name), codes == code) for code, name in enumerate(known)]
    return sorted(groups, key=lambda group: -group.slices)


def _measure_group(material: Material, name: str, chosen: np.ndarray) -> Group:
    truth, probability = material.found.truth[chosen], material.found.probability[chosen]
    losses = material.losses[chosen]
    return Group(
        name=name,
        slices=len(losses),
        patients=len(np.unique(material.found.patients[chosen])),
        bleeding=float(truth[:, -1].mean()),
        loss=float(losses.mean()),
        prior=constant_score(truth, material.prior),
        auc=Ranking.build(truth[:, -1], probability[:, -1]).measure(np.ones(len(losses)))[0],
        burden=float(losses.sum() / material.losses.sum()),
    )


def _tabulate(caption: str, first: str, groups: Sequence[Group]) -> Html:
    head = (first, "slices", "patients", "bleeding", "log loss", "of the prior", "AUC of any", "share of the loss")
    rows: list[Sequence[Content]] = [
        (
            group.name,
            show_count(group.slices),
            show_count(group.patients),
            show_share(group.bleeding),
            show_decimal(group.loss),
            show_decimal(group.prior),
            show_decimal(group.auc, 3),
            show_share(group.burden),
        )
        for group in groups
    ]
    return build_table(caption, head, rows)


def build_headers(material: Material, facts: pd.DataFrame | None) -> Html:
    """Returns the loss by how scanners store pixels; `facts` is the slice table of the input, None without one."""
    if facts is None:
        return note("How scanners stored these slices is not known without the slices: name their folder by --input.")
    known = facts.set_index("image_id").reindex(material.found.slices["image_id"])[list(GROUP_COLUMNS)]
    words = known.astype("Float64").map(lambda value: "?" if pd.isna(value) else f"{value:g}").agg(" / ".join, axis=1)
    names = words.where(known.notna().all(axis=1).to_numpy(), "not in the input").tolist()
    return _tabulate(
        "By header: bits stored / signed (1) or not (0) / intercept", "header", measure_groups(material, names)
    )


def find_positions(slices: pd.DataFrame) -> np.ndarray:
    """Returns where each slice lies in its series, 0 at the lowest and 1 at the highest, float64 N."""
    positions = np.empty(len(slices))
    z_mm = slices["z_mm"].to_numpy(dtype=np.float64)
    for rows in list_series(slices):
        positions[rows] = describe_places(z_mm[rows])[:, 0] if np.isfinite(z_mm[rows]).all() else 0.5
    return positions


def build_positions(material: Material) -> Html:
    """Returns the loss by tenths of the way from the lowest slice of a series to its highest."""
    tenths = np.minimum((find_positions(material.found.slices) * _TENTHS).astype(int), _TENTHS - 1)
    names = [f"{tenth / _TENTHS:.1f} to {(tenth + 1) / _TENTHS:.1f}" for tenth in tenths.tolist()]
    groups = sorted(measure_groups(material, names), key=lambda group: group.name)
    middles = np.array([float(group.name[:3]) + 0.5 / _TENTHS for group in groups])
    lines = [
        Line("this run", middles, np.array([group.loss for group in groups]), 0, 0, marks=True),
        Line("constant prevalence", middles, np.array([group.prior for group in groups]), 6, 2),
    ]
    worst = max(groups, key=lambda group: group.loss)
    words = (
        f"Loss from the lowest slice of a series (0) to its highest (1). Highest from {worst.name}: {worst.loss:.4f}."
    )
    axes = Axes("place in the series", "weighted log loss", UNIT, span(np.concatenate([line.y for line in lines])))
    legend = build_legend([(line.name, line.color, line.dash) for line in lines])
    table = _tabulate("By place in the series", "place", groups)
    return element("div", show_figure(words, draw_chart(words, axes, lines), legend), table, class_="two")


def rank_worst(material: Material, column: str) -> pd.DataFrame:
    """Returns a row for each patient or series (`column` patient_id or series_id), the one with most of the loss first.

    Columns: name, slices, bleeding slices, loss (their sum), mean, row (the slice with the highest loss).
    """
    table = pd.DataFrame(
        {
            "name": material.found.slices[column].astype("object").fillna("no id"),
            "loss": material.losses,
            "bleeding": material.found.truth[:, -1],
            "row": np.arange(len(material.losses)),
        }
    ).sort_values("loss", ascending=False, kind="stable")
    grouped = table.groupby("name", sort=False)
    ranked = pd.DataFrame(
        {"slices": grouped.size(), "bleeding": grouped["bleeding"].sum(), "loss": grouped["loss"].sum()}
    ).assign(row=grouped["row"].first())
    ranked["mean"] = ranked["loss"] / ranked["slices"]
    return ranked.sort_values("loss", ascending=False, kind="stable").reset_index()


def build_worst(material: Material) -> Html:
    """Returns the patients and the series with most of the loss, each with its worst slice and label."""
    patients, series = rank_worst(material, "patient_id"), rank_worst(material, "series_id")
    most = patients["loss"].cumsum() / patients["loss"].sum()
    half = int((most < 0.5).sum()) + 1
    parts = [
        paragraph(f"{half} of {len(patients)} patients have half of the whole loss. Ids are those of the data set."),
        _tabulate_worst(material, "Patients with the highest loss", "patient", patients),
    ]
    if len(series) != len(patients):
        return join([*parts, _tabulate_worst(material, "Series with the highest loss", "series", series)])
    return join([*parts, note("Each patient has one series, so that a table of series would say the same.")])


def _tabulate_worst(material: Material, caption: str, first: str, ranked: pd.DataFrame) -> Html:
    head = (
        first,
        "worst slice",
        "its worst label",
        "truth",
        "said",
        "slices",
        "bleeding",
        "mean loss",
        "share of the loss",
    )
    total = material.losses.sum()
    rows = [
        [
            str(row["name"]),
            *_describe_slice(material, row["row"]),
            show_count(row["slices"]),
            show_count(row["bleeding"]),
            show_decimal(row["mean"]),
            show_share(row["loss"] / total),
        ]
        for row in ranked.head(_WORST).to_dict("records")
    ]
    return build_table(caption, head, rows, words=3)


def _describe_slice(material: Material, row: int) -> list[Content]:
    truth, probability = material.found.truth[row], material.found.probability[row]
    column = int(np.argmax(np.abs(truth - probability)))
    name = str(material.found.slices["image_id"].iloc[row])
    return [name, LABELS[column], str(int(truth[column])), show_probability(float(probability[column]))]
