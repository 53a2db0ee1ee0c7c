"""What is attached is found in both of Kaggle's layouts, by its marks alone."""

import json
from pathlib import Path

import pandas as pd
import pytest

from hemorrhage.errors import HemorrhageError
from hemorrhage.kaggle.mounts import ROOT_VARIABLE, find_mounts, find_root
from tests.kaggle import write_kaggle_layout

SLUG = "rsna-intracranial-hemorrhage-detection"


def make_run(folder: Path, version: str = "0.1.0") -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "environment.json").write_text(json.dumps({"hemorrhage": version}))
    pd.DataFrame({"image_id": ["ID_1"], "patient_id": ["ID_p"], "fold": [0]}).to_parquet(folder / "folds.parquet")
    return folder


def make_mounts(root: Path, is_new: bool) -> dict[str, Path]:
    kinds = ("competitions", "datasets/me", "notebooks/me") if is_new else ("", "", "")
    data, wheels, outputs = (root / "input" / kind for kind in kinds)
    places = {
        "data": write_kaggle_layout(data / SLUG / SLUG, patients=1, slices=1, test_patients=1),
        "wheels": wheels / "hemorrhage-wheels",
        "store": outputs / "hemorrhage-prepare" / "store-256",
        "part": outputs / "part" / "store-256-part-0-of-2",
        "run": make_run(outputs / "hemorrhage-train" / "submissions" / "first"),
    }
    for name, mark in (("wheels", "hemorrhage_manifest.json"), ("store", "store.json"), ("part", "store-plan.json")):
        places[name].mkdir(parents=True)
        (places[name] / mark).write_text("{}")
    (places["store"] / "store-plan.json").write_text("{}")
    return places


@pytest.mark.parametrize("is_new", [True, False])
def test_each_thing_is_found_wherever_it_is_mounted(tmp_path: Path, is_new: bool) -> None:
    places = make_mounts(tmp_path, is_new)
    mounts = find_mounts(tmp_path)
    assert mounts.data_sets == (places["data"],)
    assert mounts.wheels == (places["wheels"],)
    assert mounts.stores == (places["store"],)
    assert mounts.parts == (places["part"],)
    assert mounts.runs == (places["run"],)
    assert not mounts.is_synthetic
    assert mounts.describe_layout(places["data"]) == ("input/competitions/..." if is_new else "input/<slug>")


def test_a_config_without_folds_is_no_run(tmp_path: Path) -> None:
    model = tmp_path / "input" / "some-model"
    model.mkdir(parents=True)
    (model / "config.json").write_text("{}")
    assert find_mounts(tmp_path).runs == ()


def test_folders_of_slices_are_not_looked_into(tmp_path: Path) -> None:
    places = make_mounts(tmp_path, is_new=True)
    hidden = places["data"] / "stage_2_train" / "below"
    hidden.mkdir()
    (hidden / "store.json").write_text("{}")
    assert find_mounts(tmp_path).stores == (places["store"],)


def test_a_link_that_leads_back_ends(tmp_path: Path) -> None:
    make_mounts(tmp_path, is_new=True)
    (tmp_path / "input" / "datasets" / "again").symlink_to(tmp_path / "input")
    assert len(find_mounts(tmp_path).stores) == 1


def test_phantoms_are_known_by_their_mark(tmp_path: Path) -> None:
    make_mounts(tmp_path, is_new=False)
    (tmp_path / "input" / SLUG / "phantom.json").write_text("{}")
    assert find_mounts(tmp_path).is_synthetic


def test_outside_kaggle_the_line_says_what_to_name(tmp_path: Path) -> None:
    with pytest.raises(HemorrhageError, match=f"expected the folder where Kaggle mounts .* by {ROOT_VARIABLE}"):
        find_mounts(tmp_path)


def test_the_root_is_kaggles_unless_a_variable_names_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ROOT_VARIABLE, raising=False)
    assert find_root() == Path("/kaggle")
    monkeypatch.setenv(ROOT_VARIABLE, "/elsewhere")
    assert find_root() == Path("/elsewhere")
