import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from pipelines.evaluation.block_statistics import Histograms, area, ratio


def histograms(bins, labels, blocks, count=6):
    found = np.zeros((2, count, bins.max() + 1))
    np.add.at(found, (labels.astype(int), blocks, bins), 1)
    cells = np.nonzero(found.sum(axis=0))
    return Histograms(count, *cells, found[0][cells], found[1][cells])


def test_area_and_the_areas_without_each_block():
    rng = np.random.default_rng(0)
    bins, labels, blocks = rng.integers(0, 20, 400), rng.random(400) < 0.3, rng.integers(0, 6, 400)
    found = area(histograms(bins, labels, blocks))
    assert found.value == pytest.approx(roc_auc_score(labels, bins), abs=1e-12)
    expected = [roc_auc_score(labels[blocks != k], bins[blocks != k]) for k in range(6)]
    np.testing.assert_allclose(found.left_out, expected, atol=1e-12)
    deviations = np.array(expected) - np.mean(expected)
    assert found.error == pytest.approx(math.sqrt(5 / 6 * np.sum(deviations**2)))


def test_a_block_without_rows_leaves_the_area_as_it_is():
    rng = np.random.default_rng(0)
    bins, labels, blocks = rng.integers(0, 20, 100), rng.random(100) < 0.3, rng.choice([0, 2, 5], 100)
    found = area(histograms(bins, labels, blocks, 7))
    assert len(found.left_out) == 7
    np.testing.assert_allclose(found.left_out[[1, 3, 4, 6]], found.value, atol=1e-12)


def test_area_of_one_class_is_undefined():
    bins, blocks = np.arange(10), np.arange(10) % 6
    found = area(histograms(bins, np.ones(10), blocks))
    assert math.isnan(found.value)
    assert math.isnan(found.error)


def test_ratio_and_its_error():
    rng = np.random.default_rng(1)
    numerators, denominators = rng.random(30), rng.random(30) + 1
    found = ratio(numerators, denominators)
    assert found.value == pytest.approx(numerators.sum() / denominators.sum())
    assert found.left_out[3] == pytest.approx(np.delete(numerators, 3).sum() / np.delete(denominators, 3).sum())
    assert math.isnan(ratio(np.ones(3), np.zeros(3)).value)


def test_the_error_is_the_spread_of_the_estimate_where_rows_of_a_group_depend_on_each_other():
    """Each group has its own rate; the error for independent rows would be a third of the true one."""
    rng = np.random.default_rng(2)
    values, errors = [], []
    for _ in range(300):
        rates = rng.beta(1, 3, 128)
        positives, rows = rng.binomial(40, rates), np.full(128, 40.0)
        found = ratio(positives.reshape(64, 2).sum(axis=1), rows.reshape(64, 2).sum(axis=1))
        values.append(found.value)
        errors.append(found.error)
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.12)
