"""Maps by hand, what their gradients must add up to, and that every kind of network gives them."""

import keras
import numpy as np
import pytest

from hemorrhage.data.labels import LABELS, label_index
from hemorrhage.errors import HemorrhageError
from hemorrhage.models.backbones import build_model
from hemorrhage.models.saliency import (
    ExplainableNetwork,
    Head,
    differentiate_head,
    explain_images,
    open_explainable,
    read_head,
)

METHODS = ("grad-cam", "grad-cam++", "hires-cam")


def build_by_hand(factor: float = 1.0, of_maxima: tuple[float, float] | None = None) -> keras.Model:
    """A network of 4 x 4 pixels: per 2 x 2 block their sum and the first of them; of subdural the kernel is 2, -4."""
    images = keras.Input((4, 4, 1), name="images")
    features = keras.layers.Conv2D(2, 2, strides=2, use_bias=False, name="blocks")(images)
    pooled = keras.layers.GlobalAveragePooling2D(name="average_pool")(features)
    if of_maxima:
        largest = keras.layers.GlobalMaxPooling2D(name="max_pool")(features)
        pooled = keras.layers.Concatenate(name="pooled")([pooled, largest])
    dropped = keras.layers.Dropout(0.5, name="dropout")(pooled)
    model = keras.Model(images, keras.layers.Dense(6, activation="sigmoid", name="probabilities")(dropped))
    blocks = np.ones((2, 2, 1, 2))
    blocks[:, :, 0, 1] = [[1, 0], [0, 0]]
    model.get_layer("blocks").set_weights([blocks])
    kernel = np.zeros((4 if of_maxima else 2, 6))
    kernel[:2, label_index("subdural")] = np.array([2.0, -4.0]) * factor
    if of_maxima:
        kernel[2:, label_index("subdural")] = of_maxima
    model.get_layer("probabilities").set_weights([kernel, np.zeros(6)])
    return model


# By 2 x 2 blocks: sums 4, 0, 2 and 8, first pixels 1, 0, 2 and 0.
IMAGE = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [2, 0, 0, 4], [0, 0, 4, 0]], dtype=np.uint8)[None, ..., None]


def test_grad_cam_by_hand() -> None:
    # Sums 4, 0, 2, 8 and firsts 1, 0, 2, 0; mean gradients 2/4 and -4/4: 4/2 - 1, 0, 2/2 - 2, 8/2 = 1, 0, -1, 4.
    (maps,) = explain_images(build_by_hand(), IMAGE, ["subdural", "any"])
    np.testing.assert_allclose(maps[0], [[0.25, 0], [0, 1]], atol=1e-6)
    assert maps.dtype == np.float32 and not maps[1].any()


def test_grad_cam_plus_plus_by_hand() -> None:
    # The second feature's gradient is below 0, its weight 0. The first's share and so its weight is the same at all
    # places: the map is that feature, 4, 0, 2, 8 over 8.
    (maps,) = explain_images(build_by_hand(), IMAGE, ["subdural"], "grad-cam++")
    np.testing.assert_allclose(maps[0], [[0.5, 0], [0.25, 1]], atol=1e-6)


def test_grad_cam_plus_plus_weighs_a_place_by_its_gradient() -> None:
    # Of maxima 6 and 2: the first feature's gradient is 0.5, and at its maximum 6.5; of the second's -1, and 1 at its
    # maximum. With sums over the features of 14 and 3 the shares there are 42.25 / (84.5 + 14 * 274.625), beside them
    # 0.25 / (0.5 + 14 * 0.125), and 1 / (2 + 3 * 1). The weights are these by the gradients above 0.
    (maps,) = explain_images(build_by_hand(of_maxima=(6.0, 2.0)), IMAGE, ["subdural"], "grad-cam++")
    first = 6.5 * 42.25 / (84.5 + 14 * 274.625) + 3 * 0.5 * 0.25 / (0.5 + 14 * 0.125)
    raw = first * np.array([[4, 0], [2, 8]]) + 1 / 5 * np.array([[1, 0], [2, 0]])
    np.testing.assert_allclose(maps[0], raw / raw.max(), atol=1e-6)


