import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hemorrhage.cli import main
from hemorrhage.data.labels import LABELS
from hemorrhage.pipeline.console import SILENT, Console
from hemorrhage.pipeline.headers import build_features, format_headers, headers_to_json, judge_headers
from hemorrhage.pipeline.inputs import find_input


def make_table(patients: int = 200, slices: int = 10) -> pd.DataFrame:
    """Returns a slice table in which `any` is 1 in 60 % of the slices of one scanner and in 10 % of the other's."""
    rng = np.random.default_rng(0)
    patient = np.repeat(np.arange(patients), slices)
    bits = np.where(patient % 2 == 0, 12, 16)
    table = pd.DataFrame(
        {
            "image_id": [f"ID_{row:09x}" for row in range(len(patient))],
            "patient_id": [f"p{one:03d}" for one in patient],
            "series_id": [f"s{one:03d}" for one in patient],
            "z_mm": np.tile(np.arange(slices) * 5.0, patients),
            "rows": 512,
            "columns": 512,
            "bits_stored": bits,
            "pixel_representation": 0,
            "rescale_intercept": -1024.0,
            "is_wrapped": False,
        }
    )
    labels = np.zeros((len(table), 6), dtype=np.int8)
    labels[:, 4] = labels[:, 5] = rng.random(len(table)) < np.where(bits == 12, 0.6, 0.1)
    return pd.concat([table, pd.DataFrame(labels, columns=list(LABELS))], axis=1)


def test_a_shortcut_is_found_and_measured() -> None:
    result = judge_headers(make_table(), False, 5, SILENT)
    any_column = LABELS.index("any")
    # The best that the scanner can tell: the mean of the entropies at 0.6 and 0.1; the prior has that of 0.35.
    best = -(0.6 * np.log(0.6) + 0.4 * np.log(0.4) + 0.1 * np.log(0.1) + 0.9 * np.log(0.9)) / 2
    assert result.losses[any_column] == pytest.approx(best, abs=0.03)
    assert result.prior_losses[any_column] == pytest.approx(-(0.35 * np.log(0.35) + 0.65 * np.log(0.65)), abs=0.02)
    low, high = result.auc_intervals["any"]
    assert low < result.auc["any"] < high
    # A label without a positive costs next to nothing, and has no AUC.
    assert result.losses[0] < 0.001
    assert headers_to_json(result)["labels"]["epidural"]["auc"] is None


def test_a_label_of_few_positive_patients_is_called_chance() -> None:
    said: list[str] = []
    table = make_table(patients=60)
    table["epidural"] = ((table["patient_id"] < "p019") & (table["z_mm"] == 0)).astype(np.int8)
    table["subdural"] = (table["patient_id"] < "p020").astype(np.int8)
    result = judge_headers(table, False, 3, Console(said.append, said.append, SILENT.bar))
    assert (result.positive_patients["epidural"], result.positive_patients["subdural"]) == (19, 20)
    (line,) = said
    assert "fewer than 20 patients are positive of epidural 19, intraparenchymal 0, intraventricular 0" in line
    assert "subdural" not in line.replace("epidural", "")
    assert headers_to_json(result)["labels"]["epidural"]["positive_patients"] == 19


def test_no_shortcut_gives_no_more_than_the_prevalence() -> None:
    table = make_table().assign(bits_stored=12)
    labels = np.random.default_rng(1).random((len(table), 1)) < 0.3
    table[list(LABELS)] = np.repeat(labels, 6, axis=1).astype(np.int8)
    result = judge_headers(table, False, 5, SILENT)
    assert result.weighted_log_loss == pytest.approx(result.prior, abs=0.002)


def test_what_tells_patients_apart_is_not_learned_by_heart() -> None:
    table = make_table(patients=40, slices=30).assign(bits_stored=12)
    rng = np.random.default_rng(2)
    # Each patient has an intercept and a prevalence of its own, which say nothing of the next.
    table["rescale_intercept"] = np.repeat(rng.normal(-1024, 5, 40), 30)
    labels = rng.random(len(table)) < np.repeat(rng.choice([0.0, 0.6], 40), 30)
    table[list(LABELS)] = np.repeat(labels[:, np.newaxis], 6, axis=1).astype(np.int8)
    result = judge_headers(table, False, 5, SILENT)
    assert result.weighted_log_loss < result.prior + 0.05


def test_where_a_slice_lies_is_seen_when_asked_and_only_then() -> None:
    table = make_table(patients=2, slices=5)
    assert not {"position", "z_mm"} & set(build_features(table, False))
    features = build_features(table, True)
    assert features["position"].tolist() == [0, 0.25, 0.5, 0.75, 1] * 2
    assert features["slices"].tolist() == [5.0] * 10
    assert features["step_mm"].tolist() == [5.0] * 10


def test_a_header_that_does_not_say_is_no_fault() -> None:
    table = make_table(patients=12)
    table.loc[:5, "bits_stored"] = None
    table.loc[3, ["series_id", "z_mm"]] = None
    assert np.isfinite(judge_headers(table, True, 3, SILENT).weighted_log_loss)


def test_the_verb_speaks_text_and_json(data_folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["headers", str(data_folder), "--folds", "3"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert lines[-1].startswith("any: log loss: headers ")
    assert max(map(len, lines)) <= 100
    assert main(["headers", str(data_folder), "--folds", "3", "--json", "--with-position"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert found["slices"] == 40
    assert "position" in found["fields"]
    assert main(["headers", str(data_folder), "--folds", "99"]) == 2
    assert "Expected 2 to 10 folds" in capfd.readouterr().err
    assert main(["headers", str(data_folder), "--folds", "2"]) == 2
    assert "3 or more" in capfd.readouterr().err


def test_the_text_fits_a_terminal() -> None:
    assert max(map(len, format_headers(judge_headers(make_table(60), True, 3, SILENT)).splitlines())) <= 100


def test_a_store_knows_every_field(data_folder: Path) -> None:
    assert main(["prepare", str(data_folder), "--out", "store", "--size", "128", "--workers", "1"]) == 0
    files, store = find_input(data_folder), find_input(Path("store"))
    tables = [found.read_training(0.0, SILENT).table.sort_values("image_id") for found in (files, store)]
    from_files, from_store = (build_features(table, with_position=True) for table in tables)
    pd.testing.assert_frame_equal(from_files, from_store)
