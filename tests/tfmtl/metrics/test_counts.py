"""NMAE and SMAPE; plain Python is the other route."""

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error

from tfmtl.metrics import CountErrors, count_errors, count_errors_by_scenario, nmae, smape


def counts(rows, seed):
    rng = np.random.default_rng(seed)
    return rng.poisson(1.5, rows), np.where(rng.random(rows) < 0.3, 0.0, rng.gamma(2.0, 1.0, rows))


def plain_smape(labels, predictions):
    terms = [abs(p - y) / ((p + y) / 2) if p + y else 0.0 for y, p in zip(labels, predictions, strict=True)]
    return sum(terms) / len(terms)


def test_by_hand():
    labels, predictions = [0, 2, 4, 0], [0, 1, 4, 3]
    assert nmae(labels, predictions) == pytest.approx(4 / 6)
    assert smape(labels, predictions) == pytest.approx((0 + 1 / 1.5 + 0 + 2) / 4)


def test_are_those_of_plain_python():
    labels, predictions = counts(1000, seed=1)
    assert ((labels == 0) & (predictions == 0)).sum() > 10
    np.testing.assert_allclose(nmae(labels, predictions), mean_absolute_error(labels, predictions) / labels.mean())
    np.testing.assert_allclose(smape(labels, predictions), plain_smape(labels.tolist(), predictions.tolist()))


def test_zero_over_zero_is_zero():
    assert smape([0, 0], [0, 0]) == 0
    assert smape([0], [1e-300]) == 2


def test_nothing_counted():
    assert np.isnan(nmae([0, 0], [1, 0]))
    assert np.isnan(nmae([], []))
    assert np.isnan(smape([], []))


def test_by_scenario():
    labels, predictions = counts(600, seed=2)
    scenarios = np.random.default_rng(3).choice(["feed", "search", "video"], 600)
    found = count_errors_by_scenario(labels, predictions, scenarios)
    assert list(found) == ["feed", "search", "video"]
    for name, errors in found.items():
        of_name = [(y, p) for y, p, s in zip(labels, predictions, scenarios, strict=True) if s == name]
        assert errors.rows == len(of_name)
        np.testing.assert_allclose(errors.nmae, sum(abs(p - y) for y, p in of_name) / sum(y for y, _ in of_name))
        np.testing.assert_allclose(errors.smape, plain_smape(*zip(*of_name, strict=True)))
    overall = count_errors(labels, predictions)
    assert overall == CountErrors(nmae(labels, predictions), smape(labels, predictions), 600)
    parts = [errors.rows * errors.smape for errors in found.values()]
    np.testing.assert_allclose(overall.smape, sum(parts) / 600)


def test_scenarios_are_numbers_or_none():
    assert list(count_errors_by_scenario([1, 2, 3], [1, 2, 4], [7, 3, 7])) == [3, 7]
    assert count_errors_by_scenario([], [], []) == {}


def test_bad_arguments():
    with pytest.raises(ValueError, match=r"labels and predictions should be of one length\. Received: 2 and 1"):
        nmae([1, 2], [1])
    with pytest.raises(ValueError, match=r"labels and scenarios should be of one length\. Received: 2 and 1"):
        count_errors_by_scenario([1, 2], [1, 2], ["a"])
    with pytest.raises(ValueError, match=r"`predictions` should be at least 0\. Received: -0\.5"):
        smape([1, 2], [1, -0.5])
    with pytest.raises(ValueError, match=r"`labels` should be at least 0\. Received: -1"):
        nmae([-1, 2], [1, 1])
