"""Parallel-beam projections of a slice and back, at a coarse grid: what beam hardening and noise are computed from."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import fft, sparse

GRID = 128
"""Pixels a side of the coarse slice: 2 mm in a field of 250 mm, as fine as any streak of bone needs."""

SECTORS, _ANGLES_A_SECTOR = 4, 22
ANGLES = SECTORS * _ANGLES_A_SECTOR
"""Directions over half a turn, in sectors that the noise is told apart by."""


@dataclass(frozen=True)
class Sinogram:
    """Line integrals of a slice in value x mm: float32 ANGLES x GRID, and the pixel they came from."""

    values: np.ndarray
    pixel_mm: float


def project(pixels: np.ndarray, pixel_mm: float) -> Sinogram:
    """Returns the line integrals of `pixels`, float32 GRID x GRID whose pixels are `pixel_mm` wide."""
    flat = pixels.astype(np.float32).ravel()
    rows = np.concatenate([matrix.T @ flat for matrix in _build_matrices()])
    return Sinogram(rows.reshape(ANGLES, GRID) * np.float32(pixel_mm), pixel_mm)


def back_project_filtered(sinogram: Sinogram) -> np.ndarray:
    """Returns the slice whose line integrals are `sinogram`, by filtered back projection: float32 GRID x GRID."""
    steps = fft.rfftfreq(2 * GRID, sinogram.pixel_mm)
    # A Hann window tames the ramp (Shepp & Logan, IEEE Trans Nucl Sci 1974;21:21-43, on windows): no star about a dot.
    ramp = (steps * (0.5 + 0.5 * np.cos(np.pi * steps / steps[-1]))).astype(np.float32)
    filtered = fft.irfft(fft.rfft(sinogram.values, n=2 * GRID, axis=1) * ramp, axis=1)[:, :GRID]
    return np.sum(_back_project_sectors(filtered), axis=0) * np.float32(np.pi / ANGLES)


def average_by_sector(values: np.ndarray) -> list[np.ndarray]:
    """Returns for each sector the mean, at every pixel, of the rays of that sector through it: GRID x GRID each."""
    return [total / np.float32(_ANGLES_A_SECTOR) for total in _back_project_sectors(values)]


def _back_project_sectors(values: np.ndarray) -> list[np.ndarray]:
    parts = np.ascontiguousarray(values, dtype=np.float32).reshape(SECTORS, -1)
    return [(matrix @ part).reshape(GRID, GRID) for matrix, part in zip(_build_matrices(), parts, strict=True)]


@lru_cache(maxsize=1)
def _build_matrices() -> tuple[sparse.csr_array, ...]:
    """The share of each pixel in each ray, one matrix a sector: GRID^2 x (angles of the sector x GRID)."""
    grid = np.arange(GRID, dtype=np.float32) - (GRID - 1) / 2
    angles = (np.arange(ANGLES) + 0.5) * np.pi / ANGLES
    return tuple(_build_matrix(grid, part) for part in angles.reshape(SECTORS, -1))


def _build_matrix(grid: np.ndarray, angles: np.ndarray) -> sparse.csr_array:
    """Pixels share themselves out between the two rays nearest to them; the detector's edge takes what misses it."""
    along = np.cos(angles)[:, np.newaxis, np.newaxis] * grid + np.sin(angles)[:, np.newaxis, np.newaxis] * grid[:, None]
    at = np.clip(along.reshape(len(angles), -1).T + (GRID - 1) / 2, 0, GRID - 1.001)
    low = np.floor(at)
    columns = low.astype(np.int32) + np.arange(len(angles), dtype=np.int32) * GRID
    weights = (at - low).astype(np.float32)
    shares = np.stack([1 - weights, weights], axis=-1).ravel()
    indices = np.stack([columns, columns + 1], axis=-1).ravel()
    starts = np.arange(0, len(shares) + 1, 2 * len(angles), dtype=np.int32)
    return sparse.csr_array((shares, indices, starts), shape=(GRID * GRID, len(angles) * GRID))
