"""SequentialDependenceLoss and behavioral_calibrator."""

import numpy as np
import pytest

from tests.tfmtl.losses.gradients import value_and_gradients
from tfmtl.losses import SequentialDependenceLoss, behavioral_calibrator

CHAIN = {"buy": "click", "back": "buy"}
TREE = {"buy": "click", "call": "click", "back": "buy"}
ROWS = 50
RNG = np.random.default_rng(0)
PREDICTIONS = {name: RNG.random(ROWS).astype("float32") for name in ("click", "buy", "call", "back")}
EVENTS = (RNG.random((4, ROWS)) < 0.6).astype("float32")
LABELS = {"click": EVENTS[0], "buy": EVENTS[0] * EVENTS[1], "call": EVENTS[0] * EVENTS[2]}
LABELS["back"] = LABELS["buy"] * EVENTS[3]
WEIGHTS = RNG.uniform(0, 3, ROWS).astype("float32")


def equation_21(follows, strength, weights=None):
    """Computes the penalty with a loop over rows."""
    total = 0.0
    weights = np.ones(ROWS) if weights is None else weights
    for task, previous in follows.items():
        rows = [
            (float(PREDICTIONS[previous][r]) - PREDICTIONS[task][r] - (LABELS[previous][r] - LABELS[task][r])) ** 2
            for r in range(ROWS)
        ]
        total += strength[task] * sum(w * row for w, row in zip(weights, rows, strict=True)) / sum(weights)
    return total


@pytest.mark.parametrize("follows", [CHAIN, TREE])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_equation_21(follows, weights):
    strength = {"buy": 0.5, "call": 2.0, "back": 3.0}
    named = SequentialDependenceLoss(follows, {task: strength[task] for task in follows})
    np.testing.assert_allclose(
        float(named(LABELS, PREDICTIONS, weights)), equation_21(follows, strength, weights), rtol=1e-5
    )
    one = SequentialDependenceLoss(follows, 0.7)
    expected = equation_21(follows, dict.fromkeys(follows, 0.7), weights)
    np.testing.assert_allclose(float(one(LABELS, PREDICTIONS, weights)), expected, rtol=1e-5)


def test_strength_of_a_task_that_is_not_named_is_0():
    expected = equation_21({"back": "buy"}, {"back": 2.0})
    penalty = SequentialDependenceLoss(CHAIN, {"back": 2.0})
    np.testing.assert_allclose(float(penalty(LABELS, PREDICTIONS)), expected, rtol=1e-5)


def test_0_where_differences_equal_those_of_the_labels():
    shifted = {name: labels + 0.25 for name, labels in LABELS.items()}
    assert float(SequentialDependenceLoss(TREE)(LABELS, shifted)) < 1e-12
    assert float(SequentialDependenceLoss(TREE)(LABELS, {**shifted, "buy": LABELS["buy"]})) > 0.05


def test_expected_penalty_is_minimal_at_equation_3():
    """For one x with P(click) = 0.8 and P(buy) = 0.3, the best difference is P(click and no buy) = 0.5."""
    labels = {"click": np.float32([1] * 8 + [0] * 2), "buy": np.float32([1] * 3 + [0] * 7)}
    penalty = SequentialDependenceLoss({"buy": "click"})
    differences = np.linspace(0, 1, 101)
    losses = [float(penalty(labels, {"click": np.full(10, d), "buy": np.zeros(10)})) for d in differences]
    np.testing.assert_allclose(differences[np.argmin(losses)], 0.5)


def test_conditional_space_computed_by_hand():
    """With f' = 0.5 and f = 0.1: (0.4 - 1)^2 for a click without purchase, (0.4 - 0)^2 * 0.6 / 0.1 for a purchase."""
    labels = {"click": np.float32([1, 1, 0, 0]), "buy": np.float32([0, 1, 0, 0])}
    predictions = {"click": np.full(4, 0.5, "float32"), "buy": np.full(4, 0.1, "float32")}
    penalty = SequentialDependenceLoss({"buy": "click"}, 2.0, "conditional")
    np.testing.assert_allclose(float(penalty(labels, predictions)), 2 * (0.36 + 6 * 0.16) / 4, rtol=1e-5)
    weights = np.float32([1, 2, 3, 0])
    np.testing.assert_allclose(float(penalty(labels, predictions, weights)), 2 * (0.36 + 2 * 6 * 0.16) / 6, rtol=1e-5)
    bounded = SequentialDependenceLoss({"buy": "click"}, 2.0, "conditional", max_weight=4.0)
    np.testing.assert_allclose(float(bounded(labels, predictions)), 2 * (0.36 + 4 * 0.16) / 4, rtol=1e-5)


