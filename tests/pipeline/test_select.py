"""A part of a run is a run like any other: its networks are the whole's, and what is left out does not answer."""

import contextlib
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hemorrhage.cli import main
from hemorrhage.data.labels import LABELS
from hemorrhage.errors import HemorrhageError
from hemorrhage.files import read_json, write_json
from hemorrhage.pipeline.blend import blend_runs
from hemorrhage.pipeline.calibrate import calibrate
from hemorrhage.pipeline.config import resolve_config
from hemorrhage.pipeline.console import SILENT
from hemorrhage.pipeline.inputs import find_input
from hemorrhage.pipeline.predict import predict
from hemorrhage.pipeline.runs import Run, find_run, read_folds
from hemorrhage.pipeline.select import select_part, weigh_epochs
from hemorrhage.pipeline.series import train_series
from hemorrhage.pipeline.studies import answer_studies
from hemorrhage.pipeline.submit import submit
from hemorrhage.pipeline.train import train
from tests.kaggle import write_kaggle_layout
from tests.pipeline.conftest import TINY

OF = {"fold": "all", "folds": 3, "epochs": 3, "average_epochs": "1,3", "tta": "identity,mirror"}


@pytest.fixture(scope="module")
def run_over_all_folds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    with contextlib.chdir(folder):
        data = write_kaggle_layout(folder / "input")
        train(find_input(data), "whole", resolve_config("default", TINY | OF), False, ["test"], SILENT)
        predict("whole", data, None, None, SILENT)
    return folder / "submissions" / "whole"


@pytest.fixture
def whole(data_folder: Path, run_over_all_folds: Path) -> Run:
    """Returns the run 'whole' of the current folder: three folds, epochs 2 and 3 with weights 1 and 3, predicted."""
    shutil.copytree(run_over_all_folds, Path("submissions") / "whole")
    return Run(Path("submissions") / "whole")


def probabilities(path: Path) -> np.ndarray:
    return pd.read_parquet(path).sort_values("image_id")[list(LABELS)].to_numpy()


def select_and_predict(name: str, data: Path, **what: str | None) -> Run:
    run = select_part(name, "whole", what.get("folds"), what.get("epochs"), what.get("tta"))
    predict(name, data, None, None, SILENT)
    return run


def test_an_epoch_predicts_what_its_network_alone_does(data_folder: Path, whole: Run) -> None:
    run = select_and_predict("second", data_folder, folds="1", epochs="2", tta="identity")
    validated = whole.fold(1).validation_path(2)
    assert probabilities(run.out_of_fold_path) == pytest.approx(probabilities(validated), abs=1e-5)
    assert np.abs(probabilities(run.out_of_fold_path) - probabilities(whole.fold(1).validation_path(3))).max() > 1e-4


def test_only_the_slices_of_chosen_folds_are_answered_out_of_fold(data_folder: Path, whole: Run) -> None:
    run = select_and_predict("one", data_folder, folds="1")
    table, all_of_them = pd.read_parquet(run.out_of_fold_path), pd.read_parquet(whole.out_of_fold_path)
    folds = read_folds(whole)
    assert set(table["image_id"]) == set(folds.loc[folds["fold"] == 1, "image_id"])
    expected = all_of_them.set_index("image_id").loc[table["image_id"], list(LABELS)].to_numpy()
    assert table[list(LABELS)].to_numpy() == pytest.approx(expected, abs=1e-5)
    assert len(pd.read_parquet(run.test_path)) == 12


@pytest.mark.parametrize("parts", [{"tta": ("identity", "mirror")}, {"folds": ("0", "1", "2")}])
def test_the_mean_of_the_parts_is_the_whole(parts: dict[str, tuple[str, ...]], data_folder: Path, whole: Run) -> None:
    ((what, values),) = parts.items()
    runs = [select_and_predict(value, data_folder, **{what: value}) for value in values]
    tested = [probabilities(run.test_path) for run in runs]
    assert np.mean(tested, axis=0) == pytest.approx(probabilities(whole.test_path), abs=1e-5)
    assert np.abs(tested[0] - tested[1]).max() > 1e-6
    if what == "tta":
        both = blend_runs("both", list(values), "mean", SILENT)
        for path in ("out_of_fold_path", "test_path"):
            assert probabilities(getattr(both, path)) == pytest.approx(probabilities(getattr(whole, path)), abs=1e-5)


def test_epochs_blend_to_the_whole_by_its_weights(data_folder: Path, whole: Run) -> None:
    second, third = (
        probabilities(select_and_predict(f"epoch-{epoch}", data_folder, epochs=epoch).test_path) for epoch in ("2", "3")
    )
    assert (second + 3 * third) / 4 == pytest.approx(probabilities(whole.test_path), abs=1e-5)
    again = select_and_predict("again", data_folder, epochs="3,2")
    assert probabilities(again.test_path) == pytest.approx(probabilities(whole.test_path), abs=1e-6)


def test_a_part_keeps_the_weights_of_its_run_and_epochs_of_no_weight_count_alike() -> None:
    config = resolve_config("default", TINY | OF | {"epochs": 4, "average_epochs": "1,2,4"})
    assert weigh_epochs(config, [2, 4]) == [(2, pytest.approx(0.2)), (4, pytest.approx(0.8))]
    assert weigh_epochs(config, [1, 2]) == [(1, 0.5), (2, 0.5)]


def test_every_verb_takes_it(data_folder: Path, whole: Run) -> None:
    select_part("part", "whole", "1", None, None)
    predict("part", data_folder, None, None, SILENT, embeddings=True)
    assert submit("part", None, 1e-6, SILENT).slices == 12
    assert len(calibrate("part", "temperature", SILENT)) == 2
    assert len(answer_studies("part", SILENT)) == 2
    train_series(["part"], "stage", {"epochs": "1", "units": "4", "on": "embeddings"}, SILENT)
    blended = blend_runs("blended", ["part", "stage", "whole"], "mean", SILENT)
    before = probabilities(blended.test_path)
    predict("blended", data_folder, None, None, SILENT)
    assert probabilities(blended.test_path) == pytest.approx(before, abs=1e-4)


