"""The augmentation recipes: what each of them draws and from which ranges, whichever engine carries it out."""

from dataclasses import dataclass
from typing import Literal

from hemorrhage.errors import HemorrhageError


@dataclass(frozen=True)
class Span:
    """A range of numbers that are all equally likely."""

    low: float
    high: float

    def at(self, share: float) -> float:
        """Returns the number that lies `share` (0 to 1) of the way from low to high."""
        return self.low + share * (self.high - self.low)


@dataclass(frozen=True)
class Affine:
    """Turning, enlarging and shifting about the center; shifts, across and down, are shares of the image's size."""

    turn_degrees: Span
    zoom: Span
    shift: Span


@dataclass(frozen=True)
class Crop:
    """How often, and by how many pixels at most on each side of an image of 256, a part is enlarged to the whole."""

    probability: float
    pixels_at_256: int

    def limit(self, size: int) -> int:
        """Returns the most pixels that are cut off a side of an image of `size` pixels; at least 1."""
        return max(1, round(self.pixels_at_256 * size / 256))


@dataclass(frozen=True)
class Noise:
    """Normal noise: its standard deviation in grey levels, and how often every channel gets noise of its own."""

    deviation: Span
    per_channel: float


@dataclass(frozen=True)
class Blur:
    """How often an image is blurred, and by a Gaussian of what sigma in pixels."""

    probability: float
    sigma: Span


@dataclass(frozen=True)
class Erasing:
    """How often a rectangle is filled with noise, and the shares of width and of height, squared, that it may have.

    Random erasing: Zhong et al., 2020; ranges and noise as in keras.layers.RandomErasing.
    """

    probability: float
    scale: Span = Span(0.02, 0.33)


@dataclass(frozen=True)
class Ranges:
    """All that a recipe draws from; what is None is never done, `mirror` and `flip` are probabilities.

    The order is mirror, flip, affine, crop, noise, blur, contrast, unless it is drawn anew for every image.
    Contrast is the factor by which grey levels move away from 127.
    """

    contrast: Span
    mirror: float = 0.0
    flip: float = 0.0
    affine: Affine | None = None
    crop: Crop | None = None
    noise: Noise | None = None
    blur: Blur | None = None
    random_order: bool = False


@dataclass(frozen=True)
class Recipe:
    """A named way to augment: the ranges it draws from, None for no change, and the engine that carries it out."""

    name: str
    ranges: Ranges | None
    engine: Literal["opencv", "imgaug"] = "opencv"

    @property
    def shows(self) -> frozenset[str]:
        """What a network trained with the recipe has seen, in the words of views: mirror, turn, crop."""
        if self.ranges is None:
            return frozenset()
        drawn = {"mirror": self.ranges.mirror, "turn": self.ranges.affine, "crop": self.ranges.crop}
        return frozenset(kind for kind, drawn_from in drawn.items() if drawn_from)


# The original author's recipe for EfficientNet-B4 at 256 px; its crop of up to 25 px grows with the size.
ORIGINAL = Ranges(
    mirror=0.25,
    flip=0.10,
    noise=Noise(Span(0, 0.05 * 255), per_channel=0.5),
    blur=Blur(0.5, Span(0, 0.5)),
    contrast=Span(0.75, 1.5),
    crop=Crop(0.25, pixels_at_256=25),
    random_order=True,
)
# Where and how large the head lies, and a little contrast.
GEOMETRIC = Ranges(
    mirror=0.5,
    affine=Affine(Span(-30, 30), zoom=Span(0.9, 1.15), shift=Span(-0.05, 0.05)),
    crop=Crop(0.5, pixels_at_256=25),
    contrast=Span(0.85, 1.15),
)
# Both: as a head lies in the geometric recipe (and never upside down), as it looks in one a little wider than the
# original's.
STRONG = Ranges(
    mirror=0.5,
    affine=GEOMETRIC.affine,
    crop=GEOMETRIC.crop,
    noise=Noise(Span(0, 0.05 * 255), per_channel=0.5),
    blur=Blur(0.5, Span(0, 1.0)),
    contrast=Span(0.75, 1.35),
)

RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe("none", None),
        Recipe("original", ORIGINAL),
        Recipe("geometric", GEOMETRIC),
        Recipe("strong", STRONG),
        Recipe("original-imgaug", ORIGINAL, "imgaug"),
        Recipe("geometric-imgaug", GEOMETRIC, "imgaug"),
    )
}


def find_recipe(name: str) -> Recipe:
    """Returns the recipe of that name; raises HemorrhageError, listing the known ones, for another."""
    if name not in RECIPES:
        raise HemorrhageError(f"Expected an augmentation out of {', '.join(RECIPES)}; received {name!r}.")
    return RECIPES[name]
