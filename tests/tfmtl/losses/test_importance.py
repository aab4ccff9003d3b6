"""Importance weights: the theorems, for known probabilities of all events."""

import numpy as np
import pytest

from tests.tfmtl.backends import to_numpy
from tests.tfmtl.losses.gradients import gradients
from tfmtl.losses import difference_importance, label_importance

P_X = np.array([0.2, 0.5, 0.3])
PREVIOUS = np.array([0.9, 0.4, 0.15])  # P(t'=1|x)
CURRENT = np.array([0.3, 0.39, 0.01])  # P(t=1|x) = P(t=1, t'=1|x)
F_PREVIOUS, F = np.array([0.5, 0.7, 0.2]), np.array([0.1, 0.6, 0.3])
"""Predictions of a model, which differ from the probabilities; for the last x, f exceeds f'."""


def joint(t_previous, t):
    """Returns P(x, t', t)."""
    given_x = {(0, 0): 1 - PREVIOUS, (1, 0): PREVIOUS - CURRENT, (1, 1): CURRENT, (0, 1): np.zeros(3)}
    return P_X * given_x[t_previous, t]


def squared_error(prediction, target):
    return (prediction - target) ** 2


def log_loss(prediction, target):
    return -np.log(prediction if target else 1 - prediction)


@pytest.mark.parametrize("loss", [squared_error, log_loss])
def test_theorem_2_1(loss):
    entire = sum((joint(a, b) * loss(F, b)).sum() for a in (0, 1) for b in (0, 1))
    share = joint(1, 0).sum() + joint(1, 1).sum()
    conditional = 0.0
    for b in (0, 1):
        weights = label_importance(np.full(3, b), PREVIOUS, CURRENT, max_weight=1e6)
        conditional += (joint(1, b) / share * share * to_numpy(weights) * loss(F, b)).sum()
    np.testing.assert_allclose(conditional, entire, rtol=1e-5)


def test_theorem_3_1():
    difference = F_PREVIOUS - F
    entire = sum((joint(a, b) * squared_error(difference, a - b)).sum() for a in (0, 1) for b in (0, 1))
    share = joint(1, 0).sum() + joint(1, 1).sum()
    conditional = 0.0
    for b in (0, 1):
        weights = difference_importance(np.full(3, b), PREVIOUS, CURRENT, max_weight=1e6)
        conditional += (joint(1, b) / share * share * to_numpy(weights) * squared_error(difference, 1 - b)).sum()
    np.testing.assert_allclose(conditional, entire, rtol=1e-5)


def test_values_computed_by_hand():
    labels, previous, current = [0.0, 1.0], [0.5, 0.5], [0.1, 0.1]
    np.testing.assert_allclose(to_numpy(label_importance(labels, previous, current)), [0.9 / 0.4, 1], rtol=1e-6)
    np.testing.assert_allclose(to_numpy(difference_importance(labels, previous, current)), [1, 0.6 / 0.1], rtol=1e-6)


@pytest.mark.parametrize("importance", [label_importance, difference_importance])
def test_bounds_hold_for_any_predictions(importance):
    values = np.float32([0, 1e-38, 1e-6, 0.3, 0.5, 1 - 1e-7, 1])
    previous, current = (side.ravel() for side in np.meshgrid(values, values))
    for label in (0.0, 1.0):
        weights = to_numpy(importance(np.full(49, label), previous, current, max_weight=20.0))
        assert weights.dtype == np.float32
        assert weights.min() == 1
        assert weights.max() <= 20
        assert (weights.max() == 20) == (label == (importance is difference_importance))


@pytest.mark.parametrize("importance", [label_importance, difference_importance])
def test_no_gradient_flows(importance):
    labels, previous, current = np.float32([[0.0, 1.0], [0.5, 0.4], [0.2, 0.1]])
    slopes = gradients(lambda *predictions: importance(labels, *predictions), previous, current)
    np.testing.assert_array_equal(slopes, np.zeros((2, 2)))
