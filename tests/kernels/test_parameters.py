"""The cell of parameters is checked before anything is done: kinds, words, and whether runs go together."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from hemorrhage.data.labels import LABELS
from hemorrhage.errors import HemorrhageError
from hemorrhage.files import write_json
from hemorrhage.kaggle.parameters import FLAG, HOURS, NAMES, SETTINGS, TEXT, WHOLE, Kind, check_parameters, or_none
from hemorrhage.kaggle.stages import Stages, check_runs, check_words
from hemorrhage.pipeline.config import config_to_json, resolve_config
from hemorrhage.pipeline.runs import Run
from tests.kernels.test_mounts import make_run


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (FLAG, "False"),
        (FLAG, 0),
        (WHOLE, "256"),
        (WHOLE, 256.0),
        (WHOLE, True),
        (WHOLE, None),
        (HOURS, "0.3"),
        (HOURS, math.nan),
        (HOURS, math.inf),
        (HOURS, False),
        (TEXT, ["identity"]),
        (TEXT, None),
        (NAMES, "compact"),
        (NAMES, [1]),
        (NAMES, None),
        (SETTINGS, ["epochs=1"]),
        (SETTINGS, {1: 2}),
        (or_none(WHOLE), "none"),
    ],
)
def test_a_value_of_another_kind_is_one_line(kind: Kind, value: object) -> None:
    with pytest.raises(HemorrhageError, match=r"Expected WORD to be .*; received .* Correct the cell of parameters"):
        check_parameters(WORD=(value, kind))


def test_values_of_their_kind_pass() -> None:
    check_parameters(A=(True, FLAG), B=(256, WHOLE), C=(0.3, HOURS), D=(12, HOURS), E=("head", TEXT), F=([], NAMES))
    check_parameters(A=(("a", "b"), NAMES), B=({}, SETTINGS), C=({"epochs": 1}, SETTINGS), D=(None, or_none(HOURS)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"series": "embedding"}, "Expected on to be one of probabilities, embeddings"),
        ({"series": True}, "Expected SERIES to be text in quotes, or None"),
        ({"series": "probabilities", "settings": {"epoch": 1}}, "Unknown setting 'epoch'. Did you mean epochs?"),
        ({"series": "probabilities", "settings": {"epochs": "many"}}, "Expected epochs to be a whole number"),
        ({"settings": "epochs=3"}, "Expected SERIES_SETTINGS to be settings"),
        ({"blend": "weigthed"}, "Expected BLEND to be one of "),
        ({"calibrated": "False"}, "Expected CALIBRATED to be True or False"),
    ],
)
def test_words_of_what_follows_are_checked(change: dict[str, Any], words: str) -> None:
    with pytest.raises(HemorrhageError) as raised:
        check_words(replace(Stages(), **change))
    assert words in str(raised.value)


def test_series_models_are_called_after_what_they_see() -> None:
    assert Stages().group(["a", "b"]) == {}
    assert Stages("probabilities").group(["a", "b"]) == {"a-series": ["a", "b"]}
    assert Stages("embeddings").group(["a", "b"]) == {"a-series": ["a"], "b-series": ["b"]}


def make_fold(folder: Path, fold: str) -> Run:
    run = Run(make_run(folder))
    labelled = pd.read_parquet(run.folds_path).assign(**dict.fromkeys(LABELS, 0))
    labelled.to_parquet(run.folds_path)
    write_json(run.config_path, config_to_json(resolve_config("default", {"model": "compact", "fold": fold})))
    return run


def test_runs_that_cannot_go_together_are_refused_before_they_predict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first, second, whole = (make_fold(tmp_path / name, fold) for name, fold in [("a", "0"), ("b", "1"), ("c", "all")])
    check_runs(Stages("probabilities"), [first, whole])
    with pytest.raises(HemorrhageError, match=r"hold out a fold in common.* received a \[0\], b \[1\]"):
        check_runs(Stages(), [first, second])
    with pytest.raises(HemorrhageError, match="Expected each run once in RUNS, received a more than once"):
        check_runs(Stages(), [first, first])
    made = make_fold(tmp_path / "a-series", "0")
    with pytest.raises(HemorrhageError, match="Expected no run named a-series, which this kernel makes"):
        check_runs(Stages("probabilities"), [first, made])
    blend = make_fold(tmp_path / "submissions" / "blend", "0")
    check_runs(Stages(), [blend])
    with pytest.raises(HemorrhageError, match="Expected no run named blend"):
        check_runs(Stages(), [first, whole])
