import sys

import keras
import numpy as np
import pytest

from hemorrhage.errors import HemorrhageError
from hemorrhage.models.backbones import MODELS, backbone_of, build_model, head_layers, set_backbone_trainable
from hemorrhage.models.devices import set_precision
from hemorrhage.models.ends import IMAGENET_DEVIATION, IMAGENET_MEAN
from hemorrhage.models.losses import LOSSES, weighted_bce
from hemorrhage.models.names import LOSS_NAMES, MODEL_NAMES
from hemorrhage.models.weights import read_model, save_model

SIZE = 32
FIRST_LAYER = {"compact": "stem", "resnet50": "conv1_pad", "effb2": "stem_conv_pad", "effb4-ns": "stem_conv"}
"""By model, the first layer after the scaling."""


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (2, SIZE, SIZE, 3), dtype=np.uint8)


def scaled(model, images, before):
    """What the first convolution or padding of `model`, the layer called `before`, is given for `images`."""
    part = keras.Model(model.input, model.get_layer(before).input)
    return keras.ops.convert_to_numpy(part(images.astype("float32")))


@pytest.fixture(scope="module", params=["compact", "resnet50", "effb2", "effb4-ns"])
def pair(request, tmp_path_factory):
    """A model and what comes back from its file."""
    path = tmp_path_factory.mktemp("pair") / "model.keras"
    model = build_model(request.param, SIZE)
    save_model(model, path)
    return model, read_model(path)


def probabilities_of(model, images):
    return keras.ops.convert_to_numpy(model(images, training=False))


def test_every_model_is_flat_and_made_of_keras_layers_alone(pair):
    model, _ = pair
    assert model.input.name == "images"
    assert not any(isinstance(layer, keras.Model) for layer in model.layers)
    assert all(type(layer).__module__.startswith("keras.") for layer in model.layers)


def test_every_model_reads_uint8_and_float_alike_and_returns_the_same_from_its_file(pair, images):
    model, again = pair
    probabilities = probabilities_of(model, images)
    assert probabilities.shape == (2, 6) and probabilities.dtype == np.float32
    assert ((probabilities > 0) & (probabilities < 1)).all()
    np.testing.assert_array_equal(probabilities_of(model, images.astype("float32")), probabilities)
    np.testing.assert_allclose(probabilities_of(again, images), probabilities, rtol=1e-5)


def expected_input(name, images):
    """What the published weights of the network called `name` were trained on."""
    if name == "resnet50":
        return keras.applications.resnet50.preprocess_input(images.astype("float32"))
    if name == "compact":
        return images / 127.5 - 1
    return (images / 255 - np.array(IMAGENET_MEAN)) / np.array(IMAGENET_DEVIATION)


def test_every_model_scales_its_images_before_and_after_its_file(pair, images):
    for model in pair:
        expected = expected_input(model.name, images)
        np.testing.assert_allclose(scaled(model, images, FIRST_LAYER[model.name]), expected, atol=1e-4)


@pytest.mark.parametrize("name", ["compact", "resnet50", "effb2"])
def test_other_channel_counts_are_scaled_to_one_either_way(name):
    model = build_model(name, SIZE, channels=5)
    ends = np.array([0, 255], dtype="float32")[:, None, None, None] * np.ones((1, SIZE, SIZE, 5))
    values = scaled(model, ends, FIRST_LAYER[name])
    np.testing.assert_allclose([values[0].max(), values[1].min()], [-1, 1], atol=1e-5)


def test_the_seed_decides_the_first_weights():
    first, same, other = (build_model("compact", SIZE, seed=seed).get_weights() for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, same, strict=True))
    assert not np.array_equal(first[0], other[0])


def test_the_head_stays_float32_in_mixed_precision():
    before = keras.config.dtype_policy()
    try:
        set_precision("mixed_float16")
        model = build_model("compact", SIZE)
    finally:
        keras.config.set_dtype_policy(before)
    assert model.get_layer("stem").compute_dtype == "float16"
    assert model.get_layer("probabilities").compute_dtype == "float32" and model.output.dtype == "float32"


def test_a_frozen_backbone_keeps_every_weight_and_statistic_while_the_head_learns(images):
    model = build_model("compact", SIZE)
    assert [layer.name for layer in head_layers(model)] == [
        "average_pool", "max_pool", "pooled", "dropout", "probabilities",
    ]  # fmt: skip
    set_backbone_trainable(model, False)
    model.compile("adam", weighted_bce)
    backbone, head = backbone_of(model), model.get_layer("probabilities")
    backbone_before, head_before = backbone.get_weights(), head.get_weights()
    model.fit(images, np.ones((2, 6)), verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(backbone_before, backbone.get_weights(), strict=True))
    assert not np.array_equal(head_before[0], head.get_weights()[0])
    set_backbone_trainable(model, True)
    assert model.get_layer("stem").trainable


def test_compact_is_small_and_learns_a_bright_spot():
    rng = np.random.default_rng(0)
    spots = rng.integers(0, 100, (64, SIZE, SIZE, 3), dtype=np.uint8)
    spots[::2, 8:16, 8:16] = 250
    truth = np.zeros((64, 6)) + (np.arange(64) % 2 == 0)[:, None]
    model = build_model("compact", SIZE)
    assert 100_000 < model.count_params() < 300_000
    model.compile(keras.optimizers.Adam(3e-3), weighted_bce)
    losses = model.fit(spots, truth, batch_size=16, epochs=6, verbose=0).history["loss"]
    assert losses[-1] < 0.2 < losses[0]


def test_an_unknown_model_lists_the_known_ones():
    with pytest.raises(HemorrhageError, match=r"compact, resnet18, .*mobilenetv3-small, received 'vgg'"):
        build_model("vgg", SIZE)


def test_a_size_that_the_networks_cannot_halve_five_times_is_refused():
    with pytest.raises(HemorrhageError, match="at least 32 px and 1 channel, received 16 px"):
        build_model("compact", 16)


def test_without_the_efficientnet_package_its_model_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet", None)
    with pytest.raises(HemorrhageError, match="pip install efficientnet six"):
        build_model("effb4-ns", SIZE)


def test_the_names_that_a_config_may_give_are_the_networks_and_losses_there_are() -> None:
    assert tuple(MODELS) == MODEL_NAMES
    assert tuple(LOSSES) == LOSS_NAMES
