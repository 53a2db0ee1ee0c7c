from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from hemorrhage.data.augment import RECIPES, Augmentation, draw_erase, find_recipe
from hemorrhage.data.recipes import Erasing, Noise, Ranges, Recipe, Span
from hemorrhage.errors import HemorrhageError

IMAGE = np.random.default_rng(0).integers(0, 256, size=(64, 64, 3), dtype=np.uint8)
RANDOM = ["original", "geometric", "strong", "original-imgaug", "geometric-imgaug"]


def augment_many(recipe: str, threads: int, seed: int = 0, epoch: int = 0) -> np.ndarray:
    augmentation = Augmentation(find_recipe(recipe), 64, seed)
    with ThreadPoolExecutor(threads) as pool:
        return np.stack(list(pool.map(lambda index: augmentation(IMAGE, epoch, index), range(64))))


@pytest.mark.parametrize("recipe", RANDOM)
def test_one_thread_and_eight_give_the_same_images(recipe: str) -> None:
    assert (augment_many(recipe, 1) == augment_many(recipe, 8)).all()


@pytest.mark.parametrize("recipe", RANDOM)
def test_images_differ_by_index_epoch_and_seed(recipe: str) -> None:
    first = augment_many(recipe, 1)
    assert len({image.tobytes() for image in first}) > 60
    assert (first != augment_many(recipe, 1, epoch=1)).any(axis=(1, 2, 3)).mean() > 0.9
    assert (first != augment_many(recipe, 1, seed=1)).any(axis=(1, 2, 3)).mean() > 0.9


@pytest.mark.parametrize("recipe", list(RECIPES))
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 8])
def test_shape_and_dtype_stay(recipe: str, channels: int) -> None:
    image = np.zeros((32, 32, channels), dtype=np.uint8)
    augmented = Augmentation(find_recipe(recipe), 32, 0)(image, 0, 0)
    assert augmented.shape == image.shape
    assert augmented.dtype == np.uint8


def test_the_recipe_none_changes_nothing() -> None:
    assert Augmentation(find_recipe("none"), 64, 0)(IMAGE, 3, 5) is IMAGE


def test_the_original_recipe_mirrors_turns_over_and_adds_noise_as_often_as_it_says() -> None:
    ramp = np.tile(np.linspace(60, 190, 64).astype(np.uint8)[np.newaxis, :, np.newaxis], (64, 1, 3))
    augmentation = Augmentation(find_recipe("original"), 64, 0)
    images = [augmentation(ramp, 0, index).astype(float) for index in range(600)]
    mirrored = [image[:, :16].mean() > image[:, -16:].mean() for image in images]
    assert np.mean(mirrored) == pytest.approx(0.25, abs=0.05)
    contrast = [abs(image[:, :16].mean() - image[:, -16:].mean()) for image in images]
    # The ramp's ends lie 97 apart; contrast 0.75 to 1.5 makes that 73 to 146, and a crop leaves at least 52 of 64 px.
    assert 73 * 52 / 64 - 1 < min(contrast) < 75
    assert max(contrast) == pytest.approx(146, abs=8)


@pytest.mark.parametrize("recipe", RANDOM)
def test_the_image_that_came_stays_as_it_was(recipe: str) -> None:
    image = IMAGE.copy()
    augmentation = Augmentation(find_recipe(recipe), 64, 0)
    for index in range(20):
        augmentation(image, 0, index)
    assert (image == IMAGE).all()


@pytest.mark.parametrize("name", ["original", "geometric"])
def test_both_engines_have_one_set_of_ranges(name: str) -> None:
    fast, reference = find_recipe(name), find_recipe(f"{name}-imgaug")
    assert fast.ranges is reference.ranges
    assert (fast.engine, reference.engine) == ("opencv", "imgaug")


def test_an_image_larger_than_the_bank_of_noise_still_gets_noise() -> None:
    grey = np.full((1024, 1024, 3), 127, dtype=np.uint8)
    noisy = Augmentation(Recipe("noise", Ranges(Span(1, 1), noise=Noise(Span(10, 10), 1.0))), 1024, 0)(grey, 0, 0)
    assert noisy.std() == pytest.approx(10, abs=0.1)


def test_recipes_say_what_they_show() -> None:
    assert find_recipe("none").shows == frozenset()
    assert find_recipe("original").shows == {"mirror", "crop"}
    assert find_recipe("geometric").shows == {"mirror", "turn", "crop"}


def test_an_unknown_recipe_lists_the_known_ones() -> None:
    with pytest.raises(HemorrhageError, match="none, original, geometric"):
        find_recipe("heavy")


def test_a_box_of_the_shares_that_were_drawn_is_erased_and_nothing_else() -> None:
    image = np.full((80, 120, 3), 100, np.uint8)
    rng = np.random.default_rng(0)
    for _ in range(200):
        step = draw_erase(Erasing(1.0), image.shape, rng)
        rows, columns = step.fill.shape[:2]
        # The square roots of 0.02 and 0.33 of 80 and of 120 pixels.
        assert 11 <= rows <= 46
        assert 17 <= columns <= 69
        erased = step(image.copy())
        inside = erased[step.top : step.top + rows, step.left : step.left + columns]
        assert inside.shape == step.fill.shape
        assert (erased != 100).any(axis=-1).sum() <= rows * columns
        # Normal noise held in 0 to 255: half of it is 0, a sixth 255.
        assert 0.4 < (inside == 0).mean() < 0.6


def test_erasing_is_as_frequent_as_it_says_and_leaves_the_recipe_s_draws_alone() -> None:
    recipe = find_recipe("geometric")
    plain, erasing = Augmentation(recipe, 64, 0), Augmentation(recipe, 64, 0, Erasing(0.25))
    kept = IMAGE.copy()
    same = [(plain(IMAGE, 0, index) == erasing(IMAGE, 0, index)).all() for index in range(400)]
    assert 1 - np.mean(same) == pytest.approx(0.25, abs=0.06)
    none = Augmentation(find_recipe("none"), 64, 0, Erasing(1.0))
    assert (none(IMAGE, 1, 2) != IMAGE).any()
    assert (none(IMAGE, 1, 2) == none(IMAGE, 1, 2)).all()
    assert (kept == IMAGE).all()


def test_the_strong_recipe_never_turns_a_head_over() -> None:
    ranges = find_recipe("strong").ranges
    assert ranges is not None
    assert (ranges.mirror, ranges.flip, ranges.contrast) == (0.5, 0, Span(0.75, 1.35))
    assert ranges.noise == Noise(Span(0, 12.75), per_channel=0.5)
