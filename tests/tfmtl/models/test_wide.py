"""Option `wide`: a linear term of each task's logit, in NumPy for four models, and its training in every model."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.tfmtl import cases, panel_cases
from tests.tfmtl.graphs import tensors_of_shape
from tests.tfmtl.model_harness import assert_same_arrays, config_error
from tests.tfmtl.models.entire_space_cases import products
from tests.tfmtl.models.test_m2m import numpy_logits
from tests.tfmtl.numpy_layers import cross_entropy, embedded, experts, flat, gated, tower
from tests.tfmtl.tiny_models import OPTIONS, rows_of, tiny, tiny_randomized
from tfmtl.models import MODELS, MMoE
from tfmtl.optimizers import RowSparseAdam
from tfmtl.training import ArchitectureSearch, MetaLearning
from tfmtl.training.two_stage import freeze_lower_layers

FEATURES, LABELS = cases.features(7), cases.labels(cases.chain(), 7)
PAIR_LABELS = {name: LABELS[name] for name in ("click", "buy")}
WIDE = {"wide": True}
TASKS = ("click", "buy", "back", "views")


def terms(model):
    """Returns the linear terms of the features of `cases`, `(batch, tasks)`."""
    return embedded(model.wide.get_weights()[0], FEATURES).sum(axis=1)


def panel_terms(model, features, row):
    """Returns the linear terms of one row of `panel_cases`, `(tasks,)`; only the field `words` is pooled."""
    table, first, total = model.wide.get_weights()[0], 0, 0.0
    for name, count in panel_cases.ROWS.items():
        weights = features.get(name + "__weights", np.ones((row + 1, 1)))[row]
        divisor = max(weights.sum(), 1) if name == "words" else 1
        total += weights @ table[first + np.atleast_1d(features[name][row])] / divisor
        first += count
    assert first == len(table)
    return total


def assert_logits(model, deep):
    """Checks that the logits on the chain are those of the network and, not negligible, the linear terms."""
    logits, linear = model(FEATURES), terms(model)
    assert list(logits) == list(TASKS)
    for i, task in enumerate(TASKS):
        np.testing.assert_allclose(logits[task], deep[task] + linear[:, i], rtol=1e-4, atol=1e-5)
        assert np.abs(linear[:, i]).max() > 0.3


def mmoe_logits(model):
    x = flat(model, FEATURES)
    bank = experts(model.experts, x)
    return {name: tower(model.towers[name], gated(model.gates[name], x, bank)[0]) for name in model.towers}


def test_mmoe():
    model = tiny_randomized("mmoe", cases.chain(), **WIDE)
    assert_logits(model, mmoe_logits(model))


def test_esmm_adds_the_terms_before_the_product():
    model = tiny_randomized("esmm", cases.chain(), **WIDE)
    x = flat(model, FEATURES)
    assert_logits(model, {name: tower(each, x) for name, each in model.towers.items()})
    linear = terms(model)
    logits = {name: tower(model.towers[name], x) + linear[:, i] for i, name in enumerate(TASKS)}
    entire = products(logits)
    for name, (loss, _) in model.compute_losses(FEATURES, LABELS).tasks.items():
        if name != "views":
            np.testing.assert_allclose(loss, cross_entropy(LABELS[name], entire[name]).mean(), rtol=1e-4)


def test_adaftr_has_the_terms_of_its_backbone_once():
    options = {"expert_units": [6, 5], "num_experts": 3, "tower_units": [4]}
    model = tiny_randomized("adaftr", cases.chain(), backbone_options=options, **WIDE)
    assert model.wide is model.backbone.wide
    assert_logits(model, mmoe_logits(model.backbone))
    assert_same_arrays(model.score(FEATURES), model.serving_model().score(FEATURES))


def test_m2m_adds_the_weight_of_each_position():
    model, features = panel_cases.model_of(**WIDE), panel_cases.features(7)
    logits = model(features)
    for row in range(7):
        deep, linear = numpy_logits(model, features, row), panel_terms(model, features, row)
        for i, task in enumerate(("next_clicks", "next_pay")):
            np.testing.assert_allclose(logits[task][row], deep[task] + linear[i], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", OPTIONS)
def test_model_starts_without_the_term_and_learns_it(name, tmp_path):
    keras.utils.set_random_seed(1)
    plain = tiny(name)
    keras.utils.set_random_seed(1)
    model = tiny(name, **WIDE)
    features, labels = rows_of(name, 12)
    added = {weight.path: weight for weight in model.weights if weight is not model.wide.table}
    assert [weight.shape for weight in added.values()] == [weight.shape for weight in plain.weights]
    assert_same_arrays(model.score(features), plain.score(features))
    with tf.GradientTape() as tape:
        total = model.compute_losses(features, labels).total
    gradient = tape.gradient(total, model.wide.table.value)
    assert isinstance(gradient, tf.IndexedSlices)
    assert gradient.values.shape[-1] == len(model.spec.tasks)
    model.compile(RowSparseAdam(0.02), run_eagerly=True)
    model.fit(features, labels, verbose=0)
    looked_up = model.wide.unique_rows(features).numpy()
    table = model.wide.get_weights()[0]
    assert np.all(np.delete(table, looked_up, axis=0) == 0)
    assert np.mean(table[looked_up] != 0) > 0.5
    model.save(tmp_path / "model.keras")
    assert_same_arrays(keras.saving.load_model(tmp_path / "model.keras").score(features), model.score(features))


def test_term_does_not_change_models_without_it():
    plain, model = tiny("mmoe"), tiny("mmoe", **WIDE)
    assert plain.wide is None
    assert plain.get_config()["options"]["wide"] is False
    assert not any("wide" in weight.path for weight in plain.weights)
    assert [w.path.split("/", 1)[1] for w in model.weights if "wide" in w.path] == ["wide/table"]
    assert not any(preset.get("wide") for kind in MODELS.values() for preset in kind.presets.values())


def test_sum_of_the_positions_of_a_sequence():
    model = tiny_randomized("shared_bottom", panel_cases.SPEC, sizes=panel_cases.SIZES, sequences="concat", **WIDE)
    features = panel_cases.features(7)
    logits = model(features)
    table = model.wide.get_weights()[0]
    model.wide.set_weights([0 * table])
    deep = model(features)
    model.wide.set_weights([table])
    for row in range(7):
        expected = panel_terms(model, features, row)
        for i, task in enumerate(("next_clicks", "next_pay")):
            np.testing.assert_allclose(logits[task][row] - deep[task][row], expected[i], rtol=1e-4, atol=1e-4)


class Shifted(MMoE):
    """MMoE whose `call` calls that of its base class."""

    def call(self, features, training=None):
        return {name: logit + 1.0 for name, logit in super().call(features, training=training).items()}


class Renamed(MMoE):
    """MMoE without a `call`."""


@pytest.mark.parametrize(("kind", "shift"), [(Shifted, 1.0), (Renamed, 0.0)])
def test_subclasses_add_the_term_once(kind, shift):
    model = tiny_randomized("mmoe", cases.chain(), **WIDE)
    other = kind.from_spec(cases.chain(), cases.SIZES, embedding_dim=4, **OPTIONS["mmoe"], **WIDE)
    other.set_weights(model.get_weights())
    for name, logit in model(FEATURES).items():
        np.testing.assert_allclose(other(features=FEATURES)[name], logit + shift, atol=1e-6)


def test_regularization_of_the_weights_of_a_batch():
    model = tiny_randomized("mmoe", **WIDE)
    regularized = tiny("mmoe", wide_l2=0.3, **WIDE)
    regularized.set_weights(model.get_weights())
    squares = np.sum(embedded(model.wide.get_weights()[0], FEATURES) ** 2, axis=(1, 2))
    totals = [each.compute_losses(FEATURES, PAIR_LABELS).total for each in (model, regularized)]
    np.testing.assert_allclose(totals[1] - totals[0], 0.3 * squares.mean(), rtol=1e-4)


def test_weight_decay_leaves_the_weights_out():
    plain, decayed = tiny_randomized("mmoe", **WIDE), tiny_randomized("mmoe", weight_decay=0.1, **WIDE)
    tables = [plain.embedding.table, plain.wide.table]
    squares = sum(np.sum(np.square(w)) for w in plain.weights if all(w is not table for table in tables))
    totals = [each.compute_losses(FEATURES, PAIR_LABELS).total for each in (plain, decayed)]
    np.testing.assert_allclose(totals[1] - totals[0], 0.05 * squares, rtol=1e-4)


def test_raw_inputs():
    model = tiny_randomized("man", cases.chain(), inputs="raw", **WIDE)
    assert model.sparse_embeddings == (model.wide,)
    deep = tiny("man", cases.chain(), inputs="raw")
    deep.set_weights([w for w, v in zip(model.get_weights(), model.weights, strict=True) if v is not model.wide.table])
    assert_logits(model, {name: np.asarray(logit) for name, logit in deep(FEATURES).items()})


@pytest.mark.parametrize("first_order", [False, True])
@pytest.mark.parametrize("name", ["mmoe", "adaftr", pytest.param("m2m", marks=pytest.mark.long)])
def test_meta_learning_equals_that_with_dense_tables(name, first_order, monkeypatch):
    features, labels = rows_of(name, 8)
    strategy = MetaLearning(0.1, episodes=2, inner_steps=2, first_order=first_order)

    def step():
        keras.utils.set_random_seed(5)
        model = tiny_randomized(name, **WIDE)
        model.compile(keras.optimizers.SGD(0.1), strategy=strategy, run_eagerly=True)
        before = model.wide.get_weights()[0]
        model.train_on_batch(features, labels)
        assert np.any(model.wide.get_weights()[0] != before)
        return model.get_weights()

    sparse = step()
    monkeypatch.setattr(MODELS[name], "sparse_embeddings", ())
    for one, other in zip(sparse, step(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_architecture_search():
    model = tiny("autoheri", **WIDE)
    model.compile(RowSparseAdam(0.02), strategy=ArchitectureSearch(), run_eagerly=True)
    model.fit(*rows_of("autoheri", 12), verbose=0)
    assert np.any(model.wide.get_weights()[0] != 0)


@pytest.mark.parametrize("name", ["mmoe", "adaftr"])
def test_second_stage_freezes_the_term(name):
    model = tiny(name, **WIDE)
    with freeze_lower_layers(model):
        assert not model.wide.table.trainable
    assert model.wide.table.trainable


def test_mixed_precision_sums_in_float32():
    keras.config.set_dtype_policy("mixed_bfloat16")
    model, deep = tiny_randomized("mmoe", cases.chain(), **WIDE), tiny_randomized("mmoe", cases.chain(), **WIDE)
    deep.set_weights(model.get_weights())
    deep.wide.set_weights([np.zeros_like(model.wide.get_weights()[0])])
    assert_logits(model, {name: np.asarray(logit) for name, logit in deep(FEATURES).items()})


def test_training_step_does_not_read_the_whole_table():
    sizes = {"user": 50_000, "tags": 9, "history": 14}
    model = tiny("mmoe", sizes=sizes, wide_l2=1e-4, **WIDE)
    model.compile(RowSparseAdam(0.01))
    data = (cases.features(8), cases.labels(cases.pair(), 8))
    signature = tf.nest.map_structure(lambda values: tf.TensorSpec((None, *values.shape[1:]), values.dtype), data)
    graph = tf.function(model.train_step, autograph=False).get_concrete_function(signature)
    assert tensors_of_shape(graph, tuple(model.wide.table.shape)) == []


def test_rejects_wrong_options():
    message = "wide_l2: should be at least 0. Received: -1.0"
    assert message in config_error(MMoE.from_spec, cases.pair(), cases.SIZES, wide=True, wide_l2=-1.0)
    message = "backbone_options.wide: should be an option of AdaFTR"
    assert message in config_error(tiny, "adaftr", backbone_options={"wide": True})
