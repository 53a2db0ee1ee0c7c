import contextlib
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pydicom
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import RLELossless

from hemorrhage.data.labels import LABELS
from hemorrhage.data.layout import find_data_set
from hemorrhage.errors import HemorrhageError
from hemorrhage.files import read_json
from hemorrhage.models.backbones import MODELS
from hemorrhage.models.residual import build_compact
from hemorrhage.models.weights import read_model
from hemorrhage.pipeline import fitting, segments
from hemorrhage.pipeline.config import resolve_config
from hemorrhage.pipeline.console import SILENT, Console
from hemorrhage.pipeline.inputs import DicomInput, find_input
from hemorrhage.pipeline.making import locking
from hemorrhage.pipeline.runs import Run, averaged_epochs, read_config, require_same_folds
from hemorrhage.pipeline.schedule import learning_rate_at
from hemorrhage.pipeline.segments import Deadline, TimeIsUp
from hemorrhage.pipeline.slices import TrainingSlices
from hemorrhage.pipeline.train import train
from tests.kaggle import write_kaggle_layout
from tests.pipeline.conftest import TINY

WHOLE: dict[str, object] = {"deterministic": True, "checkpoint_steps": 2}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Returns a run that was never stopped; 26 slices in batches of 8 are 4 steps an epoch, two a segment."""
    folder = tmp_path_factory.mktemp("whole")
    with contextlib.chdir(folder):
        run_training(write_kaggle_layout(folder / "input"), "whole", **WHOLE)
    return Run(folder / "submissions" / "whole")


@pytest.fixture(scope="module")
def over_two_folds(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Returns a run over both of two folds, of one epoch."""
    folder = tmp_path_factory.mktemp("below")
    with contextlib.chdir(folder):
        run_training(write_kaggle_layout(folder / "input"), "below", fold="all", folds=2, epochs=1)
    return Run(folder / "submissions" / "below")


def run_training(data_folder: Path, name: str = "first", resume: bool = False, **flags: object) -> Run:
    return train(find_input(data_folder), name, resolve_config("default", TINY | flags), resume, ["test"], SILENT)


def begin(data_folder: Path, name: str = "first", console: Console = SILENT, **flags: object) -> Run:
    """A run that is stopped before its first step: all that depends on the data alone is written and said by then."""
    with pytest.raises(TimeIsUp, match="epoch 0 of"):
        config = resolve_config("default", TINY | flags)
        train(find_input(data_folder), name, config, False, ["test"], console, Deadline(at=0))
    return Run(Path("submissions") / name)


def listening() -> tuple[Console, list[str]]:
    said: list[str] = []
    return Console(say=said.append, warn=said.append, bar=SILENT.bar), said


def test_a_run_folder_holds_what_is_needed_to_understand_it(trained: Run) -> None:
    config = read_config(trained)
    assert config == resolve_config("default", TINY)
    assert read_json(trained.environment_path)["command"] == ["test"]
    history = pd.read_csv(trained.history_path)
    assert history["epoch"].tolist() == [1, 2]
    assert history["validation"].between(0, 5).all()
    assert len(list(trained.tensorboard_folder.glob("events*"))) == 2
    assert trained.saved_epochs() == [2]
    folds = pd.read_parquet(trained.folds_path)
    out_of_fold = pd.read_parquet(trained.out_of_fold_path)
    assert set(out_of_fold["image_id"]) == set(folds.loc[folds["fold"] == 0, "image_id"])
    assert out_of_fold[list(LABELS)].notna().all(axis=None)


def test_training_lowers_the_loss_on_a_task_this_plain(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODELS, "compact", build_compact)
    run = run_training(data_folder, epochs=12, dropout=0, augment="none")
    history = pd.read_csv(run.history_path)
    assert history["loss"].iloc[-1] < 0.5 * history["loss"].iloc[0]


def test_an_existing_run_is_not_overwritten(data_folder: Path, trained: Run) -> None:
    before = trained.history_path.read_bytes()
    with pytest.raises(HemorrhageError, match="this run exists"):
        run_training(data_folder)
    assert trained.history_path.read_bytes() == before


def test_a_run_is_resumed_with_its_own_config_alone(data_folder: Path, trained: Run) -> None:
    with pytest.raises(HemorrhageError, match="epochs was 2 and is 3"):
        run_training(data_folder, resume=True, epochs=3)
    assert run_training(data_folder, resume=True) == trained


