import keras
import numpy as np
import pytest

from hemorrhage.data.mixing import Mixing, Pairs, draw_pairs, mix_images, mix_labels

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (16, 24, 20, 3)).astype(np.uint8)
LABELS = RNG.integers(0, 2, (16, 6)).astype(np.float32)
WEIGHTS = np.ones(16, np.float32)


def draw(index: int = 0, **alphas: float) -> Pairs:
    return draw_pairs(Mixing(seed=3, **alphas), IMAGES.shape, epoch=2, index=index)


def test_mixup_is_that_of_the_keras_layer() -> None:
    pairs = draw(mixup=0.4)
    layer = keras.layers.MixUp()
    drawn = {"mix_weight": pairs.shares, "permutation_order": pairs.partners}
    theirs = keras.ops.convert_to_numpy(layer.transform_images(IMAGES, drawn))
    assert np.abs(mix_images(IMAGES, pairs) - theirs).max() <= 0.501
    labels, weights = mix_labels(LABELS, WEIGHTS, pairs)
    assert labels == pytest.approx(keras.ops.convert_to_numpy(layer.transform_labels(LABELS, drawn)), abs=1e-6)
    assert weights == pytest.approx(WEIGHTS, abs=1e-6)


def test_cutmix_is_that_of_the_keras_layer() -> None:
    pairs = draw(cutmix=1.0)
    assert pairs.boxes is not None
    layer = keras.layers.CutMix()
    left, top, right, bottom = pairs.boxes.astype(np.float32).T
    masks, shares = layer._generate_batch_mask(IMAGES.shape, (left, right, top, bottom))
    drawn = {"mix_weight": shares, "permutation_order": pairs.partners, "batch_masks": masks}
    theirs = keras.ops.convert_to_numpy(layer.transform_images(IMAGES, drawn))
    assert (mix_images(IMAGES, pairs) == theirs).all()
    labels, _ = mix_labels(LABELS, WEIGHTS, pairs)
    assert labels == pytest.approx(keras.ops.convert_to_numpy(layer.transform_labels(LABELS, drawn)), abs=1e-6)


def test_half_and_half_by_hand() -> None:
    images = np.stack([np.full((2, 2, 1), 10), np.full((2, 2, 1), 200)]).astype(np.uint8)
    pairs = Pairs(np.array([1, 0]), np.array([0.25, 1.0], np.float32))
    assert mix_images(images, pairs)[:, 0, 0, 0].tolist() == [152, 200]
    labels, weights = mix_labels(np.eye(2, dtype=np.float32), np.array([3.0, 1.0], np.float32), pairs)
    # 0.25 * 3 of the first and 0.75 * 1 of the second: as much of either, 1.5 in all.
    assert labels.tolist() == [[0.5, 0.5], [0, 1]]
    assert weights.tolist() == [1.5, 1]


def test_a_quarter_is_cut_by_hand() -> None:
    images = np.stack([np.zeros((4, 4, 2)), np.full((4, 4, 2), 9)]).astype(np.uint8)
    pairs = Pairs(np.array([1, 1]), np.array([0.75, 1], np.float32), np.array([[1, 2, 3, 4], [0, 0, 0, 0]]))
    mixed = mix_images(images, pairs)
    assert (mixed[0, :, :, 0] == [[0, 0, 0, 0], [0, 0, 0, 0], [0, 9, 9, 0], [0, 9, 9, 0]]).all()
    assert (mixed[1] == 9).all()


def test_boxes_lie_within_the_image_and_their_area_is_the_partner_s_share() -> None:
    for index in range(50):
        pairs = draw(index, cutmix=0.5)
        assert pairs.boxes is not None
        left, top, right, bottom = pairs.boxes.T
        assert (left >= 0).all() and (left <= right).all() and (right <= 20).all()
        assert (top >= 0).all() and (top <= bottom).all() and (bottom <= 24).all()
        assert 1 - pairs.shares == pytest.approx((right - left) * (bottom - top) / 480, abs=1e-6)


def test_draws_follow_from_seed_epoch_and_index_and_do_not_change_their_input() -> None:
    before = IMAGES.copy()
    for alphas in ({"mixup": 0.4}, {"cutmix": 1.0}, {"mixup": 0.4, "cutmix": 1.0}):
        first, again, other = draw(0, **alphas), draw(0, **alphas), draw(1, **alphas)
        assert (mix_images(IMAGES, first) == mix_images(IMAGES, again)).all()
        assert (first.shares != other.shares).any()
    assert (before == IMAGES).all()


def test_where_both_are_on_about_half_of_the_batches_are_cut() -> None:
    cut = [draw(index, mixup=0.4, cutmix=1.0).boxes is not None for index in range(200)]
    assert 70 < sum(cut) < 130


def test_shares_are_drawn_from_the_beta_distribution() -> None:
    shares = np.concatenate([draw(index, mixup=2.0).shares for index in range(200)])
    # Beta(2, 2) has the mean 1/2 and the variance 1/20.
    assert shares.mean() == pytest.approx(0.5, abs=0.02)
    assert shares.var() == pytest.approx(0.05, abs=0.004)


def test_one_channel_and_one_image_can_be_mixed() -> None:
    image = np.full((1, 8, 8, 1), 7, np.uint8)
    for alphas in ({"mixup": 0.4}, {"cutmix": 1.0}):
        mixed = mix_images(image, draw_pairs(Mixing(**alphas), image.shape, 0, 0))
        assert (mixed == image).all()
