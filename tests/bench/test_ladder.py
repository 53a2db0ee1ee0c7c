"""The ladder's table from kept predictions, and its smallest climb."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hemorrhage.data.labels import LABELS
from hemorrhage.data.metrics import weighted_log_loss
from hemorrhage.data.table import write_table
from tests.bench.ladder import compare, print_table, slice_losses


def test_the_mean_of_slice_losses_is_the_score() -> None:
    rng = np.random.default_rng(0)
    truth, probability = rng.integers(0, 2, (50, 6)), rng.random((50, 6))
    assert slice_losses(truth, probability).mean() == pytest.approx(weighted_log_loss(truth, probability))


def test_rungs_are_compared_with_the_rung_before(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(1)
    ids, patients = [f"ID_{k:09d}" for k in range(60)], [f"p{k // 3}" for k in range(60)]
    truth = rng.integers(0, 2, (60, 6))
    answers = pd.DataFrame(truth.astype(np.int8), columns=list(LABELS))
    write_table(tmp_path / "truth.parquet", pd.DataFrame({"image_id": ids}).join(answers))
    keys = pd.DataFrame({"image_id": ids, "patient_id": patients})
    for place, (name, closeness) in enumerate([("prior", 0.0), ("better", 0.5)]):
        said = 0.5 + closeness * (truth - 0.5)
        write_table(tmp_path / "rungs" / f"{place}-{name}.parquet", keys.join(pd.DataFrame(said, columns=list(LABELS))))
    prior, better = compare(tmp_path)
    assert prior["loss"] == pytest.approx(np.log(2))
    assert [prior[key] for key in ("difference", "difference_low", "difference_high")] == [None] * 3
    assert better["difference"] == pytest.approx(np.log(0.5) - np.log(0.75))
    assert better["difference_low"] == pytest.approx(better["difference_high"])
    print_table([prior, better])
    rows = capsys.readouterr().out.splitlines()
    assert rows[3].split()[1:4:2] == ["better", "0.28768"]
