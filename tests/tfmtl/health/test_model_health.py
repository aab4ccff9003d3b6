"""Health of every model: dead where its weights make the mechanism uniform, alive where they differ."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.tfmtl import cases
from tests.tfmtl.tiny_models import OPTIONS, rows_of, tiny, tiny_randomized
from tfmtl import introspection
from tfmtl.health import Health, effective_rank, model_health, relative_entropy, row_variation
from tfmtl.layers import CGC, TaskAttention, Tower
from tfmtl.models import MODELS
from tfmtl.optimizers import RowSparseAdam

GATES = {("gate", "relative_entropy"), ("gate", "weight_variation"), ("gate", "expert_use")}
TASK_ATTENTION = {("task_attention", "relative_entropy"), ("task_attention", "weight_variation")}
MEASURED = {
    "omoe": GATES,
    "mmoe": GATES,
    "cgc": GATES,
    "ple": GATES,
    "man": GATES | TASK_ATTENTION,
    "aitm": TASK_ATTENTION,
    "apem": {
        ("attention", "relative_entropy"),
        ("selector", "row_variation"),
        ("selector", "saturation"),
        ("pattern", "relative_entropy"),
        ("shared_representation", "effective_rank"),
    },
    "adaftr": GATES | {("temperature", "temperature_spread"), ("contrast", "gradient_ratio")},
    "m2m": {
        ("meta_attention", "relative_entropy"),
        ("meta_attention", "weight_variation"),
        ("meta_unit", "relative_variation"),
    },
    "mran": {("self_attention", "relative_entropy"), ("task_feature_attention", "relative_entropy")},
    "autoheri": {("connection", "connection_shift"), ("connection", "largest_connection")},
    "cross_stitch": {("cross_stitch", "cross_share")},
}
"""Kinds of mechanisms and their measures by model; the other models have none."""
DEAD_AT_ZERO = {
    **{name: {"relative_entropy", "weight_variation"} for name in ("omoe", "mmoe", "cgc", "ple", "man", "aitm")},
    "apem": {"row_variation", "relative_entropy", "effective_rank"},
    "adaftr": {"relative_entropy", "weight_variation", "temperature_spread", "gradient_ratio"},
    "m2m": {"relative_entropy", "weight_variation", "relative_variation"},
    "mran": {"relative_entropy"},
    "autoheri": {"connection_shift"},
    "cross_stitch": {"cross_share"},
}
"""Measures that call a model dead whose weights are all 0."""
ROWS = 150
SPREAD = {"apem": (6.0, ("table", "points", "indicators")), "mran": (3.0, ("kernel", "table"))}
"""Weights that need a larger standard deviation than .6 for attention that differs from uniform."""


def healths_of(model, name, rows=ROWS):
    return model_health(model, [rows_of(name, rows)])


def kinds(healths):
    return {(one.kind, one.measure) for one in healths}


def zeros(name):
    model = tiny(name)
    for weight in model.weights:
        if "float" in str(weight.dtype):
            weight.assign(np.zeros(weight.shape))
    return model


@pytest.mark.parametrize("name", OPTIONS)
def test_mechanisms_of_every_model(name):
    found = healths_of(tiny(name), name, 20)
    assert kinds(found) == MEASURED.get(name, set())
    assert len({(one.mechanism, one.measure) for one in found}) == len(found), "no mechanism is listed twice"
    assert set(MEASURED) <= set(OPTIONS) == set(MODELS)


@pytest.mark.parametrize("name", MEASURED)
def test_dead_with_weights_of_zero(name):
    found = healths_of(zeros(name), name)
    assert {one.measure for one in found if not one.alive} == DEAD_AT_ZERO[name]
    for one in found:
        if one.measure in DEAD_AT_ZERO[name]:
            assert not one.alive, one.sentence


def widened(name):
    """Returns a model with random weights, large enough that its attention is not uniform."""
    model = tiny_randomized(name)
    rng = np.random.default_rng(5)
    deviation, parts = SPREAD.get(name, (0.0, ()))
    for weight in model.weights:
        if any(part in weight.path for part in parts):
            weight.assign(rng.normal(0, deviation, weight.shape))
    return model


@pytest.mark.parametrize("name", MEASURED)
def test_alive_with_weights_that_differ(name):
    found = healths_of(widened(name), name)
    assert [one.sentence for one in found if not one.alive] == []


def test_values_are_those_of_what_the_model_records():
    model = tiny_randomized("man")
    features, labels = rows_of("man", ROWS)
    taps = {path: np.asarray(value) for path, value in model.inspect(features).items()}
    found = {(one.mechanism, one.measure): one.value for one in model_health(model, [(features, labels)])}
    for task in ("click", "buy"):
        entropy = relative_entropy(taps[f"gate/{task}"])
        assert found[f"gate of {task}", "relative_entropy"] == pytest.approx(entropy, rel=1e-5)
    variation = 2 * row_variation(taps["task_attention/buy"])
    assert found["task attention of buy", "weight_variation"] == pytest.approx(variation, rel=1e-5)
    assert not any(mechanism == "task attention of click" for mechanism, _ in found), "it has no previous task"


def test_batches_are_joined_and_limited():
    model = tiny_randomized("mmoe")
    features, labels = rows_of("mmoe", 5000)
    sliced = tf.data.Dataset.from_tensor_slices((features, labels)).batch(300)
    first = {name: values[:4096] for name, values in features.items()}
    labels_of_first = {name: values[:4096] for name, values in labels.items()}
    found, expected = model_health(model, sliced), model_health(model, [(first, labels_of_first)])
    assert [one.value for one in found] == pytest.approx([one.value for one in expected], rel=1e-6)
    assert model_health(model, []) == ()


def test_fewer_rows_are_kept_if_they_are_large(monkeypatch):
    model = tiny_randomized("mmoe")
    features, labels = rows_of("mmoe", 3000)
    monkeypatch.setattr("tfmtl.health.evaluate._MAX_BYTES", 1000)
    found = model_health(model, [(features, labels)])
    first = {name: values[:1024] for name, values in features.items()}
    expected = model_health(model, [(first, labels)])
    assert [one.value for one in found] == pytest.approx([one.value for one in expected], rel=1e-6)


def test_attention_of_layers_is_measured_as_soon_as_it_is_recorded():
    """`SetAttention` is to record `attention/<layer>` of the shape (batch, heads, points, tokens)."""

    class Recording:
        def inspect(self, features):
            logits = sharpness * np.random.default_rng(0).normal(size=(len(features["user"]), 2, 4, 7))
            weights = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
            return {"attention/layer_1": tf.constant(weights), "shared_representation": tf.constant(logits)}

    rows = ({"user": np.arange(60)}, {})
    sharpness = 3.0
    attention, rank = model_health(Recording(), [rows])
    assert (attention.mechanism, attention.measure, attention.alive) == ("attention, layer 1", "relative_entropy", True)
    assert rank.value == pytest.approx(effective_rank(Recording().inspect(rows[0])["shared_representation"]), rel=1e-4)
    assert str(rank.bound) == "at least 10"
    sharpness = 0.1
    sentence = model_health(Recording(), [rows])[0].sentence
    assert sentence.startswith("The attention, layer 1 is uniform: entropy 0.99")


@pytest.mark.parametrize("rows", [1, 2])
@pytest.mark.parametrize("name", ["man", "apem", "adaftr", "m2m"])
def test_few_rows_are_measured(name, rows):
    for one in healths_of(tiny_randomized(name), name, rows):
        assert np.isfinite(one.value), one.sentence


def test_nan_in_the_weights_is_reported():
    model = tiny_randomized("mmoe")
    model.gates["buy"].kernel.assign(np.full(model.gates["buy"].kernel.shape, np.nan))
    dead = [one for one in healths_of(model, "mmoe") if not one.alive]
    assert {one.mechanism for one in dead} == {"gate of buy"}
    assert all("computes values that are not finite" in one.sentence for one in dead)


@pytest.mark.parametrize(
    ("name", "options", "missing"),
    [
        ("mmoe", {"num_experts": 1}, GATES),
        ("man", {"attention": False}, TASK_ATTENTION),
        ("apem", {"asrg": "static"}, {("selector", "row_variation"), ("selector", "saturation")}),
        ("apem", {"pattern_selector": False}, {("pattern", "relative_entropy")}),
        ("m2m", {"meta_attention": False, "meta_tower": False}, {("meta_unit", "relative_variation")}),
        ("adaftr", {"temperature": "fixed"}, {("temperature", "temperature_spread")}),
    ],
)
def test_a_mechanism_that_is_switched_off_is_not_measured(name, options, missing):
    found = kinds(healths_of(tiny(name, **options), name, 20))
    assert found == MEASURED[name] - missing


def test_a_keras_model_with_layers_of_the_library():
    class Mine(keras.Model):
        def __init__(self):
            super().__init__()
            self.cgc = CGC(["click", "buy"], num_shared=1, num_per_task=1, units=[4])
            self.attention = {task: TaskAttention(name=task) for task in ("click", "buy")}
            self.tower = Tower([3], name="buy")

        def call(self, features, training=None):
            gated = self.cgc(features["x"])
            click = self.attention["click"](gated["click"])
            return self.tower(self.attention["buy"](gated["buy"], click))

    model = Mine()
    features = {"x": np.random.default_rng(0).normal(0, 3, (50, 6)).astype("float32")}
    model(features)  # Keras calls a model twice when it builds it.
    found = model_health(model, [(features, {})])
    assert {one.mechanism for one in found} == {"gate of click", "gate of buy", "task attention of buy"}
    with introspection.collect() as taps:
        model(features)
    assert found[0].value == pytest.approx(relative_entropy(taps["gate/click"]), rel=1e-5)


class Measuring(keras.callbacks.Callback):
    """Measures the health after every epoch."""

    def __init__(self, batch):
        super().__init__()
        self.batch = batch
        self.found: list[tuple[Health, ...]] = []

    def on_epoch_end(self, epoch, logs=None):
        self.found.append(model_health(self.model, [self.batch]))


@pytest.mark.parametrize(
    "name", ["mmoe", "apem", *(pytest.param(n, marks=pytest.mark.long) for n in ("adaftr", "m2m"))]
)
def test_training_is_the_same_to_the_last_bit(name):
    """Dropout draws from seeds, Adam and selectors count steps; none of them notices that health is measured."""
    options = {"adaftr": {"backbone_options": {**OPTIONS["adaftr"]["backbone_options"], "dropout": 0.5}}}
    options = options.get(name, {"dropout": 0.5})
    rows = rows_of(name, 64)
    states = []
    for callbacks in ([], [Measuring(rows)]):
        keras.utils.set_random_seed(3)
        model = tiny(name, **options)
        model.compile(RowSparseAdam(0.02), run_eagerly=name != "mmoe")  # Tracing takes longer than four steps.
        history = model.fit(*rows, epochs=2, batch_size=32, verbose=0, callbacks=callbacks).history
        weights = [weight.numpy() for weight in [*model.weights, *model.optimizer.variables]]
        states.append((history, weights, model.predict(rows[0], verbose=0)))
        states[-1][1].append(keras.random.uniform((3,)).numpy())
        states[-1][1].append(np.random.uniform(size=3))
    assert states[0][0] == states[1][0]
    for plain, measured in zip(states[0][1], states[1][1], strict=True):
        np.testing.assert_array_equal(plain, measured)
    for output, scores in states[0][2].items():
        np.testing.assert_array_equal(scores, states[1][2][output])
    assert len(callbacks[0].found) == 2
    assert kinds(callbacks[0].found[0]) == MEASURED[name]


def test_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    found = healths_of(tiny_randomized("man"), "man")
    assert all(np.isfinite(one.value) for one in found)


def test_single_task_has_no_cross_stitch():
    spec = cases.DatasetSpec.from_yaml(cases.FEATURES + cases.CLICK)
    rows = (cases.features(20), cases.labels(spec, 20))
    assert model_health(tiny("cross_stitch", spec), [rows]) == ()
