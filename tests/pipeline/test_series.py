"""The second stage as a run: what it learns from, whom it answers for, and that it predicts like any other run."""

import contextlib
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hemorrhage.data.labels import LABELS
from hemorrhage.errors import HemorrhageError
from hemorrhage.files import read_object, write_json
from hemorrhage.pipeline.blend import blend_runs
from hemorrhage.pipeline.config import resolve_config
from hemorrhage.pipeline.console import SILENT
from hemorrhage.pipeline.inputs import find_input
from hemorrhage.pipeline.predict import predict
from hemorrhage.pipeline.runs import Run, find_run, read_folds
from hemorrhage.pipeline.second_stage import Mixture, SeriesConfig, fit_mixture, see_predictions
from hemorrhage.pipeline.select import select_part
from hemorrhage.pipeline.series import (
    Answers,
    cross_fit,
    gather_embeddings,
    gather_probabilities,
    smooth_held_out,
    train_series,
)
from hemorrhage.pipeline.submit import submit
from hemorrhage.pipeline.train import train
from tests.kaggle import write_kaggle_layout
from tests.pipeline.conftest import TINY

QUICK = {"epochs": "2", "units": "4", "model": "conv"}


@pytest.fixture
def folded(data_folder: Path, run_over_all_folds: Path) -> Run:
    """Returns the run 'all' of the current folder: two folds, predicted, with embeddings."""
    shutil.copytree(run_over_all_folds, Path("submissions") / "all")
    return Run(Path("submissions") / "all")


@pytest.fixture(scope="module")
def run_over_all_folds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("folded")
    with contextlib.chdir(folder):
        data = write_kaggle_layout(folder / "input")
        config = resolve_config("default", TINY | {"fold": "all", "folds": 2, "epochs": 1})
        train(find_input(data), "all", config, False, ["test"], SILENT)
        predict("all", data, None, None, SILENT, embeddings=True)
    return folder / "submissions" / "all"


@pytest.fixture(scope="module")
def run_of_series(tmp_path_factory: pytest.TempPathFactory, run_over_all_folds: Path) -> Path:
    folder = tmp_path_factory.mktemp("second")
    with contextlib.chdir(folder):
        shutil.copytree(run_over_all_folds, Path("submissions") / "all")
        train_series(["all"], "second", QUICK, SILENT)
    return folder / "submissions" / "second"


@pytest.fixture
def second(folded: Run, run_of_series: Path) -> Run:
    """Returns the run 'second' of the current folder, a second stage on the predictions of the run 'all'."""
    shutil.copytree(run_of_series, Path("submissions") / "second")
    return Run(Path("submissions") / "second")


def probabilities(path: Path) -> np.ndarray:
    return pd.read_parquet(path).sort_values("image_id")[list(LABELS)].to_numpy()


@pytest.mark.parametrize(("on", "model"), [("probabilities", "conv"), ("embeddings", "gru")])
def test_a_series_run_predicts_and_submits_like_any_other(on: str, model: str, data_folder: Path, folded: Run) -> None:
    run = train_series(["all"], "second", QUICK | {"on": on, "model": model}, SILENT)
    held_out, test = probabilities(run.out_of_fold_path), probabilities(run.test_path)
    assert np.isfinite(held_out).all()
    assert len(test) == 12
    run.out_of_fold_path.unlink()
    run.test_path.unlink()
    predict("second", data_folder, None, None, SILENT)
    assert probabilities(run.out_of_fold_path) == pytest.approx(held_out, abs=1e-4)
    assert probabilities(run.test_path) == pytest.approx(test, abs=1e-4)
    assert submit("second", None, 1e-6, SILENT).slices == 12


@pytest.mark.parametrize("gather", [gather_probabilities, gather_embeddings])
def test_no_patient_is_on_both_sides(gather, folded: Run) -> None:
    answered: list[str] = []
    for material in gather([folded], SeriesConfig()):
        learned_from = set(material.train.table["patient_id"])
        assert learned_from
        assert not learned_from & set(material.held_out.table["patient_id"])
        answered += material.held_out.table["image_id"].tolist()
    assert sorted(answered) == sorted(read_folds(folded)["image_id"])


