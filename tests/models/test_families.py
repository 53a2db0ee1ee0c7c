"""Every network against keras.applications' own: with the files of its weights and its own preprocess_input."""

import importlib

import keras
import numpy as np
import pytest

from hemorrhage.models.backbones import MODELS, backbone_of, build_model
from hemorrhage.models.families import APPLICATIONS
from hemorrhage.models.weights import PRETRAINED, load_weights, read_model, save_model

QUICK = ["resnet18", "convnext-t", "xception", "vgg16", "mobilenetv3-small"]
"""Of each way to scale and to build, the networks that are built within seconds."""


def module_of(name):
    """The module of keras.applications that the network called `name` comes from."""
    return importlib.import_module(APPLICATIONS[name].build.__module__)


def disturb(network):
    """Gives every bias, scale and statistic a value of its own: as Keras starts them, many errors would not show."""
    rng = np.random.default_rng(0)
    for layer in network.layers:
        if isinstance(layer, keras.layers.Normalization) and layer.weights:
            layer.adapt_mean.assign([0.485, 0.456, 0.406])
            # As in the ImageNet files: the deviation stands where the variance should.
            layer.adapt_variance.assign([0.229, 0.224, 0.225])
            continue
        for weight in layer.weights:
            if len(weight.shape) == 1:
                weight.assign(weight + rng.uniform(0, 0.2, weight.shape))


PUBLISHED = ["resnet50", "effb0", "effv2s", "densenet121", "convnext-t", "xception", "vgg16", "mobilenetv3"]
"""One of each family, and so of each scaling."""


@pytest.fixture
def asked(monkeypatch):
    """What keras.applications asks the net for is kept here, and answered by the file at `path`, or by a stop."""
    found = {}

    def answer(fname, origin, file_hash, **_):
        found.update(file_name=fname, url=origin, file_hash=file_hash)
        if "path" not in found:
            raise InterruptedError
        return str(found["path"])

    for application in APPLICATIONS.values():
        monkeypatch.setattr(importlib.import_module(application.build.__module__).file_utils, "get_file", answer)
    return found


def assert_same_file(name, asked):
    source = PRETRAINED[name]
    expected = {"file_name": source.file_name, "url": source.url, "file_hash": source.file_hash}
    assert {key: asked[key] for key in expected} == expected


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", PUBLISHED)
def test_with_a_file_of_its_weights_a_backbone_computes_what_keras_applications_does(
    name, asked, monkeypatch, tmp_path
):
    size = 75 if name == "xception" else 32  # keras.applications' own Xception refuses less than 71.
    application, module = APPLICATIONS[name].build, module_of(name)
    keras.utils.set_random_seed(99)
    donor = application(include_top=False, weights=None, input_shape=(size, size, 3))
    disturb(donor)
    asked["path"] = tmp_path / "published.h5"
    donor.save(asked["path"])
    theirs = application(include_top=False, weights="imagenet", input_shape=(size, size, 3))
    assert_same_file(name, asked)
    monkeypatch.setattr(keras.utils, "get_file", lambda *_, **__: str(asked["path"]))
    ours = build_model(name, size)
    load_weights(ours, name, "imagenet")
    images = np.random.default_rng(1).integers(0, 256, (2, size, size, 3)).astype("float32")
    expected = keras.ops.convert_to_numpy(theirs(module.preprocess_input(images.copy()), training=False))
    features = keras.ops.convert_to_numpy(backbone_of(ours)(images, training=False))
    assert expected.std() > 0
    np.testing.assert_allclose(features, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())
    assert not any(isinstance(layer, keras.Model) for layer in ours.layers)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", [name for name in APPLICATIONS if name not in PUBLISHED])
def test_the_other_files_asked_for_are_those_that_keras_asks_for(name, asked):
    with pytest.raises(InterruptedError):
        APPLICATIONS[name].build(include_top=False, weights="imagenet")
    assert_same_file(name, asked)


@pytest.mark.parametrize("name", QUICK)
def test_a_network_is_flat_takes_nine_channels_and_returns_from_its_file(name, tmp_path):
    model = build_model(name, 32, channels=9)
    assert not any(isinstance(layer, keras.Model) for layer in model.layers)
    assert all(type(layer).__module__.startswith("keras.") for layer in model.layers)
    images = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 9), dtype=np.uint8)
    probabilities = keras.ops.convert_to_numpy(model(images, training=False))
    assert probabilities.shape == (1, 6) and ((probabilities > 0) & (probabilities < 1)).all()
    save_model(model, tmp_path / "model.keras")
    again = keras.ops.convert_to_numpy(read_model(tmp_path / "model.keras")(images, training=False))
    np.testing.assert_allclose(again, probabilities, rtol=1e-5)


@pytest.mark.parametrize("name", ["resnet18", "mobilenetv3-small"])
def test_a_network_takes_one_channel_in_minus_one_to_one(name):
    model = build_model(name, 32, channels=1)
    ends = np.array([0, 255], dtype="float32")[:, None, None, None] * np.ones((1, 32, 32, 1))
    scaled = keras.Model(model.input, model.get_layer("scaling").output)(ends)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(scaled)[:, 0, 0, 0], [-1, 1], atol=1e-5)


@pytest.mark.parametrize(("name", "million"), [("resnet18", 11.18), ("resnet34", 21.28)])
def test_the_small_resnets_have_the_parameters_that_torchvision_counts_without_its_head(name, million):
    # torchvision 0.2x: 11,689,512 and 21,797,672 with a head of 513,000. Ours counts each norm's two statistics too.
    backbone = backbone_of(build_model(name, 32))
    learned = sum(int(np.prod(weight.shape)) for weight in backbone.trainable_weights)
    assert round(learned / 1e6, 2) == million


def test_every_network_but_those_written_here_has_imagenet_weights():
    assert set(MODELS) - set(PRETRAINED) == {"compact", "resnet18", "resnet34"}
