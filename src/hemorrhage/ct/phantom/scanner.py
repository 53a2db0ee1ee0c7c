"""The scanner: where the slices lie, what the beam averages, the table, the noise, and the stored size."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from hemorrhage.ct.phantom.anatomy import AIR_HU, EQUATOR_MM, Head, locate, shade_outside
from hemorrhage.ct.phantom.blood import SUBTYPES, Bleed
from hemorrhage.ct.phantom.brain import shade_brain
from hemorrhage.ct.phantom.space import Plane, mix, soft_edge
from hemorrhage.ct.phantom.stain import build_pressure, shade_bleeds

HU_LOW, HU_HIGH = -1000, 2000
"""Every rendered value lies here, and so inside the range of every stored form the competition has."""

MIN_AREA_MM2 = 25.0
"""The smallest cross-section of blood that makes a slice positive; a reader sees nothing smaller."""

_SUB_SLICES = 3
_FINEST = 256
# Blood in sulci is thinner than a slice; at half a share no mask would remain of what is plainly seen.
_MASK_SHARE = {subtype: 0.35 if subtype == "subarachnoid" else 0.5 for subtype in SUBTYPES}


@dataclass(frozen=True)
class Scan:
    """One acquisition: angles in radians, lengths in mm, noise in HU at 512 pixels.

    Slice k lies at `first_z_mm + k * step_mm` of the table; `pose` turns the head (yaw in the image plane, roll to
    one side, pitch chin to chest), `tilt` the gantry; `offset_mm` is where the head lies in the image (x, y).
    """

    slices: int
    first_z_mm: float
    step_mm: float
    tilt: float
    pose: tuple[float, float, float]
    offset_mm: tuple[float, float]
    field_mm: float
    noise_hu: float
    sharpness_px: float
    table: str
    table_y_mm: float

    @property
    def across(self) -> tuple[float, float, float]:
        """The direction of an image row in patient coordinates."""
        return (1.0, 0.0, 0.0)

    @property
    def down(self) -> tuple[float, float, float]:
        """The direction of an image column in patient coordinates."""
        return (0.0, float(np.cos(self.tilt)), float(-np.sin(self.tilt)))

    def z_mm(self, index: int) -> float:
        """The table position of slice `index`, counted from the neck to the vertex."""
        return self.first_z_mm + index * self.step_mm

    def corner_mm(self, index: int, size: int) -> tuple[float, float, float]:
        """Where the centre of slice `index`'s first pixel lies in patient coordinates, at `size` pixels."""
        half_mm = self.field_mm * (size - 1) / size / 2
        middle_mm = (-self.offset_mm[0], -self.offset_mm[1], self.z_mm(index))
        x, y, z = (m - half_mm * (a + d) for m, a, d in zip(middle_mm, self.across, self.down, strict=True))
        return (x, y, z)


@dataclass(frozen=True)
class RenderedSlice:
    """One slice: HU, int16 H x W in [-1000, 2000], and a bool H x W mask a subtype, empty where it is negative."""

    pixels_hu: np.ndarray
    masks: dict[str, np.ndarray]


def draw_scan(rng: np.random.Generator, head: Head) -> Scan:
    """Returns an acquisition of the whole head: 25 to 40 slices from below the skull base past the vertex."""
    tilt = float(rng.choice([0.0, 0.0, rng.uniform(0.05, 0.38)]))
    first_z_mm, last_z_mm = (
        rng.uniform(-62, -42),
        (head.vertex_mm - head.scalp_mm) * head.scale[2] + rng.uniform(-10, 4),
    )
    slices = int(np.clip(round((last_z_mm - first_z_mm) / rng.choice([5.0, 5.0, 5.0, 4.5, 4.2])) + 1, 25, 40))
    pitch = 0.6 * tilt + rng.normal(0, 0.06)
    return Scan(
        slices=slices,
        first_z_mm=first_z_mm,
        step_mm=(last_z_mm - first_z_mm) / (slices - 1),
        tilt=tilt,
        pose=(rng.normal(0, 0.1), rng.normal(0, 0.04), pitch),
        offset_mm=(rng.normal(0, 5), rng.normal(0, 7)),
        field_mm=512 * rng.uniform(0.43, 0.5),
        noise_hu=rng.uniform(2.5, 5.0),
        sharpness_px=rng.uniform(0.6, 1.1),
        table=str(rng.choice(["cradle", "rests", "none"])),
        table_y_mm=rng.uniform(112, 122),
    )


def render_series(
    head: Head, bleeds: Sequence[Bleed], scan: Scan, size: int, rng: np.random.Generator
) -> Iterator[RenderedSlice]:
    """Yields the slices of one acquisition from the neck to the vertex, each `size` x `size`, one at a time.

    `rng` makes the noise alone: anatomy and masks depend on head, bleeds and scan only.
    """
    table_hu = _shade_table(scan, _inner_size(size))
    for index in range(scan.slices):
        pixels_hu, shares = _average_slice(head, bleeds, scan, index, _inner_size(size))
        pixels_hu = np.where(pixels_hu < -700, np.maximum(pixels_hu, table_hu), pixels_hu)
        pixels_hu = _resize(pixels_hu, size) + _draw_noise(rng, pixels_hu, scan, size)
        stored_hu = np.clip(np.rint(pixels_hu), HU_LOW, HU_HIGH).astype(np.int16)
        masks = {subtype: _build_mask(shares.get(subtype), scan, subtype, size) for subtype in SUBTYPES}
        yield RenderedSlice(stored_hu, masks)