def test_a_selected_fold_has_a_series_model_on_its_embeddings(data_folder: Path, folded: Run) -> None:
    select_part("one", "all", "1", None, None)
    predict("one", data_folder, None, None, SILENT, embeddings=True)
    (material,) = gather_embeddings([find_run("one")], SeriesConfig())
    assert material.fold == 1
    assert set(material.held_out.table["image_id"]) == set(read_folds(folded).query("fold == 1")["image_id"])


def test_embeddings_are_of_the_network_that_did_not_see_the_patients(folded: Run) -> None:
    out_of_fold = pd.read_parquet(folded.out_of_fold_path).set_index("image_id")
    for material in gather_embeddings([folded], SeriesConfig()):
        expected = out_of_fold.loc[material.held_out.table["image_id"], list(LABELS)].to_numpy()
        assert material.held_out.probabilities == pytest.approx(expected, abs=1e-5)
        assert len(material.held_out.views) == 2


def test_a_run_with_one_fold_splits_its_held_out_patients(data_folder: Path, trained: Run) -> None:
    predict("first", data_folder, None, None, SILENT)
    held_out = read_folds(trained).query("fold == 0")
    parts = list(gather_probabilities([trained], SeriesConfig()))
    assert len(parts) == held_out["patient_id"].nunique()
    run = train_series(["first"], "second", QUICK, SILENT)
    assert sorted(pd.read_parquet(run.out_of_fold_path)["image_id"]) == sorted(held_out["image_id"])
    before = probabilities(run.out_of_fold_path)
    predict("second", data_folder, None, None, SILENT)
    assert probabilities(run.out_of_fold_path) == pytest.approx(before, abs=1e-4)


def test_slices_that_could_not_be_read_stay_without_a_prediction(folded: Run) -> None:
    table = pd.read_parquet(folded.test_path)
    table.loc[3, list(LABELS)] = np.nan
    table.loc[3, "error"] = "cut short"
    table.to_parquet(folded.test_path)
    run = train_series(["all"], "second", QUICK, SILENT)
    found = pd.read_parquet(run.test_path)
    assert found["image_id"].tolist() == table["image_id"].tolist()
    assert found["error"].dropna().tolist() == ["cut short"]
    assert found["any"].isna().tolist() == [place == 3 for place in range(12)]


def one_series(patients: int, slices: int) -> pd.DataFrame:
    patient = np.repeat(np.arange(patients), slices).astype(str)
    z_mm = np.tile(np.arange(slices) * 5.0, patients)
    ids = [f"i{row:04d}" for row in range(patients * slices)]
    return pd.DataFrame({"image_id": ids, "patient_id": patient, "series_id": patient, "z_mm": z_mm})


def test_each_label_gets_what_is_best_for_it() -> None:
    table = one_series(10, 8)
    truth = np.tile(np.repeat([[1], [0]], 8, axis=0), (5, 6))
    good, bad = np.where(truth, 0.9, 0.1), np.where(truth, 0.4, 0.6)
    slices, series = good.copy(), bad.copy()
    slices[:, 2], series[:, 2] = bad[:, 2], good[:, 2]
    mixture = fit_mixture(truth, table, slices, series)
    assert mixture.weights[2] == pytest.approx([0, 0, 1], abs=1e-3)
    assert mixture.weights[[0, 1, 3, 4, 5], 2] == pytest.approx(0, abs=1e-3)
    assert mixture.weights.sum(axis=1) == pytest.approx(1)


def test_noise_along_a_series_is_smoothed_away() -> None:
    table = one_series(40, 12)
    truth = np.tile(np.repeat([[1], [0]], 12, axis=0), (20, 6))
    rng = np.random.default_rng(0)
    slices = np.clip(np.where(truth, 0.7, 0.3) + rng.normal(0, 0.25, truth.shape), 0.02, 0.98)
    mixture = fit_mixture(truth, table, slices, np.full(truth.shape, 0.5))
    assert (mixture.sigmas_mm >= 10).all()
    assert (mixture.weights[:, 1] > 0.9).all()


def test_no_fold_has_a_say_in_its_own_mixture() -> None:
    table = one_series(10, 8)
    truth = np.tile(np.repeat([[1], [0]], 8, axis=0), (5, 6))
    folds = np.repeat(np.arange(5) % 2, 16)
    good, bad = np.where(truth, 0.9, 0.1), np.where(truth, 0.4, 0.6)
    # The series model is good in fold 0 alone: of that fold 1 learns, and fold 0 learns of fold 1 that it is bad.
    series = np.where(folds[:, np.newaxis] == 0, good, bad)
    mixtures = cross_fit(Answers(table, 1 - series, series), truth, folds, SILENT)
    assert mixtures[0].weights[:, 2] == pytest.approx(0, abs=1e-3)
    assert mixtures[1].weights[:, 2] == pytest.approx(1, abs=1e-3)


