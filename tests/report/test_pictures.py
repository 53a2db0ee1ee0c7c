"""Figures: what they are drawn from is right, they are PNG, and phantoms are named as such."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from hemorrhage.ct.dicom import Header, to_hounsfield
from hemorrhage.data.labels import LABELS
from hemorrhage.data.table import scan_slices
from hemorrhage.report.choosing import choose_examples, choose_series, join_labels
from hemorrhage.report.counts import count_together, draw_labels
from hemorrhage.report.course import draw_course
from hemorrhage.report.gallery import draw_examples, draw_series, draw_tiles
from hemorrhage.report.headers import draw_groups, draw_repair, unrepair
from hemorrhage.report.picture import Picture, render
from tests.conftest import HEADER
from tests.kaggle import write_kaggle_layout


def require_picture(picture: Picture) -> None:
    image = Image.open(io.BytesIO(picture._repr_png_()))
    assert image.format == "PNG" and min(image.size) > 50
    assert len({value for _, value in image.convert("RGB").getcolors(1 << 20)}) > 2
    assert repr(picture) == f"[picture: {picture.words}]"


@pytest.fixture
def labels() -> pd.DataFrame:
    truth = np.zeros((4, 6), dtype=int)
    truth[0, [0, 4, 5]] = truth[1, [4, 5]] = 1
    return pd.DataFrame(truth, columns=list(LABELS)).assign(image_id=[f"ID_{place}" for place in range(4)])


@pytest.fixture
def slices(tmp_path: Path) -> pd.DataFrame:
    data = write_kaggle_layout(tmp_path / "data", patients=6, slices=4, test_patients=1)
    scanned = scan_slices(sorted((data / "stage_2_train").glob("*.dcm")))
    long = pd.read_csv(data / "stage_2_train.csv")
    long[["image_id", "label"]] = long["ID"].str.rsplit("_", n=1, expand=True).to_numpy()
    labels = long.pivot(index="image_id", columns="label", values="Label").reset_index()
    return join_labels(scanned, labels)


def test_labels_that_come_together_by_hand(labels: pd.DataFrame) -> None:
    shares = count_together(labels)
    assert shares.loc["epidural", "subdural"] == 1.0
    assert shares.loc["subdural", "epidural"] == 0.5
    assert shares.loc["any", "subdural"] == 1.0
    assert np.isnan(shares.loc["subarachnoid"]).all()


def test_the_unrepaired_slice_is_what_a_plain_reader_makes_of_the_file() -> None:
    stored = np.array([[0, 1, 3095, 3096, 4095]], dtype=np.uint16)
    for intercept in (0.0, 1.0):
        header = Header(
            **(HEADER.__dict__ | {"bits_stored": 12, "pixel_representation": 0, "rescale_intercept": intercept})
        )
        assert header.is_wrapped
        np.testing.assert_array_equal(unrepair(to_hounsfield(stored, header), intercept), stored + int(intercept))


def test_charts_of_tables(labels: pd.DataFrame, slices: pd.DataFrame) -> None:
    require_picture(draw_labels(labels, synthetic=True))
    require_picture(draw_groups(slices, slices.head(3), synthetic=True))
    require_picture(draw_groups(slices, slices.head(0), synthetic=False))
    require_picture(draw_repair(None, synthetic=False))
    require_picture(draw_repair(slices.iloc[0], synthetic=True))


def test_galleries_of_slices(slices: pd.DataFrame) -> None:
    require_picture(draw_examples(choose_examples(slices, 2), synthetic=True))
    require_picture(draw_series(choose_series(slices, 8), synthetic=True))
    require_picture(draw_tiles([np.zeros((8, 8), np.uint8)] * 7, list("abcdefg"), "tiles", synthetic=False))


def test_the_course_of_a_training_and_of_one_not_begun() -> None:
    rows = [{"epoch": str(epoch), "loss": "0.2", "validation": "0.3", "constant": "0.4"} for epoch in (1, 2)]
    require_picture(draw_course({"fold-0": rows, "fold-1": []}, synthetic=True))
    assert draw_course({"first": []}, synthetic=False).words == "weighted log loss of 0 networks by epoch"


def test_a_picture_is_written_whole(tmp_path: Path) -> None:
    picture = render(Figure(figsize=(2, 2)), "nothing")
    picture.write(tmp_path / "nothing.png")
    assert (tmp_path / "nothing.png").read_bytes() == picture.png
