import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hemorrhage.ct.dicom import DicomError
from hemorrhage.data.labels import LABELS
from hemorrhage.data.layout import find_data_set
from hemorrhage.data.source import DicomSource, SliceSource
from hemorrhage.errors import HemorrhageError
from hemorrhage.files import read_json, write_json
from hemorrhage.pipeline import predict as predict_module
from hemorrhage.pipeline import predictors as predictors_module
from hemorrhage.pipeline.config import resolve_config
from hemorrhage.pipeline.console import SILENT, Console
from hemorrhage.pipeline.inputs import DicomInput, find_input
from hemorrhage.pipeline.predict import predict
from hemorrhage.pipeline.runs import Run
from hemorrhage.pipeline.studies import answer_studies
from hemorrhage.pipeline.train import train
from tests.kaggle import write_kaggle_layout
from tests.pipeline.conftest import TINY


def probabilities(path: Path) -> np.ndarray:
    return pd.read_parquet(path)[list(LABELS)].to_numpy()


def test_held_out_and_test_slices_get_a_row_each(data_folder: Path, trained: Run) -> None:
    written = predict("first", data_folder, None, None, SILENT)
    assert written == [trained.out_of_fold_path, trained.test_path]
    test = pd.read_parquet(trained.test_path)
    assert test.columns.tolist() == ["image_id", "patient_id", "series_id", "z_mm", *LABELS, "error"]
    assert test["image_id"].tolist() == sorted(path.stem for path in (data_folder / "stage_2_test").iterdir())
    assert test["z_mm"].tolist() == [0, 5, 10, 15] * 3
    assert test["error"].isna().all()


def test_the_mean_over_views_is_the_mean_of_each(data_folder: Path, trained: Run) -> None:
    predict("first", data_folder, "identity", None, SILENT)
    straight = probabilities(trained.test_path)
    predict("first", data_folder, "mirror", None, SILENT)
    mirrored = probabilities(trained.test_path)
    predict("first", data_folder, "identity,mirror", None, SILENT)
    assert np.abs(probabilities(trained.test_path) - (straight + mirrored) / 2).max() < 1e-6
    assert np.abs(straight - mirrored).max() > 0


def test_training_and_prediction_agree_whatever_the_batch_size(data_folder: Path, trained: Run) -> None:
    after_training = probabilities(trained.out_of_fold_path)
    config = read_json(trained.config_path)
    write_json(trained.config_path, config | {"batch": 3})
    predict("first", data_folder, "identity", None, SILENT)
    assert np.abs(probabilities(trained.out_of_fold_path) - after_training).max() < 1e-5


def test_folds_are_averaged_on_test_and_kept_apart_out_of_fold(data_folder: Path) -> None:
    config = resolve_config("default", TINY | {"fold": "all", "folds": 2, "epochs": 1, "tta": "identity"})
    run = train(find_input(data_folder), "all", config, False, ["test"], SILENT)
    validation = pd.concat([pd.read_parquet(run.fold(fold).validation_path(1)) for fold in range(2)])
    predict("all", data_folder, None, None, SILENT)
    out_of_fold = pd.read_parquet(run.out_of_fold_path)
    assert out_of_fold["image_id"].tolist() == validation["image_id"].tolist()
    assert np.abs(out_of_fold[list(LABELS)].to_numpy() - validation[list(LABELS)].to_numpy()).max() < 1e-5
    assert len(pd.read_parquet(run.test_path)) == 12


def test_resampling_is_corrected_in_every_prediction(data_folder: Path, trained: Run) -> None:
    predict("first", data_folder, "identity", None, SILENT)
    natural = probabilities(trained.test_path)
    facts = read_json(trained.training_path)
    write_json(trained.training_path, facts | {"keep_rates": {"negative": 0.25, "positive": 1.0, "epidural": 1.0}})
    predict("first", data_folder, "identity", None, SILENT)
    # Kept a quarter, negatives count four times: odds of any fall to a quarter. A network that has hardly learned may
    # hold an epidural bleed for likelier than any: then that is what stands against none.
    epidural, any_natural = natural[:, 0], natural[:, 5]
    any_corrected = probabilities(trained.test_path)[:, 5]
    expected = np.maximum(any_natural, epidural) / (1 - any_natural) / 4
    assert any_corrected / (1 - any_corrected) == pytest.approx(expected, rel=1e-5)


