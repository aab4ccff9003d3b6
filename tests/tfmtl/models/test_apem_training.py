"""APEM: training, the steps of its selectors, saving, export."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.tfmtl import cases
from tfmtl.models import APEM
from tfmtl.optimizers import RowSparseAdam
from tfmtl.training import MetaLearning

TINY = {"embedding_dim": 4, "num_layers": 2, "num_points": 5, "selector_units": [6], "tower_units": [3]}
WRITTEN = {name: value for name, value in APEM.preset("as_written").items() if name not in APEM.preset("ali_ccp")}
ABLATIONS = [
    WRITTEN,
    {},
    {"asrg": "static"},
    {"asrg": "self_attention"},
    {"pattern_selector": False},
    {"dependence": 0.0},
]
LONG_ABLATIONS = [*ABLATIONS[:2], *(pytest.param(options, marks=pytest.mark.long) for options in ABLATIONS[2:])]
ABLATION_NAMES = ["as_written", "whole", "static", "self_attention", "without_patterns", "without_dependence"]
FAST = {"gamma_start": 2.0, "gamma_decay": 0.05, "gamma_end": 0.01}
"""A schedule that reaches its end in 40 steps."""


def data(rows, seed=0, spec=None):
    return cases.features(rows, seed), cases.labels(spec or cases.pair(), rows, seed)


def apem(spec=None, strategy=None, **options):
    model = APEM.from_spec(spec or cases.pair(), cases.SIZES, **{**TINY, **options})
    model.compile(RowSparseAdam(0.02), strategy=strategy)
    return model


def steps(model):
    return [int(selector.step) for selector in model.selectors]


def set_steps(model, step):
    for selector in model.selectors:
        selector.step.assign(step)


STRATEGIES = [
    None,
    MetaLearning(episodes=2),
    pytest.param(MetaLearning(episodes=1, inner_steps=3, first_order=True), marks=pytest.mark.long),
]


@pytest.mark.parametrize("strategy", STRATEGIES, ids=["plain", "maml", "three_inner_steps"])
def test_each_training_step_counts_once_with_any_strategy(strategy):
    model = apem(strategy=strategy)
    model.run_eagerly = strategy is not None  # Tracing the gradient of a gradient takes longer than the steps.
    assert steps(model) == [0, 0]
    features, labels = data(20)
    model.fit(features, labels, batch_size=10, epochs=2, validation_data=(features, labels), verbose=0)
    assert steps(model) == [4, 4] == [int(model.optimizer.iterations)] * 2
    model.train_on_batch(features, labels)
    assert steps(model) == [5, 5]


def test_inference_and_evaluation_do_not_count_as_steps():
    model = apem()
    features, labels = data(10)
    model.score(features)
    model.inspect(features)
    model.predict(features, verbose=0)
    model.evaluate(features, labels, verbose=0)
    model.compute_losses(features, labels, training=True)
    assert steps(model) == [0, 0]


def test_training_and_inference_use_gamma_of_their_step():
    """The n-th update uses gamma of step n, and inference after n updates uses it as well."""
    model = apem(**FAST)
    features, labels = data(10)
    expected = model.compute_losses(features, labels, training=True).total
    set_steps(model, 1)
    assert abs(model.compute_losses(features, labels).total - expected) > 1e-7
    set_steps(model, 0)
    logs = model.train_on_batch(features, labels, return_dict=True)
    np.testing.assert_allclose(logs["loss"], expected, rtol=1e-5)
    gammas = [float(selector.gamma) for selector in model.selectors]
    np.testing.assert_allclose(gammas, 2.0 - 0.05)


def test_saved_model_resumes_from_its_step(tmp_path):
    model = apem(**FAST)
    model.run_eagerly = True
    first, second = data(50), data(50, seed=1)
    model.fit(*first, batch_size=10, epochs=3, shuffle=False, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert steps(loaded) == [15, 15]
    features = cases.features(30, seed=2)
    for name, values in model.score(features).items():
        np.testing.assert_array_equal(loaded.score(features)[name], values)
    loaded.run_eagerly = True
    for one in (model, loaded):
        one.fit(*second, batch_size=10, epochs=2, shuffle=False, verbose=0)
    assert steps(loaded) == steps(model) == [25, 25]
    for one, other in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


class Exported(tf.Module):
    """Module with the variables of a model, as in an export."""

    def __init__(self, model):
        super().__init__()
        self.model_variables = [variable.value for variable in model.weights]


@pytest.mark.parametrize("step", [0, 23, 1_000_000])
def test_exported_model_keeps_the_step_of_its_selectors(step, tmp_path):
    model = apem(**FAST)
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(0, 0.7, w.shape) if w.trainable else w.numpy() for w in model.weights])
    set_steps(model, step)
    features = {name: tf.constant(values) for name, values in cases.features(20).items()}
    signature = {name: tf.TensorSpec((None, *value.shape[1:]), value.dtype, name) for name, value in features.items()}
    score = tf.function(lambda **tensors: model.score(tensors), autograph=False).get_concrete_function(**signature)
    tf.saved_model.save(Exported(model), str(tmp_path), signatures={"serving_default": score})
    scores = {name: values.numpy() for name, values in model.score(features).items()}
    set_steps(model, 11)  # The written model no longer depends on this one.
    loaded = tf.saved_model.load(str(tmp_path))
    exported = loaded.signatures["serving_default"](**features)
    for name, values in scores.items():
        np.testing.assert_allclose(exported[name], values, rtol=1e-5, atol=1e-7)
    assert any(np.abs(model.score(features)[name] - values).max() > 1e-3 for name, values in scores.items())


@pytest.mark.parametrize("options", LONG_ABLATIONS, ids=ABLATION_NAMES)
def test_training_reduces_losses(options):
    model = apem(**{**options, **FAST})
    features = cases.features(200)
    click = (features["user"] % 2).astype("float32")
    labels = {"click": click, "buy": click * (features["price"] % 2)}
    history = model.fit(features, labels, batch_size=50, epochs=15, verbose=0).history
    assert history["click_loss"][-1] < 0.3 * history["click_loss"][0]
    assert history["buy_loss"][-1] < 0.7 * history["buy_loss"][0]
    assert ("dependence_loss" in history) == (options.get("dependence") != 0.0)


@pytest.mark.parametrize("spec", [cases.pair(), cases.chain()], ids=["pair", "chain"])
@pytest.mark.parametrize("space", ["entire", "conditional"])
@pytest.mark.parametrize("rows", [1, 6])
@pytest.mark.parametrize("form", ["default", "as_written"])
def test_extreme_batches_are_finite(spec, space, rows, form):
    """The largest factor gives logits far beyond 100. Without normalization, that takes a smaller factor."""
    options, largest = ({}, 1e2) if form == "default" else (WRITTEN, 1e3)
    model = apem(spec, space=space, calibrator=1.0, **options)
    features, labels = data(rows, spec=spec)
    negative = {name: np.zeros(rows, "float32") for name in labels}
    for factor in (1.0, largest):
        model.set_weights([w.numpy() * (factor if w.trainable else 1) for w in model.weights])
        for batch_labels in (labels, negative):
            with tf.GradientTape() as tape:
                losses = model.compute_losses(features, batch_labels)
            slopes = tape.gradient(losses.total, model.trainable_variables)
            assert np.isfinite(losses.total)
            for slope, weight in zip(slopes, model.trainable_variables, strict=True):
                assert slope is not None, weight.path
                assert np.all(np.isfinite(tf.convert_to_tensor(slope))), weight.path
    assert max(np.abs(logit).max() for logit in losses.logits.values()) > 100


def test_pattern_selectors_do_not_change_the_shared_representation():
    """Y does not depend on the indicators, and a task's tower input depends on its own indicators only."""
    model = apem(cases.chain())
    features = cases.features(9)
    before = model.inspect(features)
    for selector in model.pattern_selectors:
        values = selector.indicators.numpy()
        values[1] += np.arange(4)
        selector.indicators.assign(values)
    after = model.inspect(features)
    np.testing.assert_array_equal(before["shared_representation"], after["shared_representation"])
    for index, task in enumerate(("click", "buy", "back", "views")):
        same = np.array_equal(before[f"tower_input/{task}"], after[f"tower_input/{task}"])
        assert same == (index != 1)


def test_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = apem()
    assert {weight.dtype for weight in model.trainable_variables} == {"float32"}
    features, labels = data(20)
    losses = model.compute_losses(features, labels)
    assert {logit.dtype.name for logit in losses.logits.values()} == {"float32"}
    assert np.isfinite(losses.total)
    model.run_eagerly = True
    model.fit(features, labels, batch_size=10, verbose=0)
    assert steps(model) == [2, 2]
    assert all(np.all(np.isfinite(weight)) for weight in model.get_weights())


def test_dropout_is_applied_in_training_only():
    model = apem(dropout=0.5)
    features, _ = data(40)
    once, again = (model(features, training=True)["click"] for _ in range(2))
    assert np.any(np.asarray(once) != np.asarray(again))
    np.testing.assert_array_equal(model(features)["click"], model(features)["click"])
