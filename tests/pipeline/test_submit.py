from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hemorrhage.data.labels import LABELS, read_probabilities
from hemorrhage.data.table import write_table
from hemorrhage.errors import HemorrhageError
from hemorrhage.files import write_json
from hemorrhage.pipeline.config import config_to_json, resolve_config
from hemorrhage.pipeline.console import SILENT, Console
from hemorrhage.pipeline.runs import Run
from hemorrhage.pipeline.submit import DEFAULT_CLIP, check_submission, submit

PREVALENCE = dict(zip(LABELS, (0.01, 0.05, 0.04, 0.03, 0.06, 0.14), strict=True))


@pytest.fixture
def run(workplace: Path) -> Run:
    """Returns a run with predictions of 2000 slices, the first of them exact 0 and 1."""
    run = Run(Path("submissions") / "first")
    write_json(run.config_path, config_to_json(resolve_config()))
    write_json(run.training_path, {"prevalence": PREVALENCE})
    write_predictions(run, unreadable=0)
    return run


def write_predictions(run: Run, unreadable: int) -> pd.DataFrame:
    values = np.random.default_rng(0).random((2000, 6))
    values[0] = [0, 1, 0, 1, 0, 1]
    values[2000 - unreadable :] = np.nan
    table = pd.DataFrame(values, columns=list(LABELS))
    table.insert(0, "image_id", [f"ID_{row:09x}" for row in range(2000)])
    table = table.assign(patient_id="p", series_id="s", z_mm=np.arange(2000.0))
    table["error"] = [None] * (2000 - unreadable) + ["cut short."] * unreadable
    write_table(run.test_path, table)
    return table


def test_a_submission_has_six_rows_a_slice_and_is_clipped(run: Run) -> None:
    submission = submit("first", None, DEFAULT_CLIP, SILENT)
    lines = submission.path.read_text().splitlines()
    assert lines[0] == "ID,Label"
    assert len(lines) == 1 + 2000 * 6
    assert lines[1:3] == ["ID_000000000_epidural,1e-06", "ID_000000000_intraparenchymal,0.999999"]
    written = read_probabilities(submission.path)[list(LABELS)].to_numpy()
    predicted = pd.read_parquet(run.test_path)[list(LABELS)].to_numpy()
    assert (written[1:] == np.clip(predicted[1:], 1e-6, 1 - 1e-6)).all()


def test_an_unreadable_slice_gets_the_prevalence_and_is_named(run: Run) -> None:
    write_predictions(run, unreadable=2)
    said: list[str] = []
    submission = submit("first", None, DEFAULT_CLIP, Console(said.append, said.append, SILENT.bar))
    assert submission.filled == ("ID_0000007ce", "ID_0000007cf")
    assert said == [f"{name} gets the training prevalence: cut short." for name in submission.filled]
    written = read_probabilities(submission.path).set_index("image_id")
    assert written.loc["ID_0000007cf"].to_dict() == PREVALENCE


def test_more_than_a_thousandth_unreadable_stops_unless_allowed(run: Run) -> None:
    write_predictions(run, unreadable=3)
    with pytest.raises(HemorrhageError, match=r"3 of 2000 test slices .* --allow-missing 3"):
        submit("first", None, DEFAULT_CLIP, SILENT)
    assert not run.submission_path.exists()
    assert len(submit("first", 3, DEFAULT_CLIP, SILENT).filled) == 3
    with pytest.raises(HemorrhageError, match="more than the 2 allowed"):
        submit("first", 2, DEFAULT_CLIP, SILENT)


def test_a_failed_check_leaves_the_old_submission(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    path = submit("first", None, DEFAULT_CLIP, SILENT).path
    before = path.read_bytes()

    def write_one_less(path: Path, image_ids: np.ndarray, values: np.ndarray) -> None:
        path.write_bytes(before[: before.rindex(b"ID_")])

    monkeypatch.setattr("hemorrhage.pipeline.submit.write_long", write_one_less)
    with pytest.raises(HemorrhageError, match="lacks any"):
        submit("first", None, DEFAULT_CLIP, SILENT)
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.glob(".submission*")] == []


def test_the_check_finds_missing_and_unknown_images(run: Run) -> None:
    path = submit("first", None, DEFAULT_CLIP, SILENT).path
    ids = np.array([f"ID_{row:09x}" for row in range(1, 2001)])
    with pytest.raises(HemorrhageError, match=r"1 missing \(ID_0000007d0\), 1 unknown \(ID_000000000\)"):
        check_submission(path, ids)


@pytest.mark.parametrize("clip", [-0.1, 0.5, float("nan")])
def test_a_clip_out_of_range_is_refused(run: Run, clip: float) -> None:
    with pytest.raises(HemorrhageError, match="clip"):
        submit("first", None, clip, SILENT)


def test_a_run_without_predictions_says_what_to_do(run: Run) -> None:
    run.test_path.unlink()
    with pytest.raises(HemorrhageError, match="hemorrhage predict"):
        submit("first", None, DEFAULT_CLIP, SILENT)
