"""Architecture search: rows of the two gradients, metrics, saved models, and models without an architecture."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.tfmtl import cases
from tests.tfmtl.model_harness import assert_same_arrays, randomized
from tests.tfmtl.models.entire_space_cases import SPECS
from tfmtl.models import AdaFTR, AutoHERI, MMoE
from tfmtl.optimizers import RowSparseAdam
from tfmtl.training import ArchitectureSearch, PlainTraining, architecture_search

SMALL = {"embedding_dim": 4, "network_units": [6, 5]}
ROWS = 10
HELD, REST = slice(None, 3), slice(3, None)


def batch_of(rows=ROWS):
    parts = cases.features(rows), cases.labels(SPECS["tree"], rows)
    return tuple({name: tf.constant(values) for name, values in part.items()} for part in parts)


def model_of(strategy):
    model = randomized(AutoHERI.from_spec(SPECS["tree"], cases.SIZES, **SMALL))
    model.compile(keras.optimizers.SGD(0.1), strategy=strategy, run_eagerly=True)
    return model


def gradients(model, rows, sample_weight=None):
    """Returns the gradient of the loss of some rows by the id of each variable."""
    features, labels = ({name: tf.gather(tensor, rows) for name, tensor in part.items()} for part in batch_of())
    with tf.GradientTape() as tape:
        total = model.compute_losses(features, labels, sample_weight, training=True).total
    found = tape.gradient(total, model.trainable_variables)
    return {
        id(variable): np.asarray(tf.convert_to_tensor(gradient))
        for variable, gradient in zip(model.trainable_variables, found, strict=True)
        if gradient is not None
    }


@pytest.fixture
def in_order(monkeypatch):
    """Replaces shuffling by the identity: the first rows of a batch are held out."""
    monkeypatch.setattr(architecture_search, "shuffle", lambda rows, seed: rows)


@pytest.mark.parametrize(("held_out", "held"), [(0.5, 5), (0.3, 3), (0.8, 8)])
def test_weights_and_architecture_are_trained_on_separate_rows(held_out, held, in_order):
    model = model_of(ArchitectureSearch(held_out))
    train_gradients, held_out_gradients = gradients(model, range(held, ROWS)), gradients(model, range(held))
    architecture = {id(variable) for variable in model.architecture_variables}
    before = {id(variable): np.asarray(variable) for variable in model.trainable_variables}
    model.train_step(batch_of())
    assert len(architecture) == 2
    for variable in model.trainable_variables:
        key = id(variable)
        is_architecture = key in architecture
        expected, other = train_gradients[key], held_out_gradients[key]
        if is_architecture:
            expected, other = other, expected
        step = np.asarray(variable) - before[key]
        np.testing.assert_allclose(step, -0.1 * expected, rtol=1e-4, atol=1e-6, err_msg=variable.path)
        assert np.abs(expected - other).max() > 1e-5, variable.path
    assert int(model.optimizer.iterations) == 1


def test_metrics_are_computed_from_all_rows(in_order):
    """The two parts have different losses. The AUC is right only if labels and logits are in the same order."""
    model = model_of(ArchitectureSearch(0.3))
    features, labels = batch_of()
    weights = tf.constant(np.random.default_rng(0).uniform(0.5, 2, ROWS), "float32")
    parts = [{name: tensor[rows] for name, tensor in part.items()} for rows in (HELD, REST) for part in batch_of()]
    held, rest = model.compute_losses(*parts[:2], weights[:3]), model.compute_losses(*parts[2:], weights[3:])
    whole = model.compute_losses(features, labels, weights)
    auc = model.test_step((features, labels, weights))["ctr_auc"]
    model.reset_metrics()
    logs = model.train_step((features, labels, weights))
    assert abs(float(held.total - rest.total)) > 0.01
    np.testing.assert_allclose(logs["loss"], 0.3 * held.total + 0.7 * rest.total, rtol=1e-5)
    np.testing.assert_allclose(logs["buy_loss"], whole.tasks["buy"][0], rtol=1e-5)
    np.testing.assert_allclose(logs["ctr_auc"], auc, rtol=1e-5)


def test_held_out_rows_are_drawn_for_each_step():
    model = model_of(ArchitectureSearch())
    (variable, _), start = model.architecture_variables, model.get_weights()
    found = []
    for _ in range(3):
        model.set_weights(start)
        model.train_step(batch_of())
        found.append(np.asarray(variable).tolist())
    assert found[0] != found[1] or found[1] != found[2]


def test_plain_training_trains_both_on_all_rows():
    model = model_of(PlainTraining())
    expected = gradients(model, range(ROWS))
    before = [np.asarray(variable) for variable in model.architecture_variables]
    model.train_step(batch_of())
    for variable, old in zip(model.architecture_variables, before, strict=True):
        np.testing.assert_allclose(variable - old, -0.1 * expected[id(variable)], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_small_batches_give_finite_weights(rows):
    model = randomized(AutoHERI.from_spec(SPECS["tree"], cases.SIZES, **SMALL))
    model.compile(RowSparseAdam(0.01), strategy=ArchitectureSearch())
    model.fit(cases.features(rows), cases.labels(SPECS["tree"], rows), batch_size=2, verbose=0)
    assert all(np.all(np.isfinite(weight)) for weight in model.get_weights())


def test_loaded_model_continues_training(tmp_path):
    features, labels = cases.features(60), cases.labels(SPECS["tree"], 60)
    model = randomized(AutoHERI.from_spec(SPECS["tree"], cases.SIZES, **SMALL))
    model.compile(RowSparseAdam(0.02), strategy=ArchitectureSearch(0.3))
    before = float(model.compute_losses(features, labels).total)
    model.fit(features, labels, epochs=15, verbose=0)
    assert float(model.compute_losses(features, labels).total) < before - 0.05
    assert int(model.optimizer.iterations) == 15 * 2
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded.strategy) is ArchitectureSearch
    assert loaded.strategy.held_out == 0.3
    assert_same_arrays(model.score(features), loaded.score(features))
    (connections, _), (expected, _) = loaded.architecture_variables, model.architecture_variables
    np.testing.assert_array_equal(connections, expected)
    old = np.asarray(connections)
    loaded.fit(features, labels, verbose=0)
    assert np.all(np.asarray(connections) != old)


def test_rejects_a_model_without_trainable_architecture():
    def message(model):
        with pytest.raises(ValueError, match="`model` should have trainable `architecture_variables`") as caught:
            model.train_step(batch_of())
        return str(caught.value)

    mmoe = MMoE.from_spec(SPECS["tree"], cases.SIZES)
    mmoe.compile("sgd", strategy=ArchitectureSearch())
    assert message(mmoe).endswith("Received: MMoE")
    frozen = model_of(ArchitectureSearch())
    for variable in frozen.architecture_variables:
        variable.trainable = False
    assert message(frozen).endswith("Received: AutoHERI")


def test_trains_the_architecture_of_a_wrapped_model():
    options = {"space": "entire", "backbone_options": {"network_units": [6, 5], "tower_units": [4]}}
    model = AdaFTR.from_spec(cases.pair(), cases.SIZES, embedding_dim=4, backbone="autoheri", **options)
    model.compile(RowSparseAdam(0.01), strategy=ArchitectureSearch())
    (connections,) = model.architecture_variables
    before = np.asarray(connections)
    model.train_step(batch_of(40))
    assert np.all(np.asarray(connections) != before)


def test_rejects_a_share_outside_of_its_range():
    for held_out in (0.0, 1.0):
        with pytest.raises(ValueError, match=rf"`held_out` should be between 0 and 1\. Received: {held_out}"):
            ArchitectureSearch(held_out)
