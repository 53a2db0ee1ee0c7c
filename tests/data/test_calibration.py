import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemorrhage.data.calibration import (
    CLIPS,
    KINDS,
    Calibration,
    Scaling,
    Steps,
    choose_clip,
    cross_calibrate,
    cross_clip,
    finish_calibration,
    fit_calibration,
    fit_isotonic,
    fit_platt,
    fit_temperature,
    measure_reliability,
    try_kinds,
)
from hemorrhage.data.metrics import weighted_log_loss
from hemorrhage.errors import HemorrhageError


def draw(slope: float, intercept: float, count: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Returns truth and probability whose log odds, times slope plus intercept, are the true ones."""
    rng = np.random.default_rng(0)
    said = rng.normal(-1, 2, count)
    truth = rng.random(count) < 1 / (1 + np.exp(-(slope * said + intercept)))
    return truth.astype(int), 1 / (1 + np.exp(-said))


def test_scaling_by_hand() -> None:
    # 0.9 has odds of 9; half the log odds are odds of 3; e times as much is 3e.
    assert Scaling(0.5, 0.0).apply(np.array([0.9])) == pytest.approx([0.75])
    assert Scaling(0.5, 1.0).apply(np.array([0.9])) == pytest.approx([3 * np.e / (3 * np.e + 1)])
    same = np.array([0.0, 1e-20, 0.3, 1.0])
    assert (Scaling(1.0, 0.0).apply(same) == same).all()


def test_each_kind_finds_what_was_put_in() -> None:
    assert fit_temperature(*draw(0.5, 0.0)).slope == pytest.approx(0.5, abs=0.02)
    platt = fit_platt(*draw(0.7, -0.8))
    assert (platt.slope, platt.intercept) == pytest.approx((0.7, -0.8), abs=0.05)
    truth, probability = draw(0.7, -0.8)
    answers = fit_isotonic(truth, probability).apply(probability)
    exact = Scaling(0.7, -0.8).apply(probability)
    assert np.abs(answers - exact).mean() < 0.02


def test_platt_with_parted_classes_is_finite_and_smoothed() -> None:
    fitted = fit_platt(np.array([0, 0, 1, 1]), np.array([0.1, 0.1, 0.9, 0.9]))
    # Targets (2 + 1) / (2 + 2) and 1 / (2 + 2), met exactly at the two points.
    assert fitted.apply(np.array([0.1, 0.9])) == pytest.approx([0.25, 0.75], abs=1e-3)


def test_a_ranking_is_never_turned_round() -> None:
    fitted = fit_platt(np.array([1, 1, 0, 0]), np.array([0.1, 0.2, 0.8, 0.9]))
    assert fitted == Scaling(0.0, 0.0)


def test_isotonic_pools_what_falls_and_stays_off_0_and_1() -> None:
    fitted = fit_isotonic(np.array([0, 1, 0, 1]), np.array([0.1, 0.2, 0.3, 0.4]))
    # The second and third slice fall, and are pooled at 1/2; of 4 slices none may say less than 1/6.
    assert fitted.apply(np.array([0.0, 0.1, 0.2, 0.3, 0.4, 1.0])) == pytest.approx(
        [1 / 6, 1 / 6, 0.5, 0.5, 5 / 6, 5 / 6]
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_label_without_a_positive_is_no_fault(kind: str) -> None:
    truth = np.zeros((30, 6), dtype=int)
    fitted = fit_calibration(truth, 0.4 * np.random.default_rng(0).random((30, 6)), kind)
    answers = fitted.apply(np.full((2, 6), 0.3))
    assert np.isfinite(answers).all()
    assert (answers < 0.31).all()


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(HemorrhageError, match="isotonic"):
        fit_calibration(np.zeros((2, 6)), np.full((2, 6), 0.5), "beta")


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(KINDS), st.integers(0, 1000), st.integers(2, 60))
def test_any_calibration_keeps_order_range_and_survives_json(kind: str, seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, (count, 6))
    probability = rng.choice([0.0, 1e-9, 0.2, 0.5, 0.9, 1.0, rng.random()], (count, 6))
    fitted = fit_calibration(truth, probability, kind)
    asked = np.sort(rng.random((50, 6)), axis=0)
    answers = fitted.apply(asked)
    assert ((answers >= 0) & (answers <= 1)).all()
    assert (np.diff(answers, axis=0) >= -1e-12).all()
    again = Calibration.from_json(json.loads(json.dumps(fitted.to_json())))
    assert again == fitted
    assert (again.apply(asked) == answers).all()


def test_a_gap_stays_a_gap() -> None:
    gap = np.full((1, 6), np.nan)
    for one in (Scaling(1.0, 0.0), Scaling(2.0, 1.0), Steps((0.1, 0.9), (0.2, 0.3))):
        assert np.isnan(Calibration("any", (one,) * 6).apply(gap)).all()


@pytest.mark.parametrize(
    "damage",
    [
        {"labels": {}},
        {"clip": 0.7},
        {"clip": None},
        {"labels": None},
    ],
)
def test_a_damaged_calibration_is_refused(damage: dict[str, object]) -> None:
    whole = Calibration("none", (Scaling(1.0, 0.0),) * 6).to_json()
    assert Calibration.from_json(whole).kind == "none"
    with pytest.raises(HemorrhageError, match="Expected a clip"):
        Calibration.from_json(whole | damage)


@pytest.mark.parametrize(
    "damaged",
    [
        {"slope": float("nan"), "intercept": 0.0},
        {"slope": 1.0},
        {"probabilities": [], "answers": []},
        {"probabilities": [0.1, 0.2], "answers": [0.1]},
        {"probabilities": [0.2, 0.1], "answers": [0.1, 0.2]},
        {"probabilities": 3},
    ],
)
def test_a_damaged_map_is_refused(damaged: dict[str, object]) -> None:
    whole = Calibration("none", (Scaling(1.0, 0.0),) * 6).to_json()
    with pytest.raises(HemorrhageError, match="Expected a clip and a map"):
        Calibration.from_json(whole | {"labels": whole["labels"] | {"any": damaged}})


def test_a_slice_does_not_judge_the_map_that_it_made() -> None:
    truth = np.zeros((40, 6), dtype=int)
    truth[:20] = 1
    folds = np.repeat([0, 1], 20)
    calibrated = cross_calibrate(truth, np.full((40, 6), 0.5), folds, "isotonic")
    # The first fold is answered by the second, which saw no positive, and the other way round.
    assert calibrated[:20] == pytest.approx(1 / 22)
    assert calibrated[20:] == pytest.approx(21 / 22)


def test_isotonic_flatters_itself_and_held_out_slices_show_it() -> None:
    rng = np.random.default_rng(1)
    truth, probability = (rng.random((200, 6)) < 0.3).astype(int), rng.random((200, 6))
    flattered = weighted_log_loss(truth, fit_calibration(truth, probability, "isotonic").apply(probability))
    trial = try_kinds(truth, probability, np.arange(200) % 5, ["isotonic"])[0]
    constant = weighted_log_loss(truth, np.full(truth.shape, 0.3))
    assert flattered < constant < trial.weighted_log_loss


def test_the_clip_is_what_the_worst_answers_ask_for() -> None:
    truth = np.zeros((1000, 6), dtype=int)
    probability = np.zeros((1000, 6))
    assert choose_clip(truth, probability) == CLIPS[0]
    truth[0] = 1
    # One wrong in a thousand costs least at 1/1000.
    assert choose_clip(truth, probability) == 1e-3
    folds = np.repeat([0, 1], 500)
    # The wrong one is in the first fold, whose clip the second chose, and that saw none.
    clipped = cross_clip(truth, probability, folds)
    assert clipped[0, 0] == CLIPS[0]
    assert clipped[-1, 0] == 2e-3


def test_the_finished_calibration_has_the_clip_of_its_trial() -> None:
    truth, probability = np.zeros((1000, 6), dtype=int), np.zeros((1000, 6))
    truth[::100] = 1
    trial = try_kinds(truth, probability, np.arange(1000) % 5, ["none"])[0]
    finished = finish_calibration(truth, probability, trial)
    assert (finished.kind, finished.clip) == ("none", 1e-2)


def test_reliability_by_hand() -> None:
    truth = np.array([0, 0, 1, 1, 1, 0])
    probability = np.array([0.1, 0.1, 0.1, 0.8, 0.8, 0.9])
    curve = measure_reliability(truth, probability, bins=2)
    assert curve.said == pytest.approx([0.1, 2.5 / 3])
    assert curve.true == pytest.approx([1 / 3, 2 / 3])
    assert curve.slices.tolist() == [3, 3]
    # |0.1 - 1/3| / 2 + |0.8333 - 0.6667| / 2 = 0.11667 + 0.08333
    assert curve.error == pytest.approx(0.2)


def test_the_error_of_one_answer_for_all_is_its_distance_from_the_prevalence() -> None:
    assert measure_reliability(np.array([0, 0, 0, 1]), np.full(4, 0.6)).error == pytest.approx(0.35)
    assert measure_reliability(np.array([0, 0, 0, 1]), np.full(4, 0.25)).error == pytest.approx(0.0)
