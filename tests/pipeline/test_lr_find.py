from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hemorrhage.cli import main
from hemorrhage.errors import HemorrhageError
from hemorrhage.pipeline.config import resolve_config
from hemorrhage.pipeline.console import SILENT
from hemorrhage.pipeline.inputs import find_input
from hemorrhage.pipeline.lr_find import RangeTest, find_rate, format_range_test, smooth, write_range_test
from tests.pipeline.conftest import TINY

VEE = RangeTest(
    rates=np.array([1e-4, 1e-3, 1e-2, 1e-1]),
    losses=np.array([0.8, 0.6, 0.2, 3.0]),
    smoothed=np.array([0.8, 0.6, 0.4, 2.0]),
    diverged=True,
)


def test_the_suggestion_is_a_tenth_of_the_rate_with_the_lowest_loss() -> None:
    assert VEE.suggestion == pytest.approx(1e-3)
    assert VEE.warning is None
    assert format_range_test(VEE).splitlines() == [
        "4 steps from 0.0001: loss 0.8000 at first, lowest 0.4000 at 0.01; diverged at 0.1",
        "suggestion: --set learning_rate=1.0e-03",
    ]


def test_a_curve_that_only_falls_or_only_rises_is_warned_of() -> None:
    falling = RangeTest(VEE.rates, VEE.losses, np.array([0.8, 0.6, 0.4, 0.3]), diverged=False)
    rising = RangeTest(VEE.rates, VEE.losses, np.array([0.3, 0.6, 0.7, 0.9]), diverged=False)
    assert "try a --high over 0.1" in str(falling.warning)
    assert "try a --low under 0.0001" in str(rising.warning)


def test_smoothing_remembers_a_twentieth_of_the_steps_by_hand() -> None:
    # Of 80 steps it remembers 4, so 3/4 are kept: (0.75 * 0.25 * 1 + 0.25 * 3) / (1 - 0.75 ** 2).
    assert smooth([1.0, 3.0], 80) == pytest.approx([1.0, 0.9375 / 0.4375])
    # At most 20: (0.95 * 0.05 * 1 + 0.05 * 3) / (1 - 0.95 ** 2).
    assert smooth([1.0, 3.0], 9999) == pytest.approx([1.0, 0.1975 / 0.0975])
    assert smooth([1.0, 3.0], 15).tolist() == [1, 3]
    assert smooth([2.0] * 5, 100) == pytest.approx([2.0] * 5)


def test_a_test_is_written_as_a_table_and_a_picture(tmp_path: Path) -> None:
    table, picture = write_range_test(VEE, tmp_path / "new" / "folder")
    rows = pd.read_csv(table)
    assert rows.columns.tolist() == ["step", "learning_rate", "loss", "smoothed"]
    assert rows["smoothed"].tolist() == [0.8, 0.6, 0.4, 2.0]
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_the_rate_rises_evenly_in_its_logarithm_and_the_loss_diverges_in_the_end(data_folder: Path) -> None:
    config = resolve_config("default", TINY | {"batch": 2, "augment": "none", "dropout": 0})
    test = find_rate(find_input(data_folder), config, 1e-5, 100.0, SILENT)
    # 28 slices in batches of 2, twice, from 1e-5 to 100 if it went on to the end.
    ratios = test.rates[1:] / test.rates[:-1]
    assert ratios == pytest.approx(np.full(len(ratios), 1e7 ** (1 / 27)))
    assert test.rates[0] == pytest.approx(1e-5)
    assert len(test.losses) == len(test.rates) == len(test.smoothed) <= 28
    assert test.diverged
    assert 0 < test.lowest < len(test.rates) - 1
    again = find_rate(find_input(data_folder), config, 1e-5, 100.0, SILENT)
    assert again.losses[0] == pytest.approx(test.losses[0], rel=1e-4)
    assert not Path("submissions/first").exists()


@pytest.mark.parametrize(("low", "high"), [(0, 1), (1, 0.1), (1, 1), (1e-3, 1e9), (float("nan"), 1)])
def test_rates_that_are_no_range_are_refused(low: float, high: float, data_folder: Path) -> None:
    with pytest.raises(HemorrhageError, match="0 < --low < --high"):
        find_rate(find_input(data_folder), resolve_config("default", TINY), low, high, SILENT)


def test_too_few_steps_are_refused(data_folder: Path) -> None:
    with pytest.raises(HemorrhageError, match="at least 10 steps in 2 epochs, received 2"):
        find_rate(find_input(data_folder), resolve_config("default", TINY | {"batch": 32}), 1e-6, 1, SILENT)


def test_the_verb_prints_a_suggestion_and_one_line_for_bad_words(
    data_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["lr-find", str(data_folder), "--model", "compact", "--size", "32", "--folds", "3", "--batch", "4"]
    assert main([*words, "--out", "found", "--low", "1e-5"]) == 0
    assert "suggestion: --set learning_rate=" in capsys.readouterr().out.splitlines()[-1]
    assert sorted(path.name for path in Path("found").iterdir()) == ["lr-find.csv", "lr-find.png"]
    assert main([*words, "--low", "2"]) == 2
    assert "Expected learning rates" in capsys.readouterr().err.splitlines()[-1]
    assert main([*words, "--set", "epohcs=2"]) == 2
    assert "Did you mean epochs" in capsys.readouterr().err.splitlines()[-1]
