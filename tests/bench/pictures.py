"""`make pictures`: the pictures of docs/phantom.md, drawn anew from the generator; no real slice is in them.

python -m tests.bench.pictures
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np

from hemorrhage.ct.phantom import (
    SUBTYPES,
    Bleed,
    Head,
    Mimic,
    RenderedSlice,
    Scan,
    build_head,
    draw_bleeds,
    draw_mimics,
    draw_scan,
    render_masks,
    render_series,
)
from hemorrhage.ct.windows import BONE, BRAIN, SUBDURAL, Window

FOLDER = Path("docs/pictures")
TILE = 192
_COLORS = {
    "epidural": (60, 180, 255),
    "intraparenchymal": (80, 80, 255),
    "intraventricular": (255, 160, 60),
    "subarachnoid": (80, 220, 80),
    "subdural": (230, 90, 230),
}

Patient = tuple[Head, Scan, tuple[Bleed, ...], tuple[Mimic, ...]]


def main() -> int:
    """Returns 0 after writing every picture."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    write_picture(FOLDER / "phantom-series.png", draw_series(), columns=8)
    write_picture(FOLDER / "phantom-blood.png", draw_blood(), columns=5)
    write_picture(FOLDER / "phantom-windows.png", draw_windows(), columns=6)
    write_picture(FOLDER / "phantom-mimics.png", draw_lookalikes(8), columns=8)
    return 0


def draw_patient(seed: int, subtypes: Sequence[str] = (), with_mimics: bool = False) -> Patient:
    """Returns a patient who bleeds as `subtypes` say, drawn from `seed`."""
    rng = np.random.default_rng([seed, 2026])
    head = build_head(rng)
    scan = draw_scan(rng, head)
    bleeds = draw_bleeds(rng, subtypes, float(rng.uniform(0.25, 0.75))) if subtypes else ()
    return head, scan, bleeds, draw_mimics(rng, bleeds) if with_mimics else ()


def draw_series() -> list[np.ndarray]:
    """Returns every other slice of one patient, from the neck to the vertex, with the masks' outlines."""
    head, scan, bleeds, mimics = draw_patient(4, ("subdural", "subarachnoid"))
    series = list(render_series(head, bleeds, scan, 256, np.random.default_rng(0), mimics))
    places = np.linspace(1, len(series) - 2, 24).round().astype(int)
    return [paint(series[int(place)], BRAIN, outlines=True) for place in places]


def draw_blood() -> list[np.ndarray]:
    """Returns four patients for each subtype, a column a subtype, each at its largest slice."""
    return [
        paint(render_largest(draw_patient(100 * row + column, (subtype,)), subtype), BRAIN)
        for row in range(4)
        for column, subtype in enumerate(SUBTYPES)
    ]


def draw_windows() -> list[np.ndarray]:
    """Returns slices of four patients through the brain, subdural and bone windows."""
    tiles = []
    for seed, subtype in ((31, "epidural"), (32, "intraparenchymal"), (33, "subdural"), (34, "subarachnoid")):
        rendered = render_largest(draw_patient(seed, (subtype,)), subtype)
        tiles += [paint(rendered, window) for window in (BRAIN, SUBDURAL, BONE)]
    return tiles


def draw_lookalikes(count: int) -> list[np.ndarray]:
    """Returns heads without blood that have something like it, at the level where most of it is."""
    tiles: list[np.ndarray] = []
    seed = 500
    while len(tiles) < 2 * count:
        seed += 1
        head, scan, _, mimics = draw_patient(seed, with_mimics=True)
        if mimics:
            tiles.append(paint(_most_changed(head, scan, mimics), BRAIN))
    return tiles


def _most_changed(head: Head, scan: Scan, mimics: Sequence[Mimic]) -> RenderedSlice:
    with_them = list(render_series(head, (), scan, 256, np.random.default_rng(0), mimics))
    without = render_series(head, (), scan, 256, np.random.default_rng(0))
    inside = [
        np.count_nonzero(np.abs(one.pixels_hu.astype(np.int32) - other.pixels_hu) > 12)
        for one, other in zip(with_them, without, strict=True)
    ]
    return with_them[int(np.argmax(inside))]


def render_largest(patient: Patient, subtype: str) -> RenderedSlice:
    """Returns the patient's slice with the most blood of `subtype`."""
    head, scan, bleeds, mimics = patient
    areas = [np.count_nonzero(masks[subtype]) for masks in render_masks(head, bleeds, scan, 48, mimics)]
    series = render_series(head, bleeds, scan, 256, np.random.default_rng(0), mimics)
    return next(rendered for place, rendered in enumerate(series) if place == int(np.argmax(areas)))


def paint(rendered: RenderedSlice, window: Window, outlines: bool = False) -> np.ndarray:
    """Returns the slice through a window as uint8 BGR, TILE x TILE, the masks' outlines in colour where asked for."""
    scaled = np.clip((rendered.pixels_hu - window.low) / (window.high - window.low) * 255, 0, 255).astype(np.uint8)
    picture = cv2.cvtColor(scaled, cv2.COLOR_GRAY2BGR)
    for subtype, mask in rendered.masks.items() if outlines else ():
        contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(picture, contours, -1, _COLORS[subtype], 1)
    return cv2.resize(picture, (TILE, TILE), interpolation=cv2.INTER_AREA)


def write_picture(path: Path, tiles: Iterable[np.ndarray], columns: int) -> None:
    """Writes the tiles in rows."""
    given = list(tiles)
    rows = [np.hstack(given[start : start + columns]) for start in range(0, len(given), columns)]
    cv2.imwrite(str(path), np.vstack(rows), [cv2.IMWRITE_PNG_COMPRESSION, 9])


if __name__ == "__main__":
    raise SystemExit(main())
