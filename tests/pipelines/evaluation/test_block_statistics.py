import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from pipelines.evaluation.block_statistics import Histograms, area, ratio


def histograms(bins, labels, places, slices=(0,) * 6):
    found = np.zeros((2, len(slices), bins.max() + 1))
    np.add.at(found, (labels.astype(int), places, bins), 1)
    cells = np.nonzero(found.sum(axis=0))
    return Histograms(max(slices) + 1, np.array(slices), *cells, found[0][cells], found[1][cells])


def of_one_slice(numerators, denominators):
    return ratio(numerators, denominators, np.zeros(len(numerators), int), 1)


def test_area_and_the_areas_without_each_block():
    rng = np.random.default_rng(0)
    bins, labels, blocks = rng.integers(0, 20, 400), rng.random(400) < 0.3, rng.integers(0, 6, 400)
    found = area(histograms(bins, labels, blocks))
    assert found.value == pytest.approx([roc_auc_score(labels, bins)], abs=1e-12)
    expected = [roc_auc_score(labels[blocks != k], bins[blocks != k]) for k in range(6)]
    np.testing.assert_allclose(found.left_out, expected, atol=1e-12)
    deviations = np.array(expected) - np.mean(expected)
    assert found.error == pytest.approx([math.sqrt(5 / 6 * np.sum(deviations**2))])


def test_the_areas_of_slices_are_those_of_each_one_alone():
    rng = np.random.default_rng(3)
    slices = np.sort(rng.integers(0, 5, 40))
    slices[slices == 3] = 2  # A slice without rows.
    bins, places = rng.integers(0, 20, 2_000), rng.integers(0, 40, 2_000)
    labels = (rng.random(2_000) < 0.3) & (slices[places] != 4)  # A slice of one class.
    found = area(histograms(bins, labels, places, tuple(slices)))
    for number in range(5):
        own = slices[places] == number
        (at,) = np.nonzero(slices == number)
        if number >= 3:
            assert math.isnan(found.value[number])
            assert math.isnan(found.error[number])
            continue
        alone = area(histograms(bins[own], labels[own], places[own] - at[0], (0,) * len(at)))
        assert found.value[number] == pytest.approx(roc_auc_score(labels[own], bins[own]), abs=1e-12)
        assert found.error[number] == pytest.approx(alone.error[0], rel=1e-12)
        np.testing.assert_allclose(found.left_out[at], alone.left_out, rtol=1e-12)


def test_a_block_without_rows_leaves_the_area_as_it_is():
    rng = np.random.default_rng(0)
    bins, labels, blocks = rng.integers(0, 20, 100), rng.random(100) < 0.3, rng.choice([0, 2, 5], 100)
    found = area(histograms(bins, labels, blocks, (0,) * 7))
    assert len(found.left_out) == 7
    np.testing.assert_allclose(found.left_out[[1, 3, 4, 6]], found.value[0], atol=1e-12)


def test_area_of_one_class_is_undefined():
    bins, blocks = np.arange(10), np.arange(10) % 6
    found = area(histograms(bins, np.ones(10), blocks))
    assert math.isnan(found.value[0])
    assert math.isnan(found.error[0])


def test_ratio_and_its_error():
    rng = np.random.default_rng(1)
    numerators, denominators = rng.random(30), rng.random(30) + 1
    found = of_one_slice(numerators, denominators)
    assert found.value == pytest.approx([numerators.sum() / denominators.sum()])
    assert found.left_out[3] == pytest.approx(np.delete(numerators, 3).sum() / np.delete(denominators, 3).sum())
    assert math.isnan(of_one_slice(np.ones(3), np.zeros(3)).value[0])


def test_the_error_is_the_spread_of_the_estimate_where_rows_of_a_group_depend_on_each_other():
    """Each group has its own rate; the error for independent rows would be a third of the true one."""
    rng = np.random.default_rng(2)
    values, errors = [], []
    for _ in range(300):
        rates = rng.beta(1, 3, 128)
        positives, rows = rng.binomial(40, rates), np.full(128, 40.0)
        found = of_one_slice(positives.reshape(64, 2).sum(axis=1), rows.reshape(64, 2).sum(axis=1))
        values.append(found.value[0])
        errors.append(found.error[0])
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.12)
