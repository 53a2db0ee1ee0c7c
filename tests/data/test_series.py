"""Slices put in the order of z, and smoothed along it."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemorrhage.data.series import SIGMAS_MM, describe_places, fit_smoothing, list_series, smooth_along_z


def make_slices(z_mm: list[float | None], series: str | None = "s", patient: str = "p") -> pd.DataFrame:
    ids = [f"{patient}{series}{place}" for place in range(len(z_mm))]
    return pd.DataFrame(
        {"image_id": ids, "patient_id": patient, "series_id": series, "z_mm": np.array(z_mm, dtype=float)}
    )


def rows_of(slices: pd.DataFrame) -> list[list[int]]:
    return [rows.tolist() for rows in list_series(slices)]


def test_slices_are_put_in_order_of_z():
    assert rows_of(make_slices([10, 0, 5])) == [[1, 2, 0]]


def test_equal_z_go_by_id():
    slices = make_slices([5, 5, 0]).iloc[[1, 0, 2]].reset_index(drop=True)
    assert rows_of(slices) == [[2, 1, 0]]


def test_two_patients_with_one_series_id_have_two_series():
    slices = pd.concat([make_slices([0, 5], patient="a"), make_slices([1], patient="b")], ignore_index=True)
    assert rows_of(slices) == [[0, 1], [2]]


def test_what_cannot_be_placed_is_alone():
    slices = pd.concat([make_slices([0, None, 5, np.inf]), make_slices([3, 4], series=None)], ignore_index=True)
    assert sorted(rows_of(slices)) == [[0, 2], [1], [3], [4], [5]]


def test_no_slices_are_no_series():
    assert list_series(make_slices([])) == []


@given(st.lists(st.tuples(st.sampled_from("ab"), st.floats(-500, 500) | st.none()), max_size=30))
def test_every_slice_is_in_one_series_and_z_ascends(cases):
    slices = pd.DataFrame(
        {
            "image_id": [f"i{k}" for k in range(len(cases))],
            "patient_id": "p",
            "series_id": [series for series, _ in cases],
            "z_mm": np.array([z for _, z in cases], dtype=float),
        }
    )
    found = list_series(slices)
    assert sorted(np.concatenate(found).tolist() if found else []) == list(range(len(cases)))
    for rows in found:
        assert slices["series_id"].iloc[rows].nunique() == 1
        assert len(rows) == 1 or (np.diff(slices["z_mm"].iloc[rows]) >= 0).all()


def test_places_of_three_slices():
    expected = [[0, 1, 0.2, 0.03], [1 / 3, 0.2, 0.4, 0.03], [1, 0.4, 1, 0.03]]
    assert describe_places(np.array([100.0, 105.0, 115.0])) == pytest.approx(np.array(expected))


def test_a_slice_alone_is_in_the_middle_of_nothing():
    assert describe_places(np.array([7.0])) == pytest.approx(np.array([[0.5, 1, 1, 0.01]]))


def test_smoothing_of_two_slices_by_hand():
    slices = make_slices([0, 5])
    probabilities = np.tile([[1.0], [0.0]], (1, 6))
    # exp(-0.5) = 0.6065: 1 / 1.6065 and 0.6065 / 1.6065 for a sigma of 5 mm.
    smoothed = smooth_along_z(probabilities, slices, [5, 0, 5, 5, 5, 5])
    assert smoothed[:, 0] == pytest.approx([0.62246, 0.37754], abs=1e-5)
    assert smoothed[:, 1].tolist() == [1, 0]


def test_smoothing_leaves_what_is_unknown_out():
    probabilities = np.full((3, 6), 0.4)
    probabilities[1] = np.nan
    smoothed = smooth_along_z(probabilities, make_slices([0, 5, 10]), [5] * 6)
    assert np.isnan(smoothed[1]).all()
    assert smoothed[[0, 2]] == pytest.approx(0.4)


def test_smoothing_is_found_where_neighbors_agree_and_left_where_they_do_not():
    rng = np.random.default_rng(0)
    slices = make_slices(list(np.arange(400) * 5.0))
    runs = np.repeat(rng.integers(0, 2, 40), 10)
    alone = rng.integers(0, 2, 400)
    truth = np.column_stack([runs, alone, runs, runs, runs, runs])
    noisy = np.clip(truth + rng.normal(0, 0.45, truth.shape), 0.02, 0.98)
    sigmas = fit_smoothing(truth, noisy, slices)
    assert sigmas[0] >= 3.5
    assert sigmas[1] == SIGMAS_MM[0] or sigmas[1] == 1.5
