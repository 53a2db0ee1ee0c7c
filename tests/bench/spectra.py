"""`make spectra`: HU and noise of phantom slices beside those of real ones, by tissue.

    HEMORRHAGE_REAL_DATA=<folder> python -m tests.bench.spectra PHANTOM --out PICTURE

Prints quantiles and draws histograms of what lies inside the skull, of bone and of what covers it, and the noise power
spectrum of uniform brain. The picture holds sums over hundreds of slices, none of them can be seen in it.
"""

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy import ndimage

from tests.bench.noise import Noise, measure_noise
from tests.bench.realism import Look, draw_looks, find_body, read_looks

BONE_HU = 300
_SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class Tissue:
    """A part of the head, and the HU between which its histogram is drawn."""

    name: str
    low_hu: float
    high_hu: float


TISSUES = (Tissue("inside the skull", -30, 110), Tissue("bone", 300, 2000), Tissue("scalp, face, neck", -200, 200))


@dataclass(frozen=True)
class Kind:
    """One of the two sorts of slices: for each tissue the HU of all its pixels, and the noise of its brain."""

    name: str
    values_hu: dict[str, np.ndarray]
    noise: Noise


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 after printing the quantiles and writing the picture."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.spectra")
    parser.add_argument("phantom", type=Path, help="a folder of 'hemorrhage phantom'")
    parser.add_argument("--out", type=Path, required=True, help="the picture to write")
    options = parser.parse_args(arguments)
    real = list(read_looks(Path(os.environ["HEMORRHAGE_REAL_DATA"]) / "rsna_mini", size=None))
    made = draw_looks(list(read_looks(options.phantom, size=None)), len(real))
    kinds = [measure_kind("phantom", made), measure_kind("real", real)]
    print_quantiles(kinds)
    draw_kinds(kinds, options.out)
    return 0


def measure_kind(name: str, looks: Sequence[Look]) -> Kind:
    """Returns the HU by tissue and the noise of some slices."""
    parts = [split_tissues(look.pixels_hu) for look in looks]
    values = {tissue.name: np.concatenate([part[tissue.name] for part in parts]) for tissue in TISSUES}
    return Kind(name, values, measure_noise([look.pixels_hu for look in looks], [look.pixel_mm for look in looks]))


def split_tissues(pixels_hu: np.ndarray) -> dict[str, np.ndarray]:
    """Returns the HU of a slice's pixels by the name of their tissue; an edge of two pixels is left out."""
    head = find_body(pixels_hu)
    bone = head & (pixels_hu > BONE_HU)
    inside = ndimage.binary_fill_holes(ndimage.binary_closing(bone, iterations=2)) & ~bone
    return {
        "inside the skull": pixels_hu[ndimage.binary_erosion(inside, iterations=3)],
        "bone": pixels_hu[bone],
        "scalp, face, neck": pixels_hu[ndimage.binary_erosion(head & ~bone & ~inside, iterations=2)],
    }


def print_quantiles(kinds: Sequence[Kind]) -> None:
    """Prints HU at five quantiles of each tissue, and the spread of uniform brain, for each kind."""
    for tissue in TISSUES:
        for kind in kinds:
            quantiles = np.quantile(kind.values_hu[tissue.name], _SHARES)
            print(f"{tissue.name:<20}{kind.name:<9}" + "".join(f"{value:8.0f}" for value in quantiles) + " HU")
    for kind in kinds:
        quantiles = np.nanquantile(kind.noise.std_hu, (0.25, 0.5, 0.75))
        print(f"{'spread of brain':<20}{kind.name:<9}" + "".join(f"{value:8.2f}" for value in quantiles) + " HU")


def draw_kinds(kinds: Sequence[Kind], path: Path) -> None:
    """Writes the histograms of each tissue and the noise power, the kinds in one plot each."""
    figure = Figure(figsize=(12, 3.2), layout="constrained")
    axes = figure.subplots(1, len(TISSUES) + 1)
    for kind in kinds:
        for axis, tissue in zip(axes, TISSUES, strict=False):
            edges = np.linspace(tissue.low_hu, tissue.high_hu, 71)
            axis.hist(kind.values_hu[tissue.name], edges, density=True, histtype="step", label=kind.name)
            axis.set(title=tissue.name, xlabel="HU", yticks=[])
        axes[-1].plot(kind.noise.frequencies, kind.noise.power, label=kind.name)
    axes[-1].set(title="noise power in brain, HU² mm²", xlabel="cycles/mm", xlim=(0, 1.0))
    axes[-1].legend()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    raise SystemExit(main())
