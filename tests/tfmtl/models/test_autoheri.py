"""AutoHERI: the forward pass in NumPy, gradients along chains and trees, and connections."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from tests.tfmtl import cases
from tests.tfmtl.model_harness import (
    assert_finite_losses_and_gradients,
    assert_trains_saves_and_loads,
    config_error,
    randomized,
)
from tests.tfmtl.models.entire_space_cases import FEATURES, PREVIOUS, SPECS, products
from tests.tfmtl.numpy_layers import cross_entropy, flat, sigmoid, tower
from tfmtl.models import AdaFTR, AutoHERI, model_class

SMALL = {"embedding_dim": 4, "network_units": [6, 5]}
CLOSED, OPEN = -200.0, 200.0


def model_of(name="chain", **options):
    return randomized(AutoHERI.from_spec(SPECS[name], cases.SIZES, **{**SMALL, **options}))


def expected_logits(model):
    """Logits by task, from each layer's sources times their connections and parts of the kernel."""
    layers, logits = {}, {}
    for task in model.spec.tasks:
        network, h, layers[task.name] = model.networks[task.name], flat(model, FEATURES), []
        sources = layers[PREVIOUS[task.name]] if task.follows else []
        for i, step in enumerate(network.steps):
            kernel, bias = step.get_weights()
            own, *others = np.split(kernel, np.cumsum([h.shape[1], *(r.shape[1] for r in sources)])[:-1])
            h = h @ own + bias
            for j, (v, r) in enumerate(zip(others, sources, strict=True)):
                h = h + sigmoid(network.connections)[i, j] * (r @ v)
            h = np.maximum(h, 0)
            layers[task.name].append(h)
        logits[task.name] = tower(model.towers[task.name], h)
    return logits


def reached(model, task):
    """Names of the tasks whose networks have a gradient of a task's logit that is not 0."""
    with tf.GradientTape() as tape:
        logit = tf.reduce_sum(model(FEATURES)[task])
    kernels = {name: network.steps[0].trainable_variables[0] for name, network in model.networks.items()}
    slopes = tape.gradient(logit, kernels)
    return {name for name, slope in slopes.items() if slope is not None and np.any(slope)}


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("tower_units", [[], [4]])
def test_equations(name, tower_units):
    model = model_of(name, tower_units=tower_units)
    expected, logits = expected_logits(model), model(FEATURES)
    assert list(logits) == list(expected) == [task.name for task in SPECS[name].tasks]
    for task, logit in logits.items():
        np.testing.assert_allclose(logit, expected[task], rtol=1e-4, atol=1e-5)


def test_connections_of_each_pair_of_layers_are_recorded():
    model = model_of("tree", network_units=[6, 5, 4])
    connections = {path: tap for path, tap in model.inspect(FEATURES).items() if path.startswith("connection/")}
    assert set(connections) == {"connection/buy", "connection/like"}
    for name in ("buy", "like"):
        assert connections[f"connection/{name}"].shape == (3, 3)
        np.testing.assert_allclose(
            connections[f"connection/{name}"], sigmoid(model.networks[name].connections), rtol=1e-6
        )
    assert [id(one) for one in model.architecture_variables] == [
        id(model.networks[name].connections) for name in ("buy", "like")
    ]
    assert not model_of("one").architecture_variables
    fresh = AutoHERI.from_spec(SPECS["tree"], cases.SIZES, **SMALL)
    np.testing.assert_array_equal(fresh.inspect(FEATURES)["connection/buy"], np.full((2, 2), 0.5))


def test_gradient_of_a_task_reaches_the_tasks_before_it():
    chain, tree = model_of(), model_of("tree")
    assert {task: reached(chain, task) for task in chain.towers} == {
        "click": {"click"},
        "buy": {"click", "buy"},
        "back": {"click", "buy", "back"},
        "views": {"views"},
    }
    assert reached(tree, "like") == {"click", "like"}
    chain.networks["buy"].connections.assign(np.full((2, 2), CLOSED))
    assert reached(chain, "buy") == {"buy"}
    assert reached(chain, "back") == {"buy", "back"}


def test_single_open_connection():
    """Only the source layer of the open connection changes the logit of the next task."""
    model, moved = model_of(), 0.7
    logits = np.full((2, 2), CLOSED)
    logits[1, 0] = OPEN
    model.networks["buy"].connections.assign(logits)
    before = model(FEATURES)["buy"]
    top, bottom = model.networks["click"].steps[1], model.networks["click"].steps[0]
    top.set_weights([weight + moved for weight in top.get_weights()])
    np.testing.assert_array_equal(model(FEATURES)["buy"], before)
    bottom.set_weights([weight + moved for weight in bottom.get_weights()])
    assert np.abs(model(FEATURES)["buy"] - before).max() > 1e-2


