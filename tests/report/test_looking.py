"""Where networks look, in a report: by the network that did not learn from the patient, or in words why not."""

from pathlib import Path

import numpy as np

from hemorrhage.data.labels import LABELS
from hemorrhage.files import write_json
from hemorrhage.models.backbones import build_model
from hemorrhage.models.saliency import explain_images
from hemorrhage.models.weights import save_model
from hemorrhage.pipeline.console import SILENT
from hemorrhage.pipeline.inputs import build_images, find_input
from hemorrhage.report.images import read_input_slices
from hemorrhage.report.looking import look_at
from hemorrhage.report.material import Material
from tests.kaggle import write_kaggle_layout
from tests.report.runs import CONFIG


def test_without_networks_the_reason_is_said(material: Material, workplace: Path) -> None:
    slices = read_input_slices(write_kaggle_layout(workplace / "input", patients=6), material, SILENT)
    heat, why = look_at(material, ["ID_000000001"], slices, SILENT)
    assert heat is None
    assert why.startswith("What the networks looked at is not shown: submissions/first/fold-0: expected the models")


def test_a_slice_is_explained_by_the_network_of_its_fold(material: Material, workplace: Path) -> None:
    data = write_kaggle_layout(workplace / "input", patients=6)
    networks = [build_model("compact", 32, seed=fold) for fold in (0, 1)]
    for fold, network in enumerate(networks):
        save_model(network, material.run.fold(fold).model_path(2))
        keep_rates = {"negative": 1.0, "positive": 1.0, "epidural": 1.0}
        write_json(material.run.fold(fold).training_path, {"keep_rates": keep_rates})
    slices = read_input_slices(data, material, SILENT)
    heat, why = look_at(material, ["ID_000000001", "ID_000100001", "ID_elsewhere"], slices, SILENT)
    assert heat is not None and why == ""
    assert heat("ID_elsewhere", "any") is None
    source = build_images(find_input(data).build_source(slices.facts, 32, "none"), slices.facts, CONFIG)
    for fold, image_id in enumerate(["ID_000000001", "ID_000100001"]):
        places = explain_images(networks[fold], source.read_image(image_id)[np.newaxis], LABELS)[0]
        for column, label in enumerate(LABELS):
            drawn = heat(image_id, label)
            assert drawn is not None and drawn.shape == (slices.size, slices.size)
            # Laid out over more pixels, a map keeps its mean.
            np.testing.assert_allclose(drawn.mean(), places[column].mean(), atol=0.02)
