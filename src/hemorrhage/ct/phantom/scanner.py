"""The scanner: what its beam averages, hardens and starves, what lies about the head, its kernel and its noise."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from hemorrhage.ct.phantom.anatomy import Head, locate, shade_outside
from hemorrhage.ct.phantom.beam import shade_hardening, shade_streaks, trace_paths
from hemorrhage.ct.phantom.blood import SUBTYPES, Bleed
from hemorrhage.ct.phantom.brain import Brain, shade_brain
from hemorrhage.ct.phantom.metal import metal_share, shade_metals, shade_skin_metals
from hemorrhage.ct.phantom.mimics import Mimic, shade_mimics
from hemorrhage.ct.phantom.noise import Grain, build_grain, draw_spectrum, shade_noise
from hemorrhage.ct.phantom.place import Place
from hemorrhage.ct.phantom.scan import Scan, build_plane, draw_scan
from hemorrhage.ct.phantom.space import Plane, mix, soft_edge
from hemorrhage.ct.phantom.stain import build_pressure, shade_bleeds
from hemorrhage.ct.phantom.table import shade_holder, shade_loose, shade_on_skin

__all__ = [
    "HU_HIGH",
    "HU_LOW",
    "MIN_AREA_MM2",
    "RenderedSlice",
    "Scan",
    "build_plane",
    "draw_scan",
    "render_masks",
    "render_series",
]

HU_LOW, HU_HIGH = -1024, 2000
"""Every rendered value lies here; the noise of air goes down to -1024 in the real files of both large groups."""

MIN_AREA_MM2 = 25.0
"""The smallest cross-section of blood that makes a slice positive; a reader sees nothing smaller."""

_FINEST = 256
_GLOW_NEAR_MM, _GLOW_WIDE_MM = 1.7, 4.5
"""The spread of the glow about an edge, and of the quarter as much that reaches farther; set so that the brain's HU
fall off with the depth under the skull as they do in the competition's slices."""

_NOTHING_HU = -300.0
"""Where a slice is thinner than this, what lies about the head can show."""

_SOLID_HU = -992.0
"""Where a head-holder is denser than this, no sheet lies; the thinnest foam has -984."""

# Blood in sulci is thinner than a slice; at half a share no mask would remain of what is plainly seen.
_MASK_SHARE = {subtype: 0.35 if subtype == "subarachnoid" else 0.5 for subtype in SUBTYPES}


@dataclass(frozen=True)
class RenderedSlice:
    """One slice: HU, int16 H x W in [-1024, 2000], and a bool H x W mask a subtype, empty where it is negative."""

    pixels_hu: np.ndarray
    masks: dict[str, np.ndarray]


@dataclass(frozen=True)
class Content:
    """What is in a head that not every head has: its bleeds, and what looks like one and is none."""

    bleeds: tuple[Bleed, ...]
    mimics: tuple[Mimic, ...]


@dataclass(frozen=True)
class _Cavity:
    """What is inside the skull: the brain, None where the plane misses it, HU, and the share of blood by subtype."""

    brain: Brain | None
    pixels_hu: np.ndarray
    shares: dict[str, np.ndarray]


def render_series(
    head: Head, bleeds: Sequence[Bleed], scan: Scan, size: int, rng: np.random.Generator, mimics: Sequence[Mimic] = ()
) -> Iterator[RenderedSlice]:
    """Yields the slices of one acquisition from the neck to the vertex, each `size` x `size`, one at a time.

    `rng` makes the noise alone: anatomy and masks depend on head, bleeds, mimics and scan only.
    """
    content = Content(tuple(bleeds), tuple(mimics))
    holder_hu = shade_holder(scan.table, scan.field_mm, _inner_size(size))
    grain = build_grain(size, scan.field_mm / size, scan.kernel.blur_mm, scan.kernel.floor_per_mm)
    spectrum = draw_spectrum(rng, size)
    for index in range(scan.slices):
        pixels_hu, shares = _average_slice(head, content, scan, index, _inner_size(size))
        pixels_hu = _add_surroundings(pixels_hu, holder_hu, scan, index)
        pixels_hu = _reconstruct(pixels_hu, scan, index, (spectrum, grain), rng)
        stored_hu = np.clip(np.rint(pixels_hu), HU_LOW, HU_HIGH).astype(np.int16)
        masks = {subtype: _build_mask(shares.get(subtype), scan, subtype, size) for subtype in SUBTYPES}
        yield RenderedSlice(stored_hu, masks)
        # Slices that share rays share their noise.
        kept = np.float32(scan.overlap)
        spectrum = kept * spectrum + np.sqrt(1 - kept**2) * draw_spectrum(rng, size)


