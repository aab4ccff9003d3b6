"""Inputs and options of `fit`, `evaluate`, `predict` and `train_on_batch` that any Keras model accepts."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.tfmtl import cases, panel_cases
from tests.tfmtl.tiny_models import rows_of, tiny
from tfmtl import DatasetSpec
from tfmtl.models import MODELS
from tfmtl.models.core.batches import prepare_labels
from tfmtl.optimizers import RowSparseAdam

ROWS = 96
SPEC = cases.pair()
FEATURES, LABELS = cases.features(ROWS), cases.labels(SPEC, ROWS)
WEIGHTS = np.random.default_rng(1).uniform(0, 2, ROWS).astype("float32")
BY_COLUMN = {"clicked": LABELS["click"], "bought": LABELS["buy"]}
COLUMNS = ("user", "price")
"""Features of one id per row."""


def compiled(name="shared_bottom", spec=SPEC, **arguments):
    keras.utils.set_random_seed(3)
    model = tiny(name, spec)
    model.compile(RowSparseAdam(0.01), **arguments)
    return model


def outcome(features=FEATURES, labels=LABELS, weights=None, model=None):
    """Results of one step of training and of an evaluation, by metric name."""
    model = model or compiled()
    trained = model.fit(features, labels, sample_weight=weights, batch_size=ROWS, shuffle=False, verbose=0).history
    evaluated = model.evaluate(features, labels, sample_weight=weights, batch_size=ROWS, return_dict=True, verbose=0)
    return {**{f"trained_{name}": values[0] for name, values in trained.items()}, **evaluated}


@pytest.fixture(scope="module")
def expected():
    """Outcome with labels by task name of the shape (rows,), without and with weights."""
    return {"plain": outcome(), "weighted": outcome(weights=WEIGHTS)}


def assert_close(found, results):
    assert found.keys() == results.keys()
    np.testing.assert_allclose(list(found.values()), list(results.values()), rtol=1e-5)


@pytest.mark.parametrize(
    "labels",
    [
        {name: values[:, None] for name, values in LABELS.items()},
        {"click": LABELS["click"].astype("int64"), "buy": LABELS["buy"].astype(bool)},
        {name: values.astype("float64") for name, values in LABELS.items()},
        BY_COLUMN,
        {"click": LABELS["click"], "bought": LABELS["buy"], "price": FEATURES["price"]},
    ],
    ids=["columns", "int and bool", "float64", "by label column", "mixed names and another column"],
)
def test_accepts_labels(labels, expected):
    assert_close(outcome(labels=labels), expected["plain"])


def test_accepts_features_of_one_column(expected):
    columns = {name: values[:, None] if name in COLUMNS else values for name, values in FEATURES.items()}
    assert_close(outcome(features=columns), expected["plain"])
    model = compiled()
    for name, scores in model.predict(columns, verbose=0).items():
        assert scores.shape == (ROWS,)
        np.testing.assert_allclose(scores, model.score(columns)[name], rtol=1e-5)
    assert list(model.inspect(columns)) == list(model.inspect(FEATURES))


@pytest.mark.parametrize(
    ("labels", "weights"),
    [
        (LABELS, WEIGHTS),
        (LABELS, WEIGHTS.astype("float64")[:, None]),
        (LABELS, {"click": WEIGHTS, "buy": WEIGHTS}),
        (BY_COLUMN, WEIGHTS),
        (BY_COLUMN, {"clicked": WEIGHTS, "bought": WEIGHTS}),
    ],
    ids=["array", "column", "by task", "array and labels by column", "by label column"],
)
def test_accepts_sample_weight(labels, weights, expected):
    assert_close(outcome(labels=labels, weights=weights), expected["weighted"])


def test_sample_weight_in_a_data_set(expected):
    for weights in (WEIGHTS, {"click": WEIGHTS, "buy": WEIGHTS}):
        data = tf.data.Dataset.from_tensor_slices((FEATURES, LABELS, weights)).batch(ROWS)
        model = compiled()
        trained = model.fit(data, verbose=0).history
        found = {f"trained_{name}": values[0] for name, values in trained.items()}
        assert_close({**found, **model.evaluate(data, return_dict=True, verbose=0)}, expected["weighted"])


def test_sample_weight_by_task_weights_each_task():
    model = compiled(run_eagerly=True)
    data = tf.data.Dataset.from_tensors((FEATURES, LABELS, {"buy": WEIGHTS}))
    found = model.evaluate(data, return_dict=True, verbose=0)
    logits = model(FEATURES)
    plain, weighted = (model.task_losses(LABELS, logits, weights) for weights in (None, WEIGHTS))
    np.testing.assert_allclose(found["click_loss"], plain["click"], rtol=1e-5)
    np.testing.assert_allclose(found["buy_loss"], weighted["buy"], rtol=1e-5)
    assert abs(weighted["buy"] - plain["buy"]) > 1e-5


def test_train_on_batch_and_test_on_batch(expected):
    model = compiled()
    trained = model.train_on_batch(FEATURES, BY_COLUMN, sample_weight=WEIGHTS, return_dict=True)
    tested = model.test_on_batch(FEATURES, LABELS, sample_weight=WEIGHTS, return_dict=True)
    found = {f"trained_{name}": value for name, value in trained.items()}
    assert {"loss", "click_loss", "ctr_auc"} <= set(tested)
    np.testing.assert_allclose(found["trained_loss"], expected["weighted"]["trained_loss"], rtol=1e-5)
    assert model.predict_on_batch(FEATURES)["ctr"].shape == (ROWS,)


@pytest.mark.parametrize("name", MODELS)
def test_every_model_trains_with_weights_all_of_which_are_zero(name):
    features, labels = rows_of(name, 12)
    model = tiny(name)
    with tf.GradientTape() as tape:
        losses = model.compute_losses(features, labels, np.zeros(12))
    assert np.isfinite(losses.total)
    assert all(float(loss) == 0 for loss, _ in losses.tasks.values())
    slopes = tape.gradient(losses.total, model.trainable_variables)
    assert all(np.all(np.isfinite(tf.convert_to_tensor(slope))) for slope in slopes if slope is not None)


def test_python_generator():
    def batches():
        while True:
            yield {name: values[:32] for name, values in FEATURES.items()}, {k: v[:32] for k, v in LABELS.items()}

    model = compiled()
    arguments = {"steps_per_epoch": 3, "validation_data": batches(), "validation_steps": 2, "epochs": 2}
    history = model.fit(batches(), **arguments, verbose=0).history
    assert len(history["val_loss"]) == 2
    assert int(model.optimizer.iterations) == 6


def test_validation_split():
    history = compiled().fit(FEATURES, LABELS, validation_split=0.25, sample_weight=WEIGHTS, verbose=0).history
    assert np.isfinite(history["val_loss"][0])


def test_single_task_accepts_an_array_of_labels():
    spec = DatasetSpec.from_yaml(cases.FEATURES + cases.CLICK)
    clicks = LABELS["click"]
    array, by_name = (outcome(labels=one, model=compiled(spec=spec)) for one in (clicks, {"click": clicks}))
    assert_close(array, by_name)


@pytest.mark.parametrize(
    "arguments",
    [
        {"run_eagerly": True},
        pytest.param({"jit_compile": True}, marks=pytest.mark.long),
        {"steps_per_execution": 3},
        {"optimizer": keras.optimizers.LossScaleOptimizer(RowSparseAdam(0.01))},
    ],
    ids=["eager", "jit", "steps_per_execution", "loss_scale"],
)
def test_compile_arguments(arguments):
    model = tiny("mmoe")
    model.compile(**{"optimizer": RowSparseAdam(0.01), **arguments})
    history = model.fit(FEATURES, LABELS, sample_weight=WEIGHTS, epochs=6, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]


def test_mixed_float16_scales_the_loss():
    keras.config.set_dtype_policy("mixed_float16")
    model = tiny("mmoe")
    model.compile(RowSparseAdam(0.01))
    assert type(model.optimizer).__name__ == "LossScaleOptimizer"
    history = model.fit(FEATURES, LABELS, epochs=6, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    assert int(model.optimizer.inner_optimizer.iterations) > 0


def test_loss_scale_optimizer_is_saved(tmp_path):
    model = tiny("shared_bottom")
    model.compile(keras.optimizers.LossScaleOptimizer(RowSparseAdam(0.01)))
    model.fit(FEATURES, LABELS, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded.optimizer).__name__ == "LossScaleOptimizer"
    assert int(loaded.optimizer.inner_optimizer.iterations) == 3
    loaded.fit(FEATURES, LABELS, verbose=0)


def test_clone_and_export(tmp_path):
    model = tiny("mmoe")
    clone = keras.models.clone_model(model)
    assert type(clone) is type(model)
    assert clone.built
    clone.set_weights(model.get_weights())
    for name, values in model.predict(FEATURES, verbose=0).items():
        np.testing.assert_allclose(clone.predict(FEATURES, verbose=0)[name], values, rtol=1e-6)
    model.export(tmp_path / "exported", verbose=False)
    batch = {name: tf.constant(values) for name, values in FEATURES.items()}
    artifact = tf.saved_model.load(str(tmp_path / "exported"))
    exported = artifact.serve(batch)
    for name, logit in model(FEATURES).items():
        np.testing.assert_allclose(exported[name], logit, rtol=1e-4, atol=1e-5)


NAMES = "`y` should be a dict with the labels of each task by its name: click, buy. Received: "


@pytest.mark.parametrize(
    ("labels", "received"),
    [
        ({"klick": LABELS["click"], "buy": LABELS["buy"]}, "a dict with the keys klick, buy"),
        (np.zeros((ROWS, 2)), r"EagerTensor of shape \(32, 2\)"),
        (None, "NoneType"),
    ],
)
def test_rejects_labels_without_a_task(labels, received):
    with pytest.raises(ValueError, match=NAMES.replace(".", r"\.") + received):
        compiled(run_eagerly=True).fit(FEATURES, labels, verbose=0)


def test_rejects_a_label_column_that_is_also_the_name_of_another_task():
    tasks = "  - {name: click, label: clicked}\n  - {name: buy, label: share}\n  - {name: share, label: shared}\n"
    spec = DatasetSpec.from_yaml(cases.FEATURES + tasks)
    with pytest.raises(
        ValueError, match=r"by its name: click, buy, share\. Received: a dict with the keys click, share"
    ):
        prepare_labels(spec, {"click": np.zeros(3), "share": np.zeros(3)})


def test_rejects_labels_and_weights_of_a_wrong_shape():
    with pytest.raises(
        ValueError, match=r"labels of `buy` should have the shape \(batch,\) or \(batch, 1\)\. Received: \(4, 2\)"
    ):
        prepare_labels(SPEC, {"click": np.zeros(4), "buy": np.zeros((4, 2))})
    labels = {"click": np.zeros(4), "buy": np.zeros(4)}
    with pytest.raises(ValueError, match=r"`sample_weight` should have the shape .*\. Received: \(4, 3\)"):
        prepare_labels(SPEC, labels, np.zeros((4, 3)))
    with pytest.raises(
        ValueError, match=r"dict with arrays by task name: click, buy\. Received: a dict with the keys klick"
    ):
        prepare_labels(SPEC, labels, {"klick": np.zeros(4)})


def prepare(labels, weights):
    return prepare_labels(cases.chain(), labels, weights)[0]


prepare_in_graph = tf.function(prepare, autograph=False)  # As Keras calls a training step.


@pytest.mark.parametrize(
    ("task", "value", "expected"),
    [
        ("buy", -1.0, "Labels of `buy` should be between 0 and 1, or NaN"),
        ("click", 2.0, "Labels of `click` should be between 0 and 1, or NaN"),
        ("views", -1.0, "Labels of `views` should be at least 0 and finite, or NaN"),
        ("views", np.inf, "Labels of `views` should be at least 0 and finite, or NaN"),
        (None, -1.0, "`sample_weight` should be at least 0 and finite"),
        (None, np.nan, "`sample_weight` should be at least 0 and finite"),
    ],
)
@pytest.mark.parametrize("traced", [False, True])
def test_rejects_labels_and_weights_out_of_range(task, value, expected, traced):
    labels, weights = cases.labels(cases.chain(), 8), np.ones(8, "float32")
    (weights if task is None else labels[task])[3] = value

    with pytest.raises(tf.errors.InvalidArgumentError, match=expected):
        (prepare_in_graph if traced else prepare)(labels, weights)


def test_training_stops_at_a_label_out_of_range():
    with pytest.raises(tf.errors.InvalidArgumentError, match="Labels of `buy` should be between 0 and 1"):
        compiled().fit(FEATURES, {"click": LABELS["click"], "buy": LABELS["buy"] - 1}, verbose=0)


def test_rejects_features_that_are_not_a_dict():
    expected = r"`x` should be a dict of features by name: user, price, tags, history\. Received: EagerTensor of shape"
    with pytest.raises(ValueError, match=expected):
        compiled(run_eagerly=True).fit(np.zeros((ROWS, 4)), LABELS, verbose=0)
    with pytest.raises(ValueError, match=expected.replace("EagerTensor", "ndarray")):
        compiled().score(np.zeros((ROWS, 4)))


@pytest.mark.parametrize("method", ["fit", "train_on_batch"])
def test_rejects_class_weight(method):
    expected = (
        r"`class_weight` should be replaced by the options `positive_weights` and `negative_weights`, by task name"
    )
    with pytest.raises(ValueError, match=expected + r".*\. Received: \{0: 1\.0, 1: 5\.0\}"):
        getattr(compiled(), method)(FEATURES, LABELS, class_weight={0: 1.0, 1: 5.0})


def test_rejects_loss_and_loss_weights():
    model = tiny("shared_bottom")
    with pytest.raises(
        ValueError, match=r"`loss` should be left out: the kinds of the tasks define it\. Received: mse"
    ):
        model.compile("adam", loss="mse")
    expected = r"`loss_weights` should be replaced by the option `task_weights`, by task name, of the model\. Received:"
    with pytest.raises(ValueError, match=expected):
        model.compile("adam", loss_weights={"click": 2.0})


@pytest.mark.parametrize(("field", "size"), [("user", 21), ("price", 10), ("history", 15)])
@pytest.mark.parametrize("eagerly", [False, True])
def test_id_outside_its_field_is_an_error_that_names_field_and_id(field, size, eagerly):
    ids = FEATURES[field].copy()
    ids[5] = size
    model = compiled(run_eagerly=eagerly)
    for call in (model.fit, model.evaluate):
        with pytest.raises(tf.errors.InvalidArgumentError, match=rf"{field}.*in \[0, {size}\)\. Received:.*{size}"):
            call({**FEATURES, field: ids}, LABELS, verbose=0)
    ids[5] = -1
    with pytest.raises(tf.errors.InvalidArgumentError, match=rf"{field}.*in \[0, {size}\)\. Received:.*-1"):
        model.predict({**FEATURES, field: ids}, verbose=0)


def test_id_outside_its_field_is_an_error_in_a_model_that_reads_fields_by_name():
    features, _ = rows_of("m2m", 6)
    features["campaign"][2, 1] = panel_cases.ROWS["campaign"]
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"campaign.*in \[0, 5\)\. Received:.*5"):
        tiny("m2m").score(features)
