"""Acquisitions: where the slices lie, how the head lies in them, and with what the scanner makes an image of it."""

from dataclasses import dataclass

import numpy as np

from hemorrhage.ct.phantom.anatomy import Head
from hemorrhage.ct.phantom.metal import Metal, SkinMetal, draw_metals, draw_skin_metals
from hemorrhage.ct.phantom.place import EQUATOR_MM, HALF_LENGTH_MM
from hemorrhage.ct.phantom.space import Plane
from hemorrhage.ct.phantom.table import Table, draw_table

_FINE_BASE_SHARE = 0.37
"""Series whose skull base is cut half as thick; like the steps, counted in the competition's series with every z."""

_SMOOTH_SHARE = 0.45
"""Series of a smooth kernel with little noise: the share of the competition's files with 12 bits, whose grain on real
slices is two thirds of the others'. Drawn whatever the stored form is, so that it tells nothing of the form."""

_THIN_SHARE, _TILTED_SHARE, _MOVED_SHARE = 0.04, 0.5, 0.03
"""Series cut thinly throughout (counted), with a tilted gantry (counted), of a head that moved (chosen)."""

MIN_SLICES, MAX_SLICES = 20, 60


@dataclass(frozen=True)
class Kernel:
    """How a reconstruction blurs (the standard deviation of its spread in mm) and overshoots at edges (0 for none).

    `glow` is the share of a point that is spread over some millimetres, by focal spot, detector and scatter, and makes
    the brain bright beside bone. `floor_per_mm` is what its noise keeps at frequency 0, in cycles a mm (see
    build_grain).
    """

    blur_mm: float
    overshoot: float
    glow: float
    floor_per_mm: float


@dataclass(frozen=True)
class Motion:
    """A head that moved while slices `first` to `last` were taken: the second pose less the first, rad and mm."""

    first: int
    last: int
    turn: tuple[float, float, float]
    shift_mm: tuple[float, float]


@dataclass(frozen=True)
class Scan:
    """One acquisition: angles in radians, lengths in mm, noise in HU in the middle of a typical head.

    Slice 0 lies at `first_z_mm` of the table; the first `fine_slices` are half a step thick and apart, the others a
    whole `step_mm`. `overlap` is how much of its rays a slice shares with the next. `pose` turns the head (yaw in the
    image plane, roll to one side, pitch chin to chest), `tilt` the gantry; `offset_mm` is where the head lies in the
    image (x, y). `hardening` is the share of beam hardening that is left uncorrected.
    """

    slices: int
    first_z_mm: float
    step_mm: float
    fine_slices: int
    overlap: float
    tilt: float
    pose: tuple[float, float, float]
    offset_mm: tuple[float, float]
    field_mm: float
    noise_hu: float
    kernel: Kernel
    hardening: float
    table: Table
    metals: tuple[Metal, ...]
    skin_metals: tuple[SkinMetal, ...]
    motion: Motion | None

    @property
    def across(self) -> tuple[float, float, float]:
        """The direction of an image row in patient coordinates."""
        return (1.0, 0.0, 0.0)

    @property
    def down(self) -> tuple[float, float, float]:
        """The direction of an image column in patient coordinates."""
        return (0.0, float(np.cos(self.tilt)), float(-np.sin(self.tilt)))

    def thickness_mm(self, index: int) -> float:
        """How thick slice `index` is."""
        return self.step_mm / 2 if index < self.fine_slices else self.step_mm

    def z_mm(self, index: int) -> float:
        """The table position of slice `index`, counted from the neck to the vertex."""
        fine = min(index, self.fine_slices)
        return self.first_z_mm + fine * self.step_mm / 2 + (index - fine) * self.step_mm

    def corner_mm(self, index: int, size: int) -> tuple[float, float, float]:
        """Where the centre of slice `index`'s first pixel lies in patient coordinates, at `size` pixels."""
        half_mm = self.field_mm * (size - 1) / size / 2
        middle_mm = (-self.offset_mm[0], -self.offset_mm[1], self.z_mm(index))
        x, y, z = (m - half_mm * (a + d) for m, a, d in zip(middle_mm, self.across, self.down, strict=True))
        return (x, y, z)


def draw_scan(rng: np.random.Generator, head: Head) -> Scan:
    """Returns an acquisition of the whole head: 20 to 60 slices, half of all series between 32 and 39.

    Steps, counts, heights, fields and positions are spread as in the competition's series.
    """
    tilt = float(np.clip(rng.normal(0.33, 0.1), 0.05, 0.47)) if rng.random() < _TILTED_SHARE else 0.0
    first_z_mm, step_mm, fine, slices = _draw_levels(rng, head)
    turned = float(rng.choice([0.06, 0.16], p=[0.75, 0.25]))
    smooth = bool(rng.random() < _SMOOTH_SHARE)
    offset_mm = (rng.normal(0, 7), float(np.clip(rng.normal(4, 9), -22, 24)))
    return Scan(
        slices=slices,
        first_z_mm=first_z_mm,
        step_mm=step_mm,
        fine_slices=fine,
        overlap=float(rng.choice([0.0, 0.25, 0.5], p=[0.6, 0.3, 0.1])),
        tilt=tilt,
        pose=(rng.normal(0.02, turned), rng.normal(0, 0.05), tilt + _draw_slant(rng, tilt)),
        offset_mm=offset_mm,
        field_mm=_draw_field(rng),
        noise_hu=float(np.clip(rng.lognormal(np.log(2.7 if smooth else 4.1), 0.32), 1.5, 12)),
        kernel=_draw_kernel(rng, smooth),
        hardening=rng.uniform(0.2, 0.9),
        table=draw_table(rng, offset_mm[0], offset_mm[1] + (HALF_LENGTH_MM + 13) * head.scale[1]),
        metals=draw_metals(rng),
        skin_metals=draw_skin_metals(rng, EQUATOR_MM),
        motion=_draw_motion(rng, slices) if rng.random() < _MOVED_SHARE else None,
    )


