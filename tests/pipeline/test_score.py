import json
from pathlib import Path

import numpy as np
import pytest

from hemorrhage.data.labels import LABELS, write_long
from hemorrhage.data.metrics import weighted_log_loss
from hemorrhage.errors import HemorrhageError
from hemorrhage.pipeline.score import format_score, score, score_to_json

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