def test_what_is_chosen_is_written_last_and_in_full(whole: Run) -> None:
    run = select_part("part", "whole", "1", None, None)
    described = read_json(run.select_json_path)
    assert described.pop("folds_hash")
    assert described.pop("networks_hash")
    assert described == {"run": "whole", "folds": [1], "epochs": {"2": 0.25, "3": 0.75}, "tta": "identity,mirror"}
    assert sorted(path.name for path in run.folder.iterdir()) == ["folds.parquet", "select.json", "training.json"]
    assert find_run("part").kind == "select"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["part", "other", "--fold", "0"], "other: expected a run"),
        (["part", "whole"], "--fold, --epochs and --tta; received none"),
        (["part", "whole", "--fold", "3"], "Expected --fold out of the folds of submissions/whole, which are 0, 1, 2"),
        (["part", "whole", "--fold", "all"], "received 'all'"),
        (["part", "whole", "--epochs", "1,3"], "saved epochs of submissions/whole, which are 2, 3; received '1,3'"),
        (["part", "whole", "--epochs", "3,3"], "received '3,3'"),
        (["part", "whole", "--epochs", ""], "received ''"),
        (["part", "whole", "--tta", "upside_down"], "identity, mirror, turn_left"),
        (["whole", "whole", "--fold", "0"], "this run exists"),
        (["../part", "whole", "--fold", "0"], "Expected a run name"),
        (["part", "@phantom", "--tta", "mirror"], "@phantom comes with the package"),
    ],
)
def test_what_cannot_be_selected_is_one_line(
    words: list[str], message: str, whole: Run, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["select", *words]) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert message in line
    assert [path.name for path in Path("submissions").glob("[!.]*")] == ["whole"]


def test_a_part_of_a_part_of_a_blend_and_of_a_series_are_refused_with_what_to_name(whole: Run) -> None:
    select_part("part", "whole", "0", None, None)
    write_json(Run(Path("submissions/stage")).series_json_path, {"runs": ["whole"]})
    write_json(Run(Path("submissions/both")).blend_json_path, {"runs": ["whole", "stage"]})
    for name, made_of in (("part", "whole"), ("stage", "whole"), ("both", "whole, stage")):
        with pytest.raises(HemorrhageError, match=rf"{name}: expected a run of .* made of: {made_of}\."):
            select_part("new", name, "0", None, None)


def test_folds_apart_have_nothing_to_blend_and_it_says_what_to_do(data_folder: Path, whole: Run) -> None:
    for fold in ("0", "1"):
        select_and_predict(fold, data_folder, folds=fold)
    with pytest.raises(HemorrhageError, match=r"received 0, 1, which have none in common.*select NAME RUN --fold 0,1"):
        blend_runs("both", ["0", "1"], "mean", SILENT)


def test_some_of_several_folds_go_together_and_their_embeddings_are_asked_for(data_folder: Path, whole: Run) -> None:
    run = select_and_predict("two", data_folder, folds="0,2")
    folds = read_folds(run).set_index("image_id")["fold"]
    assert set(folds.loc[pd.read_parquet(run.out_of_fold_path)["image_id"]]) == {0, 2}
    with pytest.raises(HemorrhageError, match=r"two.embeddings.train.json: expected what says"):
        train_series(["two"], "stage", {"on": "embeddings"}, SILENT)


def test_a_run_that_is_gone_or_was_trained_on_other_folds_is_noticed(data_folder: Path, whole: Run) -> None:
    run = select_part("part", "whole", "0", None, None)
    folds = read_folds(whole)
    folds.assign(fold=2 - folds["fold"]).to_parquet(whole.folds_path)
    with pytest.raises(HemorrhageError, match=r"whole: it is another run, .* Run 'hemorrhage select' again"):
        predict("part", data_folder, None, None, SILENT)
    shutil.rmtree(whole.folder)
    with pytest.raises(HemorrhageError, match=r"whole: expected a run"):
        predict("part", data_folder, None, None, SILENT)
    write_json(run.select_json_path, {"run": "part"})
    with pytest.raises(HemorrhageError, match=r"select.json: expected what 'select' writes.*select' again"):
        predict("part", data_folder, None, None, SILENT)


def test_a_run_of_an_older_version_is_refused_and_leaves_nothing(whole: Run) -> None:
    read_folds(whole).drop(columns=list(LABELS)).to_parquet(whole.folds_path)
    with pytest.raises(HemorrhageError, match=r"folds.parquet: expected the six labels, .* Train the run again"):
        select_part("part", "whole", "0", None, None)
    assert not Path("submissions/part").exists()


def test_nothing_is_trained_into_it(data_folder: Path, whole: Run) -> None:
    select_part("part", "whole", "0", None, None)
    with pytest.raises(HemorrhageError, match=r"part: this run exists, made by 'hemorrhage select'"):
        train(find_input(data_folder), "part", resolve_config("default", TINY), False, ["test"], SILENT)


@pytest.mark.parametrize(
    "words",
    [
        ["blend", "both", "@phantom", "whole"],
        ["calibrate", "@phantom"],
        ["studies", "@phantom"],
        ["series", "@phantom"],
        ["submit", "@phantom"],
    ],
)
def test_the_shipped_run_can_only_predict_and_says_so(
    words: list[str], whole: Run, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"hemorrhage {words[0]}: @phantom comes with the package")
    assert "'hemorrhage train' makes one" in line
