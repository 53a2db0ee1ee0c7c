import keras
import numpy as np
import pytest

from hemorrhage.errors import HemorrhageError
from hemorrhage.models.backbones import backbone_of, build_model
from hemorrhage.models.ends import IMAGENET_DEVIATION, IMAGENET_MEAN
from hemorrhage.models.losses import weighted_bce
from hemorrhage.models.weights import PRETRAINED, load_weights, read_model, save_model

SIZE = 32
DONORS = {"resnet50": keras.applications.ResNet50, "effb2": keras.applications.EfficientNetB2}


@pytest.fixture(scope="module", params=DONORS)
def donor(request):
    """A model's name and the bare network of keras.applications with other random weights than ours."""
    keras.utils.set_random_seed(99)
    return request.param, DONORS[request.param](include_top=False, weights=None, input_shape=(SIZE, SIZE, 3))


@pytest.fixture
def compact():
    return build_model("compact", SIZE, seed=1)


def assert_equal_by_layer(donor, model):
    for layer in donor.layers:
        if layer.weights and not isinstance(layer, keras.layers.Normalization):
            for expected, loaded in zip(layer.get_weights(), model.get_layer(layer.name).get_weights(), strict=True):
                np.testing.assert_array_equal(loaded, expected)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("suffix", [".weights.h5", ".h5"])
def test_weights_of_keras_applications_reach_the_backbone_and_spare_the_head(donor, suffix, tmp_path):
    name, network = donor
    path = tmp_path / f"network{suffix}"
    network.save_weights(path) if suffix == ".weights.h5" else network.save(path)
    model = build_model(name, SIZE)
    head = model.get_layer("probabilities").get_weights()
    assert load_weights(model, name, str(path)) == len(network.weights)
    assert_equal_by_layer(network, model)
    np.testing.assert_array_equal(model.get_layer("probabilities").get_weights()[0], head[0])


def test_normalization_stays_right_after_a_file_that_holds_another(tmp_path):
    network = keras.applications.EfficientNetB2(include_top=False, weights=None)
    network.save_weights(tmp_path / "b2.weights.h5")  # Mean 0 and variance 1, as random weights have them.
    model = build_model("effb2", SIZE)
    load_weights(model, "effb2", str(tmp_path / "b2.weights.h5"))
    images = np.full((1, SIZE, SIZE, 3), 100, dtype="float32")
    part = keras.Model(model.input, model.get_layer("stem_conv_pad").input)
    expected = (100 / 255 - np.array(IMAGENET_MEAN)) / np.array(IMAGENET_DEVIATION)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(part(images))[0, 0, 0], expected, rtol=1e-4)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_file_of_the_efficientnet_package_makes_the_noisy_student_graph_compute_the_same(tmp_path):
    tfkeras = pytest.importorskip("efficientnet.tfkeras", exc_type=ImportError)
    keras.utils.set_random_seed(99)
    network = tfkeras.EfficientNetB4(include_top=False, weights=None, input_shape=(SIZE, SIZE, 3))
    network.save(tmp_path / "b4.h5")
    model = build_model("effb4-ns", SIZE)
    assert load_weights(model, "effb4-ns", str(tmp_path / "b4.h5")) == len(network.weights)
    assert_equal_by_layer(network, model)
    images = np.random.default_rng(0).uniform(0, 255, (1, SIZE, SIZE, 3)).astype("float32")
    expected = keras.ops.convert_to_numpy(network(tfkeras.preprocess_input(images.copy())))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(backbone_of(model)(images)), expected, rtol=1e-3, atol=1e-5)


