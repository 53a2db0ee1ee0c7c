import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hemorrhage.cli import main
from hemorrhage.data.studies import LearnedAnswer
from hemorrhage.data.table import write_table
from hemorrhage.errors import HemorrhageError
from hemorrhage.pipeline.console import SILENT, Console
from hemorrhage.pipeline.out_of_fold import read_out_of_fold
from hemorrhage.pipeline.runs import Run
from hemorrhage.pipeline.studies import Grouping, answer_studies, cross_learn, read_learned, tabulate_studies
from tests.pipeline.test_calibrate import run

__all__ = ["run"]


def test_a_row_a_series_with_four_answers_a_label(run: Run) -> None:
    said: list[str] = []
    table = pd.read_parquet(run.test_path)
    paths = answer_studies("first", Console(said.append, said.append, SILENT.bar))
    assert paths == [run.studies_json_path, run.studies_path]
    studies = pd.read_csv(run.studies_path)
    assert len(studies) == 150
    assert studies["slices"].sum() == len(table) - 1
    assert said[-1] == "1 of 3000 test slices have no prediction and are left out"
    first = table[table["series_id"] == studies["series_id"][0]]["any"]
    assert studies["any_max"][0] == pytest.approx(first.max())
    assert studies["any_noisy-or"][0] == pytest.approx(1 - (1 - first).prod())
    assert studies["any_majority"][0] == pytest.approx((first >= 0.5).mean())
    assert max(len(line) for line in said[:-1]) <= 100
    learned = LearnedAnswer.from_json(json.loads(run.studies_json_path.read_text())["learned"])
    assert learned.coefficients.shape == (6, 3)


def test_a_run_without_test_predictions_has_its_coefficients_alone(run: Run) -> None:
    run.test_path.unlink()
    assert answer_studies("first", SILENT) == [run.studies_json_path]


def test_without_a_learned_answer_its_columns_alone_are_missing(run: Run) -> None:
    answer_studies("first", SILENT)
    table, learned = pd.read_parquet(run.test_path)[:-1], read_learned(run)
    whole, without = tabulate_studies(table, learned), tabulate_studies(table, None)
    assert whole.columns.tolist() == pd.read_csv(run.studies_path).columns.tolist()
    assert without.columns.tolist() == [name for name in whole if not name.endswith("_learned")]
    pd.testing.assert_frame_equal(without, whole[without.columns])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "expected JSON"),
        ("[]", "expected a JSON object"),
        ('{"learned": {}}', "coefficients of every label"),
        ('{"learned": [1]}', "coefficients of every label"),
    ],
)
def test_a_damaged_studies_json_is_named_with_what_to_do(text: str, message: str, run: Run) -> None:
    run.studies_json_path.write_text(text)
    with pytest.raises(HemorrhageError, match=rf"studies.json: .*{message}.*Run 'hemorrhage studies first' again"):
        read_learned(run)


def test_a_learned_answer_of_other_predictions_is_refused(run: Run) -> None:
    assert read_learned(run) is None
    answer_studies("first", SILENT)
    assert read_learned(run) is not None
    write_table(run.out_of_fold_path, pd.read_parquet(run.out_of_fold_path)[1:])
    with pytest.raises(HemorrhageError, match=r"studies.json: .* one of other predictions. Run 'hemorrhage studies"):
        read_learned(run)
    run.out_of_fold_path.unlink()
    with pytest.raises(HemorrhageError, match=r"studies.json: .*out_of_fold.parquet: expected predictions"):
        read_learned(run)


def test_the_learned_answer_is_judged_on_patients_that_it_did_not_see(run: Run) -> None:
    found = read_out_of_fold(run)
    folds = np.arange(len(found.truth)) // (len(found.truth) // 2)
    found = replace(found, truth=np.repeat(folds[:, np.newaxis], 6, axis=1))
    answers = cross_learn(found, folds, Grouping.build(found.slices))
    # Each half is answered by the other: 75 studies, all of one class.
    assert answers[:75] == pytest.approx(76 / 77)
    assert answers[75:] == pytest.approx(1 / 77)


def test_it_is_a_verb_and_its_faults_are_one_line(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["studies", "first"]) == 0
    assert f"wrote {run.studies_path}" in capfd.readouterr().out
    write_table(run.out_of_fold_path, pd.read_parquet(run.out_of_fold_path)[:0])
    assert main(["studies", "first"]) == 2
    assert len(capfd.readouterr().err.splitlines()) == 1
