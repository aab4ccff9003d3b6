"""Measures of health: hand-made cases, values by another route (SciPy, singular values), and extremes."""

import math

import numpy as np
import pytest
import scipy.stats

from tfmtl import health

SHAPES = [(1, 1), (1, 5), (7, 1), (40, 6), (20, 3, 4), (8, 2, 5, 3)]
OF_ROWS = {
    "relative_entropy": (0, 1),
    "expert_use": (0, 1),
    "saturation": (0, 1),
    "row_variation": (0, math.inf),
    "weight_variation": (0, math.inf),
    "relative_variation": (0, 1),
    "effective_rank": (0, math.inf),
    "connection_shift": (0, 1),
    "largest_connection": (0, 1),
}
"""Range of each measure that takes an array alone."""


def weights(shape, seed=0):
    """Random weights with the sum 1 over the last axis, from nearly uniform to nearly one-hot."""
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.full(shape[-1], 0.4), shape[:-1])


@pytest.mark.parametrize("shape", [(40, 6), (20, 3, 4), (8, 2, 5, 3)])
def test_entropy_is_that_of_scipy(shape):
    given = weights(shape)
    expected = scipy.stats.entropy(given, axis=-1, base=shape[-1]).mean()
    assert health.relative_entropy(given) == pytest.approx(expected, rel=1e-12)
    assert health.relative_entropy(3 * given) == pytest.approx(expected, rel=1e-12), "rows are normalized"
    assert 0.2 < expected < 0.9


def test_entropy_of_cases_by_hand():
    assert health.relative_entropy([[1, 0, 0]]) == 0.0
    assert health.relative_entropy([[0.5, 0.5, 0, 0]]) == pytest.approx(0.5)
    assert health.relative_entropy([[0.5, 0.5], [1.0, 0.0]]) == pytest.approx(0.5), "the mean over rows"
    assert health.relative_entropy([[1.0], [1.0]]) == 1.0, "one key alone is uniform"
    assert health.relative_entropy([[0.0, 0.0]]) == 1.0, "no key is preferred"
    assert health.relative_entropy([[0.56, 0.44]]) == pytest.approx(0.99, abs=5e-4), "the bound of gates"


def test_effective_rank_by_singular_values():
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(60, 8)) @ np.diag([9, 5, 3, 1, 0.5, 0.2, 0.1, 0.01]) @ rng.normal(size=(8, 8)) + 4.0
    squares = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False) ** 2
    expected = math.exp(scipy.stats.entropy(squares))
    assert health.effective_rank(rows) == pytest.approx(expected, rel=1e-9)
    assert health.effective_rank(1e200 * rows) == pytest.approx(expected, rel=1e-9), "the scale does not matter"
    assert health.effective_rank(rows[:, :, None]) == pytest.approx(expected, rel=1e-9), "axes are flattened"
    wide = rng.normal(size=(10, 300))
    squares = np.linalg.svd(wide - wide.mean(axis=0), compute_uv=False) ** 2
    assert health.effective_rank(wide) == pytest.approx(math.exp(scipy.stats.entropy(squares)), rel=1e-6)


@pytest.mark.parametrize("rank", [1, 3, 12])
def test_effective_rank_of_equal_variances(rank):
    rng = np.random.default_rng(rank)
    directions, _ = np.linalg.qr(rng.normal(size=(20, rank)))
    rows = np.concatenate([np.eye(rank), -np.eye(rank)]) @ directions.T + 7.0
    assert health.effective_rank(rows) == pytest.approx(rank, rel=1e-9)
    assert health.effective_rank(rows.astype("float32")) == pytest.approx(rank, rel=1e-3)


def test_equal_rows_have_no_rank():
    row = np.random.default_rng(0).normal(size=(1, 50)).astype("float32")
    assert health.effective_rank(np.repeat(row, 30, axis=0)) == 0.0
    noise = 1 + 1e-7 * np.random.default_rng(1).normal(size=(30, 50))
    assert health.effective_rank(row * noise) == 0.0, "rounding errors are no directions"
    assert health.effective_rank(row * (1 + 1e4 * (noise - 1))) > 10, "differences of a thousandth are"


