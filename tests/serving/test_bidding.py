"""Bids: ocpc_bid (equation 16 of AdaFTR) and value_bid, their bounds, and wrong arguments."""

import numpy as np
import pytest

from serving.bidding import ocpc_bid, value_bid


def test_price_of_each_impression():
    rng = np.random.default_rng(0)
    ctr, cvr, price = rng.random(50), rng.random(50), rng.exponential(30, 50)
    bids = ocpc_bid(ctr, cvr, price, weight=0.8)
    assert bids.tolist() == pytest.approx([0.8 * a * b * c for a, b, c in zip(ctr, cvr, price, strict=True)])


def test_arguments_are_broadcast():
    bids = ocpc_bid(np.array([0.1, 0.2], "float32"), 0.5, [[10.0], [20.0]])
    np.testing.assert_allclose(bids, [[0.5, 1.0], [1.0, 2.0]], rtol=1e-6)
    assert bids.dtype == np.float64
    assert ocpc_bid(0.1, 0.5, 10.0).shape == ()


def test_bounds():
    np.testing.assert_allclose(ocpc_bid([0.0, 0.1, 1.0], 1.0, 10.0, floor=0.5, cap=2.0), [0.5, 1.0, 2.0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ctr": [0.1, 1.5]}, r"ctr should be in \[0, 1\]\. Received: 1\.5 at index 1"),
        ({"cvr": -0.1}, r"cvr should be in \[0, 1\]\. Received: -0\.1"),
        ({"cvr": [float("nan")]}, r"cvr should be in \[0, 1\]\. Received: nan at index 0"),
        ({"base_price": float("inf")}, r"base_price should be at least 0 and finite\. Received: inf"),
        ({"weight": -1.0}, r"weight should be at least 0"),
        ({"floor": 3.0, "cap": 2.0}, r"floor should be at least 0, and at most cap\. Received: 3\.0, 2\.0"),
        ({"floor": float("nan")}, r"floor should be at least 0"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        ocpc_bid(**{"ctr": 0.1, "cvr": 0.1, "base_price": 10.0, **arguments})


def test_a_bid_by_value_is_the_value_per_return():
    rng = np.random.default_rng(1)
    values, returns = rng.exponential(2, 50), rng.uniform(1, 8, 50)
    bids = value_bid(values, target_roas=returns, weight=0.9)
    assert bids.tolist() == pytest.approx([0.9 * value / target for value, target in zip(values, returns, strict=True)])
    assert values.sum() == pytest.approx(4.0 * value_bid(values, target_roas=4.0).sum()), "paid at its bids"
    np.testing.assert_allclose(value_bid(values, cost_share=0.25), value_bid(values, target_roas=4.0))
    np.testing.assert_allclose(value_bid([0.0, 1.0, 9.0], target_roas=2.0, floor=0.1, cap=2.0), [0.1, 0.5, 2.0])
    assert value_bid(np.float32(3), cost_share=0).tolist() == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"expected_value": [1.0, -0.1]},
            r"expected_value should be at least 0 and finite\. Received: -0\.1 at index 1",
        ),
        ({"expected_value": float("nan")}, r"expected_value should be at least 0 and finite\. Received: nan"),
        ({"target_roas": 0.0}, r"target_roas should be above 0 and finite\. Received: 0\.0"),
        ({"target_roas": None}, "one of target_roas and cost_share should be given. Received: neither"),
        ({"cost_share": 0.2}, "Received: target_roas and cost_share"),
        ({"target_roas": None, "cost_share": -1.0}, "cost_share should be at least 0"),
        ({"cap": -1.0}, "floor should be at least 0"),
    ],
)
def test_wrong_arguments_of_a_bid_by_value(arguments, message):
    with pytest.raises(ValueError, match=message):
        value_bid(**{"expected_value": 1.0, "target_roas": 4.0, **arguments})
