"""How large the bleeds of a patient must be so that they show on as many slices as the plan wants.

A bleed's height grows with its severity, by how much depends on where it lies and on what hides it. So the severities
are searched for: masks alone are rendered, small, a few times over, all subtypes at once, and only of the slices whose
answer does not follow from an earlier one. For what shows at one severity shows at every greater one.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hemorrhage.ct.phantom import Bleed, Head, Scan, draw_bleeds, render_masks
from hemorrhage.data.labels import LABELS, SUBTYPES

MASK_SIZE = 64
"""Pixels a side that the search renders: coarser would lose what MIN_AREA_MM2 keeps."""

_STEPS = 5
_ATTEMPTS, _FITTING_ATTEMPTS = 8, 3
# Near enough: this share of the wanted slices.
_TOLERANCE = 0.1
# About the extents of severities 0 and 1 along z; only the guesses rest on them.
_LEAST_MM, _MOST_MM = 5.0, 150.0
# A second bleed of a subtype is this severe at most: one slice to three, as the shorter runs of the real table are.
_SECOND_SEVERITY = 0.25


def fit_bleeds(
    seeds: Sequence[int],
    head: Head,
    scans: Sequence[Scan],
    extents: Mapping[str, float],
    second: str | None,
    size: int,
) -> tuple[Bleed, ...]:
    """Returns bleeds that show on about the share `extents[subtype]` of the first scan's slices, and in every scan.

    Of the subtype `second`, if any, there is another small bleed anywhere. `seeds` begin every generator drawn
    from; masks are compared at `size` pixels or 64, if that is fewer. Some places a bleed can take hide it, or are
    too small for it: then others are drawn, at last the largest that there are.
    """
    bleeds: tuple[Bleed, ...] = ()
    least = float("inf")
    size = min(size, MASK_SIZE)
    for attempt in range(_ATTEMPTS if extents else 0):
        tried = [*seeds, attempt]
        found = _search(tried, head, scans[0], extents, second, size)
        misfit = max(search.misfit for search in found.values())
        if misfit < least:
            drawn = _draw(tried, {subtype: search.best for subtype, search in found.items()}, second)
            likely_mm = [scans[0].z_mm(search.likely) for search in found.values()]
            if all(_shows(head, drawn, scan, size, likely_mm) >= set(extents) for scan in scans):
                bleeds, least = drawn, misfit
        if least <= 1 or (bleeds and attempt + 1 >= _FITTING_ATTEMPTS):
            break
    return bleeds or (_draw([*seeds, _ATTEMPTS], dict.fromkeys(extents, 1.0), second) if extents else ())


def label_series(head: Head, bleeds: Sequence[Bleed], scan: Scan, size: int) -> np.ndarray:
    """Returns the labels of a series from masks alone: uint8 slices x 6 (LABELS), neck to vertex."""
    return np.array([label_masks(masks) for masks in render_masks(head, bleeds, scan, size)], dtype=np.uint8)


def label_masks(masks: Mapping[str, np.ndarray]) -> tuple[int, ...]:
    """Returns the six labels (LABELS) of a slice whose mask of each subtype is given."""
    positive = {subtype: int(masks[subtype].any()) for subtype in SUBTYPES}
    positive["any"] = max(positive.values())
    return tuple(positive[label] for label in LABELS)


def _draw(seeds: Sequence[int], severities: Mapping[str, float], second: str | None) -> tuple[Bleed, ...]:
    # Always from the start of the same streams, so that only the sizes differ.
    bleeds = draw_bleeds(np.random.default_rng([*seeds, 0]), tuple(severities), severities)
    if second is None:
        return bleeds
    rng = np.random.default_rng([*seeds, 1])
    return bleeds + draw_bleeds(rng, (second,), rng.uniform(0, _SECOND_SEVERITY))


@dataclass(frozen=True)
class _Search:
    """Bisection for the severity of one subtype between `low` and `high`; `best` missed the wanted slices by `miss`.

    `shown_from` and `hidden_to` hold, for each slice, the least severity at which it has shown blood and the
    greatest at which it has not.
    """

    wanted: float
    guess: float
    shown_from: np.ndarray
    hidden_to: np.ndarray
    low: float = 0.0
    high: float = 1.0
    best: float = 1.0
    miss: float = float("inf")

    @property
    def is_done(self) -> bool:
        return self.miss <= max(0.5, _TOLERANCE * self.wanted)

    @property
    def misfit(self) -> float:
        """How far `best` is from what was wanted: to 1 is near enough not to draw another bleed."""
        return self.miss / max(2.0, 0.2 * self.wanted)

    @property
    def likely(self) -> int:
        """The slice that has shown blood at the least severity, the middle one of several."""
        least = np.flatnonzero(self.shown_from == self.shown_from.min())
        return int(least[len(least) // 2])

    def find_open(self) -> np.ndarray:
        """Returns whether each slice must be looked at for this guess: bool, one a slice."""
        is_open = (self.shown_from > self.guess) & (self.hidden_to < self.guess)
        bloody = np.flatnonzero(np.isfinite(self.shown_from))
        if self.is_done or not len(bloody):
            return is_open & (not self.is_done)
        # Blood grows outward from where it is, hardly farther than what is missing.
        reach = 2 + max(self.wanted - np.count_nonzero(self.shown_from <= self.guess), 0)
        away = np.abs(np.arange(len(is_open))[:, np.newaxis] - bloody).min(axis=1)
        return is_open & (away <= reach)

    def told(self, looked: np.ndarray, shown: np.ndarray) -> "_Search":
        """Returns the search with its next guess; `shown` says which of the slices `looked` at showed blood."""
        shown_from, hidden_to = self.shown_from.copy(), self.hidden_to.copy()
        shown_from[looked[shown]] = np.minimum(shown_from[looked[shown]], self.guess)
        hidden_to[looked[~shown]] = np.maximum(hidden_to[looked[~shown]], self.guess)
        slices = int(np.count_nonzero(shown_from <= self.guess))
        miss = abs(slices - self.wanted) if slices else float("inf")
        best, least = (self.guess, miss) if miss < self.miss else (self.best, self.miss)
        kept = replace(self, shown_from=shown_from, hidden_to=hidden_to, best=best, miss=least)
        return replace(kept, guess=best) if kept.is_done else kept._narrow(slices)

    def _narrow(self, slices: int) -> "_Search":
        low, high = (self.guess, self.high) if slices < self.wanted else (self.low, self.guess)
        margin = 0.15 * (high - low)
        step = _to_severity(self.wanted / max(slices, 0.5))
        guess = float(np.clip(self.guess + step, low + margin, high - margin))
        return replace(self, low=low, high=high, guess=guess)


def _search(
    seeds: Sequence[int], head: Head, scan: Scan, extents: Mapping[str, float], second: str | None, size: int
) -> dict[str, _Search]:
    """The severities that come nearest to the `extents`; each subtype is searched for as if alone."""
    searches = {subtype: _begin(extent * scan.slices, scan) for subtype, extent in extents.items()}
    for _ in range(_STEPS):
        bleeds = _draw(seeds, {subtype: search.guess for subtype, search in searches.items()}, second)
        looked = np.flatnonzero(np.any([search.find_open() for search in searches.values()], axis=0))
        masks = list(_render_some(head, bleeds, scan, looked, size))
        for subtype, search in searches.items():
            shown = np.array([each[subtype].any() for each in masks], dtype=bool)
            searches[subtype] = search if search.is_done else search.told(looked, shown)
        if all(search.is_done for search in searches.values()):
            break
    return searches


def _begin(wanted: float, scan: Scan) -> _Search:
    wanted = max(1.0, wanted)
    guess = float(np.clip(_to_severity(wanted * scan.step_mm / _LEAST_MM), 0.02, 0.98))
    return _Search(wanted, guess, np.full(scan.slices, np.inf), np.full(scan.slices, -np.inf))


def _to_severity(times: float) -> float:
    """About the severity of a bleed so many times as high as the least."""
    return float(np.log(times) / np.log(_MOST_MM / _LEAST_MM))


def _render_some(
    head: Head, bleeds: Sequence[Bleed], scan: Scan, indices: Iterable[int], size: int
) -> Iterator[dict[str, np.ndarray]]:
    for index in indices:
        is_fine = int(index < scan.fine_slices)
        alone = replace(scan, first_z_mm=scan.z_mm(int(index)), slices=1, fine_slices=is_fine, motion=None)
        yield from render_masks(head, bleeds, alone, size)


def _shows(head: Head, bleeds: Sequence[Bleed], scan: Scan, size: int, likely_mm: Sequence[float]) -> set[str]:
    """The subtypes that show in a scan, all there are as a rule: slices near the likely ones are looked at first."""
    wanted = {bleed.subtype for bleed in bleeds}
    shown: set[str] = set()
    nearest = sorted(range(scan.slices), key=lambda index: min(abs(scan.z_mm(index) - z_mm) for z_mm in likely_mm))
    for masks in _render_some(head, bleeds, scan, nearest, size):
        shown.update(subtype for subtype, mask in masks.items() if mask.any())
        if shown >= wanted:
            break
    return shown
