"""The verb studies: a run's slice predictions in, its answers for whole studies out.

The learned answer is fitted on the out-of-fold slices; what is printed of it is of patients that it was not fitted on.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from hemorrhage.data.labels import LABELS
from hemorrhage.data.metrics import constant_score, weighted_log_loss
from hemorrhage.data.studies import ANSWERS, Grouping, LearnedAnswer, fit_learned, take_truth
from hemorrhage.data.uncertainty import measure_study_answers
from hemorrhage.errors import HemorrhageError
from hemorrhage.files import read_object, replacing, write_json
from hemorrhage.pipeline.checked_tables import read_predictions
from hemorrhage.pipeline.console import Console
from hemorrhage.pipeline.out_of_fold import OutOfFold, read_out_of_fold, read_out_of_fold_hash, split_patients
from hemorrhage.pipeline.runs import Run, find_run, require_own
from hemorrhage.pipeline.score_text import format_studies


def answer_studies(name: str, console: Console) -> list[Path]:
    """Returns what was written of run `name`: studies.json and, where it has test predictions, studies.csv.

    Raises HemorrhageError where the run has no out-of-fold predictions, no labels, or those of one patient alone.
    """
    run = require_own(find_run(name))
    found = read_out_of_fold(run)
    _say_judgement(found, split_patients(found, run), console)
    learned = fit_learned(found.truth, found.probability, Grouping.build(found.slices))
    write_json(run.studies_json_path, {"out_of_fold_hash": found.hash, "learned": learned.to_json()})
    if not run.test_path.is_file():
        return [run.studies_json_path]
    table = tabulate_studies(_read_test(run, console), learned)
    with replacing(run.studies_path) as temporary:
        table.to_csv(temporary, index=False)
    return [run.studies_json_path, run.studies_path]


def read_learned(run: Run) -> LearnedAnswer | None:
    """Returns the learned answer of a run's studies.json, None where there is no such file.

    Raises HemorrhageError where the file is damaged, or of other out-of-fold predictions than the run's are now.
    """
    if not run.studies_json_path.is_file():
        return None
    advice = f"Run 'hemorrhage studies {run.folder.name}' again, or delete it."
    written = read_object(run.studies_json_path, advice)
    try:
        learned = LearnedAnswer.from_json(written.get("learned", {}))
        fitted_on, now = written.get("out_of_fold_hash"), read_out_of_fold_hash(run)
    except HemorrhageError as error:
        raise HemorrhageError(f"{run.studies_json_path}: {error} {advice}") from error
    if fitted_on != now:
        raise HemorrhageError(
            f"{run.studies_json_path}: expected an answer fitted on {run.out_of_fold_path.name} as it is now, received "
            f"one of other predictions. {advice}"
        )
    return learned


def tabulate_studies(slices: pd.DataFrame, learned: LearnedAnswer | None) -> pd.DataFrame:
    """Returns a row a series of a prediction table without gaps: ids, its number of slices, and `<label>_<answer>`.

    Without a learned answer its columns are not there.
    """
    studies = Grouping.build(slices)
    probability = slices[list(LABELS)].to_numpy(dtype=np.float64)
    answers = {name: take(probability, studies) for name, take in ANSWERS.items()}
    if learned is not None:
        answers["learned"] = learned.apply(probability, studies)
    facts = pd.DataFrame(
        {
            "series_id": studies.first_of(slices["series_id"].to_numpy()),
            "patient_id": studies.first_of(slices["patient_id"].to_numpy()),
            "slices": studies.sizes(),
        }
    )
    columns = {
        f"{label}_{name}": values[:, column] for column, label in enumerate(LABELS) for name, values in answers.items()
    }
    return pd.concat([facts, pd.DataFrame(columns)], axis=1)


def cross_learn(found: OutOfFold, folds: np.ndarray, studies: Grouping) -> np.ndarray:
    """Returns the learned answer for each study by coefficients fitted without its patients, S x 6."""
    answers = np.empty((studies.count, len(LABELS)))
    fold_of_study = studies.first_of(folds)
    for fold in np.unique(folds):
        others = folds != fold
        fitted = fit_learned(found.truth[others], found.probability[others], Grouping.build(found.slices[others]))
        answers[fold_of_study == fold] = fitted.apply(found.probability, studies)[fold_of_study == fold]
    return answers


def _say_judgement(found: OutOfFold, folds: np.ndarray, console: Console) -> None:
    studies = Grouping.build(found.slices)
    truth = take_truth(found.truth, studies)
    answers = {name: take(found.probability, studies) for name, take in ANSWERS.items()}
    answers["learned"] = cross_learn(found, folds, studies)
    figures = measure_study_answers(truth, answers, studies.first_of(found.patients))
    for line in format_studies(figures):
        console.say(line)
    losses = {name: weighted_log_loss(truth, answer) for name, answer in answers.items() if name != "majority"}
    losses["constant prevalence"] = constant_score(truth, truth.mean(axis=0))
    shown = ", ".join(f"{name} {loss:.4f}" for name, loss in losses.items())
    console.say(f"weighted log loss: {shown}")
    console.say("out of fold; the learned answer by coefficients of other patients")


def _read_test(run: Run, console: Console) -> pd.DataFrame:
    table = read_predictions(run.test_path)
    known = table[table["any"].notna()].reset_index(drop=True)
    if len(known) < len(table):
        console.warn(f"{len(table) - len(known)} of {len(table)} test slices have no prediction and are left out")
    return known