@dataclass(frozen=True)
class Marked(DicomInput):
    """A data set whose slices up to a height are marked as near-empty, as a store's --min-head does."""

    up_to_mm: float

    def read_training(self, max_missing: float, console: Console) -> TrainingSlices:
        slices = super().read_training(max_missing, console)
        return replace(slices, table=slices.table.assign(is_near_empty=slices.table["z_mm"] <= self.up_to_mm))


def test_a_run_is_resumed_with_its_own_labels_and_near_empty_marks_alone(data_folder: Path, trained: Run) -> None:
    config, marked = resolve_config("default", TINY), Marked(find_data_set(data_folder), up_to_mm=0)
    with pytest.raises(HemorrhageError, match="changed since: is_skipped of 10 slices"):
        train(marked, "first", config, True, ["test"], SILENT)
    csv = data_folder / "stage_2_train.csv"
    # One more positive slice of a patient who has them already: the folds stay as they were.
    csv.write_text(csv.read_text().replace("ID_000000000_any,0", "ID_000000000_any,1"))
    with pytest.raises(HemorrhageError, match="changed since: any of 1 slice"):
        run_training(data_folder, resume=True)


def test_all_slices_marked_near_empty_is_an_error_that_names_the_flag(data_folder: Path) -> None:
    marked = Marked(find_data_set(data_folder), up_to_mm=1000)
    with pytest.raises(HemorrhageError, match="near-empty by the store's --min-head"):
        train(marked, "first", resolve_config("default", TINY), False, ["test"], SILENT)


def test_skipped_slices_are_counted(data_folder: Path) -> None:
    console, said = listening()
    marked = Marked(find_data_set(data_folder), up_to_mm=0)
    with pytest.raises(TimeIsUp):
        train(marked, "first", resolve_config("default", TINY), False, ["test"], console, Deadline(at=0))
    assert "10 marked near-empty are skipped in training" in said[0]