def test_a_fold_is_smoothed_by_the_widths_of_others() -> None:
    table = one_series(2, 3)
    output = np.tile(np.array([[0.2], [0.8], [0.2]]), (2, 6))
    folds = np.array([0, 0, 0, 1, 1, 1])
    weights = np.full((6, 3), 1 / 3)
    mixtures = {0: Mixture(np.zeros(6), weights), 1: Mixture(np.full(6, 5.0), weights)}
    smoothed = smooth_held_out(Answers(table, output, output), folds, mixtures)
    assert smoothed[:3] == pytest.approx(output[:3])
    assert (smoothed[4] < 0.7).all()
    assert (smoothed[[3, 5]] > 0.25).all()


def test_two_runs_are_seen_side_by_side() -> None:
    table = pd.DataFrame({"image_id": ["a", "b"], "patient_id": "p", "series_id": "s", "z_mm": [0.0, 5.0]})
    one = table.assign(**dict.fromkeys(LABELS, 0.2))
    other = table.assign(**{label: [0.4, np.nan] for label in LABELS})
    seen = see_predictions([one, other])
    assert seen.table["image_id"].tolist() == ["a"]
    assert seen.probabilities == pytest.approx(0.3)
    assert seen.views[0].features.shape == (1, 12)


def test_runs_of_other_folds_do_not_go_together(data_folder: Path, folded: Run, trained: Run) -> None:
    with pytest.raises(HemorrhageError, match=r"same folds, received all, first"):
        train_series(["all", "first"], "second", QUICK, SILENT)


def test_a_member_trained_anew_is_refused_on_the_same_folds_too(data_folder: Path, folded: Run, second: Run) -> None:
    blend_runs("mixed", ["all", "second"], "mean", SILENT)
    select_part("part", "all", "0", None, None)
    network = folded.fold(0).model_path(1)
    kept = network.read_bytes()
    shutil.copy(folded.fold(1).model_path(1), network)
    for name in ("second", "mixed", "part"):
        with pytest.raises(HemorrhageError, match=r"trained (or made )?anew since"):
            predict(name, data_folder, None, None, SILENT)
    network.write_bytes(kept)
    table = read_folds(folded)
    table.assign(fold=1 - table["fold"]).to_parquet(folded.folds_path)
    for name in ("second", "mixed"):
        with pytest.raises(HemorrhageError, match=r"made of all, which was trained anew on other folds"):
            predict(name, data_folder, None, None, SILENT)


def test_a_lost_series_model_and_a_damaged_description_are_said(data_folder: Path, second: Run) -> None:
    run = second
    kept = run.series_path(1).read_bytes()
    run.series_path(1).unlink()
    with pytest.raises(HemorrhageError, match="expected the series model of fold 1"):
        predict("second", data_folder, None, None, SILENT)
    run.series_path(1).write_bytes(kept)
    described = read_object(run.series_json_path, "")
    broken = {"sigmas_mm": [0.0] * 6, "weights": [[1.0, 0.0]] * 6}
    for damage, message in (
        ({"mixtures": [1]}, "expected the mixture of fold 0, received None"),
        ({"mixtures": {"0": {"weights": []}}}, "expected the mixture of fold 0, received KeyError 'sigmas_mm'"),
        ({"mixtures": {"0": broken}}, r"received sigmas and weights of the shapes \(\(6,\), \(6, 2\)\)"),
        ({"settings": None}, "expected settings, found none"),
        ({"networks": {}}, r"series.json: expected a hash of the networks of each of all, received \{\}"),
    ):
        write_json(run.series_json_path, described | damage)
        with pytest.raises(HemorrhageError, match=f"{message}.*Run 'hemorrhage series' again"):
            predict("second", data_folder, None, None, SILENT)
    write_json(run.series_json_path, described)
    pd.DataFrame({"image_id": ["ID_1"], "fold": ["0"]}).to_parquet(run.stage_folds_path)
    with pytest.raises(HemorrhageError, match=r"stage_folds.parquet: expected image_id and, in whole numbers, fold"):
        predict("second", data_folder, None, None, SILENT)