def test_a_saturated_sigmoid_changes_no_map() -> None:
    # The logit is a hundred: float32 has no gradient of its sigmoid.
    sure = build_by_hand(factor=1000.0)
    assert keras.ops.convert_to_numpy(sure(IMAGE.astype("float32")))[0, label_index("subdural")] == 1.0
    for method in METHODS:
        expected = explain_images(build_by_hand(), IMAGE, ["subdural"], method)
        np.testing.assert_allclose(explain_images(sure, IMAGE, ["subdural"], method), expected, atol=1e-6)


def test_a_maximum_that_two_places_have_gives_each_half() -> None:
    features = np.array([[3.0, 3.0], [1.0, 0.0]], dtype=np.float32)[None, ..., None]
    head = Head(np.full((1, 6), 4.0, np.float32), np.full((1, 6), 2.0, np.float32))
    np.testing.assert_allclose(differentiate_head(features, head, "any")[0, ..., 0], [[2, 2], [1, 1]])


@pytest.fixture(scope="module", params=["compact", "resnet18", "mobilenetv3-small"])
def explainable(request: pytest.FixtureRequest) -> ExplainableNetwork:
    return open_explainable(build_model(request.param, 64))


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)


def test_gradients_by_features_add_up_to_the_logits(explainable: ExplainableNetwork, images: np.ndarray) -> None:
    # Pooling and one layer are homogeneous, so that by Euler's theorem the sum is the logit, here without a bias.
    features, probabilities = explainable.seen.predict(images, verbose=0)
    for label in ("epidural", "any"):
        gradients = differentiate_head(features, explainable.head, label)
        given = probabilities[:, label_index(label)].astype(np.float64)
        np.testing.assert_allclose((features * gradients).sum((1, 2, 3)), np.log(given / (1 - given)), atol=1e-4)


def test_every_network_explains_labels_and_images_in_any_order(
    explainable: ExplainableNetwork, images: np.ndarray
) -> None:
    for method in METHODS:
        maps = explainable.explain(images, LABELS, method).maps
        assert maps.shape == (3, 6, *explainable.seen.output_shape[0][1:3]) and maps.dtype == np.float32
        assert maps.min() >= 0 and set(np.unique(maps.max((2, 3)))) <= {0.0, 1.0}
        again = explainable.explain(images[::-1], LABELS[::-1], method).maps
        np.testing.assert_allclose(again[::-1, ::-1], maps, atol=1e-4)


def test_half_precision_gives_the_maps_of_whole(images: np.ndarray) -> None:
    whole = build_model("compact", 64)
    keras.config.set_dtype_policy("mixed_float16")
    try:
        half = build_model("compact", 64)
    finally:
        keras.config.set_dtype_policy("float32")
    half.set_weights(whole.get_weights())
    maps, expected = explain_images(half, images, LABELS), explain_images(whole, images, LABELS)
    assert maps.dtype == np.float32
    # Where nothing speaks for a label, what rounding leaves is enlarged to 1.
    has_evidence = expected.max((2, 3)) > 0
    assert has_evidence.sum() > 9
    np.testing.assert_allclose(maps[has_evidence], expected[has_evidence], atol=0.02)


def test_no_images_have_no_maps() -> None:
    assert explain_images(build_by_hand(), IMAGE[:0], LABELS).shape == (0, 6, 2, 2)


@pytest.mark.parametrize(
    ("labels", "method", "images", "message"),
    [
        (["bleed"], "grad-cam", IMAGE, "'bleed'"),
        (["any"], "lime", IMAGE, "'lime'"),
        (["any"], "grad-cam", IMAGE[:, :2], "N x 4 x 4 x 1, received 1 x 2 x 4 x 1"),
    ],
)
def test_what_cannot_be_explained_is_named(labels: list[str], method: str, images: np.ndarray, message: str) -> None:
    with pytest.raises(HemorrhageError, match=message):
        explain_images(build_by_hand(), images, labels, method)


def test_a_head_of_another_kind_is_refused() -> None:
    model = build_by_hand()
    longer = keras.layers.Dense(6, name="probabilities")(model.get_layer("dropout").output[:, :1])
    with pytest.raises(HemorrhageError, match="kernel of 2 rows, received 1"):
        read_head(keras.Model(model.input, longer))
