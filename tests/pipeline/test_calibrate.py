import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hemorrhage.cli import main
from hemorrhage.data.calibration import Scaling
from hemorrhage.data.labels import LABELS, read_probabilities
from hemorrhage.data.table import write_table
from hemorrhage.errors import HemorrhageError
from hemorrhage.files import write_json
from hemorrhage.pipeline.calibrate import calibrate
from hemorrhage.pipeline.calibration_file import read_calibration
from hemorrhage.pipeline.config import config_to_json, resolve_config
from hemorrhage.pipeline.console import SILENT, Console
from hemorrhage.pipeline.runs import Run
from hemorrhage.pipeline.submit import submit

SERIES, SLICES = 150, 20
PREVALENCE = dict(zip(LABELS, (0.01, 0.05, 0.04, 0.03, 0.06, 0.14), strict=True))
TWICE_TOO_SURE = Scaling(2.0, 0.0)


def draw_slices(first: int = 0) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Returns the ids of slices, the chance that each label is positive, and a draw of the labels."""
    rng = np.random.default_rng(first)
    count = SERIES * SLICES
    series = np.repeat(np.arange(first, first + SERIES), SLICES)
    chance = 1 / (1 + np.exp(-rng.normal(-1.5, 1.0, (count, 6))))
    slices = pd.DataFrame(
        {
            "image_id": [f"ID_{row:09x}" for row in range(first, first + count)],
            "patient_id": [f"p{one:04d}" for one in series],
            "series_id": [f"s{one:04d}" for one in series],
            "z_mm": np.tile(np.arange(SLICES) * 5.0, SERIES),
        }
    )
    return slices, chance, (rng.random((count, 6)) < chance).astype(np.int8)


def predict(slices: pd.DataFrame, probability: np.ndarray) -> pd.DataFrame:
    values = pd.DataFrame(probability, columns=list(LABELS))
    return pd.concat([slices, values], axis=1).assign(error=None)


def label(slices: pd.DataFrame, truth: np.ndarray) -> pd.DataFrame:
    return pd.concat([slices[["image_id", "patient_id"]], pd.DataFrame(truth, columns=list(LABELS))], axis=1)


@pytest.fixture
def run(workplace: Path) -> Run:
    """Returns a run whose log odds are twice the true ones."""
    run = Run(Path("submissions") / "first")
    write_json(run.config_path, config_to_json(resolve_config()))
    write_json(run.training_path, {"prevalence": PREVALENCE})
    slices, chance, truth = draw_slices()
    sure = np.stack([TWICE_TOO_SURE.apply(chance[:, column]) for column in range(6)], axis=1)
    write_table(run.out_of_fold_path, predict(slices, sure))
    write_table(run.folds_path, label(slices, truth).assign(fold=0))
    slices, chance, truth = draw_slices(first=100_000)
    sure = np.stack([TWICE_TOO_SURE.apply(chance[:, column]) for column in range(6)], axis=1)
    sure[-1] = np.nan
    table = predict(slices, sure)
    table.loc[table.index[-1], "error"] = "cut short."
    write_table(run.test_path, table)
    return run


def test_too_sure_a_network_is_brought_back_and_its_table_says_so(run: Run) -> None:
    said: list[str] = []
    paths = calibrate("first", "auto", Console(said.append, said.append, SILENT.bar))
    assert [path.name for path in paths] == ["calibration.json", "reliability.png"]
    assert all(path.is_file() for path in paths)
    calibration = read_calibration(run)
    # A temperature of 2; Platt may be chosen as well, isotonic has more to learn from these few.
    assert calibration.kind in ("temperature", "platt")
    assert [one.slope for one in calibration.maps if isinstance(one, Scaling)] == pytest.approx([0.5] * 6, abs=0.1)
    losses = json.loads(run.calibration_path.read_text())["weighted_log_loss_held_out"]
    assert losses[calibration.kind] < losses["none"]
    text = "\n".join(said)
    assert f"kept: {calibration.kind}, clip" in text
    assert max(len(line) for line in text.splitlines()) <= 100
    row = next(line for line in text.splitlines() if line.startswith("any")).split()
    assert float(row[2]) < float(row[1])
    assert float(row[4]) < float(row[3]) / 3


def test_what_is_right_already_is_left_alone(run: Run) -> None:
    slices, chance, _ = draw_slices()
    write_table(run.out_of_fold_path, predict(slices, chance))
    calibrate("first", "auto", SILENT)
    assert read_calibration(run).kind == "none"


def test_the_kind_asked_for_is_taken_whether_it_helps_or_not(run: Run) -> None:
    slices, chance, _ = draw_slices()
    write_table(run.out_of_fold_path, predict(slices, chance))
    calibrate("first", "isotonic", SILENT)
    assert read_calibration(run).kind == "isotonic"
    with pytest.raises(HemorrhageError, match="--kind"):
        calibrate("first", "beta", SILENT)


def test_a_submission_is_calibrated_when_asked_and_only_then(run: Run) -> None:
    calibrate("first", "temperature", SILENT)
    calibration = read_calibration(run)
    known = pd.read_parquet(run.test_path).iloc[:-1]
    plain = read_probabilities(submit("first", 1, None, SILENT).path)
    assert plain.loc[: len(known) - 1, "any"].to_numpy() == pytest.approx(known["any"].to_numpy(), abs=1e-12)
    written = read_probabilities(submit("first", 1, None, SILENT, calibrated=True).path)
    expected = np.clip(calibration.apply(known[list(LABELS)].to_numpy()), calibration.clip, 1 - calibration.clip)
    assert written.loc[: len(known) - 1, list(LABELS)].to_numpy() == pytest.approx(expected, abs=1e-12)
    # An unreadable slice has the prevalence as it is.
    assert written.iloc[-1][list(LABELS)].to_dict() == PREVALENCE
    clipped = read_probabilities(submit("first", 1, 0.3, SILENT, calibrated=True).path)
    assert clipped[list(LABELS)].to_numpy().min() == 0.3


def test_a_calibration_of_other_predictions_is_refused(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["submit", "first", "--calibrated"]) == 2
    assert "calibration.json: expected a calibration, found none" in capfd.readouterr().err
    calibrate("first", "platt", SILENT)
    table = pd.read_parquet(run.out_of_fold_path)
    write_table(run.out_of_fold_path, table.iloc[::-1])
    read_calibration(run)  # another order is the same predictions
    table.loc[0, "any"] += 1e-6
    write_table(run.out_of_fold_path, table)
    assert main(["submit", "first", "--calibrated"]) == 2
    line = capfd.readouterr().err
    assert "of other predictions. Run 'hemorrhage calibrate first'." in line
    assert len(line.splitlines()) == 1


@pytest.mark.parametrize("text", ["{", "[]", '{"kind": "platt"}'])
def test_a_damaged_calibration_is_one_line(run: Run, text: str, capfd: pytest.CaptureFixture[str]) -> None:
    run.calibration_path.write_text(text)
    assert main(["submit", "first", "--calibrated"]) == 2
    error = capfd.readouterr().err
    assert len(error.splitlines()) == 1
    assert "hemorrhage calibrate first" in error


def test_what_cannot_be_calibrated_is_one_line(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    def fail(*words: str) -> str:
        assert main(["calibrate", "first", *words]) == 2
        (line,) = capfd.readouterr().err.splitlines()
        return line

    folds = pd.read_parquet(run.folds_path)
    write_table(run.folds_path, folds.iloc[1:])
    assert "that are not in it, first ID_000000000" in fail()
    write_table(run.folds_path, folds.drop(columns=["any"]))
    assert "any missing: an older version wrote it" in fail()
    write_table(run.folds_path, folds)
    table = pd.read_parquet(run.out_of_fold_path)
    write_table(run.out_of_fold_path, table.iloc[:SLICES])
    assert "two patients or more" in fail()
    write_table(run.out_of_fold_path, table.assign(**dict.fromkeys(LABELS, np.nan)))
    assert f"none of {len(table)} slices has one" in fail()
    run.out_of_fold_path.unlink()
    assert "hemorrhage predict first INPUT" in fail()


def test_judgement_is_of_patients_that_a_map_was_not_fitted_on(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    import hemorrhage.pipeline.calibrate as module

    seen: list[np.ndarray] = []

    def keep(truth: np.ndarray, probability: np.ndarray, folds: np.ndarray, kinds: tuple[str, ...]) -> object:
        seen.append(folds)
        return trials(truth, probability, folds, kinds)

    trials = module.try_kinds
    monkeypatch.setattr(module, "try_kinds", keep)
    calibrate("first", "temperature", SILENT)
    patients = pd.read_parquet(run.out_of_fold_path)["patient_id"]
    assert pd.Series(seen[0]).groupby(patients).nunique().max() == 1
    assert len(np.unique(seen[0])) == 5
