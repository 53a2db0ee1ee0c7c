"""What a beam of many energies does to a slice: bars between bones, cups, and the streaks of metal."""

from dataclasses import dataclass

import cv2
import numpy as np

from hemorrhage.ct.phantom.projection import GRID, Sinogram, back_project_filtered, project

_WATER_PER_MM = 0.0193
"""Attenuation of water at 70 keV, nepers a mm (NIST XCOM)."""

_BONE_PER_MM = 0.026
"""Attenuation of a mm of cortical mineral of 1 g/cm3 at 70 keV, nepers (NIST XCOM, bone of ICRU-44)."""

_BONE_DENSITY_A_HU = 1.92 / 1700
"""g/cm3 a HU: cortical bone of 1.92 g/cm3 (ICRU-44) reads about 1,700 HU at 120 kV."""

_BONE_FROM_HU, _BONE_TO_HU = 130, 2600
_MIXED_ERROR, _BONE_ERROR = -3.7e-4, -1.01e-3
"""The error of line integrals that are right for water, in mm of water: times water mm x bone, and times bone squared,
bone in g/cm3 mm. Fitted to a Kramers spectrum of 120 kV behind 9 mm of aluminium and NIST's attenuation of water and
bone, water 2 to 20 cm and bone 0 to 10 g/cm2; the form is that of Joseph & Spital, J Comput Assist Tomogr
1978;2:100-108."""


@dataclass(frozen=True)
class Paths:
    """What every ray of a slice crosses, float32 ANGLES x GRID: water in mm, bone and metal in g/cm3 mm.

    `pixels_hu` is the coarse slice they were taken from, GRID x GRID.
    """

    pixels_hu: np.ndarray
    water: Sinogram
    bone: Sinogram

    @property
    def attenuation(self) -> np.ndarray:
        """The line integrals in nepers."""
        return self.water.values * np.float32(_WATER_PER_MM) + self.bone.values * np.float32(_BONE_PER_MM)


def trace_paths(pixels_hu: np.ndarray, field_mm: float) -> Paths:
    """Returns what the rays of a slice cross; `pixels_hu` is float32 N x N over `field_mm`."""
    coarse_hu = cv2.resize(pixels_hu.astype(np.float32), (GRID, GRID), interpolation=cv2.INTER_AREA)
    # Bone is thin: measured before the average, not after, for what counts is its square.
    bone = cv2.resize(_bone_density(pixels_hu), (GRID, GRID), interpolation=cv2.INTER_AREA)
    water = np.clip((coarse_hu + 1000) / 1000 - bone / np.float32(1.92) * np.float32(1.7), 0, None)
    pixel_mm = field_mm / GRID
    return Paths(coarse_hu, project(water, pixel_mm), project(bone, pixel_mm))


def _bone_density(pixels_hu: np.ndarray) -> np.ndarray:
    dense_hu = np.where(pixels_hu > _BONE_FROM_HU, np.minimum(pixels_hu, _BONE_TO_HU), 0)
    return dense_hu.astype(np.float32) * np.float32(_BONE_DENSITY_A_HU)


def shade_hardening(paths: Paths, uncorrected: float) -> np.ndarray:
    """Returns the HU that beam hardening adds, float32 GRID x GRID: 0 on average over soft tissue.

    `uncorrected` is the share that the scanner's own correction leaves over; the average is what its calibration
    for a head takes away.
    """
    bone = paths.bone.values
    error_mm = np.float32(_MIXED_ERROR) * paths.water.values * bone + np.float32(_BONE_ERROR) * bone**2
    error_hu = back_project_filtered(Sinogram(error_mm * np.float32(1000 * uncorrected), paths.bone.pixel_mm))
    soft = (paths.pixels_hu > -20) & (paths.pixels_hu < 100)
    return error_hu - (np.float32(error_hu[soft].mean()) if np.count_nonzero(soft) > 50 else np.float32(0))


def shade_streaks(rng: np.random.Generator, metal: np.ndarray, field_mm: float) -> np.ndarray:
    """Returns the streaks of metal, HU float32 GRID x GRID; `metal` is its share of each pixel, float32 N x N.

    Rays through metal are darkened by the square of their path, which leaves dark bands between two pieces, and
    starve the detector, which leaves fine bright and dark streaks.
    """
    path_mm = project(cv2.resize(metal, (GRID, GRID), interpolation=cv2.INTER_AREA), field_mm / GRID)
    crossed_mm = np.minimum(path_mm.values, 25)
    starved = rng.standard_normal(crossed_mm.shape, dtype=np.float32) * np.sqrt(crossed_mm)
    error_mm = np.float32(0.5) * starved - np.float32(0.09) * crossed_mm**2
    return back_project_filtered(Sinogram(error_mm * np.float32(1000), path_mm.pixel_mm))
