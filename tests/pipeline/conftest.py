"""A data set and a trained run that the tests of the verbs share."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from hemorrhage.pipeline.config import resolve_config
from hemorrhage.pipeline.console import SILENT
from hemorrhage.pipeline.inputs import find_input
from hemorrhage.pipeline.runs import Run
from hemorrhage.pipeline.train import train
from tests.kaggle import write_kaggle_layout
from tests.network import small_network

TINY = {"model": "compact", "size": 32, "epochs": 2, "batch": 8, "folds": 3, "workers": 2}


@pytest.fixture(autouse=True, scope="package")
def compact_is_small() -> Iterator[None]:
    """Lets all tests of the verbs build a network of one convolution; those of the networks build the whole ones."""
    with small_network():
        yield


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Returns a new folder that is the current one, so that submissions/ is written there."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def data_folder(workplace: Path) -> Path:
    """Returns a small data set in Kaggle's layout; answers.csv lies beside it."""
    return write_kaggle_layout(workplace / "input")


@pytest.fixture(scope="session")
def run_trained_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the folder of a run trained for two epochs on the data of data_folder; tests get copies."""
    folder = tmp_path_factory.mktemp("trained")
    with contextlib.chdir(folder), small_network():
        data = write_kaggle_layout(folder / "input")
        train(find_input(data), "first", resolve_config("default", TINY), False, ["test"], SILENT)
    return folder / "submissions" / "first"


@pytest.fixture
def trained(data_folder: Path, run_trained_once: Path) -> Run:
    """Returns the run 'first' of the current folder, trained on data_folder."""
    shutil.copytree(run_trained_once, Path("submissions") / "first")
    return Run(Path("submissions") / "first")
