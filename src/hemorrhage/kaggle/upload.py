"""Uploading a run's submission: checked by the project's own checker, with a message that says where it came from."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hemorrhage.commit import abbreviate
from hemorrhage.data.labels import read_probabilities
from hemorrhage.data.layout import find_any_data_set
from hemorrhage.data.metrics import weighted_log_loss
from hemorrhage.data.table import read_table
from hemorrhage.errors import HemorrhageError
from hemorrhage.files import read_json
from hemorrhage.kaggle.client import Answer, Call
from hemorrhage.kaggle.names import COMPETITION
from hemorrhage.pipeline.out_of_fold import read_out_of_fold
from hemorrhage.pipeline.runs import Run, find_run, list_members, require_own
from hemorrhage.pipeline.submit import check_submission

TEST_IMAGES = 121_232
"""Of stage 2: a submission has six rows for each of them."""

_FAILED = "Could not submit to competition"
"""What the client returns, instead of raising, where the file did not arrive."""


def plan_upload(name: str, input_folder: Path | None, warn: Callable[[str], None]) -> Call:
    """Returns the call that uploads submissions/NAME/submission.csv, after checking the file.

    Its images must be those of the sample submission under `input_folder`, or where that is None those of the run's
    test predictions. Raises HemorrhageError for a run, file or list of images that is missing, and for a faulty file.
    """
    run = require_own(find_run(name))
    path = run.submission_path
    if not path.is_file():
        raise HemorrhageError(f"{path}: expected a submission, found none. Run 'hemorrhage submit {name}' first.")
    check_submission(path, _list_images(run, input_folder))
    if run.test_path.is_file() and run.test_path.stat().st_mtime > path.stat().st_mtime:
        warn(f"{path} is older than {run.test_path}: 'hemorrhage submit {name}' would write it anew.")
    return Call(
        what=f"upload {path}",
        method="competition_submit",
        arguments={"file_name": str(path), "message": write_message(run, warn), "competition": COMPETITION},
        files=(path,),
        if_forbidden=f"Accept the rules once at https://www.kaggle.com/competitions/{COMPETITION}/rules.",
        if_unknown="Does the competition still take late submissions?",
    )


def _list_images(run: Run, input_folder: Path | None) -> Any:
    if input_folder is not None:
        data_set = find_any_data_set(input_folder)
        if data_set is None or data_set.sample_csv is None:
            raise HemorrhageError(f"{input_folder}: expected stage_2_sample_submission.csv below it, found none.")
        return read_probabilities(data_set.sample_csv)["image_id"].to_numpy()
    if not run.test_path.is_file():
        raise HemorrhageError(
            f"{run.test_path}: expected the run's test predictions to check the submission against, found none. Name "
            "the folder with stage_2_sample_submission.csv by --input."
        )
    return read_table(run.test_path)["image_id"].to_numpy()


def require_competition(path: Path) -> None:
    """Raises HemorrhageError unless the submission has as many images as the competition's test set."""
    images = len(read_probabilities(path))
    if images != TEST_IMAGES:
        raise HemorrhageError(
            f"{path}: expected the {TEST_IMAGES:,} images of the competition's test set, received {images:,}: "
            "Kaggle would refuse it. Predict the competition's own test slices."
        )


def warn_of_refusal(path: Path, warn: Callable[[str], None]) -> None:
    """Warns of what require_competition would refuse, for a dry run, which goes on."""
    try:
        require_competition(path)
    except HemorrhageError as error:
        warn(f"without a dry run this stops here: {error}")


def write_message(run: Run, warn: Callable[[str], None]) -> str:
    """Returns the words that stand beside the submission on Kaggle: run, commit and out-of-fold score.

    A score that cannot be worked out keeps no submission back: `warn` is told why.
    """
    commits = sorted(find_commits(run))
    commit = f"commit {', '.join(commits)}" if commits else "commit not known"
    return f"{run.folder.name}, {commit}, {_describe_score(run, warn)}"


def find_commits(run: Run) -> set[str]:
    """Returns the commits that a run, or the runs that it was made of, were trained at, 12 digits each."""
    if run.kind != "train":
        return {commit for name in list_members(run) for commit in find_commits(find_run(name))}
    if not run.environment_path.is_file():
        return set()
    commit = read_json(run.environment_path).get("commit")
    return {abbreviate(str(commit))} if commit else set()


def _describe_score(run: Run, warn: Callable[[str], None]) -> str:
    try:
        found = read_out_of_fold(run)
    except HemorrhageError as error:
        warn(f"the out-of-fold score is not known: {error}")
        return "out-of-fold score not known"
    return f"out-of-fold {weighted_log_loss(found.truth, found.probability):.5f} on {len(found.truth):,} slices"


def describe_upload(call: Call, answer: Answer) -> str:
    """Returns Kaggle's words on the submission; raises HemorrhageError where the file did not arrive."""
    message = str(getattr(answer.value, "message", "") or "")
    if not message or message == _FAILED:
        reason = f" (the client says: {answer.said})" if answer.said else ""
        raise HemorrhageError(f"Could not {call.what}: the file did not arrive{reason}. Try again.")
    return f"{message}\nscores: https://www.kaggle.com/competitions/{COMPETITION}/submissions"
