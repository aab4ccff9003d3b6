"""ocpc_bid: equation 16 of AdaFTR, its bounds, and wrong arguments."""

import numpy as np
import pytest

from serving.bidding import ocpc_bid


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