def test_conditional_space_equals_entire_space_in_expectation():
    """For rows drawn from known probabilities, both penalties agree; the penalty without weights differs."""
    rng = np.random.default_rng(1)
    f_previous = rng.uniform(0.3, 0.9, 200_000).astype("float32")
    f = (f_previous * rng.uniform(0.2, 0.8, 200_000)).astype("float32")
    uniform = rng.random(200_000)
    labels = {"click": (uniform < f_previous).astype("float32"), "buy": (uniform < f).astype("float32")}
    predictions = {"click": f_previous, "buy": f}
    entire, conditional, unweighted = (
        float(SequentialDependenceLoss({"buy": "click"}, 1.0, space, max_weight)(labels, predictions))
        for space, max_weight in (("entire", 100.0), ("conditional", 100.0), ("conditional", 1.0))
    )
    np.testing.assert_allclose(conditional, entire, rtol=0.02)
    assert abs(unweighted - entire) > 0.15 * entire


@pytest.mark.parametrize("space", ["entire", "conditional"])
def test_gradient_equals_difference_quotients(space):
    """The weight of the conditional space is a constant to the gradient, so it is fixed here."""
    penalty = SequentialDependenceLoss(TREE, 0.5, space, max_weight=1.0)
    _, (slopes,) = value_and_gradients(lambda predictions: penalty(LABELS, predictions), PREDICTIONS)
    for name, slope in slopes.items():
        for row in (0, 7, 23):
            sides = []
            for sign in (1, -1):
                moved = np.array(PREDICTIONS[name])
                moved[row] += sign * 0.05
                sides.append(float(penalty(LABELS, {**PREDICTIONS, name: moved})))
            np.testing.assert_allclose(slope[row], (sides[0] - sides[1]) / 0.1, atol=1e-5)


@pytest.mark.parametrize("space", ["entire", "conditional"])
def test_ignores_missing_labels_of_rows_without_weight(space):
    previous = LABELS["click"] == 1
    weights = np.where(np.arange(ROWS) < 5, 0, WEIGHTS)
    missing = (weights == 0) | ((space == "conditional") & ~previous)
    labels = {"click": np.where(weights == 0, np.nan, LABELS["click"]), "buy": np.where(missing, np.nan, LABELS["buy"])}
    penalty = SequentialDependenceLoss({"buy": "click"}, 1.0, space)
    expected = value_and_gradients(lambda predictions: penalty(LABELS, predictions, weights), PREDICTIONS)
    loss, (slopes,) = value_and_gradients(lambda predictions: penalty(labels, predictions, weights), PREDICTIONS)
    np.testing.assert_allclose(loss, expected[0], rtol=1e-6)
    for name, slope in slopes.items():
        np.testing.assert_allclose(slope, expected[1][0][name], atol=1e-7)


@pytest.mark.parametrize("space", ["entire", "conditional"])
def test_no_rows_no_weights_no_events(space):
    penalty = SequentialDependenceLoss(CHAIN, 1.0, space)
    assert float(penalty(LABELS, PREDICTIONS, np.zeros(ROWS))) == 0
    none = {name: np.zeros(0, "float32") for name in PREDICTIONS}
    assert float(penalty(none, none)) == 0
    zeros = {name: np.zeros(ROWS, "float32") for name in PREDICTIONS}
    assert (float(penalty(zeros, PREDICTIONS)) == 0) == (space == "conditional")


def test_calibrator():
    expected = sum(
        np.mean([max(float(PREDICTIONS[task][r]) - PREDICTIONS[previous][r], 0) for r in range(ROWS)])
        for task, previous in TREE.items()
    )
    np.testing.assert_allclose(float(behavioral_calibrator(TREE, PREDICTIONS)), expected, rtol=1e-5)
    ordered = {"click": PREDICTIONS["click"], "buy": PREDICTIONS["click"] * 0.5, "back": PREDICTIONS["click"] * 0.5}
    assert float(behavioral_calibrator(CHAIN, ordered)) == 0
    weights = np.eye(ROWS, dtype="float32")[3] * 5
    expected = max(PREDICTIONS["buy"][3] - PREDICTIONS["click"][3], 0) + max(
        PREDICTIONS["back"][3] - PREDICTIONS["buy"][3], 0
    )
    np.testing.assert_allclose(float(behavioral_calibrator(CHAIN, PREDICTIONS, weights)), expected, rtol=1e-5)


def test_rejects_wrong_arguments():
    for arguments, message in (
        ((CHAIN, {"click": 1.0}), "`strength` should name tasks that follow another. Received: click"),
        ((CHAIN, -1.0), "`strength` should be at least 0. Received: -1.0"),
        ((CHAIN, {"buy": -0.5}), "`strength` should be at least 0. Received: {'buy': -0.5}"),
        ((CHAIN, 1.0, "local"), "`space` should be entire or conditional. Received: 'local'"),
        ((CHAIN, 1.0, "conditional", 0.5), "`max_weight` should be at least 1. Received: 0.5"),
    ):
        with pytest.raises(ValueError) as caught:
            SequentialDependenceLoss(*arguments)
        assert str(caught.value) == message
