"""Health of AdaFTR: the ratio of gradients, by finite differences and dense gradients; the spread of temperatures."""

import math

import numpy as np
import pytest
import tensorflow as tf

from tests.tfmtl import cases
from tests.tfmtl.tiny_models import tiny_randomized
from tfmtl.health import model_health

ROWS = 60
PART = {"backbone": "shared_bottom", "backbone_options": {"bottom_units": [6], "tower_units": [5, 3]}}


def batch(rows=ROWS, seed=0):
    return cases.features(rows, seed), cases.labels(cases.pair(), rows, seed)


def ratio(model, *batches):
    (health,) = [one for one in model_health(model, batches) if one.kind == "contrast"]
    assert (health.mechanism, health.measure) == ("contrast of buy", "gradient_ratio")
    return health.value


def dense_gradients(model, given):
    """Dense gradients of the contrast and of the task losses, for the variables that both reach."""
    found = []
    for part in ("contrast", "tasks"):
        with tf.GradientTape() as tape:
            losses = model.compute_losses(*given, training=False)
            tasks = sum(loss for loss, _ in losses.tasks.values())
            target = losses.extras["buy_contrastive_loss"] if part == "contrast" else tasks
        found.append(tape.gradient(target, model.trainable_variables))
    variables = [i for i, pair in enumerate(zip(*found, strict=True)) if all(one is not None for one in pair)]
    return variables, [[tf.convert_to_tensor(part[i]).numpy() for i in variables] for part in found]


def norm(gradients):
    return math.sqrt(sum(float((gradient.astype("float64") ** 2).sum()) for gradient in gradients))


@pytest.mark.parametrize("scope", ["towers", "all"])
def test_ratio_is_that_of_dense_gradients(scope):
    model = tiny_randomized("adaftr", **PART, contrast_scope=scope, beta=0.3)
    variables, (contrast, tasks) = dense_gradients(model, batch())
    names = [model.trainable_variables[i].path for i in variables]
    assert any("embedding" in name for name in names) == (scope == "all")
    assert not any("relatedness" in name for name in names)
    assert ratio(model, batch()) == pytest.approx(norm(contrast) / norm(tasks), rel=1e-4)


def test_norm_is_the_slope_along_the_gradient():
    """The derivative of a loss in the direction of its gradient is the norm of the gradient."""
    model = tiny_randomized("adaftr", **PART, beta=1.0)
    given = batch()
    variables, gradients = dense_gradients(model, given)
    values = [model.trainable_variables[i].numpy() for i in variables]

    def slope(part, value_of):
        size = norm(gradients[part])
        ends = []
        for step in (1e-2, -1e-2):
            for i, value, gradient in zip(variables, values, gradients[part], strict=True):
                model.trainable_variables[i].assign(value + step / size * gradient)
            ends.append(float(value_of(model.compute_losses(*given, training=False))))
        for i, value in zip(variables, values, strict=True):
            model.trainable_variables[i].assign(value)
        return (ends[0] - ends[1]) / 2e-2

    contrast = slope(0, lambda losses: losses.extras["buy_contrastive_loss"])
    tasks = slope(1, lambda losses: sum(loss for loss, _ in losses.tasks.values()))
    assert ratio(model, given) == pytest.approx(contrast / tasks, rel=0.02)


def test_ratio_is_proportional_to_beta_and_that_of_all_batches():
    small, large = (tiny_randomized("adaftr", **PART, beta=beta) for beta in (0.01, 0.04))
    large.set_weights(small.get_weights())
    assert ratio(large, batch()) == pytest.approx(4 * ratio(small, batch()), rel=1e-4)
    parts = [batch(seed=seed) for seed in (0, 1)]
    norms = [[norm(gradients) for gradients in dense_gradients(small, part)[1]] for part in parts]
    expected = sum(pair[0] for pair in norms) / sum(pair[1] for pair in norms)
    assert ratio(small, *parts) == pytest.approx(expected, rel=1e-4)


def test_temperatures_by_hand():
    model = tiny_randomized("adaftr", **PART, min_temperature=0.1, max_temperature=0.5)
    found = model_health(model, [batch()])
    (health,) = [one for one in found if one.kind == "temperature"]
    temperatures = np.sort(np.asarray(model.inspect(batch()[0])["temperature/click/buy"], np.float64))
    places = np.array([0.05, 0.95]) * (ROWS - 1)
    low, high = np.interp(places, np.arange(ROWS), temperatures)
    assert health.value == pytest.approx((high - low) / 0.4, rel=1e-5)
    assert health.mechanism == "temperature of click and buy"
