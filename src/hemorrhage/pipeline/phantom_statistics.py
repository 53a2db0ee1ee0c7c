"""How bleeding is spread over patients and slices: what the real table says, and the same figures of any labels.

The constants are aggregate facts of the competition's training labels (Flanders AE et al., Radiology: Artificial
Intelligence 2020): all 752,803 slices; the 8,278 series whose whole slice list is known; or, where the order of slices
matters, the 2,812 of these with every z, no two alike. The last lot bleeds more often (49 % of series), which is
why figures from it are given for series that bleed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hemorrhage.data.labels import LABELS, SUBTYPES, label_index

BLEEDING_SHARE = 0.40
"""Share of series with any hemorrhage; 8,278 series: 0.3985."""

PREVALENCE = {
    "epidural": 0.00418,
    "intraparenchymal": 0.04798,
    "intraventricular": 0.03481,
    "subarachnoid": 0.04739,
    "subdural": 0.06265,
    "any": 0.14337,
}
"""Share of all 752,803 slices that show each label."""

MIXTURES: tuple[tuple[int, tuple[str, ...]], ...] = (
    (538, ("subdural",)),
    (448, ("intraparenchymal",)),
    (411, ("intraparenchymal", "intraventricular")),
    (300, ("intraparenchymal", "intraventricular", "subarachnoid")),
    (205, ("subarachnoid",)),
    (201, ("intraparenchymal", "intraventricular", "subarachnoid", "subdural")),
    (193, ("intraparenchymal", "subarachnoid", "subdural")),
    (179, ("intraparenchymal", "subarachnoid")),
    (161, ("intraventricular", "subarachnoid")),
    (130, ("intraventricular",)),
    (119, ("intraparenchymal", "subdural")),
    (112, ("subarachnoid", "subdural")),
    (76, ("intraventricular", "subarachnoid", "subdural")),
    (70, ("intraparenchymal", "intraventricular", "subdural")),
    (31, ("intraventricular", "subdural")),
    (23, ("epidural",)),
    (15, ("epidural", "subdural")),
    (15, ("epidural", "intraparenchymal", "subarachnoid", "subdural")),
    (13, ("epidural", "intraparenchymal")),
    (10, ("epidural", "subarachnoid", "subdural")),
    (10, ("epidural", "intraparenchymal", "subdural")),
    (9, ("epidural", "intraparenchymal", "subarachnoid")),
    (6, ("epidural", "intraparenchymal", "intraventricular")),
    (6, ("epidural", "intraparenchymal", "intraventricular", "subarachnoid", "subdural")),
    (5, ("epidural", "subarachnoid")),
    (5, ("epidural", "intraventricular", "subarachnoid", "subdural")),
    (5, ("epidural", "intraparenchymal", "intraventricular", "subarachnoid")),
    (2, ("epidural", "intraparenchymal", "intraventricular", "subdural")),
    (1, ("epidural", "intraventricular", "subarachnoid")),
)
"""What bleeds together, and in how many of the 3,299 bleeding series out of 8,278."""

EXTENT_DECILES = {
    "epidural": (0.031, 0.082, 0.122, 0.156, 0.185, 0.227, 0.259, 0.315, 0.408, 0.450, 0.647),
    "intraparenchymal": (0.017, 0.061, 0.094, 0.125, 0.156, 0.188, 0.216, 0.250, 0.291, 0.367, 0.719),
    "intraventricular": (0.018, 0.054, 0.075, 0.100, 0.125, 0.158, 0.200, 0.250, 0.324, 0.425, 0.679),
    "subarachnoid": (0.017, 0.050, 0.075, 0.118, 0.156, 0.214, 0.281, 0.362, 0.469, 0.588, 0.938),
    "subdural": (0.022, 0.095, 0.167, 0.235, 0.310, 0.361, 0.425, 0.486, 0.556, 0.625, 0.885),
    "any": (0.017, 0.107, 0.167, 0.219, 0.281, 0.344, 0.406, 0.472, 0.550, 0.625, 0.938),
}
"""The extent of a label is the share of a series' slices that show it; deciles (minimum to maximum) over the series
that do, of the 8,278."""

EXTENT_CORRELATION = 0.18
"""How the extents of two subtypes of one series go together: Spearman -0.01 to 0.24 by pair, 0.18 about the middle."""

NEIGHBOR_SHARE = {
    "epidural": 0.864,
    "intraparenchymal": 0.803,
    "intraventricular": 0.808,
    "subarachnoid": 0.836,
    "subdural": 0.895,
    "any": 0.880,
}
"""The chance that a slice shows a label if the next slice along z does; the 2,812 ordered series."""

RUN_LENGTH = {
    "epidural": 7.28,
    "intraparenchymal": 5.07,
    "intraventricular": 5.20,
    "subarachnoid": 6.02,
    "subdural": 9.46,
    "any": 8.29,
}
"""Mean number of slices in a row that show a label; the 2,812 ordered series."""

SINGLE_RUN_SHARE = {
    "epidural": 0.789,
    "intraparenchymal": 0.798,
    "intraventricular": 0.805,
    "subarachnoid": 0.672,
    "subdural": 0.820,
    "any": 0.730,
}
"""Share of the ordered series with a label in which the slices that show it all follow one another."""

RUN_MIDDLE_QUARTILES = {
    "epidural": (0.390, 0.518, 0.613),
    "intraparenchymal": (0.403, 0.514, 0.617),
    "intraventricular": (0.422, 0.484, 0.547),
    "subarachnoid": (0.403, 0.547, 0.675),
    "subdural": (0.453, 0.547, 0.641),
    "any": (0.438, 0.528, 0.625),
}
"""Where along the series, 0 at the neck to 1 at the vertex, the middles of the runs lie: quartiles, ordered series."""

SUBTYPES_PER_SLICE = 1.374
"""Mean number of subtypes on a slice that shows any; all 752,803 slices."""

SECOND_SERIES_SHARE = 0.148
"""How many more series than patients there are: 21,744 for 18,938 in the competition's training data."""


