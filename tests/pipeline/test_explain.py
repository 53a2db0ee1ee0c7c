"""A run's maps: of the networks that are asked, on the slice as it is, beside the run's own probabilities."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hemorrhage.ct.dicom import read_slice
from hemorrhage.data.labels import LABELS
from hemorrhage.data.sampling import NATURAL
from hemorrhage.data.table import scan_slices
from hemorrhage.data.views import parse_views
from hemorrhage.errors import HemorrhageError
from hemorrhage.models.backbones import build_model
from hemorrhage.models.inference import Member
from hemorrhage.models.saliency import explain_images, open_explainable
from hemorrhage.pipeline.blend import BlendPredictor, Recipe
from hemorrhage.pipeline.config import Config, resolve_config
from hemorrhage.pipeline.console import SILENT
from hemorrhage.pipeline.explain import Explainer, RunMaps, _Part, list_network_predictors, open_explainer
from hemorrhage.pipeline.one_slice import open_files
from hemorrhage.pipeline.predictors import NetworkPredictor
from hemorrhage.pipeline.runs import find_run
from tests.kaggle import write_kaggle_layout

CONFIG = resolve_config("default", {"model": "compact", "size": 32, "workers": 1, "batch": 4})


@pytest.fixture(scope="module")
def slices(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Four slices, 5 mm apart, of one series; the last file is cut short after it was scanned."""
    data = write_kaggle_layout(tmp_path_factory.mktemp("explain") / "data", patients=1, test_patients=1)
    paths = sorted((data / "stage_2_train").glob("*.dcm"))
    table = scan_slices(paths)
    paths[-1].write_bytes(paths[-1].read_bytes()[:-600])
    return table


def network_predictor(config: Config, seeds: tuple[int, ...]) -> NetworkPredictor:
    """A run of untrained networks, one a fold."""
    channels = 9 if config.context == "stack" else 3
    networks = {
        fold: [Member(build_model("compact", config.size, channels, seed=seed), 1.0, NATURAL)]
        for fold, seed in enumerate(seeds)
    }
    return NetworkPredictor(config, networks, parse_views("identity"), SILENT)


def open_part(predictor: NetworkPredictor) -> _Part:
    explaining = {
        fold: [(open_explainable(member.model), member.weight) for member in members]
        for fold, members in predictor.networks.items()
    }
    return _Part(predictor, explaining)


@pytest.fixture(scope="module")
def two_folds() -> Explainer:
    predictor = network_predictor(CONFIG, (1, 2))
    return Explainer(predictor, (open_part(predictor),), "")


def explain_alone(explainer: Explainer, fold: int, slices: pd.DataFrame, image_id: str) -> np.ndarray:
    """The maps of one fold's network for one slice, without the explainer."""
    predictor = explainer.parts[0].predictor
    image = predictor.open_images(slices, open_files).read_image(image_id)
    return explain_images(predictor.networks[fold][0].model, image[np.newaxis], LABELS)[0]


def test_a_run_of_folds_gives_the_mean_and_a_fold_its_own(two_folds: Explainer, slices: pd.DataFrame) -> None:
    ids = slices["image_id"].tolist()[:2]
    first, second = (explain_alone(two_folds, fold, slices, ids[1]) for fold in (0, 1))
    of_all = two_folds.explain(slices, open_files, ids)
    np.testing.assert_allclose(of_all.layers[0].maps[1], (first + second) / 2, atol=1e-5)
    of_second = two_folds.explain(slices, open_files, ids, fold=1)
    np.testing.assert_allclose(of_second.layers[0].maps[1], second, atol=1e-5)
    with pytest.raises(HemorrhageError, match=r"fold out of \[0, 1\], received 2"):
        two_folds.explain(slices, open_files, ids, fold=2)


def test_probabilities_are_those_of_predict(two_folds: Explainer, slices: pd.DataFrame) -> None:
    ids = slices["image_id"].tolist()[1:3][::-1]
    whole = two_folds.predictor.predict(slices, open_files, "slices").set_index("image_id")
    some = two_folds.predict(slices, open_files, ids)
    assert some["image_id"].tolist() == ids
    np.testing.assert_allclose(some[list(LABELS)], whole.loc[ids, list(LABELS)], atol=1e-6)
    held_out = two_folds.predictor.predict_held_out(slices.assign(fold=1), open_files).set_index("image_id")
    of_fold = two_folds.predict(slices, open_files, ids, fold=1)
    np.testing.assert_allclose(of_fold[list(LABELS)], held_out.loc[ids, list(LABELS)], atol=1e-6)


def test_a_slice_that_cannot_be_read_is_named_and_the_others_are_explained(
    two_folds: Explainer, slices: pd.DataFrame
) -> None:
    ids = slices["image_id"].tolist()
    maps = two_folds.explain(slices, open_files, ids, ["any"], "grad-cam++")
    assert maps.image_ids == tuple(ids[:3]) and list(maps.unreadable) == [ids[3]]
    with pytest.raises(HemorrhageError, match=f"{ids[3]}: expected a slice with maps"):
        maps.at(ids[3], 32)
    with pytest.raises(HemorrhageError, match="first 'ID_other'"):
        two_folds.explain(slices, open_files, [ids[0], "ID_other"])


def test_neighbors_enter_a_map_of_the_slice_in_the_middle(slices: pd.DataFrame) -> None:
    predictor = network_predictor(replace(CONFIG, context="stack"), (1,))
    explainer = Explainer(predictor, (open_part(predictor),), "")
    image_id = slices["image_id"][1]
    assert explainer.needs_series
    maps = explainer.explain(slices, open_files, [image_id])
    np.testing.assert_allclose(maps.layers[0].maps[0], explain_alone(explainer, 0, slices, image_id), atol=1e-5)
    alone = explainer.explain(slices.iloc[[1]], open_files, [image_id])
    assert np.abs(maps.layers[0].maps - alone.layers[0].maps).max() > 1e-3


def test_a_blend_of_crops_meets_on_the_slice_alone(slices: pd.DataFrame) -> None:
    whole, cropped = network_predictor(CONFIG, (1,)), network_predictor(replace(CONFIG, crop="head"), (2,))
    blend = BlendPredictor([whole, BlendPredictor([cropped], Recipe("mean"))], Recipe("mean"))
    assert list_network_predictors(blend) == [whole, cropped]
    explainer = Explainer(blend, (open_part(whole), open_part(cropped)), "note")
    image_id = slices["image_id"][0]
    pixels_hu = read_slice(Path(slices["path"][0])).pixels_hu
    maps = explainer.explain(slices.iloc[:3], open_files, [image_id])
    parts = [RunMaps((image_id,), LABELS, (layer,), {}, "").on(image_id, pixels_hu) for layer in maps.layers]
    np.testing.assert_allclose(maps.on(image_id, pixels_hu), (parts[0] + parts[1]) / 2, atol=1e-6)
    assert explainer.needs_series and maps.note == "note"
    with pytest.raises(HemorrhageError, match="head, none"):
        maps.at(image_id, 32)


def test_the_shipped_run_explains(slices: pd.DataFrame) -> None:
    explainer = open_explainer(find_run("@phantom"), None, SILENT)
    image_id = slices["image_id"][1]
    maps = explainer.explain(slices, open_files, [image_id])
    assert maps.at(image_id, 128).shape == (6, 128, 128) and not explainer.needs_series and maps.note == ""
    assert maps.on(image_id, read_slice(Path(slices["path"][1])).pixels_hu).shape == (6, 48, 48)
