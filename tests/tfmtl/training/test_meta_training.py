"""Training with MetaLearning: convergence, saved models, small batches, metrics and cost of a step."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.tfmtl import cases
from tests.tfmtl.graphs import tensors_of_shape
from tests.tfmtl.model_harness import randomized
from tfmtl.models import MAN, MMoE, SharedBottom
from tfmtl.optimizers import RowSparseAdam
from tfmtl.training import MetaLearning

MMOE = {"embedding_dim": 4, "num_experts": 2, "expert_units": [8], "tower_units": [4]}


def model_of(**options):
    """Returns an MMoE of the chain with random weights, including the biases."""
    return randomized(MMoE.from_spec(cases.chain(), cases.SIZES, **MMOE, **options))


def clicks_by_user(rows, seed=0):
    rng = np.random.default_rng(seed)
    features = cases.features(rows, seed)
    click = (rng.random(rows) < np.where(features["user"] % 2, 0.8, 0.2)).astype("float32")
    buy = click * (rng.random(rows) < np.where(features["price"] > 4, 0.8, 0.2)).astype("float32")
    return features, {"click": click, "buy": buy}


@pytest.mark.parametrize(
    "options",
    [
        {},
        pytest.param({"first_order": True, "inner_steps": 2}, marks=pytest.mark.long),
        pytest.param({"group_by": "price", "episodes": 2}, marks=pytest.mark.long),
    ],
)
def test_training_reduces_the_loss(options):
    model = MMoE.from_spec(cases.pair(), cases.SIZES, dropout=0.1, **MMOE)
    model.compile(RowSparseAdam(0.02), strategy=MetaLearning(0.05, **options))
    features, labels = clicks_by_user(1050)
    before = model.evaluate(features, labels, return_dict=True, verbose=0)
    history = model.fit(features, labels, batch_size=100, epochs=8, verbose=0).history
    after = model.evaluate(features, labels, return_dict=True, verbose=0)
    assert history["loss"][-1] < 0.93 * history["loss"][0]
    assert after["loss"] < 0.93 * before["loss"]
    assert after["ctr_auc"] > 0.7
    assert int(model.optimizer.iterations) == 8 * 11


def test_metrics_are_means_over_query_rows():
    model = model_of()
    strategy = MetaLearning(1e-12, episodes=3, support_fraction=0.3)
    model.compile(keras.optimizers.SGD(0.0), strategy=strategy, run_eagerly=True)
    features, labels = clicks_by_user(30)
    labels = {**labels, "back": 0 * labels["buy"], "views": labels["click"]}
    equal_rows = keras.tree.map_structure(lambda array: np.repeat(array[:1], 30, axis=0), (features, labels))
    metrics = model.train_on_batch(*equal_rows, return_dict=True)
    expected = model.task_losses(equal_rows[1], model(equal_rows[0]))
    for name, loss in expected.items():
        np.testing.assert_allclose(metrics[f"{name}_loss"], loss, rtol=1e-4)
    np.testing.assert_allclose(metrics["loss"], sum(expected.values()), rtol=1e-4)
    assert float(tf.reduce_sum(model.aucs["ctr"].positives + model.aucs["ctr"].negatives)) == 3 * 7


def test_loaded_model_continues_training(tmp_path):
    model = MAN.from_spec(cases.pair(), cases.SIZES, embedding_dim=4, expert_units=[8], tower_units=[4])
    options = {"inner_learning_rate": 0.02, "episodes": 2, "support_fraction": 0.4, "inner_steps": 2}
    strategy = MetaLearning(**options, first_order=True, group_by="user", seed=5)
    model.compile(RowSparseAdam(0.02), strategy=strategy, run_eagerly=True)
    data = clicks_by_user(40)
    model.fit(*data, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded.strategy) is MetaLearning
    assert loaded.strategy.get_config() == {**options, "first_order": True, "group_by": "user", "seed": 5}
    before = loaded.get_weights()
    loaded.run_eagerly = True
    loaded.fit(*data, verbose=0)
    assert all(np.any(old != new) for old, new in zip(before, loaded.get_weights(), strict=True) if old.ndim > 1)


@pytest.mark.parametrize("space", ["entire", "conditional"])
@pytest.mark.parametrize("rows", [1, 2, 20])
def test_batches_without_a_positive_row_give_finite_weights(rows, space):
    model = model_of(space=space, embedding_l2=1e-3)
    for name, bias in zip(model.towers, (100.0, -100.0, 0.0, 0.0), strict=True):
        model.towers[name].head.bias.assign([bias])
    model.compile(keras.optimizers.SGD(0.01), strategy=MetaLearning(), run_eagerly=True)
    labels = {name: np.zeros(rows, "float32") for name in model.towers}
    metrics = model.train_on_batch(cases.features(rows), labels, return_dict=True)
    assert np.isfinite(metrics["loss"])
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_step_has_no_operation_on_the_whole_table():
    sizes = {"user": 50_000, "tags": 9, "history": 14}

    def shapes(optimizer):
        model = MMoE.from_spec(cases.pair(), sizes, embedding_l2=1e-4, weight_decay=1e-6, **MMOE)
        model.compile(optimizer, strategy=MetaLearning(episodes=2))
        table = tuple(model.embedding.table.shape)
        assert table == (50_001 + 10 + 10 + 15, 4)
        data = clicks_by_user(8)
        signature = tf.nest.map_structure(lambda values: tf.TensorSpec((None, *values.shape[1:]), values.dtype), data)
        return tensors_of_shape(tf.function(model.train_step, autograph=False).get_concrete_function(signature), table)

    assert shapes(RowSparseAdam(0.01)) == []
    assert shapes(keras.optimizers.Adam(0.01)) != []


def test_dropout_draws_a_mask_in_each_forward_pass():
    model = SharedBottom.from_spec(cases.pair(), cases.SIZES, dropout=0.5, embedding_dim=4, bottom_units=[8])
    model.compile(keras.optimizers.SGD(0.0), strategy=MetaLearning(episodes=3, inner_steps=2))
    seeds = [v for v in model.non_trainable_variables if "seed_generator_state" in v.path]
    before = [np.asarray(seed) for seed in seeds]
    assert len(seeds) == 3
    model.train_on_batch(*clicks_by_user(20))
    draws_per_pass = [int(np.asarray(seed)[1] - old[1]) / (3 * 3) for old, seed in zip(before, seeds, strict=True)]
    assert sorted(draws_per_pass) == [1, 2, 2]  # The bottom has one dropout layer, each tower two.


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"inner_learning_rate": 0}, "`inner_learning_rate` should be above 0. Received: 0"),
        ({"episodes": 0}, "`episodes` should be at least 1. Received: 0"),
        ({"support_fraction": 1.0}, "`support_fraction` should be between 0 and 1. Received: 1.0"),
        ({"inner_steps": 0}, "`inner_steps` should be at least 1. Received: 0"),
    ],
)
def test_rejects_arguments_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        MetaLearning(**options)


@pytest.mark.parametrize(
    ("feature", "message"),
    [("age", "`group_by` should be a feature: .*Received: 'age'"), ("tags", r"should have the shape \(batch,\)")],
)
def test_rejects_a_feature_that_does_not_define_groups(feature, message):
    model = model_of()
    model.compile(keras.optimizers.SGD(0.1), strategy=MetaLearning(group_by=feature), run_eagerly=True)
    with pytest.raises(ValueError, match=message):
        model.train_on_batch(cases.features(8), cases.labels(cases.chain(), 8))
