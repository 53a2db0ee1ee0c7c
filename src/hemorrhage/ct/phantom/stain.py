"""What blood does in a head: how it pushes the brain, where it lies, and how dense it looks."""

from collections.abc import Sequence

import numpy as np

from hemorrhage.ct.phantom.blood import Bleed
from hemorrhage.ct.phantom.brain import Brain, Pressure
from hemorrhage.ct.phantom.clots import Clot, shade_clot
from hemorrhage.ct.phantom.dura import FalxLining, TentLining, falx_share, tent_share
from hemorrhage.ct.phantom.linings import Lining, filling_hu, lining_mm, lining_share
from hemorrhage.ct.phantom.mimics import Mimic, mimic_push_mm
from hemorrhage.ct.phantom.place import Place
from hemorrhage.ct.phantom.space import mix, sample_waves
from hemorrhage.ct.phantom.sulcal import SulcalBlood, region_share, sulcal_share
from hemorrhage.ct.phantom.vault import Patch
from hemorrhage.ct.phantom.ventricular import VentricleFill, fill_share


def build_pressure(bleeds: Sequence[Bleed], place: Place, mimics: Sequence[Mimic] = ()) -> Pressure:
    """Returns what bleeds and mimics do to the brain about them at the points of `place`."""
    thick_mm = np.zeros_like(place.x)
    widen_mm = np.zeros_like(place.x)
    dilate_mm = 0.0
    for bleed in (*bleeds, *mimics):
        if isinstance(bleed, Lining):
            thick_mm = np.maximum(thick_mm, lining_mm(bleed, place))
        elif isinstance(bleed, SulcalBlood):
            widen_mm = np.maximum(widen_mm, bleed.widen_mm * region_share(bleed, place))
        elif isinstance(bleed, VentricleFill):
            dilate_mm = max(dilate_mm, bleed.dilate_mm)
    return Pressure(thick_mm, widen_mm, dilate_mm, shift_mm(bleeds, mimics))


def shift_mm(bleeds: Sequence[Bleed], mimics: Sequence[Mimic] = ()) -> float:
    """Returns how far bleeds and mimics together push the midline along x, at most 14 mm either way."""
    pushes = [*map(_push_mm, bleeds), *map(mimic_push_mm, mimics)]
    return float(np.clip(sum(pushes), -14, 14))


def _push_mm(bleed: Bleed) -> float:
    if isinstance(bleed, Lining) and isinstance(bleed.patch, Patch):
        # A small patch pushes less than a whole hemisphere's lining.
        reach = min(bleed.patch.half_mm[1] / 30, 1)
        return -bleed.patch.side * 0.6 * reach * max(bleed.thickness_mm - 4, 0)
    if isinstance(bleed, Clot) and abs(bleed.center_mm[0]) > 6:
        size_mm = max(bleed.radii_mm[:2]) + 0.5 * bleed.rim_mm
        return (-1 if bleed.center_mm[0] > 0 else 1) * 0.3 * max(size_mm - 9, 0)
    return 0.0


def shade_bleeds(bleeds: Sequence[Bleed], place: Place, brain: Brain) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Returns the brain's HU with the blood in it, and the share of each point that is blood of each subtype.

    HU and shares are float32 N x N; subtypes without a bleed have no entry.
    """
    pixels_hu = brain.pixels_hu
    shares: dict[str, np.ndarray] = {}
    moved_mm = shift_mm(bleeds)
    for bleed in bleeds:
        if isinstance(bleed, Clot):
            pixels_hu, share = shade_clot(bleed, place, brain, pixels_hu)
        else:
            share = _share(bleed, place, brain, moved_mm)
            if share.any():
                pixels_hu = mix(pixels_hu, _density_hu(bleed, place), share)
        share = np.asarray(share, dtype=np.float32)
        shares[bleed.subtype] = np.maximum(shares[bleed.subtype], share) if bleed.subtype in shares else share
    return np.asarray(pixels_hu, dtype=np.float32), shares


def _share(
    bleed: Lining | FalxLining | TentLining | VentricleFill | SulcalBlood, place: Place, brain: Brain, moved_mm: float
) -> np.ndarray:
    if isinstance(bleed, Lining):
        return lining_share(bleed, place)
    if isinstance(bleed, FalxLining):
        return falx_share(bleed, place, moved_mm)
    if isinstance(bleed, TentLining):
        return tent_share(bleed, place)
    if isinstance(bleed, VentricleFill):
        return fill_share(bleed, place, brain, moved_mm)
    return sulcal_share(bleed, place, brain)


def _density_hu(bleed: Lining | FalxLining | TentLining | VentricleFill | SulcalBlood, place: Place) -> np.ndarray:
    if isinstance(bleed, Lining | FalxLining | TentLining):
        return filling_hu(bleed.filling, place)
    return bleed.density_hu + 2.5 * sample_waves(bleed.texture, place.plane)
