"""The verb probe: what is drawn and scored, whose slices a run is probed on, and errors of one line."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hemorrhage.cli import main
from hemorrhage.data.labels import LABELS
from hemorrhage.pipeline import probe as module
from hemorrhage.pipeline.config import resolve_config
from hemorrhage.pipeline.console import SILENT, Console
from hemorrhage.pipeline.inputs import find_input
from hemorrhage.pipeline.linear import Material
from hemorrhage.pipeline.probe import draw_slices, format_probe, probe_model, probe_run
from hemorrhage.pipeline.runs import Run, read_folds
from tests.network import FEATURES

TINY = {"model": "compact", "size": 32, "folds": 3, "workers": 2}


@pytest.fixture
def learned_from(monkeypatch: pytest.MonkeyPatch) -> list[tuple[set[str], int]]:
    """Notes, whenever a linear model would be fitted, the patients it learns from and how many rows it answers for."""
    noted: list[tuple[set[str], int]] = []

    def note(learned: Material, features: np.ndarray, seed: int) -> None:
        noted.append((set(learned.patients), len(features)))

    monkeypatch.setattr(module, "PROBES", {"prior": note, "noted": note})
    return noted


def test_a_model_is_probed_and_its_figures_are_of_all_slices(data_folder: Path) -> None:
    result = probe_model(find_input(data_folder), resolve_config("default", TINY), 4000, SILENT)
    assert (result.slices, result.patients, result.features) == (40, 10, FEATURES)
    assert [way.name for way in result.ways] == ["prior", "logistic regression", "linear SVC"]
    for way in result.ways:
        assert [one.label for one in way.labels] == list(LABELS)
        weights = np.array([2.0 if one.label == "any" else 1.0 for one in way.labels])
        losses = np.array([one.log_loss for one in way.labels])
        assert way.weighted_log_loss == pytest.approx(losses @ weights / 7)
    assert result.ways[0].constant == 3 * len(LABELS)
    assert all(one.auc is None or one.auc == 0.5 for one in result.ways[0].labels)
    text = format_probe(result)
    assert (
        f"40 slices of 10 patients, {FEATURES} features" in text and f"{result.ways[1].weighted_log_loss:.5f}" in text
    )


def test_no_patient_is_learned_from_and_answered_for(
    data_folder: Path, learned_from: list[tuple[set[str], int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    split = module.split_folds
    folds: list[pd.DataFrame] = []

    def keep(*arguments: object) -> pd.DataFrame:
        folds.append(split(*arguments))  # type: ignore[arg-type]
        return folds[-1]

    monkeypatch.setattr(module, "split_folds", keep)
    probe_model(find_input(data_folder), resolve_config("default", TINY), 4000, SILENT)
    sides = [set(folds[0].loc[folds[0]["fold"] == fold, "patient_id"]) for fold in range(3)]
    everyone = set.union(*sides)
    assert len(learned_from) == 2 * 3 * len(LABELS)
    for patients, answered in learned_from:
        held_out = everyone - patients
        assert held_out in sides and answered == 4 * len(held_out)


def test_a_run_is_probed_on_the_patients_that_it_did_not_learn_from(
    data_folder: Path, trained: Run, learned_from: list[tuple[set[str], int]]
) -> None:
    known = read_folds(trained)
    unseen = set(known.loc[known["fold"] == 0, "patient_id"])
    result = probe_run(trained, find_input(data_folder), 4000, 2, 0, SILENT)
    assert result.patients == len(unseen) and result.slices == 4 * len(unseen)
    assert set.union(*(patients for patients, _ in learned_from)) == unseen


def test_slices_are_drawn_in_the_shares_of_their_labels() -> None:
    labels = np.zeros((1000, len(LABELS)), dtype=np.int8)
    labels[:100, [0, 5]] = 1
    labels[100:150, [4, 5]] = 1
    slices = pd.DataFrame(labels, columns=list(LABELS)).assign(image_id=[f"ID_{row:04}" for row in range(1000)])
    drawn = draw_slices(slices.sample(frac=1, random_state=0), 100, seed=1)
    assert len(drawn) == 100 and drawn["image_id"].is_monotonic_increasing and drawn["image_id"].is_unique
    assert drawn[list(LABELS)].sum().tolist() == [10, 0, 0, 0, 5, 15]
    assert draw_slices(slices, 100, seed=1).equals(drawn)
    assert not draw_slices(slices, 100, seed=2).equals(drawn)
    assert len(draw_slices(slices, 5000, seed=1)) == 1000


def test_a_file_of_a_trained_model_is_warned_of(data_folder: Path, trained: Run) -> None:
    warnings: list[str] = []
    console = Console(SILENT.say, warnings.append, SILENT.bar)
    weights = str(trained.model_path(2))
    probe_model(find_input(data_folder), resolve_config("default", TINY | {"weights": weights}), 4000, console)
    assert len(warnings) == 1 and "too good" in warnings[0]


def test_the_verb_prints_text_or_json(data_folder: Path, trained: Run, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["probe", "compact", "input", "--size", "32", "--folds", "2", "--limit", "24", "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert found["slices"] == 24 and set(found["ways"]) == {"prior", "logistic regression", "linear SVC"}
    assert main(["probe", "first", "input", "--folds", "2"]) == 0
    assert capfd.readouterr().out.startswith("run submissions/first, compact at 32 px, held out\n")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["nothing", "input"], "a run under submissions/ or a model"),
        (["first", "input", "--size", "64"], "a run has its own size"),
        (["compact", "input", "--limit", "1", "--size", "32"], "--limit of 2 slices or more"),
        (["compact", "input", "--folds", "1"], "folds"),
        (["compact", "input", "--weights", "imagenet", "--size", "32"], "compact: expected a model with ImageNet"),
        (["compact", "absent"], "absent"),
        (["first", "input", "--folds", "50"], "folds for"),
    ],
)
def test_bad_words_are_answered_by_one_line(
    words: list[str], expected: str, data_folder: Path, trained: Run, capfd: pytest.CaptureFixture[str]
) -> None:
    capfd.readouterr()
    assert main(["probe", *words]) == 2
    lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("hemorrhage probe:")]
    assert len(lines) == 1 and expected in lines[0]


def test_neighbors_are_those_of_the_whole_series_whatever_is_drawn(
    data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known: list[int] = []
    open_images = module.NetworkPredictor.open_images

    def keep(self: module.NetworkPredictor, slices: pd.DataFrame, opener: object) -> object:
        known.append(len(slices))
        return open_images(self, slices, opener)  # type: ignore[arg-type]

    monkeypatch.setattr(module.NetworkPredictor, "open_images", keep)
    config = resolve_config("default", TINY | {"context": "stack"})
    result = probe_model(find_input(data_folder), config, 20, SILENT)
    assert known == [40] and result.slices == 20