def render_masks(head: Head, bleeds: Sequence[Bleed], scan: Scan, size: int) -> Iterator[dict[str, np.ndarray]]:
    """Yields the masks that render_series yields for the same arguments, without the pixels."""
    for index in range(scan.slices):
        _, shares = _average_slice(head, bleeds, scan, index, _inner_size(size))
        yield {subtype: _build_mask(shares.get(subtype), scan, subtype, size) for subtype in SUBTYPES}


def _inner_size(size: int) -> int:
    """Anatomy is drawn at about the scanner's own sharpness, 1 mm; finer only costs time."""
    return min(2 * size, _FINEST)


def build_plane(head: Head, scan: Scan, z_mm: float, size: int) -> Plane:
    """Returns the points of the slice at table position `z_mm` in the head's coordinates, `size` x `size`."""
    turn = _rotation(*scan.pose) / np.array(head.scale)[:, np.newaxis]
    pixel_mm = scan.field_mm / size
    grid_mm = (np.arange(size) - (size - 1) / 2) * pixel_mm
    shift = np.array([-scan.offset_mm[0], -scan.offset_mm[1], z_mm - EQUATOR_MM])
    # The head turns about its middle, not about the neck.
    origin_mm = turn @ shift + np.array([0, 0, EQUATOR_MM / head.scale[2]])
    return Plane(origin_mm, turn @ np.array(scan.across), turn @ np.array(scan.down), grid_mm)


def _rotation(yaw: float, roll: float, pitch: float) -> np.ndarray:
    def turn(first: int, second: int, angle: float) -> np.ndarray:
        matrix = np.eye(3)
        matrix[[first, second], [first, second]] = np.cos(angle)
        matrix[first, second], matrix[second, first] = -np.sin(angle), np.sin(angle)
        return matrix

    return turn(0, 1, yaw) @ turn(0, 2, roll) @ turn(1, 2, pitch)


def _average_slice(
    head: Head, bleeds: Sequence[Bleed], scan: Scan, index: int, size: int
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The mean of the planes within one slice's thickness: partial volume along z."""
    offsets = ((np.arange(_SUB_SLICES) + 0.5) / _SUB_SLICES - 0.5) * scan.step_mm
    total_hu = np.zeros((size, size), dtype=np.float32)
    totals: dict[str, np.ndarray] = {}
    for offset_mm in offsets:
        pixels_hu, shares = _shade_plane(head, bleeds, build_plane(head, scan, scan.z_mm(index) + offset_mm, size))
        total_hu += pixels_hu / _SUB_SLICES
        for subtype, share in shares.items():
            totals[subtype] = totals.get(subtype, 0) + share / _SUB_SLICES
    return total_hu, totals


def _shade_plane(head: Head, bleeds: Sequence[Bleed], plane: Plane) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    place = locate(head, plane)
    pixels_hu = shade_outside(head, place)
    cavity = soft_edge(place.depth_mm)
    if not cavity.any():
        return pixels_hu, {}
    pressure = build_pressure(bleeds, place)
    brain = shade_brain(head, place, pressure)
    inside_hu, shares = shade_bleeds(bleeds, place, brain)
    return mix(pixels_hu, inside_hu, cavity), {subtype: share * cavity for subtype, share in shares.items()}


def _shade_table(scan: Scan, size: int) -> np.ndarray:
    """The table's cross-section, the same in every slice: float32 size x size, air elsewhere."""
    grid_mm = ((np.arange(size) - (size - 1) / 2) * scan.field_mm / size).astype(np.float32)
    v_mm, u_mm = np.meshgrid(grid_mm, grid_mm, indexing="ij")
    table_hu = np.full((size, size), AIR_HU, dtype=np.float32)
    if scan.table == "none":
        return table_hu
    middle_mm, radius_mm = (scan.table_y_mm - 150, 150.0) if scan.table == "cradle" else (0.0, scan.table_y_mm)
    shell_mm = 1.5 - np.abs(np.hypot(u_mm, v_mm - middle_mm) - radius_mm)
    reach = v_mm > 60 if scan.table == "cradle" else (np.abs(u_mm) > 85) & (v_mm > 10)
    return mix(table_hu, 150.0, soft_edge(shell_mm) * reach)


def _resize(pixels: np.ndarray, size: int) -> np.ndarray:
    shrinking = pixels.shape[0] > size
    # Linear, since a cubic kernel rings beside bone and leaves a black line on the brain's surface.
    return cv2.resize(pixels, (size, size), interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR)


def _draw_noise(rng: np.random.Generator, pixels_hu: np.ndarray, scan: Scan, size: int) -> np.ndarray:
    """Noise of about a pixel's grain, and streaks from side to side, both stronger where there is much bone."""
    bone = float(np.mean(pixels_hu > 400)) / max(float(np.mean(pixels_hu > -300)), 0.05)
    level_hu = scan.noise_hu * (0.8 + 1.6 * bone) * min(1.0, (size / 512) ** 0.6)
    grain = rng.standard_normal((size, size), dtype=np.float32)
    sigma = max(scan.sharpness_px * size / 512, 0.3)
    if sigma > 0.5:
        grain = cv2.GaussianBlur(grain, (0, 0), sigma) * np.float32(2 * np.sqrt(np.pi) * sigma)
    streaks = cv2.resize(rng.standard_normal((64, 8)).astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
    return level_hu * grain + np.float32(14 * max(bone - 0.2, 0)) * streaks


def _build_mask(share: np.ndarray | None, scan: Scan, subtype: str, size: int) -> np.ndarray:
    """Where the blood is, or nowhere if it is too little to see."""
    if share is None:
        return np.zeros((size, size), dtype=bool)
    mask = _resize(share.astype(np.float32), size) > _MASK_SHARE[subtype]
    smallest = max(2, round(MIN_AREA_MM2 / (scan.field_mm / size) ** 2))
    return mask if np.count_nonzero(mask) >= smallest else np.zeros_like(mask)
