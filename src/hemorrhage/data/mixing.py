"""Batches whose images, and labels with them, are mixed in pairs: mixup and CutMix.

To the definitions of keras.layers.MixUp and CutMix, with which a test compares the results, but in NumPy: the layers
draw from a generator with a state of its own, while this draws from (seed, epoch, index) on any thread, so that a
resumed run mixes as one that was never stopped; and they return float32, four times the memory of the uint8 images.
Of CutMix the layer draws alpha itself at random up to its factor; here it is given, as in the paper, and the edges of
the box lie on pixels, so that labels are mixed by the exact area.
"""

from dataclasses import dataclass

import cv2
import numpy as np

# Keeps these draws apart from those of the augmentation, which have (seed, epoch, place).
_STREAM = 0x4D6958


@dataclass(frozen=True)
class Mixing:
    """Alpha of the Beta distribution of each way to mix, 0 for never; where both are above 0, batches draw one.

    mixup: Zhang et al., 2018. CutMix: Yun et al., 2019.
    """

    mixup: float = 0.0
    cutmix: float = 0.0
    seed: int = 0

    @property
    def is_on(self) -> bool:
        return self.mixup > 0 or self.cutmix > 0


@dataclass(frozen=True)
class Pairs:
    """For each image of a batch its partner, the share that stays of the image's own, and the partner's box.

    `boxes` is int N x 4 of left, top, right, bottom; None where whole images are blended.
    """

    partners: np.ndarray
    shares: np.ndarray
    boxes: np.ndarray | None = None


def draw_pairs(mixing: Mixing, shape: tuple[int, ...], epoch: int, index: int) -> Pairs:
    """Returns how a batch of the shape (N, H, W, ...) is mixed: a function of the arguments alone."""
    rng = np.random.default_rng([mixing.seed, epoch, index, _STREAM])
    count, rows, columns = shape[:3]
    is_cut = rng.random() < 0.5 if mixing.mixup and mixing.cutmix else mixing.cutmix > 0
    alpha = mixing.cutmix if is_cut else mixing.mixup
    partners, shares = rng.permutation(count), rng.beta(alpha, alpha, count)
    if not is_cut:
        return Pairs(partners, shares.astype(np.float32))
    boxes = _draw_boxes(rng, np.sqrt(1 - shares), rows, columns)
    left, top, right, bottom = boxes.T
    return Pairs(partners, (1 - (right - left) * (bottom - top) / (rows * columns)).astype(np.float32), boxes)


def _draw_boxes(rng: np.random.Generator, sides: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Boxes whose sides are these shares of the image's, wholly inside it and anywhere there: int N x 4."""
    lengths = np.rint(sides[:, np.newaxis] * (columns, rows)).astype(int)
    starts = rng.integers(0, np.array([columns, rows]) - lengths, endpoint=True)
    return np.column_stack([starts, starts + lengths])


def mix_images(images: np.ndarray, pairs: Pairs) -> np.ndarray:
    """Returns the mixed images, uint8 of the shape of `images`, blends rounded to the grey level."""
    mixed = np.empty_like(images)
    for place, (partner, share) in enumerate(zip(pairs.partners, pairs.shares, strict=True)):
        if pairs.boxes is None:
            blend = cv2.addWeighted(images[place], float(share), images[partner], 1 - float(share), 0)
            mixed[place] = blend.reshape(images.shape[1:])
        else:
            left, top, right, bottom = pairs.boxes[place]
            mixed[place] = images[place]
            mixed[place, top:bottom, left:right] = images[partner, top:bottom, left:right]
    return mixed


def mix_labels(labels: np.ndarray, weights: np.ndarray, pairs: Pairs) -> tuple[np.ndarray, np.ndarray]:
    """Returns the mixed labels, float32 N x L, and weights, float32 N, of mixed images.

    Cross-entropy is linear in the labels. So a pair's loss, which is the sum over its two images of share times weight
    times loss, is the summed share times weight of the two, times the loss of labels mixed in proportion to it.
    """
    own = pairs.shares * weights
    other = (1 - pairs.shares) * weights[pairs.partners]
    total = own + other
    mixed = (own[:, np.newaxis] * labels + other[:, np.newaxis] * labels[pairs.partners]) / total[:, np.newaxis]
    return mixed.astype(np.float32), total.astype(np.float32)