def test_outputs_and_losses_are_those_of_the_entire_space():
    model, labels = model_of(), cases.labels(SPECS["chain"], 7)
    scores, logits, losses = model.score(FEATURES), model(FEATURES), model.compute_losses(FEATURES, labels)
    entire = products(logits)
    assert model.spaces == {"click": "entire", "buy": "conditional", "back": "conditional", "views": "entire"}
    for name in ("click", "buy", "back"):
        np.testing.assert_allclose(scores[SPECS["chain"].task(name).output], entire[name], rtol=1e-5)
        np.testing.assert_allclose(losses.tasks[name][0], cross_entropy(labels[name], entire[name]).mean(), rtol=1e-5)
        assert losses.tasks[name][1] == 7


def test_weight_decay_excludes_connections():
    def slopes(model):
        with tf.GradientTape() as tape:
            total = model.compute_losses(FEATURES, cases.labels(SPECS["tree"], 7)).total
        network_weights = model.networks["buy"].steps[0].trainable_variables
        return tape.gradient(total, [*model.architecture_variables, *network_weights])

    plain, decayed = slopes(model_of("tree")), slopes(model_of("tree", weight_decay=0.5))
    assert len(plain) == 2 + 2
    for one, other in zip(plain[:2], decayed[:2], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)
    assert np.abs(plain[2] - decayed[2]).max() > 0.01


def test_adaftr_exposes_connections_of_the_backbone():
    options = {"space": "entire", "backbone_options": {"network_units": [6, 5], "tower_units": [4]}}
    model = AdaFTR.from_spec(cases.pair(), cases.SIZES, embedding_dim=4, backbone="autoheri", **options)
    assert [id(one) for one in model.architecture_variables] == [id(model.backbone.networks["buy"].connections)]
    assert model.architecture_variables[0] is not None
    assert model.spaces["buy"] == "conditional"


@pytest.mark.parametrize("rows", [1, 7])
def test_extreme_batches(rows):
    model = model_of()
    for biases in ((0, 0, 0), (-100, -100, -100), (100, 100, 100), (-100, 100, -100)):
        assert_finite_losses_and_gradients(model, rows, biases)


def test_second_stage_trains_the_towers():
    model = model_of("tree", tower_units=[4])
    found = {weight.path for layer in model.upper_layers for weight in layer.trainable_variables}
    assert found == {weight.path for one in model.towers.values() for weight in one.trainable_variables}


def test_training_saving_and_loading(tmp_path):
    features, labels = cases.features(60), cases.labels(SPECS["tree"], 60)
    model = model_of("tree", dropout=0.1, tower_units=[4])
    assert_trains_saves_and_loads(model, features, labels, tmp_path, fall=0.05)
    assert AutoHERI.from_config(model.get_config()).get_config() == model.get_config()


@pytest.mark.parametrize(("preset", "units"), [("adaftr_ali_ccp", (64, 32, 16)), ("adaftr_ecomm_ads", (128, 64, 32))])
def test_presets_have_the_sizes_of_the_comparison_in_adaftr(preset, units):
    built = AutoHERI.from_spec(cases.pair(), cases.SIZES, **AutoHERI.preset(preset))
    assert (built.embedding.output_dim, built.networks["buy"].units) == (8, units)
    assert built.inspect(FEATURES)["tower_input/buy"].shape == (7, units[-1])
    assert set(AutoHERI.presets) == {"adaftr_ali_ccp", "adaftr_ecomm_ads"}
    assert model_class("autoheri") is AutoHERI


def test_rejects_wrong_options():
    message = functools.partial(config_error, AutoHERI.from_spec, cases.pair(), cases.SIZES, **SMALL)
    assert message(network_units=[]) == "network_units: should be one or more positive widths. Received: ()"
    assert message(network_units=[3, 0]) == "network_units: should be one or more positive widths. Received: (3, 0)"
    assert message(tower_units=[0]) == "tower_units: should be positive widths. Received: (0,)"
    assert message(dropout=1.0) == "dropout: should be in [0, 1). Received: 1.0"
    assert message(space="conditional").startswith("space: should be entire")
