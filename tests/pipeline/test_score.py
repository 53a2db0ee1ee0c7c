import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from hemorrhage.data.bootstrap import bootstrap_interval
from hemorrhage.data.labels import LABELS, write_long
from hemorrhage.data.metrics import weighted_log_loss
from hemorrhage.errors import HemorrhageError
from hemorrhage.pipeline.score import score
from hemorrhage.pipeline.score_text import format_score, score_to_json

IDS = np.array([f"ID_{row:09x}" for row in range(40)])
TRUTH = (np.random.default_rng(0).random((40, 6)) < 0.3).astype(int)
TRUTH[:, 0] = 0
PROBABILITY = np.random.default_rng(1).random((40, 6))


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    write_long(tmp_path / "submission.csv", IDS[::-1], PROBABILITY[::-1])
    write_long(tmp_path / "answers.csv", IDS, TRUTH)
    return tmp_path / "submission.csv", tmp_path / "answers.csv"


def test_rows_are_matched_by_id_and_not_by_place(files: tuple[Path, Path]) -> None:
    result = score(*files)
    assert result.weighted_log_loss == pytest.approx(weighted_log_loss(TRUTH, PROBABILITY), abs=1e-15)
    assert format_score(result).splitlines()[-1] == f"weighted log loss {result.weighted_log_loss:.5f}"


def test_undefined_figures_are_dashes_with_a_reason(files: tuple[Path, Path]) -> None:
    text = format_score(score(*files))
    row = next(line for line in text.splitlines() if line.startswith("epidural"))
    assert row.split()[-2:] == ["-", "-"]
    assert "AUC and average precision of epidural: - (no positive slice)" in text
    figures = json.loads(json.dumps(score_to_json(score(*files))))["labels"]["epidural"]
    assert figures["auc"] is None
    assert figures["undefined"] == "no positive slice"


def test_the_second_confusion_table_is_at_the_threshold_asked_for(files: tuple[Path, Path]) -> None:
    any_figures = score_to_json(score(*files, threshold=0.25))["labels"]["any"]["at_threshold"]
    called, positive = PROBABILITY[:, 5] >= 0.25, TRUTH[:, 5] == 1
    assert any_figures["threshold"] == 0.25
    assert any_figures["true_positives"] == (called & positive).sum()
    assert any_figures["specificity"] == (~called & ~positive).sum() / (~positive).sum()
    with pytest.raises(HemorrhageError, match="threshold"):
        score(*files, threshold=1.5)


def test_a_submission_with_one_row_missing_is_refused(files: tuple[Path, Path]) -> None:
    submission, answers = files
    submission.write_text("\n".join(submission.read_text().splitlines()[:-1]) + "\n")
    with pytest.raises(HemorrhageError, match="ID_000000000 lacks any"):
        score(submission, answers)


def test_a_submission_of_other_images_is_refused(files: tuple[Path, Path]) -> None:
    submission, answers = files
    write_long(submission, IDS[1:], PROBABILITY[1:])
    with pytest.raises(HemorrhageError, match=r"1 are missing \(ID_000000000\), 0 are unknown"):
        score(submission, answers)


def test_the_labels_of_the_json_are_in_order(files: tuple[Path, Path]) -> None:
    assert list(score_to_json(score(*files))["labels"]) == list(LABELS)


@pytest.fixture
def patients(tmp_path: Path) -> Path:
    """Returns a table of eight patients with two series of three and two slices, in another order and with more."""
    rows = np.arange(45)
    table = pd.DataFrame(
        {
            "image_id": [f"ID_{row:09x}" for row in rows],
            "patient_id": [f"p{row // 5}" for row in rows],
            "series_id": [f"s{row // 5}{row % 5 // 3}" for row in rows],
        }
    )
    table.iloc[::-1].to_parquet(tmp_path / "patients.parquet")
    return tmp_path / "patients.parquet"


