import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemorrhage.data.studies import (
    ANSWERS,
    Grouping,
    LearnedAnswer,
    describe_studies,
    fit_learned,
    take_majority,
    take_max,
    take_noisy_or,
    take_truth,
)
from hemorrhage.errors import HemorrhageError


def make_slices(series: list[str | None], patients: list[str] | None = None) -> pd.DataFrame:
    return pd.DataFrame({"patient_id": patients or ["p"] * len(series), "series_id": series})


def spread(values: list[float]) -> np.ndarray:
    """Returns N x 6 with the same value for every label."""
    return np.repeat(np.array(values)[:, np.newaxis], 6, axis=1)


# The slices of `b` lie apart.
STUDIES = Grouping.build(make_slices(["a", "b", "a", "b", "b"]))
PROBABILITY = spread([0.2, 0.5, 0.5, 0.1, 0.9])


def test_answers_by_hand() -> None:
    assert take_max(PROBABILITY, STUDIES)[:, 0].tolist() == [0.5, 0.9]
    # 1 - 0.8 x 0.5 = 0.6 and 1 - 0.5 x 0.9 x 0.1 = 0.955
    assert take_noisy_or(PROBABILITY, STUDIES)[:, 0] == pytest.approx([0.6, 0.955])
    assert take_majority(PROBABILITY, STUDIES)[:, 0] == pytest.approx([1 / 2, 2 / 3])
    assert take_truth(spread([0, 0, 0, 0, 1]), STUDIES)[:, 0].tolist() == [0, 1]
    assert STUDIES.sizes().tolist() == [2, 3]
    assert STUDIES.first_of(np.arange(5)).tolist() == [0, 1]


def test_a_slice_without_a_series_stands_alone_and_patients_share_none() -> None:
    slices = make_slices(["a", None, None, "a", "a"], ["p", "p", "p", "q", "p"])
    assert Grouping.build(slices).codes.tolist() == [0, 1, 2, 3, 0]


def test_a_sure_slice_makes_a_sure_study_and_no_infinity() -> None:
    sure = take_noisy_or(spread([0.0, 1.0]), Grouping.build(make_slices(["a", "a"])))
    assert sure[0] == pytest.approx(1.0)
    assert np.isfinite(sure).all()


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.floats(0, 1)), min_size=1, max_size=30))
def test_answers_are_probabilities_and_noisy_or_is_the_higher(rows: list[tuple[int, float]]) -> None:
    studies = Grouping.build(make_slices([f"s{series}" for series, _ in rows]))
    answers = {name: take(spread([value for _, value in rows]), studies) for name, take in ANSWERS.items()}
    for answer in answers.values():
        assert answer.shape == (studies.count, 6)
        assert ((answer >= 0) & (answer <= 1)).all()
    assert (answers["noisy-or"] >= answers["max"] - 1e-12).all()


def test_features_are_log_odds_of_the_highest_the_highest_three_and_all() -> None:
    features = describe_studies(spread([0.9, 0.5, 0.4, 0.2]), Grouping.build(make_slices(["a"] * 4)))
    expected = [np.log(0.9 / 0.1) / 4, np.log(0.6 / 0.4) / 4, 0.0]
    assert features[0, 3] == pytest.approx(expected)


def test_the_learned_answer_learns_and_survives_json() -> None:
    rng = np.random.default_rng(0)
    series = np.repeat(np.arange(200), 10)
    studies = Grouping.build(make_slices([f"s{one}" for one in series]))
    truth = np.repeat((rng.random((200, 6)) < 0.4).astype(int), 10, axis=0)
    truth[:, 0] = 0
    probability = np.clip(0.15 * truth + rng.beta(1, 9, truth.shape), 0, 1)
    learned = fit_learned(truth, probability, studies)
    answers, right = learned.apply(probability, studies), take_truth(truth, studies)
    assert answers[right[:, 5] == 1, 5].mean() > 0.7 > 0.3 > answers[right[:, 5] == 0, 5].mean()
    # Of 200 studies none is epidural: (0 + 1) / (200 + 2).
    assert answers[:, 0] == pytest.approx(1 / 202)
    again = LearnedAnswer.from_json(json.loads(json.dumps(learned.to_json())))
    assert (again.apply(probability, studies) == answers).all()
    with pytest.raises(HemorrhageError, match="epidural"):
        LearnedAnswer.from_json({})
    described = learned.to_json()
    described["any"]["mean"] = float("nan")
    with pytest.raises(HemorrhageError, match="finite"):
        LearnedAnswer.from_json(described)


def test_no_slices_make_no_studies() -> None:
    studies = Grouping.build(make_slices([]))
    nothing = np.empty((0, 6))
    assert (studies.count, studies.sizes().tolist()) == (0, [])
    assert all(take(nothing, studies).shape == (0, 6) for take in ANSWERS.values())
    assert LearnedAnswer(np.zeros((6, 3)), np.zeros(6)).apply(nothing, studies).shape == (0, 6)