def test_an_interrupted_run_resumes_to_the_same_weights(
    data_folder: Path, whole: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A checkpoint after each segment of two steps: stopped in the second of the second epoch.
    words = WHOLE | {"checkpoint_minutes": 0}
    fit, begun = segments._fit, []

    def interrupt(model: keras.Model, *rest: object) -> float:
        begun.append(model)
        if len(begun) == 4:
            raise KeyboardInterrupt
        return fit(model, *rest)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(segments, "_fit", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run_training(data_folder, "cut", **words)
    with pytest.raises(HemorrhageError, match="this run exists"):
        run_training(data_folder, "cut", **words)
    cut = run_training(data_folder, "cut", resume=True, **words)
    assert_equal_runs(cut, whole)


def test_a_run_that_runs_out_of_time_again_and_again_ends_with_the_same_weights(data_folder: Path, whole: Run) -> None:
    stops = []
    for attempt in range(20):
        try:
            config = resolve_config("default", TINY | WHOLE)
            train(find_input(data_folder), "cut", config, attempt > 0, ["test"], SILENT, OverAtSecondLook())
        except TimeIsUp as stop:
            stops.append(str(stop))
        else:
            break
    # Each start does one segment of two steps; an epoch's last one is followed by its validation.
    assert stops == ["epoch 1, step 2 of 4", "epoch 1 of 2", "epoch 2, step 2 of 4"]
    assert_equal_runs(Run(Path("submissions/cut")), whole)


class OverAtSecondLook(Deadline):
    """A deadline that has passed when it is looked at for the second time."""

    looks = 0

    @property
    def is_over(self) -> bool:
        object.__setattr__(self, "looks", self.looks + 1)
        return self.looks > 1


def assert_equal_runs(one: Run, other: Run) -> None:
    assert one.saved_epochs() == other.saved_epochs()
    assert not list(one.folder.glob("checkpoint/*"))
    last = one.saved_epochs()[-1]
    for ours, theirs in zip(
        read_model(one.model_path(last)).get_weights(), read_model(other.model_path(last)).get_weights(), strict=True
    ):
        assert (ours == theirs).all()
    ours, theirs = (pd.read_csv(run.history_path) for run in (one, other))
    assert ours["loss"].tolist() == pytest.approx(theirs["loss"].tolist(), rel=1e-6)
    assert ours["slices"].tolist() == theirs["slices"].tolist()


def test_all_folds_are_trained_and_their_held_out_slices_make_the_whole(over_two_folds: Run) -> None:
    run = over_two_folds
    assert sorted(path.name for path in run.folder.glob("fold-*")) == ["fold-0", "fold-1"]
    out_of_fold = pd.read_parquet(run.out_of_fold_path)
    assert sorted(out_of_fold["image_id"]) == sorted(pd.read_parquet(run.folds_path)["image_id"])


def test_a_seed_changes_the_network_and_not_whom_it_learns_from(data_folder: Path) -> None:
    one, other = (run_training(data_folder, name=f"run{seed}", epochs=1, seed=seed) for seed in range(2))
    dealt_anew = begin(data_folder, name="run2", fold_seed=1)
    require_same_folds([one, other])
    with pytest.raises(HemorrhageError, match="received run0, run2"):
        require_same_folds([one, dealt_anew])
    first, second = (pd.read_parquet(run.validation_path(1))["any"] for run in (one, other))
    assert (first - second).abs().max() > 1e-3


def test_the_last_epochs_are_kept_and_averaged_by_weight(data_folder: Path) -> None:
    run = run_training(data_folder, epochs=3, average_epochs="1,3")
    assert run.saved_epochs() == [2, 3]
    assert averaged_epochs(run, read_config(run)) == [(2, 0.25), (3, 0.75)]
    second, third = (pd.read_parquet(run.validation_path(epoch))[list(LABELS)].to_numpy() for epoch in (2, 3))
    averaged = pd.read_parquet(run.out_of_fold_path)[list(LABELS)].to_numpy()
    assert np.abs(averaged - (0.25 * second + 0.75 * third)).max() < 1e-12


def test_unreadable_and_missing_slices_are_left_out_and_said(data_folder: Path) -> None:
    files = sorted((data_folder / "stage_2_train").iterdir())
    files[0].write_text("not DICOM")
    files[1].unlink()
    console, said = listening()
    run = begin(data_folder, console=console)
    assert "38 slices of 10 patients; 2 missing or unreadable left out" in said[0]
    left_out = pd.read_csv(run.unreadable_path).set_index("image_id")["error"]
    assert "not a DICOM file" in left_out[files[0].stem]
    assert left_out[files[1].stem] == "no such file"


def test_half_of_the_files_missing_is_an_error(data_folder: Path) -> None:
    for path in sorted((data_folder / "stage_2_train").iterdir())[::2]:
        path.unlink()
    with pytest.raises(HemorrhageError, match="20 of 40 labelled slices are missing"):
        run_training(data_folder)
    assert not Path("submissions/first").exists()


def test_a_fold_without_a_label_is_said(data_folder: Path) -> None:
    path = data_folder / "stage_2_train.csv"
    path.write_text(path.read_text().replace("_epidural,1", "_epidural,0"))
    console, said = listening()
    begin(data_folder, console=console)
    assert any("no epidural among the validation slices" in line for line in said)


def test_limit_takes_whole_patients(data_folder: Path) -> None:
    run = begin(data_folder, limit=18)
    folds = pd.read_parquet(run.folds_path)
    assert folds.groupby("patient_id").size().tolist() == [4, 4, 4, 4]


def test_steps_bound_the_batches_of_an_epoch(data_folder: Path) -> None:
    run = run_training(data_folder, steps=2, epochs=1)
    assert pd.read_csv(run.history_path)["slices"].tolist() == [16]


def test_the_rates_of_a_resampled_fold_are_kept(data_folder: Path) -> None:
    run = begin(data_folder, draw="balance-any")
    facts = read_json(run.training_path)
    any_share = facts["prevalence"]["any"]
    assert facts["keep_rates"]["negative"] == pytest.approx(any_share / (1 - any_share))
    assert facts["keep_rates"]["positive"] == 1


def test_learning_rates_of_frozen_and_free_epochs() -> None:
    config = resolve_config(
        "default", {"freeze_epochs": 1, "freeze_learning_rate": 0.01, "learning_rate": 0.1, "learning_rate_decay": 0.5}
    )
    assert [learning_rate_at(config, epoch) for epoch in range(4)] == pytest.approx([0.01, 0.1, 0.05, 0.025])


def test_only_the_head_learns_in_frozen_epochs(data_folder: Path) -> None:
    frozen = run_training(data_folder, "frozen", epochs=1, freeze_epochs=1)
    untrained = fitting.start_model(Run(Path("nowhere")), resolve_config("default", TINY), 0)
    trained = read_model(frozen.model_path(1))
    changed = {
        layer.name
        for layer in trained.layers
        for ours, theirs in zip(layer.get_weights(), untrained.get_layer(layer.name).get_weights(), strict=True)
        if (ours != theirs).any()
    }
    assert changed == {"probabilities"}


def test_a_loss_that_is_no_number_stops_the_run(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The small network bears any rate.
    monkeypatch.setitem(MODELS, "compact", build_compact)
    with pytest.raises(HemorrhageError, match="learning_rate"):
        run_training(data_folder, learning_rate=10, precision="mixed_float16", epochs=3)


def test_a_run_that_has_not_finished_an_epoch_may_begin_anew_with_other_words(data_folder: Path) -> None:
    with pytest.raises(HemorrhageError, match="ImageNet weights"):
        run_training(data_folder, weights="imagenet")
    run = begin(data_folder, weights="none")
    assert read_config(run).weights == "none"


def test_a_failed_beginning_leaves_a_run_that_predict_calls_unfinished(data_folder: Path) -> None:
    csv = data_folder / "stage_2_train.csv"
    csv.write_text(csv.read_text().replace(",1", ",0"))
    with pytest.raises(HemorrhageError, match="with and without"):
        run_training(data_folder, draw="balance-any")
    assert not Run(Path("submissions/first")).config_path.exists()


def test_two_trainings_of_one_run_do_not_mix(data_folder: Path) -> None:
    with locking(Run(Path("submissions/first"))), pytest.raises(HemorrhageError, match="another process"):
        run_training(data_folder)


def test_models_without_their_config_are_not_adopted(data_folder: Path, trained: Run) -> None:
    trained.config_path.unlink()
    with pytest.raises(HemorrhageError, match="this run exists"):
        run_training(data_folder)


def test_slices_that_only_decoding_shows_to_be_unreadable_are_named(data_folder: Path) -> None:
    for path in sorted((data_folder / "stage_2_train").iterdir())[:2]:
        dataset = pydicom.dcmread(path)
        dataset.compress(RLELossless, generate_instance_uid=False)
        dataset.PixelData = encapsulate([b"\0" * 70])
        dataset.save_as(path, enforce_file_format=False)
    console, said = listening()
    config = resolve_config("default", TINY | {"epochs": 1, "batch": 1})
    run = train(find_input(data_folder), "first", config, False, ["test"], console)
    assert any("2 slices could not be decoded" in line for line in said)
    assert pd.read_csv(run.unreadable_path)["image_id"].tolist() == ["ID_000000000", "ID_000000001"]


def test_random_weights_are_never_frozen() -> None:
    assert resolve_config("default", {"weights": "none"}).freeze_epochs == 0
    assert resolve_config("default", {"weights": "none", "freeze_epochs": 1}).freeze_epochs == 1
    assert resolve_config("default").freeze_epochs == 1


def test_context_begins_with_the_network_of_slices_of_the_same_fold(data_folder: Path, over_two_folds: Run) -> None:
    below = over_two_folds
    context = {"context": "stack", "weights": str(below.folder), "fold": "all", "folds": 2, "epochs": 1}
    run = run_training(data_folder, name="stacked", **context, learning_rate=1e-9)
    for fold in range(2):
        alone = pd.read_parquet(below.fold(fold).validation_path(1))
        stacked = pd.read_parquet(run.fold(fold).validation_path(1))
        # At such a rate only the norms' means move.
        assert stacked["image_id"].tolist() == alone["image_id"].tolist()
        assert read_model(run.fold(fold).model_path(1)).input_shape[-1] == 9


def test_one_fold_begins_with_that_fold_of_a_run_over_all(data_folder: Path, over_two_folds: Run) -> None:
    below = over_two_folds
    again = {"weights": str(below.folder), "fold": "1", "folds": 2, "epochs": 1, "learning_rate": 1e-9}
    run = run_training(data_folder, name="above", **again)
    ours, theirs = (
        read_model(one.model_path(1)).get_layer("probabilities").get_weights()[0] for one in (run, below.fold(1))
    )
    assert ours == pytest.approx(theirs, abs=1e-6)


def test_weights_that_have_seen_the_held_out_patients_are_refused(data_folder: Path, trained: Run) -> None:
    below = trained
    with pytest.raises(HemorrhageError, match=r"have learned from \d+ of the \d+ patients that fold 1"):
        run_training(data_folder, name="second", fold="1", epochs=1, weights=str(below.folder))
    run_training(data_folder, name="third", fold="0", epochs=1, weights=str(below.folder))
    (below.folder.parent / "link").symlink_to(below.folder.resolve())
    for weights in (below.model_path(2), below.folder.parent / "link"):
        with pytest.raises(HemorrhageError, match="have learned from"):
            run_training(data_folder, name="fourth", fold="1", epochs=1, weights=str(weights))