def test_intervals_are_by_patient_where_a_table_says_whose_a_slice_is(files: tuple[Path, Path], patients: Path) -> None:
    result = score(*files, patients=patients)
    groups = np.arange(40) // 5
    expected = bootstrap_interval(groups, lambda rows: weighted_log_loss(TRUTH[rows], PROBABILITY[rows]))
    assert result.intervals.weighted_log_loss == pytest.approx(expected)
    assert result.patients == 8
    text = format_score(result).splitlines()
    assert text[0] == "40 slices of 8 patients"
    low, high = expected
    assert text[-2] == f"95 % interval {low:.5f} to {high:.5f} (1000 draws of whole patients)"
    assert text[-1] == f"weighted log loss {result.weighted_log_loss:.5f}"
    found = json.loads(json.dumps(score_to_json(result)))
    assert found["intervals"] == {"share": 0.95, "by": "patient", "rounds": 1000}
    assert found["weighted_log_loss_interval"] == pytest.approx(expected)


def test_without_a_table_the_text_says_that_intervals_are_by_slice(files: tuple[Path, Path]) -> None:
    result = score(*files)
    assert "by slice, hence too narrow; --patients TABLE" in format_score(result).splitlines()[-2]
    found = score_to_json(result)
    assert (found["patients"], found["intervals"]["by"], found["studies"]) == (None, "slice", None)


def test_studies_are_scored_where_the_table_has_series(files: tuple[Path, Path], patients: Path) -> None:
    result = score_to_json(score(*files, patients=patients))["studies"]
    starts = np.sort(np.concatenate([np.arange(0, 40, 5), np.arange(3, 40, 5)]))
    truth = np.maximum.reduceat(TRUTH, starts)[:, 5]
    expected = roc_auc_score(truth, np.maximum.reduceat(PROBABILITY, starts)[:, 5])
    assert result["studies"] == 16
    assert result["labels"]["any"]["positives"] == truth.sum()
    assert result["labels"]["any"]["max"]["auc"] == pytest.approx(expected)
    assert result["labels"]["epidural"]["noisy-or"]["auc"] is None


def test_the_text_fits_100_columns(files: tuple[Path, Path], patients: Path) -> None:
    for table in (None, patients):
        assert max(map(len, format_score(score(*files, patients=table)).splitlines())) <= 100


def test_a_csv_does_as_well_and_a_missing_patient_is_one_of_its_own(
    files: tuple[Path, Path], patients: Path, tmp_path: Path
) -> None:
    table = pd.read_parquet(patients)[["image_id", "patient_id"]]
    table.to_csv(tmp_path / "patients.csv", index=False)
    result = score(*files, patients=tmp_path / "patients.csv")
    by_parquet = score(*files, patients=patients)
    assert result.intervals.weighted_log_loss == by_parquet.intervals.weighted_log_loss
    assert result.intervals.auc["any"] == by_parquet.intervals.auc["any"]
    assert result.studies is None
    table.assign(patient_id=table["patient_id"].where(table["image_id"] != "ID_000000000")).to_csv(
        tmp_path / "patients.csv", index=False
    )
    assert score(*files, patients=tmp_path / "patients.csv").patients == 9


def test_a_table_of_other_images_is_refused(files: tuple[Path, Path], patients: Path, tmp_path: Path) -> None:
    table = pd.read_parquet(patients)
    for changed, message in (
        (table[table["image_id"] != "ID_000000003"], "1 are missing, first ID_000000003"),
        (pd.concat([table, table[:1]]), "1 are there again, first ID_00000002c"),
        (table.drop(columns=["patient_id"]), "patient_id missing"),
    ):
        changed.to_parquet(patients)
        with pytest.raises(HemorrhageError, match=message):
            score(*files, patients=patients)
    with pytest.raises(HemorrhageError, match="damaged or missing"):
        score(*files, patients=tmp_path / "none.parquet")
    with pytest.raises(HemorrhageError, match=r"none\.csv"):
        score(*files, patients=tmp_path / "none.csv")
