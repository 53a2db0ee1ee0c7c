import numpy as np
import pytest

from hemorrhage.data.bootstrap import bootstrap_interval, bootstrap_intervals


def test_the_interval_of_a_mean_is_that_of_its_standard_error() -> None:
    values = np.random.default_rng(0).normal(5.0, 2.0, 400)
    low, high = bootstrap_interval(np.arange(400), lambda rows: float(values[rows].mean()), rounds=2000)
    # 1.96 * 2 / sqrt(400) = 0.196 on both sides of the mean.
    assert low == pytest.approx(values.mean() - 0.196, abs=0.03)
    assert high == pytest.approx(values.mean() + 0.196, abs=0.03)


def test_slices_of_one_patient_count_as_one() -> None:
    values = np.repeat(np.random.default_rng(1).normal(0.0, 1.0, 40), 25)
    single = bootstrap_interval(np.arange(1000), lambda rows: float(values[rows].mean()))
    by_patient = bootstrap_interval(np.repeat(np.arange(40), 25), lambda rows: float(values[rows].mean()))
    # The same 40 numbers, 25 times each: by slice the interval is 5 times too narrow.
    assert (by_patient[1] - by_patient[0]) / (single[1] - single[0]) == pytest.approx(5, rel=0.2)


def test_whole_patients_are_drawn() -> None:
    patients = np.array(["b", "a", "b", "c"])
    draws: list[list[int]] = []
    bootstrap_interval(patients, lambda rows: float(draws.append(sorted(rows.tolist())) or 0), rounds=50)
    assert all(rows.count(0) == rows.count(2) for rows in draws)
    assert {len(rows) for rows in draws} <= {3, 4, 5, 6}


def test_undefined_draws_are_left_out_and_all_undefined_is_nan() -> None:
    assert np.isnan(bootstrap_interval(np.arange(3), lambda rows: float("nan"))).all()
    groups = np.arange(4)
    low, high = bootstrap_interval(groups, lambda rows: float("nan") if 0 in rows else 1.0)
    assert (low, high) == (1.0, 1.0)


def test_figures_by_weights_have_the_intervals_of_figures_by_rows() -> None:
    rng = np.random.default_rng(3)
    patients, values = rng.integers(0, 12, 90), rng.normal(size=90)

    def measure(weights: np.ndarray) -> np.ndarray:
        return np.array([weights @ values / weights.sum(), float("nan")])

    by_weights = bootstrap_intervals(patients, measure, rounds=200)
    assert by_weights[0] == pytest.approx(
        bootstrap_interval(patients, lambda rows: float(values[rows].mean()), rounds=200)
    )
    assert np.isnan(by_weights[1]).all()