def test_an_unreadable_and_a_missing_test_slice_keep_their_place_with_the_reason(
    data_folder: Path, trained: Run
) -> None:
    files = sorted((data_folder / "stage_2_test").iterdir())
    files[1].write_text("not DICOM")
    files[5].unlink()
    predict("first", data_folder, None, None, SILENT)
    test = pd.read_parquet(trained.test_path)
    assert test["image_id"].tolist() == [path.stem for path in files]
    assert "not a DICOM file" in test["error"][1]
    assert test["error"][5] == "no such file"
    assert test["any"].isna().sum() == 2


@dataclass(frozen=True)
class OneIsUnreadable(DicomInput):
    """A data set that knows of one training slice that it cannot be read, as a store does."""

    def list_training(self, console: Console) -> pd.DataFrame:
        table = super().list_training(console)
        assert table is not None
        return table.assign(error=table["error"].mask(table["image_id"] == self.bad, "cut short"))

    def build_source(self, slices: pd.DataFrame, size: int, crop: str) -> SliceSource:
        assert self.bad not in set(slices["image_id"])
        return super().build_source(slices, size, crop)

    @property
    def bad(self) -> str:
        return str(pd.read_parquet("submissions/first/out_of_fold.parquet")["image_id"][1])


def test_a_held_out_slice_that_became_unreadable_keeps_its_place_with_the_reason(
    data_folder: Path, trained: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = OneIsUnreadable(find_data_set(data_folder))
    bad, before = found.bad, pd.read_parquet(trained.out_of_fold_path)["image_id"].tolist()
    monkeypatch.setattr(predict_module, "find_any_input", lambda folder: found)
    said: list[str] = []
    predict("first", data_folder, "identity", None, Console(said.append, said.append, SILENT.bar))
    table = pd.read_parquet(trained.out_of_fold_path)
    assert table["image_id"].tolist() == before
    assert table.loc[table["error"].notna(), ["image_id", "error"]].to_numpy().tolist() == [[bad, "cut short"]]
    assert table["any"].isna().tolist() == table["error"].notna().tolist()
    assert said == [f"1 of {len(before)} held-out slices have no prediction; first {bad}: cut short"]


def test_neighbors_that_cannot_be_decoded_are_counted_once_in_training_and_in_prediction(
    data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = DicomSource.read_codes
    # The second of four slices of a training and of a test patient: its two neighbors see themselves in its place.
    bad = {"ID_000300001", "ID_006400001"}

    def read_most(source: DicomSource, image_id: str) -> np.ndarray:
        if image_id in bad:
            raise DicomError(image_id, "a damaged stream")
        return read(source, image_id)

    monkeypatch.setattr(DicomSource, "read_codes", read_most)
    said: list[str] = []
    console = Console(said.append, said.append, SILENT.bar)
    config = resolve_config("default", TINY | {"context": "stack", "epochs": 2, "tta": "identity"})
    train(find_input(data_folder), "context", config, False, ["test"], console)
    noted = "2 slices had a neighbor that could not be read and stood in for it (first: "
    assert [line for line in said if noted in line] == [f"{noted}ID_000300000); {AUDIT}"]
    said.clear()
    predict("context", data_folder, None, None, console)
    # Patient 3 may be on the side that is not predicted.
    assert f"{noted}ID_006400000); {AUDIT}" in said
    assert sum(noted in line for line in said) <= 2


AUDIT = "'hemorrhage audit' names what cannot be read."


def test_part_of_the_data_gets_test_predictions_alone(workplace: Path, trained: Run) -> None:
    before = trained.out_of_fold_path.read_bytes()
    other = write_kaggle_layout(workplace / "other" / "input", patients=3)
    said: list[str] = []
    console = Console(say=said.append, warn=said.append, bar=SILENT.bar)
    assert predict("first", other, None, None, console) == [trained.test_path]
    assert "28 of the 40 slices of submissions/first are not in this input" in said[0]
    assert trained.out_of_fold_path.read_bytes() == before


def rename_images(folder: Path) -> Path:
    """Gives every image of a data set another id, and returns the folder."""
    for path in folder.glob("*/*.dcm"):
        path.rename(path.with_name(path.name.replace("ID_0", "ID_f")))
    for path in folder.glob("*.csv"):
        path.write_text(path.read_text().replace("ID_0", "ID_f"))
    return folder


def test_predictions_of_other_test_images_are_not_overwritten_but_go_where_out_says(
    workplace: Path, data_folder: Path, trained: Run
) -> None:
    predict("first", data_folder, "identity", None, SILENT)
    before = [path.read_bytes() for path in (trained.test_path, trained.out_of_fold_path)]
    other = rename_images(write_kaggle_layout(workplace / "other" / "input", patients=3))
    with pytest.raises(HemorrhageError, match=r"12 of images that this input does not have .* nothing was overwritten"):
        predict("first", other, "identity", None, SILENT)
    said: list[str] = []
    written = predict("first", other, "identity", workplace / "out", Console(said.append, said.append, SILENT.bar))
    assert written == [workplace / "out" / "test.parquet"]
    assert pd.read_parquet(written[0])["image_id"].str.startswith("ID_f").all()
    assert said[0].startswith("This is another data set than the run was trained on: none of the 40 slices")
    assert [path.read_bytes() for path in (trained.test_path, trained.out_of_fold_path)] == before


def test_a_test_only_data_set_is_predicted_into_the_run_without_a_warning(
    workplace: Path, data_folder: Path, trained: Run
) -> None:
    (workplace / "hidden").mkdir()
    for name in ("stage_2_test", "stage_2_sample_submission.csv"):
        shutil.move(data_folder / name, workplace / "hidden" / name)
    said: list[str] = []
    written = predict("first", workplace / "hidden", "identity", None, Console(said.append, said.append, SILENT.bar))
    assert written == [trained.test_path]
    assert said == []


def test_a_place_that_cannot_be_read_or_written_is_said_before_the_work(
    workplace: Path, data_folder: Path, trained: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predictors_module, "predict_slices", lambda *rest: pytest.fail("worked before it looked"))
    (workplace / "file").write_text("no folder")
    with pytest.raises(HemorrhageError, match="file: the folder could not be made"):
        predict("first", data_folder, None, workplace / "file", SILENT)
    with pytest.raises(HemorrhageError, match="file: the folder could not be made"):
        predict("first", data_folder / "stage_2_test", None, workplace / "file", SILENT)
    # The tests may run as root, who may do all.
    monkeypatch.setattr(os, "access", lambda path, mode: path != data_folder)
    with pytest.raises(HemorrhageError, match=r"input: .* may not read it"):
        predict("first", data_folder, None, None, SILENT)
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    with pytest.raises(HemorrhageError, match="first: expected a folder that can be written"):
        predict("first", data_folder, None, None, SILENT)


def test_any_folder_of_dicom_files_gets_tables_by_slice_and_series(
    data_folder: Path, trained: Run, workplace: Path
) -> None:
    predict("first", data_folder, "identity", None, SILENT)
    known = pd.read_parquet(trained.test_path).set_index("image_id")
    study = workplace / "study" / "deep"
    study.mkdir(parents=True)
    for path in sorted((data_folder / "stage_2_test").iterdir())[:8]:
        path.rename(study / path.stem)
    (study / "README").write_text("no slice")
    written = predict("first", workplace / "study", "identity", workplace / "out", SILENT)
    assert [path.name for path in written] == ["predictions.csv", "predictions_series.csv"]
    slices, series = (pd.read_csv(path) for path in written)
    assert len(slices) == 9
    assert slices.loc[slices["file"] == "deep/README", "error"].str.contains("not a DICOM file").all()
    readable = slices[slices["error"].isna()].set_index("file")
    assert np.abs(readable["any"].to_numpy() - known["any"].to_numpy()[:8]).max() < 1e-5
    assert series["slices"].tolist() == [4, 4]
    assert series.columns.tolist()[:6] == ["series_id", "patient_id", "slices", *ANSWERS_OF_EPIDURAL]
    grouped = readable.groupby("series_id")["any"]
    assert series["any_max"].tolist() == pytest.approx(grouped.max().tolist())
    assert series["any_noisy-or"].tolist() == pytest.approx(grouped.agg(lambda p: 1 - (1 - p).prod()).tolist())
    assert series["any_majority"].tolist() == pytest.approx(grouped.agg(lambda p: (p >= 0.5).mean()).tolist())


ANSWERS_OF_EPIDURAL = ["epidural_max", "epidural_noisy-or", "epidural_majority"]


def test_a_series_of_any_folder_gets_the_answers_that_the_run_gives_of_its_test_studies(
    data_folder: Path, trained: Run, workplace: Path
) -> None:
    predict("first", data_folder, "identity", None, SILENT)
    answer_studies("first", SILENT)
    predict("first", data_folder / "stage_2_test", "identity", workplace / "out", SILENT)
    studies, series = pd.read_csv(trained.studies_path), pd.read_csv(workplace / "out" / "predictions_series.csv")
    pd.testing.assert_frame_equal(series, studies, rtol=1e-4)
    assert "any_learned" in series
    trained.studies_json_path.write_text("{}")
    before = (workplace / "out" / "predictions.csv").read_bytes()
    with pytest.raises(HemorrhageError, match=r"studies.json: .*hemorrhage studies first' again, or delete it"):
        predict("first", data_folder / "stage_2_test", "mirror", workplace / "out", SILENT)
    assert (workplace / "out" / "predictions.csv").read_bytes() == before


def test_a_folder_of_which_no_pixel_can_be_decoded_is_told_by_file(
    data_folder: Path, trained: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(source: DicomSource, image_id: str) -> np.ndarray:
        raise DicomError(image_id, "a damaged stream")

    monkeypatch.setattr(DicomSource, "read_codes", fail)
    slices, series = predict("first", data_folder / "stage_2_test", "identity", Path("out"), SILENT)
    assert pd.read_csv(slices)["error"].tolist() == ["a damaged stream"] * 12
    assert pd.read_csv(series).empty


def test_a_folder_without_slices_is_an_error(workplace: Path, trained: Run) -> None:
    (workplace / "empty").mkdir()
    with pytest.raises(HemorrhageError, match="found none in 0 files"):
        predict("first", workplace / "empty", None, None, SILENT)


def test_views_unlike_the_training_give_a_warning(data_folder: Path, trained: Run) -> None:
    write_json(trained.config_path, read_json(trained.config_path) | {"augment": "none"})
    said: list[str] = []
    predict("first", data_folder, "identity,mirror", None, Console(said.append, said.append, SILENT.bar))
    assert "never saw the like of mirror" in said[0]


def test_unknown_runs_and_unfinished_ones_are_refused(data_folder: Path, trained: Run) -> None:
    with pytest.raises(HemorrhageError, match="there are: first"):
        predict("second", data_folder, None, None, SILENT)
    with pytest.raises(HemorrhageError, match="run name"):
        predict("../first", data_folder, None, None, SILENT)
    trained.model_path(2).unlink()
    with pytest.raises(HemorrhageError, match="--resume"):
        predict("first", data_folder, None, None, SILENT)
