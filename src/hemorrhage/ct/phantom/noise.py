"""Quantum noise as filtered back projection leaves it: its grain by the kernel, its level by what the rays cross."""

from dataclasses import dataclass

import cv2
import numpy as np
from scipy import fft

from hemorrhage.ct.phantom.beam import Paths
from hemorrhage.ct.phantom.projection import SECTORS, average_by_sector

NATIVE_SIZE = 512
"""Pixels a side that scanners reconstruct."""

_TYPICAL_PATH = 3.7
"""Nepers through the middle of a head: where the noise has the level that a scan asks for."""

_TUBE_MODULATION = 1.0
"""How much of the rays' attenuation shows in the noise; below 1 more current makes up for a part."""


@dataclass(frozen=True)
class Grain:
    """The filters of a series, complex spectrum to noise: float32 SECTORS x N x (N // 2 + 1), one a direction."""

    filters: np.ndarray
    size: int


def build_grain(size: int, pixel_mm: float, blur_mm: float, floor_per_mm: float) -> Grain:
    """Returns the filters of noise of unit variance before the pixels' average, for `size` x `size` pixels.

    The power spectrum is f |H(f)|^2 (Riederer, Pelc & Chesler, Phys Med Biol 1978;23:446-454; Kijewski & Judy,
    Phys Med Biol 1987;32:565-575), H the Gaussian of a kernel that blurs by `blur_mm`. `floor_per_mm` is added to
    f: aliasing and the smoothing of newer reconstructions keep the low frequencies from vanishing. An image of fewer
    than NATIVE_SIZE pixels has the noise of one of so many whose pixels were averaged.
    """
    rows = fft.fftfreq(size, pixel_mm).astype(np.float32)[:, np.newaxis]
    columns = fft.rfftfreq(size, pixel_mm).astype(np.float32)
    step = np.float32(1 / (size * pixel_mm))
    amplitude = np.sqrt(_spectrum(np.hypot(rows, columns), blur_mm, floor_per_mm)) * step * size**2
    amplitude = amplitude * _average_pixels(rows, size, pixel_mm) * _average_pixels(columns, size, pixel_mm)
    angle = np.arctan2(rows, columns) % np.pi
    middles = (np.arange(SECTORS) + 0.5) * np.pi / SECTORS
    return Grain(np.stack([amplitude * _window(angle, middle) for middle in middles]).astype(np.float32), size)


def _average_pixels(frequency: np.ndarray, size: int, pixel_mm: float) -> np.ndarray:
    """What is left of an amplitude along one axis when pixels of the native size are averaged to larger ones."""
    native_mm = min(pixel_mm, pixel_mm * size / NATIVE_SIZE)
    return (np.sinc(frequency * pixel_mm) / np.sinc(frequency * native_mm)).astype(np.float32)


def _spectrum(frequency: np.ndarray, blur_mm: float, floor_per_mm: float) -> np.ndarray:
    """The power at a frequency in cycles a mm, whose integral over the plane is 1."""

    def shape(f: np.ndarray) -> np.ndarray:
        return (f + floor_per_mm) * np.exp(-((2 * np.pi * blur_mm * f) ** 2))

    fine = np.linspace(0, 3, 3000)
    return shape(frequency) / np.float32(np.sum(2 * np.pi * fine * shape(fine)) * (fine[1] - fine[0]))


def _window(angle: np.ndarray, middle: float) -> np.ndarray:
    """How much a direction belongs to the sector about `middle`: neighbours overlap by half, all add up to 1."""
    distance = np.abs((angle - middle + np.pi / 2) % np.pi - np.pi / 2)
    return np.cos(np.clip(distance * SECTORS / 2, 0, np.pi / 2)) ** 2


def draw_spectrum(rng: np.random.Generator, size: int) -> np.ndarray:
    """Returns white noise as a half plane of frequencies: complex64 N x (N // 2 + 1), mean square 1."""
    pairs = rng.standard_normal((size, size // 2 + 1, 2), dtype=np.float32)
    return pairs.view(np.complex64)[..., 0] * np.float32(np.sqrt(0.5))


def shade_noise(spectrum: np.ndarray, grain: Grain, paths: Paths, noise_hu: float) -> np.ndarray:
    """Returns a slice's noise, HU float32 N x N; `noise_hu` is its spread in the middle of a typical head.

    The rays of each direction carry noise across them, the more the more they crossed: so it is streaked where
    the way is long, strongest between dense bones, and weak at the edge of the head.
    """
    variance = np.exp(np.float32(_TUBE_MODULATION) * (paths.attenuation - np.float32(_TYPICAL_PATH)))
    total = np.zeros((grain.size, grain.size), dtype=np.float32)
    for kernel, share in zip(grain.filters, average_by_sector(variance), strict=True):
        field = fft.irfft2(spectrum * kernel, s=total.shape)
        total += field * cv2.resize(np.sqrt(share), total.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return total * np.float32(noise_hu)
