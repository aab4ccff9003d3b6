"""Logit of a product of probabilities, and of the products along a chain or a tree."""

import numpy as np
import pytest

from tests.tfmtl.backends import dtype_name, to_numpy
from tests.tfmtl.losses.gradients import tensor, value_and_gradients
from tfmtl.losses import binary_cross_entropy, entire_logits, product_logit

RNG = np.random.default_rng(0)
A, B = RNG.normal(0, 3, (2, 200)).astype("float32")
EXTREMES = [-1e6, -300.0, -100.0, -20.0, 0.0, 20.0, 100.0, 300.0, 1e6]


def log_sigmoid(z):
    return -np.logaddexp(0, -np.asarray(z, "float64"))


def probability(z):
    return np.exp(log_sigmoid(z))


def test_values():
    product = probability(A) * probability(B)
    np.testing.assert_allclose(
        to_numpy(product_logit(A, B)), np.log(product) - np.log1p(-product), rtol=1e-5, atol=1e-5
    )
    assert dtype_name(product_logit(A, B)) == "float32"


def test_scalars_and_no_rows():
    np.testing.assert_allclose(float(product_logit(0.0, 0.0)), np.log(1 / 3), rtol=1e-6)
    assert tuple(product_logit(A[:0], B[:0]).shape) == (0,)


def test_cross_entropy_is_that_of_the_product():
    product = probability(A) * probability(B)
    labels = (RNG.random(200) < 0.3).astype("float32")
    expected = -(labels * np.log(product) + (1 - labels) * np.log1p(-product))
    np.testing.assert_allclose(
        to_numpy(binary_cross_entropy(labels, product_logit(A, B))), expected, rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_loss_and_gradient_at_extreme_logits(label):
    """In float64, log P is a sum and 1 - P is the probability that the first event fails, or only the second."""
    a, b = (grid.ravel() for grid in np.meshgrid(EXTREMES, EXTREMES))
    labels = np.full(len(a), label, "float32")
    losses, slopes = value_and_gradients(
        lambda a, b: binary_cross_entropy(labels, product_logit(a, b)), tensor(a), tensor(b)
    )
    log_p = log_sigmoid(a) + log_sigmoid(b)
    log_not_p = np.logaddexp(log_sigmoid(-a), log_sigmoid(a) + log_sigmoid(-b))
    np.testing.assert_allclose(losses, -(label * log_p + (1 - label) * log_not_p), rtol=1e-5, atol=1e-6)
    # d loss / d a = (P - label) * d logit / d a, where d logit / d a = s(-a) / (1 - P).
    for slope, z in zip(slopes, (a, b), strict=True):
        log_fails = log_sigmoid(-z)
        expected = -np.exp(log_fails) if label else np.exp(log_fails + log_p - log_not_p)
        np.testing.assert_allclose(slope, expected, rtol=1e-4, atol=1e-6)


def test_chain_and_tree():
    tree = {"buy": "click", "call": "click", "back": "buy"}
    logits = dict(zip(("click", "buy", "call", "back", "views"), RNG.normal(0, 2, (5, 40)), strict=True))
    entire = entire_logits(tree, {name: tensor(z) for name, z in logits.items()})
    assert list(entire) == list(logits)
    click = probability(logits["click"])
    products = {"click": click, "buy": click * probability(logits["buy"]), "call": click * probability(logits["call"])}
    products["back"] = products["buy"] * probability(logits["back"])
    for name, product in products.items():
        np.testing.assert_allclose(probability(to_numpy(entire[name])), product, rtol=1e-5)
    np.testing.assert_array_equal(to_numpy(entire["views"]), logits["views"].astype("float32"))
