"""`make saliency`: the maps of a network held against the masks of synthetic heads that it has not learned from.

    python -m tests.bench.saliency PHANTOM [--run RUN] [--picture FILE]

PHANTOM is a folder of 'hemorrhage phantom', whose masks say where each bleed lies. By label it prints the pointing game
(Zhang et al. 2016, arXiv:1608.00507: a hit where the map's maximum lies in the lesion, or within a tolerance of it) and
the share of the map that lies in the lesion over the lesion's share of the head. Beside these stand what needs no
learning: networks of random weights, edges, the middle of the head, and chance. Intervals draw whole patients.
"""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import ndimage

from hemorrhage.ct.crop import find_head
from hemorrhage.ct.dicom import read_slice
from hemorrhage.ct.projection import project_maps
from hemorrhage.ct.windows import BRAIN, apply_window
from hemorrhage.data.bootstrap import bootstrap_intervals
from hemorrhage.data.labels import LABELS, SUBTYPES, label_index
from hemorrhage.data.layout import find_data_set
from hemorrhage.models.backbones import build_model
from hemorrhage.models.saliency import explain_images
from hemorrhage.pipeline.console import SILENT
from hemorrhage.pipeline.explain import Explainer, open_explainer
from hemorrhage.pipeline.inputs import find_input
from hemorrhage.pipeline.runs import find_run
from hemorrhage.report.gallery import show
from hemorrhage.report.overlay import lay_over
from hemorrhage.report.picture import render

METHODS = ("grad-cam", "grad-cam++", "hires-cam")
CONTROLS = ("random weights", "edges", "middle of head", "chance")
_RANDOM_SEEDS = (1, 2, 3, 4, 5)
# What a network has seen at all; other lesions ask for a map of nothing.
_SURE = 0.5


@dataclass(frozen=True)
class Case:
    """A slice with blood: HU, millimetres a pixel, the head's mask, and a mask for each label that it has."""

    image_id: str
    patient_id: str
    pixels_hu: np.ndarray
    pixel_mm: float
    head: np.ndarray
    masks: Mapping[str, np.ndarray]


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 after printing the tables and drawing the sheet."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.saliency")
    parser.add_argument("phantom", type=Path, help="a folder of 'hemorrhage phantom' that RUN has not learned from")
    parser.add_argument("--run", default="@phantom")
    parser.add_argument("--tolerance-mm", type=float, default=15.0, help="how near counts as a hit (default 15)")
    parser.add_argument("--slices", type=int, default=None, help="at most so many, evenly spread")
    parser.add_argument("--picture", type=Path, default=Path("docs/pictures/saliency.png"))
    options = parser.parse_args(arguments)
    explainer = open_explainer(find_run(options.run), None, SILENT)
    cases = thin_out(list(read_cases(options.phantom)), options.slices)
    maps = draw_all_maps(explainer, options.phantom, cases)
    probabilities = predict_cases(explainer, options.phantom, cases)
    table = measure_cases(cases, maps, probabilities, options.tolerance_mm)
    print(
        f"{len(cases)} slices with blood of {table['patient_id'].nunique()} patients, {options.run}, a hit within "
        f"{options.tolerance_mm:g} mm; 95 % by patient\n\n{format_tables(table)}\n"
    )
    print(f"Where the label's probability is {_SURE} or more:\n\n{format_tables(table[table['probability'] >= _SURE])}")
    draw_sheet(options.picture, cases, maps, table)
    return 0


def read_cases(folder: Path) -> Iterator[Case]:
    """Yields the slices of a phantom data set that have a mask."""
    data_set = find_data_set(folder)
    for part, masks in ((data_set.train_folder, "masks_train"), (data_set.test_folder, "masks_test")):
        for path in sorted((part.parent / masks).glob("*.png")) if part is not None else ():
            found = read_slice(part / f"{path.stem}.dcm")
            bits = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
            named = {label: (bits >> label_index(label)) & 1 > 0 for label in SUBTYPES} | {"any": bits > 0}
            yield Case(
                path.stem,
                str(found.header.patient_id),
                found.pixels_hu,
                found.header.pixel_spacing_mm[0],
                ndimage.binary_fill_holes(find_head(found.pixels_hu)),
                {label: mask for label, mask in named.items() if mask.any()},
            )


