"""How noisy head slices are: the spread and the noise power spectrum of uniform brain, and the spread of air.

The functions take HU arrays with their pixel spacing, real or made up, and return arrays; nothing is read or drawn.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

PATCH_PX = 32
"""A patch's side: 16 mm at the usual 0.49 mm a pixel, small enough to find brain without sulci."""

PATCHES_A_SLICE = 4
BRAIN_HU = (15.0, 45.0)
AIR_MARGIN_MM = 15.0


@dataclass(frozen=True)
class Noise:
    """The noise of the uniform brain of some slices.

    `std_hu` is float64, one a slice: the median spread of its quietest patches, NaN where it has none; `air_hu` is the
    spread of the air about the head, NaN where there is too little. `frequencies` (float64 F, cycles a mm) and
    `power` (float64 F, HU^2 mm^2) are the radial noise power spectrum, the mean over slices.
    """

    std_hu: np.ndarray
    air_hu: np.ndarray
    frequencies: np.ndarray
    power: np.ndarray

    @property
    def peak(self) -> float:
        """The frequency of the greatest power, cycles a mm."""
        return float(self.frequencies[int(np.nanargmax(self.power))])


def measure_noise(slices_hu: Sequence[np.ndarray], pixels_mm: Sequence[float]) -> Noise:
    """Returns the noise of slices (H x W, HU) whose pixels are `pixels_mm` wide, each slice counted alike."""
    edges = np.linspace(0, 1.2, 25)
    stds, airs, spectra = [], [], []
    for pixels_hu, pixel_mm in zip(slices_hu, pixels_mm, strict=True):
        patches = list(find_patches(pixels_hu))
        stds.append(float(np.median([patch.std() for patch in patches])) if patches else np.nan)
        airs.append(measure_air(pixels_hu, pixel_mm))
        if patches:
            spectra.append(np.mean([measure_spectrum(patch, pixel_mm, edges) for patch in patches], axis=0))
    counted = np.array(spectra).reshape(-1, len(edges) - 1)
    known = ~np.isnan(counted)
    power = np.where(known, counted, 0).sum(axis=0) / np.where(known.any(axis=0), known.sum(axis=0), np.nan)
    return Noise(np.array(stds), np.array(airs), (edges[1:] + edges[:-1]) / 2, power)


def find_patches(pixels_hu: np.ndarray) -> Iterator[np.ndarray]:
    """Yields the quietest patches of brain, quadratic trend removed: float64 PATCH_PX x PATCH_PX, HU."""
    wide_hu = np.clip(pixels_hu, -1024, 3071).astype(np.float32)
    smooth_hu = cv2.GaussianBlur(wide_hu, (0, 0), 2.5)
    is_brain = (smooth_hu > BRAIN_HU[0]) & (smooth_hu < BRAIN_HU[1])
    found = []
    for row in range(0, wide_hu.shape[0] - PATCH_PX + 1, PATCH_PX // 2):
        for column in range(0, wide_hu.shape[1] - PATCH_PX + 1, PATCH_PX // 2):
            where = (slice(row, row + PATCH_PX), slice(column, column + PATCH_PX))
            if is_brain[where].all():
                found.append((row, column, remove_trend(wide_hu[where].astype(np.float64))))
    taken: list[tuple[int, int]] = []
    for row, column, patch in sorted(found, key=lambda each: float(each[2].std())):
        if all(max(abs(row - r), abs(column - c)) >= PATCH_PX for r, c in taken):
            taken.append((row, column))
            yield patch
        if len(taken) == PATCHES_A_SLICE:
            return


def remove_trend(patch: np.ndarray) -> np.ndarray:
    """Returns the square patch less the quadratic surface that fits it best."""
    v, u = np.meshgrid(*(np.linspace(-1, 1, len(patch)),) * 2, indexing="ij")
    terms = np.stack([np.ones_like(u), u, v, u * v, u * u, v * v], axis=-1).reshape(-1, 6)
    fitted = terms @ np.linalg.lstsq(terms, patch.ravel(), rcond=None)[0]
    return patch - fitted.reshape(patch.shape)


def measure_spectrum(patch: np.ndarray, pixel_mm: float, edges: np.ndarray) -> np.ndarray:
    """Returns the radial noise power spectrum of a patch, HU^2 mm^2 in each interval of `edges` (cycles a mm)."""
    window = np.outer(np.hanning(len(patch)), np.hanning(len(patch)))
    power = np.abs(np.fft.fft2(patch * window)) ** 2 * pixel_mm**2 / np.sum(window**2)
    steps = np.fft.fftfreq(len(patch), pixel_mm)
    radius = np.hypot(steps[:, np.newaxis], steps)
    # Beyond Nyquist only the square's corners are left, which are of one direction.
    inside = radius <= 0.5 / pixel_mm
    counts = np.histogram(radius[inside], edges)[0]
    sums = np.histogram(radius[inside], edges, weights=power[inside])[0]
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def measure_air(pixels_hu: np.ndarray, pixel_mm: float) -> float:
    """Returns the spread of HU in the air far from everything else, NaN where there is less than 5 cm2 of it."""
    wide_hu = np.clip(pixels_hu, -1100, 3071).astype(np.float32)
    steps = max(1, round(AIR_MARGIN_MM / pixel_mm))
    is_other = (cv2.GaussianBlur(wide_hu, (0, 0), 2) > -960) | (wide_hu < -1050)
    far = cv2.dilate(is_other.astype(np.uint8), np.ones((3, 3), np.uint8), iterations=steps) == 0
    return float(wide_hu[far].std()) if np.count_nonzero(far) * pixel_mm**2 > 500 else float("nan")