def test_a_whole_model_brings_its_head(compact, tmp_path):
    save_model(compact, tmp_path / "run.keras")
    other = build_model("compact", SIZE * 2, seed=2)
    assert load_weights(other, "compact", str(tmp_path / "run.keras")) == len(compact.weights)
    for expected, loaded in zip(compact.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(loaded, expected)


def test_none_loads_nothing(compact):
    before = compact.get_weights()
    assert load_weights(compact, "compact", "none") == 0
    assert all(np.array_equal(a, b) for a, b in zip(before, compact.get_weights(), strict=True))


def fail_to_fetch(fname, origin, **_):
    raise Exception(f"URL fetch failure on {origin}: None -- [Errno -2] Name or service not known")


def test_a_failed_download_names_the_url_and_the_ways_out(compact, monkeypatch):
    monkeypatch.setattr(keras.utils, "get_file", fail_to_fetch)
    # The file is asked for by the name, before the model is looked at.
    with pytest.raises(HemorrhageError) as caught:
        load_weights(compact, "resnet50", "imagenet")
    text = str(caught.value)
    for part in (PRETRAINED["resnet50"].url, "Name or service", "--weights PATH", "~/.keras/models", "--weights none"):
        assert part in text
    assert "\n" not in text


def test_a_fetched_file_is_loaded_as_a_local_one_is(monkeypatch, tmp_path):
    network = keras.applications.ResNet50(include_top=False, weights=None)
    network.save_weights(tmp_path / "cached.weights.h5")
    monkeypatch.setattr(keras.utils, "get_file", lambda *_, **__: str(tmp_path / "cached.weights.h5"))
    model = build_model("resnet50", SIZE, seed=3)
    load_weights(model, "resnet50", "imagenet")
    assert_equal_by_layer(network, model)


def test_the_noisy_student_file_is_the_one_that_efficientnet_asks_for():
    from efficientnet.weights import NS_WEIGHTS_HASHES, NS_WEIGHTS_PATH

    source = PRETRAINED["effb4-ns"]
    assert source.url == f"{NS_WEIGHTS_PATH}efficientnet-b4_noisy-student_notop.h5"
    assert source.file_hash == NS_WEIGHTS_HASHES["efficientnet-b4"][1]


def test_compact_has_no_imagenet_weights(compact):
    with pytest.raises(HemorrhageError, match="compact: expected a model with ImageNet weights"):
        load_weights(compact, "compact", "imagenet")


def test_imagenet_weights_want_three_channels():
    with pytest.raises(HemorrhageError, match=r"expected 3 channels, since ImageNet .* received 5"):
        load_weights(build_model("compact", SIZE, channels=5), "resnet50", "imagenet")


def assert_refused(model, path, *parts):
    before = model.get_weights()
    with pytest.raises(HemorrhageError) as caught:
        load_weights(model, model.name, str(path))
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    for part in parts:
        assert part in str(caught.value)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("suffix", [".weights.h5", ".h5"])
def test_the_weights_of_another_network_are_refused_before_anything_changes(compact, donor, suffix, tmp_path):
    path = tmp_path / f"other{suffix}"
    donor[1].save_weights(path) if suffix == ".weights.h5" else donor[1].save(path)
    assert_refused(compact, path, "weight arrays of compact", "is missing")


def test_a_whole_model_of_another_kind_or_head_is_refused(compact, tmp_path):
    images = keras.Input((SIZE, SIZE, 3))
    for name, path in (("resnet50", tmp_path / "kind.keras"), ("compact", tmp_path / "head.keras")):
        pooled = keras.layers.GlobalAveragePooling2D()(images)
        save_model(keras.Model(images, keras.layers.Dense(1)(pooled), name=name), path)
    assert_refused(compact, tmp_path / "kind.keras", "expected the weights of a compact model", "those of resnet50")
    assert_refused(compact, tmp_path / "head.keras", "received 2, of which 0 fit")


def test_missing_foreign_and_damaged_files_are_refused(compact, tmp_path):
    assert_refused(compact, tmp_path / "absent.keras", "no file")
    for name in ("text.h5", "text.weights.h5", "text.keras", "text.pt"):
        (tmp_path / name).write_text("not a model")
        assert_refused(compact, tmp_path / name, "expected")
    save_model(compact, tmp_path / "whole.keras")
    (tmp_path / "cut.keras").write_bytes((tmp_path / "whole.keras").read_bytes()[:50_000])
    assert_refused(compact, tmp_path / "cut.keras", "cut short")


def test_a_model_returns_with_its_optimizer_only_when_asked(compact, tmp_path):
    compact.compile(keras.optimizers.Adam(1e-3), weighted_bce)
    compact.fit(np.zeros((2, SIZE, SIZE, 3), dtype=np.uint8), np.zeros((2, 6)), verbose=0)
    save_model(compact, tmp_path / "model.keras")
    again = read_model(tmp_path / "model.keras", compiled=True)
    assert int(again.optimizer.iterations) == 1 and again.loss is weighted_bce
    assert not read_model(tmp_path / "model.keras").compiled
    assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]


def test_a_zip_that_is_no_model_is_refused(tmp_path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "other.keras", "w") as archive:
        archive.writestr("readme.txt", "nothing here")
    with pytest.raises(HemorrhageError, match="Keras cannot open"):
        read_model(tmp_path / "other.keras")


def test_backbone_shares_the_layers_of_the_model(compact):
    assert backbone_of(compact).get_layer("stem") is compact.get_layer("stem")


@pytest.mark.parametrize("name", ["compact", "resnet18", "effb0"])
def test_a_network_of_neighbors_begins_as_the_one_that_sees_slices_alone(name, tmp_path):
    alone = build_model(name, 32, seed=1)
    save_model(alone, tmp_path / "alone.keras")
    stacked = build_model(name, 32, channels=9, seed=2)
    load_weights(stacked, name, str(tmp_path / "alone.keras"), own_channels=3)
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 9), dtype=np.uint8)
    expected = alone.predict(images[..., 3:6], verbose=0)
    assert stacked.predict(images, verbose=0) == pytest.approx(expected, abs=1e-5)


def test_a_whole_network_of_neighbors_is_taken_as_it_is(tmp_path):
    before = build_model("compact", 32, channels=9, seed=1)
    save_model(before, tmp_path / "stacked.keras")
    model = build_model("compact", 32, channels=9, seed=2)
    load_weights(model, "compact", str(tmp_path / "stacked.keras"), own_channels=3)
    for ours, theirs in zip(model.get_weights(), before.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
