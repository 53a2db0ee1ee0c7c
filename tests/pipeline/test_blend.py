"""A blend is a run like any other, of runs that held out the same patients."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hemorrhage.data.labels import LABELS
from hemorrhage.errors import HemorrhageError
from hemorrhage.files import read_json, write_json
from hemorrhage.pipeline.blend import blend_runs
from hemorrhage.pipeline.console import SILENT, Console
from hemorrhage.pipeline.predict import predict
from hemorrhage.pipeline.runs import Run
from hemorrhage.pipeline.series import train_series
from hemorrhage.pipeline.submit import submit


def probabilities(path: Path) -> np.ndarray:
    return pd.read_parquet(path)[list(LABELS)].to_numpy()


@pytest.fixture
def predicted(data_folder: Path, trained: Run) -> Run:
    """Returns the run 'first', which has predicted, beside its mirrored twin 'second'."""
    shutil.copytree(trained.folder, "submissions/second")
    config = read_json(trained.config_path)
    write_json(Path("submissions/second/config.json"), config | {"tta": "mirror"})
    write_json(trained.config_path, config | {"tta": "identity"})
    predict("first", data_folder, None, None, SILENT)
    predict("second", data_folder, None, None, SILENT)
    return trained


def test_a_blend_predicts_and_submits_like_any_other_run(data_folder: Path, predicted: Run) -> None:
    run = blend_runs("both", ["first", "second"], "mean", SILENT)
    expected = (probabilities(predicted.test_path) + probabilities(Path("submissions/second/test.parquet"))) / 2
    assert probabilities(run.test_path) == pytest.approx(expected)
    held_out = probabilities(run.out_of_fold_path)
    run.test_path.unlink()
    predict("both", data_folder, None, None, SILENT)
    assert probabilities(run.test_path) == pytest.approx(expected, abs=1e-5)
    assert probabilities(run.out_of_fold_path) == pytest.approx(held_out, abs=1e-5)
    assert submit("both", None, 1e-6, SILENT).slices == 12


def test_a_blend_may_hold_a_series_run_and_a_blend(data_folder: Path, predicted: Run) -> None:
    train_series(["first"], "stage", {"epochs": "1", "units": "4"}, SILENT)
    blend_runs("both", ["first", "second"], "weighted", SILENT)
    run = blend_runs("all", ["both", "stage"], "max", SILENT)
    before = probabilities(run.test_path)
    predict("all", data_folder, None, None, SILENT)
    assert probabilities(run.test_path) == pytest.approx(before, abs=1e-4)


def test_what_each_member_adds_is_said(predicted: Run) -> None:
    said: list[str] = []
    blend_runs("both", ["first", "second"], "weighted", Console(said.append, said.append, SILENT.bar))
    assert said[0].split()[-2:] == ["loss", "adds"]
    assert [line.split()[0] for line in said[1:4]] == ["first", "second", "weighted"]
    assert sum(line.startswith("weights ") for line in said) == 6


def test_a_slice_that_one_member_lacks_has_no_prediction(predicted: Run) -> None:
    table = pd.read_parquet(predicted.test_path)
    table.loc[2, list(LABELS)] = np.nan
    table.loc[2, "error"] = "cut short"
    table.to_parquet(predicted.test_path)
    for names in (["first", "second"], ["second", "first"]):
        found = pd.read_parquet(blend_runs("-".join(names), names, "mean", SILENT).test_path)
        assert found["any"].isna().tolist() == [place == 2 for place in range(12)]
        assert found["error"].notna().tolist() == [place == 2 for place in range(12)]


def test_runs_of_other_folds_are_refused(predicted: Run) -> None:
    folds = pd.read_parquet("submissions/second/folds.parquet")
    folds.assign(fold=(folds["fold"] + 1) % 3).to_parquet("submissions/second/folds.parquet")
    with pytest.raises(HemorrhageError, match=r"same folds, received first, second.*--folds"):
        blend_runs("both", ["first", "second"], "mean", SILENT)


@pytest.mark.parametrize(
    ("name", "names", "message"),
    [
        ("both", ["first", "first"], "each run once"),
        ("first", ["first", "second"], "this run exists"),
        ("both", ["first", "third"], "third: expected a run"),
        ("../both", ["first", "second"], "Expected a run name"),
    ],
)
def test_what_cannot_be_blended_is_refused(name: str, names: list[str], message: str, predicted: Run) -> None:
    with pytest.raises(HemorrhageError, match=message):
        blend_runs(name, names, "mean", SILENT)


def test_a_blend_never_becomes_part_of_itself(data_folder: Path, predicted: Run) -> None:
    inner = blend_runs("inner", ["first", "second"], "mean", SILENT)
    blend_runs("outer", ["inner", "first"], "mean", SILENT)
    write_json(inner.blend_json_path, read_json(inner.blend_json_path) | {"runs": ["outer", "first"]})
    with pytest.raises(HemorrhageError, match="outer: made of inner, which was trained or made anew since"):
        predict("outer", data_folder, None, None, SILENT)


def test_a_blend_that_failed_can_be_made_again(predicted: Run) -> None:
    away = predicted.test_path.with_suffix(".away")
    predicted.test_path.rename(away)
    predicted.test_path.write_bytes(b"no table")
    with pytest.raises(HemorrhageError, match=r"test.parquet: expected a table"):
        blend_runs("both", ["first", "second"], "mean", SILENT)
    away.rename(predicted.test_path)
    assert blend_runs("both", ["first", "second"], "mean", SILENT).test_path.is_file()


def test_a_training_json_without_prevalence_is_said(predicted: Run) -> None:
    write_json(predicted.training_path, {})
    with pytest.raises(HemorrhageError, match=r"training.json: expected a prevalence of each label, received None"):
        submit("first", None, None, SILENT)