def test_runs_without_a_slice_in_common_are_refused(data_folder: Path, folded: Run) -> None:
    for fold in ("0", "1"):
        select_part(f"part{fold}", "all", fold, None, None)
        predict(f"part{fold}", data_folder, None, None, SILENT)
    with pytest.raises(HemorrhageError, match="which have none in common"):
        train_series(["part0", "part1"], "second", QUICK, SILENT)
    with pytest.raises(HemorrhageError, match="each run once"):
        train_series(["all", "all"], "third", QUICK, SILENT)


def test_what_is_missing_is_said(folded: Run) -> None:
    shutil.rmtree(folded.folder / "embeddings")
    with pytest.raises(HemorrhageError, match=r"train.json: expected what says.* --embeddings"):
        train_series(["all"], "second", QUICK | {"on": "embeddings"}, SILENT)
    folded.out_of_fold_path.unlink()
    with pytest.raises(HemorrhageError, match=r"out_of_fold.parquet: expected predictions"):
        train_series(["all"], "second", QUICK, SILENT)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": "lstm"}, "model to be one of gru"),
        ({"units": "2"}, "units to be a value from 4"),
        ({"unit": "8"}, "Did you mean units"),
        ({"on": "pixels"}, "on to be one of probabilities"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, str], message: str, folded: Run) -> None:
    with pytest.raises(HemorrhageError, match=message):
        train_series(["all"], "second", settings, SILENT)


def test_a_run_is_not_overwritten_and_only_trained_runs_are_taken(second: Run) -> None:
    with pytest.raises(HemorrhageError, match="this run exists"):
        train_series(["all"], "second", QUICK, SILENT)
    with pytest.raises(HemorrhageError, match="found one made of other runs"):
        train_series(["second"], "third", QUICK, SILENT)
    assert find_run("second").folder.name == "second"


def series_on_embeddings(name: str = "second") -> Run:
    return train_series(["all"], name, QUICK | {"on": "embeddings"}, SILENT)


def test_embeddings_that_were_cut_short_are_refused(data_folder: Path, folded: Run) -> None:
    kept = folded.folder / "embeddings"
    (kept / "test.json").rename(kept / "test.away")
    with pytest.raises(HemorrhageError, match=r"embeddings of test slices were cut short.*--embeddings again"):
        series_on_embeddings()
    (kept / "test.away").rename(kept / "test.json")
    write_json(kept / "test.json", {"folds": [0], "views": ["identity", "mirror"]})
    with pytest.raises(HemorrhageError, match=r"test.json: expected folds \[0, 1\], received \[0\]"):
        series_on_embeddings()
    predict("all", data_folder, "identity", None, SILENT, embeddings=True)
    assert {path.name for path in kept.glob("fold-0/*.npy")} == {"train-identity.npy", "test-identity.npy"}
    assert read_object(series_on_embeddings().series_json_path, "")["tta"] == "identity"


def test_parts_in_other_views_are_refused(folded: Run) -> None:
    write_json(folded.folder / "embeddings" / "test.json", {"folds": [0, 1], "views": ["identity"]})
    with pytest.raises(HemorrhageError, match=r"expected the views of train.json, identity, mirror; received identity"):
        series_on_embeddings()
    write_json(folded.folder / "embeddings" / "test.json", {"folds": []})
    with pytest.raises(HemorrhageError, match=r"test.json: expected folds and views, received \[\] and \[\]"):
        series_on_embeddings()


def test_features_that_are_no_table_are_refused(folded: Run) -> None:
    np.save(folded.folder / "embeddings" / "fold-0" / "train-mirror.npy", np.array(1.0))
    with pytest.raises(HemorrhageError, match=r"train-mirror.npy: expected \d+ rows of features, received \(\)"):
        series_on_embeddings()


def test_predictions_of_slices_that_no_fold_knows_are_refused(folded: Run) -> None:
    table = pd.read_parquet(folded.out_of_fold_path)
    table.loc[1, "image_id"] = "ID_unknown"
    table.to_parquet(folded.out_of_fold_path)
    with pytest.raises(HemorrhageError, match=r"out_of_fold.parquet: expected slices of .*first ID_unknown"):
        train_series(["all"], "second", QUICK, SILENT)
    assert not Path("submissions/second").exists()
