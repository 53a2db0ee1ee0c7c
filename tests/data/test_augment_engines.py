"""The fast engine draws the same pictures as imgaug: facts measured in many pictures of both, compared.

Every fact is compared by a two-sample Kolmogorov-Smirnov test, which takes the size of the samples into account. The
seeds are fixed: with 25 facts a chance p below 0.001 would be a matter of one seed in forty. Recipes that are a
little wrong are compared as well, and must be told apart. Sharpness under an affine change is no such fact: imgaug
resamples twice where there is a crop, the fast engine once.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import ks_2samp

from hemorrhage.data.augment import Augmentation
from hemorrhage.data.recipes import GEOMETRIC, ORIGINAL, Affine, Blur, Crop, Noise, Ranges, Recipe, Span

SIZE = 64
DRAWS = 1200
SMALLEST_P = 0.001
DOWN, ACROSS = np.mgrid[:SIZE, :SIZE]
CHECKS = np.where((DOWN + ACROSS) % 2, 1, -1).astype(np.float32)

Facts = dict[str, np.ndarray]
Measure = Callable[[np.ndarray], Facts]


def fit_growth(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns of N x H x W values the mean, and how much they grow by pixel across and down, in the nearest planes."""
    down, across = (np.arange(length, dtype=np.float32) - (length - 1) / 2 for length in values.shape[1:])
    growth_across = values.mean(axis=1) @ across / (across**2).sum()
    return values.mean(axis=(1, 2)), growth_across, values.mean(axis=2) @ down / (down**2).sum()


def find_rest(values: np.ndarray) -> np.ndarray:
    """Returns what N x H x W values have beside the nearest planes."""
    mean, growth_across, growth_down = fit_growth(values)
    down, across = (np.arange(length, dtype=np.float32) - (length - 1) / 2 for length in values.shape[1:])
    rest = values - (growth_down[:, np.newaxis] * down)[:, :, np.newaxis]
    return rest - (growth_across[:, np.newaxis] * across + mean[:, np.newaxis])[:, np.newaxis]


