"""The logit of a product of probabilities, and of the products along a chain or a tree."""

import numpy as np
import pytest
import tensorflow as tf

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
    np.testing.assert_allclose(product_logit(A, B), np.log(product) - np.log1p(-product), rtol=1e-5, atol=1e-5)
    assert product_logit(A, B).dtype == tf.float32


def test_the_cross_entropy_is_that_of_the_product():
    product = probability(A) * probability(B)
    labels = (RNG.random(200) < 0.3).astype("float32")
    expected = -(labels * np.log(product) + (1 - labels) * np.log1p(-product))
    np.testing.assert_allclose(binary_cross_entropy(labels, product_logit(A, B)), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_loss_and_gradient_at_the_extremes(label):
    """Log-probabilities in float64: log P is a sum; 1 - P, that the first fails or then the second."""
    a, b = (grid.ravel() for grid in np.meshgrid(EXTREMES, EXTREMES))
    inputs = [tf.constant(value, "float32") for value in (a, b)]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        losses = binary_cross_entropy(tf.fill(len(a), label), product_logit(*inputs))
    log_p = log_sigmoid(a) + log_sigmoid(b)
    log_not_p = np.logaddexp(log_sigmoid(-a), log_sigmoid(a) + log_sigmoid(-b))
    np.testing.assert_allclose(losses, -(label * log_p + (1 - label) * log_not_p), rtol=1e-5, atol=1e-6)
    # d loss / d a = (P - label) * d logit / d a, of which d logit / d a = s(-a) / (1 - P).
    for slope, z in zip(tape.gradient(losses, inputs), (a, b), strict=True):
        fails = log_sigmoid(-z)
        expected = -np.exp(fails) if label else np.exp(fails + log_p - log_not_p)
        np.testing.assert_allclose(slope, expected, rtol=1e-4, atol=1e-6)


def test_chain_and_tree():
    tree = {"buy": "click", "call": "click", "back": "buy"}
    logits = dict(zip(("click", "buy", "call", "back", "views"), RNG.normal(0, 2, (5, 40)), strict=True))
    entire = entire_logits(tree, {name: tf.constant(z, "float32") for name, z in logits.items()})
    assert list(entire) == list(logits)
    click = probability(logits["click"])
    products = {"click": click, "buy": click * probability(logits["buy"]), "call": click * probability(logits["call"])}
    products["back"] = products["buy"] * probability(logits["back"])
    for name, product in products.items():
        np.testing.assert_allclose(probability(entire[name]), product, rtol=1e-5)
    np.testing.assert_array_equal(entire["views"], logits["views"].astype("float32"))
