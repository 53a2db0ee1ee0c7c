"""The figures of a report, by hand: curves, calls, groups, ranks, and which slices are shown."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hemorrhage.data.labels import LABELS, weight_vector
from hemorrhage.data.ranking import Ranking
from hemorrhage.report.beside import compare
from hemorrhage.report.by_label import trace_precision, trace_roc
from hemorrhage.report.cases import choose_rows
from hemorrhage.report.histograms import count_shares
from hemorrhage.report.material import Material
from hemorrhage.report.operating import choose_operating, count_calls
from hemorrhage.report.places import build_headers, find_positions, measure_groups, rank_worst
from hemorrhage.report.strips import choose_labels, choose_strips, draw_strip
from hemorrhage.report.summary import build_summary


def test_curves_of_four_slices() -> None:
    ranking = Ranking.build(np.array([1, 0, 1, 0]), np.array([0.9, 0.8, 0.7, 0.1]))
    x, y = trace_roc(ranking)
    assert list(zip(x.tolist(), y.tolist(), strict=True)) == [(0, 0), (0, 0.5), (0.5, 0.5), (0.5, 1), (1, 1)]
    recall, precision = trace_precision(ranking)
    assert (recall[0], precision[0]) == (0.5, 1.0)
    assert (recall[-1], precision[-1]) == (1.0, 0.5)


def test_a_long_curve_is_thinned_and_keeps_its_area() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 5000)
    ranking = Ranking.build(truth, truth + rng.normal(0, 1, 5000))
    x, y = trace_roc(ranking)
    assert len(x) < 400
    assert np.trapezoid(y, x) == pytest.approx(ranking.measure(np.ones(5000))[0], abs=2e-3)


def test_runs_are_compared_slice_by_slice() -> None:
    patients = np.array(["a", "a", "b", "b"])
    rival = compare("other", np.full(4, 0.1), np.array([0.2, 0.3, 0.2, 0.3]), patients)
    assert (rival.own, rival.rival) == (pytest.approx(0.1), pytest.approx(0.25))
    # Both patients have the same mean difference, and so has every draw of them.
    assert rival.difference_interval == pytest.approx((0.15, 0.15))


def test_each_fold_is_called_by_the_threshold_of_the_others() -> None:
    truth = np.repeat([[1], [0], [1], [0]], 6, axis=1)
    probability = np.repeat([[0.9], [0.2], [0.4], [0.1]], 6, axis=1)
    chosen = choose_operating(truth, probability, np.array([0, 0, 1, 1]))
    # Fold 0 is called from 0.4 on, which is best in fold 1; fold 1 from 0.9 on, and loses its positive.
    assert chosen.calls[:, 0].tolist() == [True, False, False, False]
    assert chosen.ranges[0].tolist() == [0.4, 0.9]
    assert chosen.thresholds[0] == 0.4
    alone = choose_operating(truth, probability, None)
    assert alone.calls[:, 0].tolist() == [True, False, True, False] and not alone.is_crossed


def test_calls_on_the_slices_of_a_label() -> None:
    truth, calls = np.zeros((3, 6)), np.zeros((3, 6), dtype=bool)
    truth[:2, 0], calls[0, 1] = 1, True
    shares = count_calls(truth, calls)
    assert shares[0].tolist() == [0, 0.5, 0, 0, 0, 0]
    assert np.isnan(shares[1]).all()


def test_shares_of_probabilities() -> None:
    assert count_shares(np.array([0.0, 0.01, 0.5, 1.0]))[[0, 10, 19]].tolist() == [0.5, 0.25, 0.25]


def test_shown_are_the_surest_of_each_kind_one_a_patient() -> None:
    truth = np.array([1, 1, 1, 0, 0, 1])
    probability = np.array([0.9, 0.8, 0.2, 0.7, 0.45, 0.6])
    patients = np.array(["a", "a", "b", "c", "d", "e"])
    rows = {kind: found.tolist() for kind, found in choose_rows(truth, probability, 0.5, patients).items()}
    assert rows["Surest right"] == [0, 5]  # row 1 is of patient a again, row 2 is not called
    assert rows["Surest wrong"] == [2, 3]  # lost 0.8 and 0.7
    assert rows["Most unsure"] == [4, 5, 3]


def test_without_a_wrong_call_none_is_shown() -> None:
    rows = choose_rows(np.array([1, 0]), np.array([0.9, 0.1]), 0.5, np.array(["a", "b"]))
    assert rows["Surest wrong"].tolist() == []


def test_groups_of_slices(material: Material) -> None:
    names = np.where(material.found.patients == "ID_00000000", "one", "others").tolist()
    large, small = measure_groups(material, names)
    assert (large.name, large.slices, large.patients) == ("others", 20, 5)
    assert (small.name, small.slices, small.bleeding) == ("one", 4, 0.5)
    assert large.burden + small.burden == pytest.approx(1)
    assert small.loss == pytest.approx(material.losses[:4].mean())
    every = np.tile(material.prior, (4, 1))
    losses = -np.log(np.where(material.found.truth[:4] == 1, every, 1 - every)).mean(axis=0)
    assert small.prior == pytest.approx(losses @ weight_vector())


def test_places_in_a_series(slices: pd.DataFrame) -> None:
    assert find_positions(slices)[:4].tolist() == pytest.approx([0, 1 / 3, 2 / 3, 1])
    lost = slices.assign(z_mm=slices["z_mm"].where(slices["image_id"] != "ID_000000000"))
    assert find_positions(lost)[:4].tolist() == pytest.approx([0.5, 0, 0.5, 1])


def test_the_worst_patient_is_the_one_with_most_of_the_loss(material: Material) -> None:
    losses = np.ones(24)
    losses[5] = 30.0
    ranked = rank_worst(replace(material, losses=losses), "patient_id")
    first = ranked.iloc[0]
    assert (first["name"], first["loss"], first["row"], first["bleeding"]) == ("ID_00000001", 33, 5, 2)
    assert len(ranked) == 6


def test_headers_of_slices_that_the_input_lacks_are_named(material: Material) -> None:
    ids = material.found.slices["image_id"]
    facts = pd.DataFrame(
        {"image_id": ids[:20], "bits_stored": 12, "pixel_representation": 0, "rescale_intercept": -1024.0}
    )
    made = build_headers(material, facts).markup
    assert "12 / 0 / -1024" in made and "not in the input" in made
    assert "--input" in build_headers(material, None).markup


def test_a_strip_shows_labels_that_are_true_or_said() -> None:
    truth, probability = np.zeros((3, 6)), np.full((3, 6), 0.01)
    truth[1, 2], probability[2, 4] = 1, 0.1
    assert choose_labels(truth, probability) == [2, 4, 5]


def test_strips_are_of_the_worst_and_of_the_best_that_bleed(material: Material) -> None:
    losses = np.repeat(np.arange(6.0), 4)
    chosen = choose_strips(replace(material, losses=losses))
    assert [int(rows[0]) // 4 for rows in chosen["The worst"]] == [5, 4, 3]
    assert [int(rows[0]) // 4 for rows in chosen["The best of those that bleed"]] == [0, 1, 2]
    drawn = draw_strip(material, np.arange(4)).markup
    # Slices 1 and 3 bleed: a bar for each of their own label, and of any.
    assert drawn.count("<rect") == 4
    assert "2 of 4 slices bleed" in drawn


def test_the_summary_says_what_it_was_made_with(material: Material) -> None:
    made = build_summary(material).markup
    assert "0123456789ab-dirty" in made and "hemorrhage train" in made
    assert "14 s" in made  # 2 folds of 2 epochs of 3.5 s
    assert all(label in made for label in LABELS)