def thin_out(cases: Sequence[Case], most: int | None) -> list[Case]:
    """Returns at most `most` of the cases, evenly spread."""
    if most is None or most >= len(cases):
        return list(cases)
    return [cases[int(row)] for row in np.linspace(0, len(cases) - 1, most).round()]


def draw_all_maps(explainer: Explainer, folder: Path, cases: Sequence[Case]) -> dict[str, np.ndarray]:
    """Returns the networks' maps at their own resolution by what drew them, each cases x labels x h x w."""
    slices, opener = _open(folder)
    ids = [case.image_id for case in cases]
    maps = {method: explainer.explain(slices, opener, ids, LABELS, method).layers[0].maps for method in METHODS}
    config = explainer.parts[0].predictor.config
    source = explainer.parts[0].predictor.open_images(slices, opener)
    images = np.stack([source.read_image(image_id) for image_id in ids])
    for seed in _RANDOM_SEEDS:
        network = build_model(config.model, config.size, images.shape[-1], seed=seed)
        maps[f"random {seed}"] = explain_images(network, images, LABELS, "grad-cam")
    return maps


def predict_cases(explainer: Explainer, folder: Path, cases: Sequence[Case]) -> np.ndarray:
    """Returns the run's probabilities, cases x 6."""
    slices, opener = _open(folder)
    return explainer.predict(slices, opener, [case.image_id for case in cases])[list(LABELS)].to_numpy()


def _open(folder: Path) -> tuple[pd.DataFrame, Callable]:
    found = find_input(folder)
    parts = [table for table in (found.list_training(SILENT), found.list_test(SILENT)) if table is not None]
    return pd.concat(parts, ignore_index=True), found.build_source


def measure_cases(
    cases: Sequence[Case], maps: Mapping[str, np.ndarray], probabilities: np.ndarray, tolerance_mm: float
) -> pd.DataFrame:
    """Returns a row for each lesion and label and each way of pointing: hit, share inside, and whether it is empty."""
    rows = []
    for row, case in enumerate(cases):
        drawn = {name: project_maps(given[row], case.pixels_hu, "none") for name, given in maps.items()}
        edges = measure_edges(case.pixels_hu)
        for label, mask in case.masks.items():
            column = label_index(label)
            measured = {name: measure_map(given[column], mask, case, tolerance_mm) for name, given in drawn.items()}
            measured["edges"] = measure_map(edges, mask, case, tolerance_mm)
            known = {
                "label": label,
                "case": row,
                "patient_id": case.patient_id,
                "probability": probabilities[row, column],
                "area": (mask & case.head).sum() / case.head.sum(),
            }
            rows += [known | {"by": name} | each for name, each in _join_random(measured).items()]
            rows += [known | each for each in _measure_without_map(case, mask, tolerance_mm)]
    return pd.DataFrame(rows)


def measure_map(saliency: np.ndarray, mask: np.ndarray, case: Case, tolerance_mm: float) -> dict[str, float]:
    """Returns whether a map's maximum hits a lesion, and the share of it inside; 0 and 0 of an empty map."""
    if not saliency.any():
        return {"hit": 0.0, "inside": 0.0, "empty": 1.0}
    place = np.unravel_index(int(saliency.argmax()), saliency.shape)
    away_mm = ndimage.distance_transform_edt(~mask) * case.pixel_mm
    inside = float(saliency[mask].sum() / saliency.sum())
    return {"hit": float(away_mm[place] <= tolerance_mm), "inside": inside, "empty": 0.0}


def measure_edges(pixels_hu: np.ndarray) -> np.ndarray:
    """Returns how steep the brain window is at each pixel, by Sobel's operator."""
    grey = apply_window(pixels_hu, BRAIN).astype(np.float32)
    return np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))