def render_masks(
    head: Head, bleeds: Sequence[Bleed], scan: Scan, size: int, mimics: Sequence[Mimic] = ()
) -> Iterator[dict[str, np.ndarray]]:
    """Yields the masks that render_series yields for the same arguments, without the pixels."""
    content = Content(tuple(bleeds), tuple(mimics))
    for index in range(scan.slices):
        planes = _build_planes(head, scan, index, _inner_size(size))
        shares = _average_shares([_shade_cavity(head, content, locate(head, plane)).shares for plane in planes])
        yield {subtype: _build_mask(shares.get(subtype), scan, subtype, size) for subtype in SUBTYPES}


def _inner_size(size: int) -> int:
    """Anatomy is drawn at about the scanner's own sharpness, 1 mm; finer only costs time."""
    return min(2 * size, _FINEST)


def _average_slice(
    head: Head, content: Content, scan: Scan, index: int, size: int
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The mean of the planes within one slice's thickness: partial volume along z."""
    total_hu = np.zeros((size, size), dtype=np.float32)
    shares = []
    planes = _build_planes(head, scan, index, size)
    for plane in planes:
        place = locate(head, plane)
        pixels_hu = shade_outside(head, place)
        cavity = _shade_cavity(head, content, place)
        if cavity.brain is not None:
            pixels_hu = mix(pixels_hu, cavity.pixels_hu, soft_edge(place.depth_mm))
            # Last, since an operation changes bone and scalp as well.
            pixels_hu = shade_mimics(content.mimics, place, cavity.brain, pixels_hu)
        total_hu += shade_metals(scan.metals, plane, pixels_hu) / len(planes)
        shares.append(cavity.shares)
    return total_hu, _average_shares(shares)


def _build_planes(head: Head, scan: Scan, index: int, size: int) -> list[Plane]:
    """The planes within a slice, evenly apart; half of them lie in the second pose where the head moved."""
    thick_mm, z_mm = scan.thickness_mm(index), scan.z_mm(index)
    # The skull of the vertex is nearly level: few planes would show as steps.
    near_vertex = z_mm > head.vertex_mm * head.scale[2] - 22
    count = 2 if thick_mm < 3 else 5 if near_vertex else 3
    motion = scan.motion if scan.motion and scan.motion.first <= index <= scan.motion.last else None
    offsets_mm = ((np.arange(count) + 0.5) / count - 0.5) * thick_mm
    return [
        build_plane(head, scan, z_mm + offset_mm, size, motion if number % 2 else None)
        for number, offset_mm in enumerate(offsets_mm)
    ]


def _shade_cavity(head: Head, content: Content, place: Place) -> _Cavity:
    edge = soft_edge(place.depth_mm)
    if not edge.any():
        return _Cavity(None, place.depth_mm, {})
    brain = shade_brain(head, place, build_pressure(content.bleeds, place, content.mimics))
    inside_hu, shares = shade_bleeds(content.bleeds, place, brain)
    return _Cavity(brain, inside_hu, {subtype: share * edge for subtype, share in shares.items()})


def _average_shares(planes: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    totals: dict[str, np.ndarray] = {}
    for shares in planes:
        for subtype, share in shares.items():
            totals[subtype] = totals.get(subtype, 0) + share / len(planes)
    return totals


def _add_surroundings(pixels_hu: np.ndarray, holder_hu: np.ndarray, scan: Scan, index: int) -> np.ndarray:
    """The slice with metal on the skin, and with the head-holder, sheets and tubes about it."""
    z_mm = scan.z_mm(index)
    pixels_hu = shade_skin_metals(scan.skin_metals, pixels_hu, scan.field_mm, z_mm, scan.thickness_mm(index))
    loose_hu = shade_loose(scan.table, scan.field_mm, z_mm, len(holder_hu))
    # A sheet cannot lie where foam or a shell is.
    about_hu = np.where(holder_hu > _SOLID_HU, holder_hu, loose_hu)
    about_hu = np.maximum(about_hu, pixels_hu) + shade_on_skin(scan.table, pixels_hu, scan.field_mm, z_mm)
    return np.where(pixels_hu < _NOTHING_HU, np.minimum(about_hu, HU_HIGH), pixels_hu)


def _reconstruct(
    pixels_hu: np.ndarray, scan: Scan, index: int, noise: tuple[np.ndarray, Grain], rng: np.random.Generator
) -> np.ndarray:
    """The slice as the scanner makes it, at the stored size: hardened, streaked, blurred or sharpened, noisy."""
    spectrum, grain = noise
    paths = trace_paths(pixels_hu, scan.field_mm)
    artifacts_hu = shade_hardening(paths, scan.hardening)
    metal = metal_share(pixels_hu)
    if metal.any():
        artifacts_hu = artifacts_hu + shade_streaks(rng, metal, scan.field_mm)
    sharp_hu = _filter_edges(np.minimum(pixels_hu, 3071), scan)
    clean_hu = _resize(sharp_hu, grain.size) + _resize(artifacts_hu, grain.size)
    sigma_px = 0.4 * scan.kernel.blur_mm / (scan.field_mm / grain.size)
    if sigma_px > 0.4:
        clean_hu = cv2.GaussianBlur(clean_hu, (0, 0), sigma_px)
    # Half as thick a slice counts half as many photons; scanners make up for about half of that.
    noise_hu = scan.noise_hu * (scan.step_mm / scan.thickness_mm(index)) ** 0.25
    return clean_hu + shade_noise(spectrum, grain, paths, noise_hu)


def _filter_edges(pixels_hu: np.ndarray, scan: Scan) -> np.ndarray:
    """What a scanner makes of edges: the glow of bone, and with a sharp kernel a bright rim on it and a dark beside."""
    pixel_mm = scan.field_mm / len(pixels_hu)
    near_hu = cv2.GaussianBlur(pixels_hu, (0, 0), _GLOW_NEAR_MM / pixel_mm)
    quarter_hu = cv2.resize(np.maximum(pixels_hu - 80, 0), None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    wide_hu = cv2.GaussianBlur(quarter_hu, (0, 0), _GLOW_WIDE_MM / pixel_mm / 4)
    glow = np.float32(scan.kernel.glow)
    glowing_hu = pixels_hu + glow * (near_hu - pixels_hu) + 0.25 * glow * _resize(wide_hu, len(pixels_hu))
    if scan.kernel.overshoot == 0:
        return glowing_hu
    smooth_hu = cv2.GaussianBlur(pixels_hu, (0, 0), 1.1 / pixel_mm)
    return glowing_hu + np.float32(scan.kernel.overshoot) * (pixels_hu - smooth_hu)


def _resize(pixels: np.ndarray, size: int) -> np.ndarray:
    shrinking = pixels.shape[0] > size
    # Linear, since a cubic kernel rings beside bone and leaves a black line on the brain's surface.
    return cv2.resize(pixels, (size, size), interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR)


def _build_mask(share: np.ndarray | None, scan: Scan, subtype: str, size: int) -> np.ndarray:
    """Where the blood is, or nowhere if it is too little to see."""
    if share is None:
        return np.zeros((size, size), dtype=bool)
    mask = _resize(share.astype(np.float32), size) > _MASK_SHARE[subtype]
    smallest = max(2, round(MIN_AREA_MM2 / (scan.field_mm / size) ** 2))
    return mask if np.count_nonzero(mask) >= smallest else np.zeros_like(mask)