@dataclass(frozen=True)
class LabelFigures:
    """The figures above of one label; `extents` (of the series that show it) and `run_middles` are in ascending order.

    `series_share` is the share of series that show it at all.
    """

    prevalence: float
    series_share: float
    neighbor_share: float
    run_length: float
    single_run_share: float
    run_middles: np.ndarray
    extents: np.ndarray


@dataclass(frozen=True)
class Statistics:
    """What measure_labels found; `labels` has no key for one that never occurs."""

    series: int
    slices: int
    subtypes_per_slice: float
    labels: dict[str, LabelFigures]


def measure_labels(series: Sequence[np.ndarray]) -> Statistics:
    """Returns the figures of `series`, each an N x 6 array of 0 and 1 (LABELS), its slices from neck to vertex."""
    together = np.concatenate(series)
    positive = together[together[:, label_index("any")] > 0]
    figures = {label: _measure_label([each[:, label_index(label)] for each in series]) for label in LABELS}
    return Statistics(
        series=len(series),
        slices=len(together),
        subtypes_per_slice=float(positive[:, : len(SUBTYPES)].sum(axis=1).mean()) if len(positive) else 0.0,
        labels={label: found for label, found in figures.items() if found is not None},
    )


def _measure_label(series: Sequence[np.ndarray]) -> LabelFigures | None:
    bleeding = [each for each in series if each.any()]
    if not bleeding:
        return None
    runs = [find_runs(each) for each in bleeding]
    middles = [found.mean(axis=1) / len(each) for found, each in zip(runs, bleeding, strict=True)]
    return LabelFigures(
        prevalence=float(np.concatenate(series).mean()),
        series_share=len(bleeding) / len(series),
        neighbor_share=_measure_neighbors(bleeding),
        run_length=float(np.diff(np.concatenate(runs), axis=1).mean()),
        single_run_share=float(np.mean([len(found) == 1 for found in runs])),
        run_middles=np.sort(np.concatenate(middles)),
        extents=np.sort([each.mean() for each in bleeding]),
    )


def find_runs(shown: np.ndarray) -> np.ndarray:
    """Returns first and one past last index of every run of ones in `shown`, int64 R x 2."""
    steps = np.diff(np.concatenate([[0], shown.astype(np.int64), [0]]))
    return np.stack([np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)], axis=1)


def _measure_neighbors(series: Sequence[np.ndarray]) -> float:
    """Both directions count: each pair of neighbours has two slices that can be the one asked about."""
    both = sum(int(np.sum(each[1:] & each[:-1])) for each in series)
    either = sum(int(each[1:].sum() + each[:-1].sum()) for each in series)
    return 2 * both / either if either else 0.0