def _join_random(measured: Mapping[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """The mean over networks of random weights in place of each."""
    of_random = [each for name, each in measured.items() if name.startswith("random ")]
    mean = {key: float(np.mean([each[key] for each in of_random])) for key in of_random[0]}
    return {name: each for name, each in measured.items() if not name.startswith("random ")} | {"random weights": mean}


def _measure_without_map(case: Case, mask: np.ndarray, tolerance_mm: float) -> list[dict[str, object]]:
    """Pointing at the head's middle, and anywhere in the head with equal chance."""
    near = ndimage.distance_transform_edt(~mask) * case.pixel_mm <= tolerance_mm
    middle = tuple(round(axis.mean()) for axis in np.nonzero(case.head))
    area = (mask & case.head).sum() / case.head.sum()
    chance = (near & case.head).sum() / case.head.sum()
    return [
        {"by": "middle of head", "hit": float(near[middle]), "inside": np.nan, "empty": 0.0},
        {"by": "chance", "hit": float(chance), "inside": float(area), "empty": 0.0},
    ]


def format_tables(table: pd.DataFrame) -> str:
    """Returns Markdown tables of hits and of shares over areas, a label a row, and of how many maps are empty."""
    hits = _format(table, "hits", lambda rows, times: (times * rows["hit"]).sum() / times.sum())
    shares = _format(
        table,
        "inside/area",
        lambda rows, times: (times * rows["inside"]).sum(skipna=False) / (times * rows["area"]).sum(),
    )
    empty = _format(table, "empty", lambda rows, times: (times * rows["empty"]).sum() / times.sum(), intervals=())
    return f"{hits}\n\n{shares}\n\n{empty}"


def _format(
    table: pd.DataFrame,
    what: str,
    measure: Callable[[pd.DataFrame, np.ndarray], float],
    intervals: Sequence[str] = METHODS,
) -> str:
    ways = (*METHODS, *CONTROLS)
    lines = [f"| {what} | lesions (patients) | {' | '.join(ways)} |", "|---" * (len(ways) + 2) + "|"]
    for label in LABELS:
        own = table[table["label"] == label]
        if own.empty:
            continue
        cells = [_format_cell(own[own["by"] == way], measure, way in intervals) for way in ways]
        lesions = f"{own['case'].nunique()} ({own['patient_id'].nunique()})"
        lines.append(f"| {label} | {lesions} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _format_cell(rows: pd.DataFrame, measure: Callable[[pd.DataFrame, np.ndarray], float], with_interval: bool) -> str:
    value = measure(rows, np.ones(len(rows)))
    if np.isnan(value):
        return "-"
    if not with_interval:
        return f"{value:.2f}"
    ((low, high),) = bootstrap_intervals(
        rows["patient_id"].to_numpy(), lambda times: np.array([measure(rows, times)]), rounds=500
    )
    return f"{value:.2f} ({low:.2f} to {high:.2f})"


def draw_sheet(path: Path, cases: Sequence[Case], maps: Mapping[str, np.ndarray], table: pd.DataFrame) -> None:
    """Writes a row for each subtype: the surest lesion that grad-cam hits, the surest that it misses, with maps."""
    columns = ("lesion", *METHODS, "random 1")
    figure = Figure(figsize=(1.25 * 2 * len(columns), 1.38 * len(SUBTYPES) + 0.9), layout="constrained")
    figure.suptitle(
        "SYNTHETIC heads, no patients. Left a lesion that grad-cam hits, right one that it misses", fontsize=10
    )
    grid = figure.subplots(len(SUBTYPES), 2 * len(columns), squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes_row, label in zip(grid, SUBTYPES, strict=True):
        own = table[(table["label"] == label) & (table["by"] == "grad-cam")].sort_values("probability")
        for side, hit in enumerate((1.0, 0.0)):
            found = own[own["hit"] == hit]
            if len(found):
                row = int(found.iloc[-1]["case"])
                _draw_row(
                    axes_row[side * len(columns) :], columns, cases[row], label, {n: m[row] for n, m in maps.items()}
                )
                axes_row[side * len(columns)].set_title(f"{label} {found.iloc[-1]['probability']:.2f}", fontsize=7)
    render(figure, "maps over synthetic slices, hits and misses by label", 128, dpi=80).write(path)


def _draw_row(
    axes_row: Sequence[Axes], columns: Sequence[str], case: Case, label: str, maps: Mapping[str, np.ndarray]
) -> None:
    grey = apply_window(case.pixels_hu, BRAIN)
    for axes, column in zip(axes_row, columns, strict=False):
        show(axes, grey)
        axes.set_title(column, fontsize=7)
        if column == "lesion":
            axes.contour(case.masks[label], levels=[0.5], colors="#4cc9f0", linewidths=0.7)
        else:
            lay_over(axes, project_maps(maps[column][label_index(label)], case.pixels_hu, "none"))


if __name__ == "__main__":
    raise SystemExit(main())
