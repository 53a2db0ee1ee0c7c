"""A submission is checked, and goes up with a message that says where it came from."""

import math
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from hemorrhage.data.labels import write_long
from hemorrhage.errors import HemorrhageError
from hemorrhage.files import write_json
from hemorrhage.kaggle.__main__ import main
from hemorrhage.kaggle.client import Answer
from hemorrhage.kaggle.upload import describe_upload, find_commits, plan_upload
from hemorrhage.pipeline.runs import Run
from tests.kaggle_room.conftest import COMMIT, IMAGES


def refuse_warnings(text: str) -> None:
    raise AssertionError(text)


def test_the_message_names_run_commit_and_score(run: Run) -> None:
    message = plan_upload("first", None, refuse_warnings).arguments["message"]
    assert message == f"first, commit {COMMIT[:12]}, out-of-fold {math.log(2):.5f} on 4 slices"


def test_a_score_that_is_not_there_is_said_so(run: Run) -> None:
    run.out_of_fold_path.unlink()
    write_json(run.environment_path, {"commit": None})
    said: list[str] = []
    call = plan_upload("first", None, said.append)
    assert call.arguments["message"] == "first, commit not known, out-of-fold score not known"
    assert len(said) == 1
    assert "out_of_fold.parquet: expected predictions" in said[0]


def test_a_blend_has_the_commits_of_its_members(run: Run) -> None:
    second, blend = Run(Path("submissions/second")), Run(Path("submissions/both"))
    write_json(second.config_path, {})
    write_json(second.environment_path, {"commit": f"{'f' * 40}-dirty"})
    write_json(blend.blend_json_path, {"runs": ["first", "second"]})
    assert find_commits(blend) == {COMMIT[:12], f"{'f' * 12}-dirty"}


def test_a_missing_faulty_or_foreign_submission_is_refused(run: Run) -> None:
    whole = run.submission_path.read_text()
    run.submission_path.write_text(whole[: whole.rindex("ID_")])
    with pytest.raises(HemorrhageError, match="lacks any"):
        plan_upload("first", None, refuse_warnings)
    run.submission_path.write_text(whole.replace("ID_000000000_", "ID_00000000f_"))
    with pytest.raises(HemorrhageError, match="1 unknown"):
        plan_upload("first", None, refuse_warnings)
    run.submission_path.unlink()
    with pytest.raises(HemorrhageError, match="Run 'hemorrhage submit first' first"):
        plan_upload("first", None, refuse_warnings)


def test_the_sample_submission_stands_in_for_the_test_table(run: Run) -> None:
    run.test_path.unlink()
    with pytest.raises(HemorrhageError, match="--input"):
        plan_upload("first", None, refuse_warnings)
    Path("input").mkdir()
    with pytest.raises(HemorrhageError, match=r"expected stage_2_sample_submission\.csv"):
        plan_upload("first", Path("input"), refuse_warnings)
    ids = np.array([f"ID_{row:09x}" for row in range(IMAGES + 1)])
    write_long(Path("input/stage_2_sample_submission.csv"), ids, np.full((IMAGES + 1, 6), 0.5))
    with pytest.raises(HemorrhageError, match="1 missing"):
        plan_upload("first", Path("input"), refuse_warnings)
    write_long(Path("input/stage_2_sample_submission.csv"), ids[:-1], np.full((IMAGES, 6), 0.5))
    assert plan_upload("first", Path("input"), refuse_warnings).files == (run.submission_path,)


def test_predictions_newer_than_the_submission_are_warned_of(run: Run) -> None:
    os.utime(run.submission_path, (0, 0))
    said: list[str] = []
    plan_upload("first", None, said.append)
    assert "is older than" in said[0]


def test_other_images_than_the_competitions_stop_before_the_network(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["upload", "first"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "expected the 121,232 images" in line
    assert "received 4" in line


def test_a_dry_run_shows_message_and_hash_and_warns(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["upload", "first", "--dry-run"]) == 0
    shown = capsys.readouterr()
    assert "KaggleApi.competition_submit" in shown.out
    assert f"message: first, commit {COMMIT[:12]}, out-of-fold 0.69315 on 4 slices" in shown.out
    assert f"submission.csv  {run.submission_path.stat().st_size:,} bytes  sha256 " in shown.out
    assert shown.out.endswith("nothing was sent\n")
    assert "without a dry run this stops here" in shown.err


def test_a_file_that_did_not_arrive_is_an_error(run: Run) -> None:
    call = plan_upload("first", None, refuse_warnings)
    assert describe_upload(call, Answer(SimpleNamespace(message="Successfully submitted"), "")).startswith("Success")
    with pytest.raises(HemorrhageError, match=r"did not arrive .*Connection refused"):
        describe_upload(call, Answer(SimpleNamespace(message="Could not submit to competition"), "Connection refused"))
