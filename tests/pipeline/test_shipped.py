"""The network that comes with the package: small, described, and ready to predict."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hemorrhage.data.labels import LABELS
from hemorrhage.errors import HemorrhageError
from hemorrhage.files import read_json
from hemorrhage.pipeline.console import SILENT
from hemorrhage.pipeline.predict import predict
from hemorrhage.pipeline.runs import SHIPPED, find_run


def test_it_is_small_and_says_what_it_is() -> None:
    folder = find_run("@phantom").folder
    assert folder == SHIPPED / "phantom"
    assert sum(path.stat().st_size for path in folder.rglob("*")) < 8_000_000
    card = (folder / "CARD.md").read_text()
    assert "Not for clinical use" in card
    assert "synthetic" in card
    assert read_json(folder / "training.json")["generator_version"] >= 3


def test_it_predicts_a_plain_folder_and_a_data_set(data_folder: Path) -> None:
    first, _ = predict("@phantom", data_folder / "stage_2_test", None, Path("out"), SILENT)
    plain = pd.read_csv(first)
    assert len(plain) == 12
    written = predict("@phantom", data_folder, None, None, SILENT)
    assert written == [Path("submissions/shipped-phantom/test.parquet")]
    values = pd.read_parquet(written[0])[list(LABELS)].to_numpy()
    assert np.isfinite(values).all()
    assert plain[list(LABELS)].to_numpy() == pytest.approx(values, abs=1e-5)


def test_an_unknown_one_is_refused_by_name(data_folder: Path) -> None:
    with pytest.raises(HemorrhageError, match="come with the package: @phantom"):
        find_run("@brain")