def _draw_levels(rng: np.random.Generator, head: Head) -> tuple[float, float, int, int]:
    """The first slice's height, the step, how many slices are half a step thick, and how many there are."""
    last_z_mm = head.vertex_mm * head.scale[2] + rng.uniform(-1, 12)
    step_mm = rng.uniform(2.5, 2.9) if rng.random() < _THIN_SHARE else float(rng.choice([5.0, rng.uniform(5.0, 5.5)]))
    fine = int(rng.integers(15, 20)) if step_mm > 4 and rng.random() < _FINE_BASE_SHARE else 0
    span_mm = np.clip(rng.normal(160, 12), 137, 200)
    steps = round((span_mm - fine * step_mm / 2) / step_mm)
    slices = int(np.clip(steps + fine + 1, MIN_SLICES, MAX_SLICES))
    return last_z_mm - (slices - 1 - fine / 2) * step_mm, step_mm, fine, slices


def _draw_slant(rng: np.random.Generator, tilt: float) -> float:
    """How the slices lie in the head: with a tilted gantry along the roofs of the orbits, without as the chin lies."""
    return rng.normal(-0.11, 0.07) if tilt else rng.normal(-0.03, 0.11)


def _draw_field(rng: np.random.Generator) -> float:
    """250 mm in most series, many of them with a pixel rounded to 0.488281 mm; narrower or wider in the others."""
    fields_mm = [512 * 0.488281, 250.0, rng.uniform(204, 256), 512 * 0.494863, 272.0, 320.0]
    return float(rng.choice(fields_mm, p=[0.48, 0.18, 0.2, 0.05, 0.05, 0.04]))


def _draw_kernel(rng: np.random.Generator, smooth: bool) -> Kernel:
    """Smooth or standard brain kernels; the sharper half overshoot at edges."""
    sharpness = rng.uniform(0, 1)
    return Kernel(
        blur_mm=(0.61 if smooth else 0.56) - 0.15 * sharpness,
        overshoot=max(sharpness - 0.5, 0) * rng.uniform(0.1, 0.6),
        glow=rng.uniform(0.03, 0.17),
        floor_per_mm=rng.uniform(0.08, 0.2),
    )


def _draw_motion(rng: np.random.Generator, slices: int) -> Motion:
    first = int(rng.integers(2, slices - 8))
    turn = (rng.normal(0, 0.05), rng.normal(0, 0.02), rng.normal(0, 0.02))
    return Motion(first, first + int(rng.integers(2, 8)), turn, (rng.normal(0, 2.5), rng.normal(0, 2.0)))


def build_plane(head: Head, scan: Scan, z_mm: float, size: int, moved: Motion | None = None) -> Plane:
    """Returns the points of the slice at table position `z_mm` in the head's coordinates, `size` x `size`.

    With `moved` they are those of the head after it moved.
    """
    turned = moved.turn if moved else (0.0, 0.0, 0.0)
    shift_mm = moved.shift_mm if moved else (0.0, 0.0)
    yaw, roll, pitch = (a + b for a, b in zip(scan.pose, turned, strict=True))
    turn = _rotation(yaw, roll, pitch) / np.array(head.scale)[:, np.newaxis]
    pixel_mm = scan.field_mm / size
    grid_mm = (np.arange(size) - (size - 1) / 2) * pixel_mm
    middle = np.array([-scan.offset_mm[0] - shift_mm[0], -scan.offset_mm[1] - shift_mm[1], z_mm - EQUATOR_MM])
    # The head turns about its middle, not about the neck.
    origin_mm = turn @ middle + np.array([0, 0, EQUATOR_MM / head.scale[2]])
    return Plane(origin_mm, turn @ np.array(scan.across), turn @ np.array(scan.down), grid_mm)


def _rotation(yaw: float, roll: float, pitch: float) -> np.ndarray:
    def turn(first: int, second: int, angle: float) -> np.ndarray:
        matrix = np.eye(3)
        matrix[[first, second], [first, second]] = np.cos(angle)
        matrix[first, second], matrix[second, first] = -np.sin(angle), np.sin(angle)
        return matrix

    return turn(0, 1, yaw) @ turn(0, 2, roll) @ turn(1, 2, pitch)
