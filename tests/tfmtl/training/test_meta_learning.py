"""Gradient of MetaLearning on a quadratic, computed by hand, and on whole models, computed with dense tables."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.tfmtl import cases
from tests.tfmtl.model_harness import randomized
from tfmtl.models import APEM, MAN, AdaFTR, MMoE
from tfmtl.training import Losses, MetaLearning, meta_learning
from tfmtl.training.episodes import Episode

MMOE = {"num_experts": 2, "expert_units": [8], "tower_units": [4]}
ALPHA = 0.3
X = np.array([[1.0, 2.0], [-1.0, 0.5], [0.3, -0.7], [2.0, 1.0], [0.1, 1.5]])
Y = np.array([0.5, -1.0, 2.0, 0.0, 1.0])
THETA = np.array([0.4, -0.2])
EPISODES = [([0, 2], [1, 4]), ([3], [0, 2])]


class TwoParameters:
    """Minimal implementation of `TrainableModel`: two parameters, and a counter that a forward pass increments."""

    sparse_embeddings = ()

    def __init__(self, loss):
        self.theta = keras.Variable(THETA, dtype="float32")
        self.passes = keras.Variable(0, dtype="int32", trainable=False)
        self.trainable_variables, self.non_trainable_variables = [self.theta], [self.passes]
        self.optimizer = keras.optimizers.SGD(1.0)
        self.loss = loss
        self.training = []

    def compute_losses(self, features, labels, sample_weight=None, training=True):
        self.passes.assign(self.passes + 1)
        self.training.append(training)
        outputs = tf.linalg.matvec(features["x"], tf.convert_to_tensor(self.theta.value))
        loss = tf.reduce_mean(self.loss(outputs, labels["y"]))
        return Losses(loss, {"y": outputs}, {"y": (loss, tf.constant(1.0))}, {})

    def track(self, losses, labels, sample_weight=None):
        return {"loss": losses.total, "rows": tf.shape(labels["y"])[0]}


def squared(outputs, labels):
    return 0.5 * tf.square(outputs - labels)


def linear(outputs, labels):
    return labels * outputs


@pytest.fixture
def fixed_episodes(monkeypatch):
    """Replaces random episodes by given ones."""
    episodes = [Episode(tf.constant(support), tf.constant(query)) for support, query in EPISODES]
    monkeypatch.setattr(meta_learning, "draw_episodes", lambda *_: episodes)


def step(loss, graph=False, **options):
    """Makes one step on X and Y, and returns the gradient (the change of theta), the metrics and the model."""
    model = TwoParameters(loss)
    strategy = MetaLearning(ALPHA, episodes=len(EPISODES), **options)
    data = ({"x": tf.constant(X, "float32")}, {"y": tf.constant(Y, "float32")})

    def train():
        return strategy.train_step(model, *data)

    metrics = tf.function(train, autograph=False)() if graph else train()
    return THETA - np.asarray(model.theta), metrics, model


def expected_gradient(inner_steps=1, first_order=False):
    """Returns the gradient and the loss of MAML for half the mean squared error.

    The gradient is `sum_i (I - alpha H_a)^steps g_b(theta_i)` with the Hessian H_a of the support set and the gradient
    g_b of the query set.
    """
    gradient, losses = np.zeros(2), []
    for support, query in EPISODES:
        hessian = X[support].T @ X[support] / len(support)
        theta = THETA.copy()
        for _ in range(inner_steps):
            theta = theta - ALPHA * X[support].T @ (X[support] @ theta - Y[support]) / len(support)
        residual = X[query] @ theta - Y[query]
        query_gradient = X[query].T @ residual / len(query)
        jacobian = np.eye(2) if first_order else np.linalg.matrix_power(np.eye(2) - ALPHA * hessian, inner_steps)
        gradient += jacobian @ query_gradient
        losses.append(0.5 * np.mean(residual**2))
    return gradient, np.mean(losses)


@pytest.mark.usefixtures("fixed_episodes")
@pytest.mark.parametrize("graph", [False, True])
@pytest.mark.parametrize("inner_steps", [1, 3])
@pytest.mark.parametrize("first_order", [False, True])
def test_gradient_of_a_quadratic(inner_steps, first_order, graph):
    gradient, metrics, model = step(squared, graph, inner_steps=inner_steps, first_order=first_order)
    expected, loss = expected_gradient(inner_steps, first_order)
    np.testing.assert_allclose(gradient, expected, rtol=1e-5)
    np.testing.assert_allclose(metrics["loss"], loss, rtol=1e-5)
    assert int(metrics["rows"]) == 4
    assert np.abs(expected - expected_gradient(inner_steps, not first_order)[0]).max() > 0.05
    assert int(model.passes) == len(EPISODES) * (inner_steps + 1)
    assert all(model.training)


@pytest.mark.usefixtures("fixed_episodes")
def test_both_orders_agree_if_the_hessian_is_zero():
    second, first = (step(linear, first_order=first_order)[0] for first_order in (False, True))
    expected = sum((X[query] * Y[query][:, None]).mean(axis=0) for _, query in EPISODES)
    np.testing.assert_array_equal(second, first)
    np.testing.assert_allclose(second, expected, rtol=1e-5)


def model_of(kind, **options):
    return randomized(kind.from_spec(cases.chain(), cases.SIZES, embedding_dim=4, **options))


def rows_of(data, rows):
    return keras.tree.map_structure(lambda array: array[np.array(rows)], data)


def dense_gradients(model, data, inner_steps, first_order):
    """Returns the gradients of MAML with the whole table as one of the parameters."""
    variables = model.trainable_variables

    def loss_at(values, rows):
        with keras.StatelessScope(list(zip(variables, values, strict=True)), collect_losses=True):
            return model.compute_losses(*rows_of(data, rows)).total

    start = [tf.convert_to_tensor(variable.value) for variable in variables]
    with tf.GradientTape() as outer:
        outer.watch(start)
        total = 0.0
        for support, query in EPISODES:
            values = start
            for _ in range(inner_steps):
                with tf.GradientTape() as inner:
                    inner.watch(values)
                    loss = loss_at(values, support)
                gradients = [tf.convert_to_tensor(gradient) for gradient in inner.gradient(loss, values)]
                gradients = [tf.stop_gradient(gradient) for gradient in gradients] if first_order else gradients
                values = [value - ALPHA * gradient for value, gradient in zip(values, gradients, strict=True)]
            total += loss_at(values, query)
    return [np.asarray(tf.convert_to_tensor(gradient)) for gradient in outer.gradient(total, start)]


@pytest.mark.usefixtures("fixed_episodes")
@pytest.mark.parametrize(("inner_steps", "first_order"), [(1, False), (2, False), (1, True)])
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (MMoE, {**MMOE, "embedding_l2": 0.02}),
        (MAN, {"num_shared": 1, "num_per_task": 1, "expert_units": [8], "tower_units": [4], "weight_decay": 0.01}),
        (APEM, {"num_layers": 1, "num_points": 3, "selector_units": [4], "tower_units": [4]}),
        (AdaFTR, {"backbone": "mmoe", "backbone_options": MMOE, "relatedness_units": [4], "beta": 0.5}),
    ],
)
def test_row_sparse_gradient_equals_the_dense_one(kind, options, inner_steps, first_order):
    model = model_of(kind, **options)
    data = (cases.features(6), cases.labels(cases.chain(), 6), np.linspace(0.5, 2, 6).astype("float32"))
    expected = dense_gradients(model, data, inner_steps, first_order)
    seen = []
    optimizer = keras.optimizers.SGD(1.0)
    optimizer.apply_gradients = lambda pairs: seen.extend(pairs)
    model.compile(optimizer, MetaLearning(ALPHA, inner_steps=inner_steps, first_order=first_order), run_eagerly=True)
    model.train_on_batch(*data)
    assert [id(weight) for _, weight in seen] == [id(weight) for weight in model.trainable_variables]
    for (gradient, weight), dense in zip(seen, expected, strict=True):
        assert isinstance(gradient, tf.IndexedSlices) == (weight is model.embedding.table)
        np.testing.assert_allclose(tf.convert_to_tensor(gradient), dense, rtol=1e-3, atol=1e-5, err_msg=weight.path)
    rows = np.asarray(seen[0][0].indices)
    assert list(rows) == sorted(set(rows))