def draw_target_original() -> np.ndarray:
    """Channels: brighter to the right, brighter downwards, a fine check pattern on two grey levels; nothing clips."""
    halves = np.where(np.minimum(ACROSS, SIZE - 1 - ACROSS) < SIZE // 4, 100, 154)
    channels = [90 + 74 * ACROSS / (SIZE - 1), 90 + 74 * DOWN / (SIZE - 1), halves + 12 * CHECKS]
    return np.rint(np.stack(channels, axis=2)).astype(np.uint8)


def measure_original(pictures: np.ndarray) -> Facts:
    rightwards, downwards, checked = np.moveaxis(pictures.astype(np.float32), 3, 0)
    edges = checked[:, 8:-8, [2, 3, -4, -3]]
    contrast = (checked[:, 8:-8, 28:36].mean(axis=(1, 2)) - edges.mean(axis=(1, 2))) / 54
    (x_middle, x_growth, _), (y_middle, _, y_growth) = fit_growth(rightwards), fit_growth(downwards)
    x_rest, y_rest = find_rest(rightwards), find_rest(downwards)
    # A hundredth keeps pictures without noise from dividing by nothing.
    deviation, y_deviation = x_rest.std(axis=(1, 2)) + 0.01, y_rest.std(axis=(1, 2)) + 0.01
    return {
        "mirrored": x_growth < 0,
        "flipped": y_growth < 0,
        "contrast": contrast,
        "width": np.abs(x_growth) / contrast,
        "height": np.abs(y_growth) / contrast,
        "place across": (x_middle - 127) / contrast,
        "place down": (y_middle - 127) / contrast,
        "noise": deviation,
        "noise over contrast": deviation / contrast,
        "noise in common": (x_rest * y_rest).mean(axis=(1, 2)) / (deviation * y_deviation),
        "noise's smoothness": (x_rest[:, :, 1:] * x_rest[:, :, :-1]).mean(axis=(1, 2)) / deviation**2,
        "noise's tails": np.square(np.square(x_rest)).mean(axis=(1, 2)) / deviation**4,
        "checks": np.abs((checked * CHECKS).mean(axis=(1, 2))) / contrast,
        "mean": pictures.mean(axis=(1, 2, 3)),
    }


def draw_target_geometric() -> np.ndarray:
    """Channels: brighter to the right, brighter downwards, one bright grey."""
    channels = [40 + 170 * ACROSS / (SIZE - 1), 40 + 170 * DOWN / (SIZE - 1), np.full((SIZE, SIZE), 200)]
    return np.rint(np.stack(channels, axis=2)).astype(np.uint8)


def measure_geometric(pictures: np.ndarray) -> Facts:
    # The middle of a picture never shows what lies outside the target.
    rightwards, downwards, grey = np.moveaxis(pictures[:, 16:48, 16:48].astype(np.float32), 3, 0)
    contrast = (grey.mean(axis=(1, 2)) + 0.5 - 127) / (200 - 127)
    level_a_pixel = contrast * 170 / (SIZE - 1)
    (x_middle, x_across, x_down), (y_middle, y_across, y_down) = fit_growth(rightwards), fit_growth(downwards)
    width, height = np.hypot(x_across, y_across) / level_a_pixel, np.hypot(x_down, y_down) / level_a_pixel
    return {
        "mirrored": x_across * y_down < x_down * y_across,
        "turn": np.degrees(np.arctan2(y_across, np.abs(x_across))),
        "width": width,
        "height": height,
        "shape": width / height,
        "place across": (x_middle + 0.5 - 127) / level_a_pixel,
        "place down": (y_middle + 0.5 - 127) / level_a_pixel,
        "contrast": contrast,
        "outside": (pictures[..., 2] < 80).mean(axis=(1, 2)),
        "darkest": pictures.min(axis=(1, 2, 3)),
        "mean": pictures.mean(axis=(1, 2, 3)),
    }


TARGETS: dict[str, tuple[Ranges, np.ndarray, Measure]] = {
    "original": (ORIGINAL, draw_target_original(), measure_original),
    "geometric": (GEOMETRIC, draw_target_geometric(), measure_geometric),
}


def measure_pictures(recipe: Recipe, target: np.ndarray, measure: Measure, seed: int) -> Facts:
    augmentation = Augmentation(recipe, SIZE, seed)
    return measure(np.stack([augmentation(target, 0, index) for index in range(DRAWS)]))


@pytest.fixture(scope="module")
def facts_of_imgaug() -> dict[str, Facts]:
    return {
        name: measure_pictures(Recipe(name, ranges, "imgaug"), target, measure, seed=1)
        for name, (ranges, target, measure) in TARGETS.items()
    }


def compare(facts: Facts, others: Facts) -> dict[str, float]:
    """Returns by fact how likely two samples of one distribution would differ as much."""
    return {name: ks_2samp(facts[name], others[name], method="asymp").pvalue for name in facts}


@pytest.mark.parametrize("name", list(TARGETS))
def test_both_engines_draw_pictures_with_the_same_facts(name: str, facts_of_imgaug: dict[str, Facts]) -> None:
    ranges, target, measure = TARGETS[name]
    p_values = compare(measure_pictures(Recipe(name, ranges), target, measure, seed=2), facts_of_imgaug[name])
    assert {fact: p for fact, p in p_values.items() if not p >= SMALLEST_P} == {}


NOISE = Noise(Span(0, 12.75), 0.5)
AFFINE = Affine(Span(-30, 30), Span(0.9, 1.15), Span(-0.05, 0.05))
WRONG = {
    "mirrored more often": ("original", replace(ORIGINAL, mirror=0.35), "mirrored"),
    "flipped more often": ("original", replace(ORIGINAL, flip=0.2), "flipped"),
    "less contrast": ("original", replace(ORIGINAL, contrast=Span(0.75, 1.4)), "contrast"),
    "more noise": ("original", replace(ORIGINAL, noise=replace(NOISE, deviation=Span(0, 15))), "noise"),
    "more noise shared": ("original", replace(ORIGINAL, noise=replace(NOISE, per_channel=0.35)), "noise in common"),
    "blurred more often": ("original", replace(ORIGINAL, blur=Blur(0.95, Span(0, 0.5))), "checks"),
    "cropped more often": ("original", replace(ORIGINAL, crop=Crop(0.4, 25)), "width"),
    "cropped less": ("original", replace(ORIGINAL, crop=Crop(0.25, 12)), "width"),
    "always in one order": ("original", replace(ORIGINAL, random_order=False), "noise's smoothness"),
    "turned less": ("geometric", replace(GEOMETRIC, affine=replace(AFFINE, turn_degrees=Span(-24, 24))), "turn"),
    "enlarged less": ("geometric", replace(GEOMETRIC, affine=replace(AFFINE, zoom=Span(0.9, 1.1))), "outside"),
    "shifted less": ("geometric", replace(GEOMETRIC, affine=replace(AFFINE, shift=Span(-0.03, 0.03))), "place down"),
    "never cropped": ("geometric", replace(GEOMETRIC, crop=None), "shape"),
}


@pytest.mark.parametrize("fault", list(WRONG))
def test_the_comparison_notices_a_recipe_that_is_a_little_wrong(fault: str, facts_of_imgaug: dict[str, Facts]) -> None:
    name, ranges, fact = WRONG[fault]
    _, target, measure = TARGETS[name]
    p_values = compare(measure_pictures(Recipe(name, ranges), target, measure, seed=2), facts_of_imgaug[name])
    assert p_values[fact] < SMALLEST_P


def test_pictures_of_the_fast_engine_do_not_share_their_noise() -> None:
    ranges = Ranges(contrast=Span(1, 1), noise=Noise(Span(10, 10), 1.0))
    grey = np.full((SIZE, SIZE, 3), 127, dtype=np.uint8)
    augmentation = Augmentation(Recipe("noise", ranges), SIZE, 0)
    noise = np.stack([augmentation(grey, 0, index).ravel() for index in range(60)]) - 127.0
    correlations = np.corrcoef(noise)[np.triu_indices(60, 1)]
    # Independent ones have a standard deviation of 1 / sqrt(64 * 64 * 3) = 0.009.
    assert correlations.std() == pytest.approx(0.009, abs=0.001)
    assert np.abs(correlations).max() < 0.05