def test_variations_by_hand():
    assert health.row_variation([[0, 5], [2, 5], [4, 5]]) == pytest.approx(np.std([0, 2, 4]) / 2)
    assert health.weight_variation([[0.2, 0.8], [0.6, 0.4]]) == pytest.approx(2 * 0.2)
    assert health.relative_variation([[3.0, 4.0], [3.0, 0.0]]) == pytest.approx(math.sqrt(8 / 34))
    given = np.random.default_rng(2).normal(2, 1, (50, 3, 2))
    flat = given.reshape(50, 6)
    assert health.row_variation(given) == pytest.approx(scipy.stats.tstd(flat, axis=0, ddof=0).mean())
    expected = math.sqrt(flat.var(axis=0).sum() / (flat**2).mean(axis=0).sum())
    assert health.relative_variation(given) == pytest.approx(expected)


def test_use_and_saturation_by_hand():
    assert health.expert_use([[0.5, 0.25, 0.25], [0.1, 0.0, 0.9]]) == pytest.approx(3 * 0.125)
    assert health.expert_use([[1, 1], [3, 1]]) == pytest.approx(2 * 0.375), "rows are normalized"
    assert health.expert_use([[0, 0], [3, 1]]) == pytest.approx(0.5), "rows of zeros are left out"
    assert health.saturation([0.0, 0.049, 0.05, 0.5, 0.95, 0.951, 1.0, 0.3]) == 0.5


def test_temperature_spread_by_quantiles():
    rng = np.random.default_rng(3)
    given = rng.uniform(0.05, 1.0, 500)
    low, high = scipy.stats.mstats.mquantiles(given, [0.05, 0.95], alphap=1, betap=1)
    assert health.temperature_spread(given, 0.05, 1.0) == pytest.approx((high - low) / 0.95)
    assert health.temperature_spread([0.3] * 9, 0.05, 1.0) == 0.0
    assert health.temperature_spread([0.3], 0.3, 0.3) == 0.0, "an empty range"


def test_connections_by_hand():
    assert health.connection_shift([[0.5, 0.25], [1.0, 0.5]]) == pytest.approx((0.5 + 1.0) / 4)
    assert health.largest_connection([[0.5, 0.25], [0.75, 0.5]]) == 0.75


def test_cross_share_by_hand():
    stitch = np.array([[[0.9, 1.0], [0.1, 0.0]], [[-0.2, 0.0], [0.8, 1.0]]])
    assert health.cross_share(stitch) == pytest.approx(0.3 / 4.0)
    assert health.cross_share(np.zeros((2, 2, 1))) == 0.0
    assert math.isnan(health.cross_share(np.full((2, 2, 1), np.nan)))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", OF_ROWS)
def test_measures_are_finite_and_in_their_range(name, shape):
    low, high = OF_ROWS[name]
    for given in (np.zeros(shape), np.ones(shape), weights(shape), np.full(shape, 1e-30), np.eye(*shape[-2:])):
        value = getattr(health, name)(given)
        assert isinstance(value, float)
        assert math.isfinite(value)
        assert low <= value <= high


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", [*OF_ROWS, "temperature_spread"])
def test_values_that_are_not_finite_are_reported(name, bad):
    given = weights((30, 4))
    given[17, 2] = bad
    arguments = (0.0, 1.0) if name == "temperature_spread" else ()
    assert math.isnan(getattr(health, name)(given, *arguments))


@pytest.mark.parametrize("name", OF_ROWS)
def test_no_values_are_an_error(name):
    with pytest.raises(ValueError, match=r"should be at least one\. Received: an array of shape \(0, 3\)"):
        getattr(health, name)(np.zeros((0, 3)))
