"""A workplace with a run made by hand."""

from pathlib import Path

import pandas as pd
import pytest

from hemorrhage.report.material import Material, read_material
from tests.report.runs import make_probabilities, make_slices, write_run


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Returns a new folder that is the current one, so that submissions/ is written there."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def slices() -> pd.DataFrame:
    return make_slices()


@pytest.fixture
def material(workplace: Path, slices: pd.DataFrame) -> Material:
    """Returns what is known of the run 'first', which knows something of the truth."""
    write_run("first", slices, make_probabilities(slices))
    return read_material("first")
