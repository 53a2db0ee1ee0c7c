"""Contact sheets: what is chosen, what a batch shows, and the words of the verb."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from hemorrhage.cli import main
from hemorrhage.data.labels import LABELS
from hemorrhage.errors import HemorrhageError
from hemorrhage.pipeline.config import resolve_config
from hemorrhage.pipeline.console import SILENT
from hemorrhage.pipeline.inputs import find_input
from hemorrhage.report.images import TILE, build_mosaic, lay_heat, read_input_slices, show_image
from hemorrhage.report.material import Material
from hemorrhage.report.sheets import choose_of_label, describe_labels, find_series, name_channels
from hemorrhage.report.showing import find_config, read_labelled
from tests.kaggle import write_kaggle_layout
from tests.report.runs import make_slices


@pytest.fixture
def data_folder(workplace: Path) -> Path:
    return write_kaggle_layout(workplace / "input", patients=6)


def test_channels_are_windows_and_with_a_stack_those_of_three_slices() -> None:
    plain = resolve_config("default", {"model": "compact", "windows": "brain,80/200"})
    assert name_channels(plain) == ["brain", "80/200"]
    stacked = resolve_config("default", {"model": "compact", "windows": "brain", "context": "stack"})
    assert name_channels(stacked) == ["brain below", "brain own", "brain above"]


def test_labels_of_an_image_in_words() -> None:
    assert describe_labels(np.array([0, 0, 0, 0, 1, 1])) == "subdural"
    assert describe_labels(np.array([0, 0.25, 0, 0, 0, 0.25])) == "0.25 intraparenchymal"
    assert describe_labels(np.zeros(6)) == "no bleed"
    assert describe_labels(np.array([0, 0, 0, 0, 0, 1])) == "any"


def test_slices_of_a_label_are_of_different_series_first() -> None:
    slices = make_slices(patients=3)
    rows = pd.concat([slices[slices["any"] == 1]])
    assert choose_of_label(slices, "any", 3)["patient_id"].nunique() == 3
    assert len(choose_of_label(slices, "any", 99)) == len(rows)
    with pytest.raises(HemorrhageError, match="none of the 12"):
        choose_of_label(slices.assign(epidural=0), "epidural", 3)


def test_a_series_is_found_by_its_id_or_its_patient() -> None:
    slices = make_slices()
    assert find_series(slices, "ID_0000000002", None)["image_id"].tolist()[0] == "ID_000200000"
    assert set(find_series(slices, None, "ID_00000003")["patient_id"]) == {"ID_00000003"}
    with pytest.raises(HemorrhageError, match="series_id of the 6 in the input"):
        find_series(slices, "ID_x", None)


def test_heat_is_laid_over_grey() -> None:
    image = np.full((1, 2, 3), 100, np.uint8)
    laid = lay_heat(image, np.array([[0.0, 1.0]]))
    assert laid[0, 0].tolist() == [100, 100, 100]
    assert laid[0, 1].tolist() == [191, 193, 139]  # 40 % of 100 and 60 % of the brightest color: 252, 255, 164


def test_a_mosaic_has_four_views_and_heat_in_the_last() -> None:
    pixels_hu = np.full((64, 64), -1000, np.int16)
    pixels_hu[8:56, 8:56] = 40
    cold, hot = build_mosaic(pixels_hu, None), build_mosaic(pixels_hu, np.ones((64, 64), np.float32))
    assert cold.shape == hot.shape == (2 * TILE, 2 * TILE, 3)
    assert (cold[:TILE] == hot[:TILE]).all() and (cold[TILE:, :TILE] == hot[TILE:, :TILE]).all()
    assert cold[TILE + TILE // 2, TILE + TILE // 2].tolist() == [128, 128, 128]
    assert hot[TILE + TILE // 2, TILE + TILE // 2].tolist() == [202, 204, 150]
    made = show_image(cold, 'a "slice"').markup
    assert made.startswith('<img src="data:image/webp;base64,') and 'alt="a &quot;slice&quot;"' in made


def test_the_slices_of_a_report_are_those_of_its_input(material: Material, data_folder: Path, tmp_path: Path) -> None:
    given = read_input_slices(data_folder, material, SILENT)
    assert len(given.facts) == 24
    assert given.read_hu("ID_000000000").shape == (given.size, given.size)
    other = write_kaggle_layout(tmp_path / "other", patients=2)
    for path in other.glob("stage_2_train/*.dcm"):
        path.rename(path.with_name(path.name.replace("ID_", "XX_")))
    with pytest.raises(HemorrhageError, match="another data set"):
        read_input_slices(other, material, SILENT)


def test_labelled_slices_are_read_from_below(data_folder: Path) -> None:
    given = read_labelled(data_folder, SILENT)
    assert given.table["z_mm"].tolist()[:4] == [0, 5, 10, 15]
    assert not given.is_synthetic
    (data_folder / "phantom.json").write_text("{}")
    assert read_labelled(data_folder, SILENT).is_synthetic


def test_a_run_has_its_own_config(material: Material, data_folder: Path) -> None:
    found = find_input(data_folder)
    assert find_config(found, "first", "default", {}).size == 32
    assert find_config(found, None, "default", {"model": "compact", "size": "64"}).size == 64
    with pytest.raises(HemorrhageError, match="leave out size"):
        find_config(found, "first", "default", {"size": 64})


@pytest.mark.parametrize(
    "words",
    [
        ["series", "input", "--patient", "ID_00000002", "--run", "first"],
        ["label", "input", "--label", "subdural", "--count", "2"],
        ["batch", "input", "--model", "compact", "--size", "32", "--set", "folds=2", "--count", "2"],
        ["batch", "input", "--run", "first", "--augment", "off", "--count", "2"],
    ],
)
def test_show_writes_a_picture(words: list[str], material: Material, data_folder: Path) -> None:
    assert main(["show", *words, "--out", "sheet.png"]) == 0
    with Image.open("sheet.png") as picture:
        assert min(picture.size) > 200


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["series", "input", "--label", "any"], "received also --label"),
        (["label", "input", "--label", "fracture"], "Expected --label out of epidural"),
        (["label", "input", "--out", "sheet.jpg"], "ends in .png"),
        (["label", "input", "--count", "0"], "--count of 1 or more"),
        (["label", "input", "--set", "size=3"], "received also --set"),
        (["batch", "input", "--run", "first", "--place", "99"], "Expected a batch from 0 to 0, received 99"),
        (["batch", "input", "--run", "first", "--epoch", "3"], "Expected an epoch from 1 to 2, received 3"),
    ],
)
def test_words_that_mean_nothing_are_refused(
    words: list[str], said: str, material: Material, data_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", *words]) == 2
    (line,) = capfd.readouterr().err.splitlines()[-1:]
    assert said in line


def test_a_batch_is_what_training_is_shown(data_folder: Path) -> None:
    from hemorrhage.data.folds import split_folds
    from hemorrhage.pipeline.inputs import build_images
    from hemorrhage.report.batches import read_batch

    given = {"model": "compact", "size": 32, "folds": 2, "augment": "geometric", "batch": 8}
    config, found = resolve_config("default", given), find_input(data_folder)
    table = found.read_training(0.0, SILENT).table.sort_values("image_id", ignore_index=True)
    batch = read_batch(found, table, split_folds(table, 2, 0), 0, config, 0, 1)
    source = build_images(found.build_source(table, 32, "none"), table, config)
    np.testing.assert_array_equal(batch.versions["plain"][0], source.read_image(batch.image_ids[0]))
    assert (batch.versions["plain"] != batch.versions["augmented"]).any()
    truth = table.set_index("image_id").loc[batch.image_ids, list(LABELS)].to_numpy()
    np.testing.assert_array_equal(batch.labels["plain"], truth)
