"""Linear models on made features: they learn what is there, keep patients apart, and fall back on the prior."""

import numpy as np
import pytest

from hemorrhage.pipeline.linear import INNER_FOLDS, PROBES, Material, guess_prior, split_patients


def make_material(patients: int = 12, seed: int = 0) -> Material:
    """Ten slices a patient and 30 features, of which the first tells the truth, but for noise."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, patients * 10)
    features = rng.normal(size=(len(truth), 30)).astype(np.float32)
    features[:, 0] += 4 * truth
    return Material(features, truth, np.repeat(np.arange(patients), 10))


@pytest.mark.parametrize("name", ["logistic regression", "linear SVC"])
def test_a_label_that_the_features_tell_is_learned(name: str) -> None:
    other = make_material(seed=1)
    probability = PROBES[name](make_material(), other.features, 0)
    assert probability is not None and ((probability > 0) & (probability < 1)).all()
    assert ((probability > 0.5) == other.truth).mean() > 0.9
    again = PROBES[name](make_material(), other.features, 0)
    np.testing.assert_allclose(again, probability, rtol=1e-6)


def test_inner_folds_never_have_a_patient_on_both_sides() -> None:
    material = make_material()
    splits = split_patients(material, seed=0)
    assert splits is not None and len(splits) == INNER_FOLDS
    for train, held_out in splits:
        assert not set(material.patients[train]) & set(material.patients[held_out])
        assert len(train) + len(held_out) == len(material.truth)


@pytest.mark.parametrize("positives", [0, 1])
def test_a_label_of_too_few_patients_is_not_learned(positives: int) -> None:
    material = make_material()
    few = Material(material.features, (material.patients < positives).astype(int), material.patients)
    assert split_patients(few, 0) is None
    assert all(guess(few, few.features, 0) is None for guess in PROBES.values())


def test_features_that_are_all_equal_are_not_learned_from() -> None:
    material = make_material()
    assert split_patients(Material(np.ones_like(material.features), material.truth, material.patients), 0) is None


def test_the_prior_learns_nothing() -> None:
    material = make_material()
    assert guess_prior(material, material.features, 0) is None
