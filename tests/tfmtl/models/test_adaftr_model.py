"""AdaFTR as a model of the package: options, presets, saving, training by every strategy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.tfmtl import cases
from tests.tfmtl.models.adaftr_cases import BACKBONES, FEATURES, LABELS, ROWS, SPEC, adaftr
from tfmtl import config
from tfmtl.config import ConfigError
from tfmtl.models import MODELS, AdaFTR, model_class
from tfmtl.models.options.adaftr import AdaFTROptions
from tfmtl.optimizers import RowSparseAdam
from tfmtl.training import MetaLearning
from tfmtl.training.two_stage import freeze_lower_layers

TREE = """
  - {name: click, label: clicked, output: ctr}
  - {name: buy, label: bought, follows: click}
  - {name: share, label: shared, follows: click}
"""


def batches(spec=SPEC, rows=120, seed=0):
    data = (cases.features(rows, seed), cases.labels(spec, rows, seed))
    return tf.data.Dataset.from_tensor_slices(data).batch(40)


def assert_same(ones, others):
    for one, other in zip(ones, others, strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))


def error(spec=SPEC, **options):
    with pytest.raises(ConfigError) as caught:
        AdaFTR.from_spec(spec, cases.SIZES, **{"backbone_options": BACKBONES["mmoe"], **options})
    return str(caught.value)


@pytest.mark.parametrize(
    ("backbone", "options", "eagerly"),
    [
        ("mmoe", {}, True),
        ("mmoe", {"temperature": "learned"}, True),
        ("shared_bottom", {"contrast": "bpr", "anchor": "buy"}, False),
    ],
)
def test_saved_model_resumes_training(backbone, options, eagerly, tmp_path):
    model = adaftr(backbone, **options)
    model.compile(RowSparseAdam(0.01), run_eagerly=eagerly)
    model.fit(batches(), verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded) is AdaFTR
    assert loaded.options == model.options
    assert loaded.get_config() == model.get_config()
    assert_same(model.get_weights(), loaded.get_weights())
    taps, loaded_taps = model.inspect(FEATURES), loaded.inspect(FEATURES)
    assert list(taps) == list(loaded_taps)
    assert_same(taps.values(), loaded_taps.values())
    assert ("temperature/click/buy" in loaded_taps) == ("contrast" not in options)
    loaded.run_eagerly = eagerly
    for one in (model, loaded):
        one.fit(batches(seed=1), verbose=0)
    assert int(loaded.optimizer.iterations) == 6
    assert_same(model.get_weights(), loaded.get_weights())
    assert_same(model.optimizer.variables, loaded.optimizer.variables)


@pytest.mark.parametrize("scope", ["towers", pytest.param("all", marks=pytest.mark.long)])
def test_training_reduces_all_losses(scope):
    model = adaftr(contrast_scope=scope, beta=1.0, relatedness_units=[32])
    model.compile(RowSparseAdam(0.02))
    data = tf.data.Dataset.from_tensors((FEATURES, LABELS))
    history = model.fit(data, epochs=120, verbose=0).history
    names = {"loss", *(f"{task}_loss" for task in LABELS), *model.extra_loss_names}
    aucs = {f"{output.name}_auc" for output in SPEC.outputs if output.task != "views"}
    assert set(history) == names | aucs
    for name in names:
        assert history[name][-1] < 0.9 * history[name][0], name
    evaluated = model.evaluate(data, return_dict=True, verbose=0)
    assert set(evaluated) == set(history)
    relatedness = np.asarray(model.inspect(FEATURES)["relatedness/click/buy"])
    same = LABELS["click"] == LABELS["buy"]
    assert relatedness[same].mean() > relatedness[~same].mean() + 0.2


def test_extra_losses_are_averaged_over_rows():
    model = adaftr()
    model.compile("sgd")
    parts = [slice(0, 10), slice(10, 20), slice(20, 24)]
    part_losses = []
    for part in parts:
        features, labels = ({name: values[part] for name, values in one.items()} for one in (FEATURES, LABELS))
        part_losses.append(float(model.compute_losses(features, labels, training=False).extras["buy_contrastive_loss"]))
    found = model.evaluate(FEATURES, LABELS, batch_size=10, return_dict=True, verbose=0)
    np.testing.assert_allclose(found["buy_contrastive_loss"], np.average(part_losses, weights=[10, 10, 4]), rtol=1e-5)


@pytest.mark.parametrize("options", [{}, {"temperature": "learned"}])
def test_meta_learning_trains_all_weights(options):
    spec = cases.pair()
    model = adaftr("shared_bottom", spec, **options)
    before = model.get_weights()
    model.compile(RowSparseAdam(0.01), strategy=MetaLearning(episodes=2))
    history = model.fit(batches(spec), epochs=2, verbose=0).history
    assert all(np.all(np.isfinite(values)) for values in history.values())
    assert set(model.extra_loss_names) <= set(history)
    for variable, old in zip(model.weights, before, strict=True):
        assert np.all(np.isfinite(variable)), variable.path
        assert np.any(np.asarray(variable) != old), variable.path


def test_second_stage_trains_towers_and_relatedness():
    model = adaftr()
    with freeze_lower_layers(model):
        trained = {variable.path for variable in model.trainable_variables}
    upper = [*model.backbone.towers.values(), *model.relatedness.values()]
    assert trained == {variable.path for layer in upper for variable in layer.trainable_variables}


def test_uncertainty_weights_the_tasks_once():
    model = adaftr(weighting="uncertainty")
    assert model.backbone.uncertainty is None
    losses = model.compute_losses(FEATURES, LABELS, training=False)
    log_variances = dict(zip(model.uncertainty.tasks, np.asarray(model.uncertainty.log_variances), strict=True))
    expected = sum(float(loss) / 2 * np.exp(-log_variances[name]) for name, (loss, _) in losses.tasks.items())
    expected += sum(log_variances.values()) / 2 + sum(float(loss) for loss in losses.extras.values())
    np.testing.assert_allclose(losses.total, expected, rtol=1e-5)
    assert not {id(weight) for weight in model.uncertainty.weights} & {id(one) for one in model.backbone.weights}


def test_dropout_is_off_in_evaluation():
    options = {**BACKBONES["mmoe"], "dropout": 0.5}
    model = AdaFTR.from_spec(SPEC, cases.SIZES, embedding_dim=4, backbone_options=options, contrast_layer=1)
    totals = [
        float(model.compute_losses(FEATURES, LABELS, training=training).total)
        for training in 2 * (False,) + 2 * (True,)
    ]
    assert totals[0] == totals[1]
    assert len(set(totals)) == 3


def test_mixed_precision_keeps_losses_in_float32():
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = AdaFTR.from_spec(SPEC, cases.SIZES, embedding_dim=4, backbone_options=BACKBONES["mmoe"])
    with tf.GradientTape() as tape:
        losses = model.compute_losses(FEATURES, LABELS)
    slopes = tape.gradient(losses.total, model.trainable_variables)
    assert {loss.dtype for loss in losses.extras.values()} == {tf.float32}
    assert model.inspect(FEATURES)["temperature/click/buy"].dtype == tf.float32
    assert all(np.all(np.isfinite(tf.convert_to_tensor(slope))) for slope in slopes)


def test_batches_of_any_size():
    model = adaftr()
    model.compile(RowSparseAdam(0.01))
    dataset = tf.data.Dataset.from_tensor_slices((FEATURES, LABELS))
    for size in (1, 7):
        model.fit(dataset.batch(size), verbose=0)
    assert all(np.all(np.isfinite(weight)) for weight in model.get_weights())
    assert int(model.optimizer.iterations) == ROWS + 4


def test_tree_of_tasks():
    spec = cases.DatasetSpec.from_yaml(cases.FEATURES + TREE)
    model = adaftr(spec=spec)
    assert model.pairs == (("click", "buy"), ("click", "share"))
    model.compile(RowSparseAdam(0.01), run_eagerly=True)
    history = model.fit(batches(spec), verbose=0).history
    assert all(np.all(np.isfinite(values)) for name, values in history.items())
    assert {"buy_contrastive_loss", "share_relatedness_loss"} <= set(history)


@pytest.mark.parametrize(("name", "widths"), [("ali_ccp", [64, 32, 16]), ("ecomm_ads", [128, 64, 32])])
def test_presets_have_the_sizes_of_the_paper(name, widths):
    model = AdaFTR.from_spec(cases.pair(), cases.SIZES, **AdaFTR.preset(name))
    options = model.options
    assert (options.alpha, options.beta, options.min_temperature, options.max_temperature) == (1, 0.01, 0.05, 1)
    assert (options.contrast_layer, options.space, options.embedding_dim) == (0, "conditional", 8)
    assert model.backbone.experts.num_experts == 3
    taps = model.inspect(FEATURES)
    for task in ("click", "buy"):
        assert [taps[f"tower/{task}/{layer}"].shape[1] for layer in range(3)] == widths
    with pytest.raises(ValueError, match="ali_ccp, ecomm_ads"):
        AdaFTR.preset("koubei")


def test_registry_and_defaults():
    assert model_class("adaftr") is MODELS["adaftr"] is AdaFTR
    assert AdaFTR.paper
    assert config.to_plain(AdaFTROptions()) == {}
    assert AdaFTROptions(backbone_options={"tower_units": (3,)}).backbone_options == {"tower_units": [3]}


def test_rejects_wrong_options():
    assert error(contrast="triplet") == "contrast: should be one of info_nce, bpr, mse, mae. Received: 'triplet'"
    assert error(min_temperature=0) == "min_temperature: should be above 0. Received: 0.0"
    assert error(fixed_temperature=0) == "fixed_temperature: should be above 0. Received: 0.0"
    assert error(max_temperature=0.01) == "max_temperature: should be at least min_temperature, 0.05. Received: 0.01"
    assert error(relatedness_units=[0]) == "relatedness_units: should be positive widths. Received: (0,)"
    assert error(contrast_block=1) == "contrast_block: should be at least 2. Received: 1"
    assert error(alpha=-1) == "alpha: should be at least 0. Received: -1.0"
    assert error(beta=-1) == "beta: should be at least 0. Received: -1.0"
    assert error(contrast_layer=-1) == "contrast_layer: should be at least 0. Received: -1"
    expected = "contrast_layer: should be below 2, the number of a tower's hidden layers. Received: 2"
    assert error(contrast_layer=2) == expected
    assert error(task_weights={"klick": 1}) == "task_weights.klick: should be a task of the spec. Received: 'klick'"


def test_rejects_wrong_anchors():
    for anchor in ("views", "klick"):
        assert error(anchor=anchor) == f"anchor: should be a binary task of the spec. Received: {anchor!r}"
    single = cases.DatasetSpec.from_yaml(cases.FEATURES + cases.CLICK + cases.VIEWS)
    assert error(single) == "anchor: should be one of at least two binary tasks. Received: None"


def test_rejects_wrong_backbones():
    message = error(backbone="adaftr")
    assert message.startswith("backbone: should be one of ")
    assert "mmoe, " in message
    assert "adaftr, " not in message
    expected = "backbone_options.num_expert: should be a field of MMoEOptions. Did you mean `num_experts`?"
    assert error(backbone_options={"num_expert": 2}) == expected
    expected = "backbone_options.num_experts: should be at least 1. Received: 0"
    assert error(backbone_options={"num_experts": 0}) == expected
    expected = "backbone_options.embedding_dim: should be an option of AdaFTR, given next to `backbone`. Received: 4"
    assert error(backbone_options={"embedding_dim": 4}) == expected


def test_rejects_backbone_without_a_tower_of_each_task(monkeypatch):
    def without_towers(self, *args, **kwargs):
        MODELS["shared_bottom"].__init__(self, *args, **kwargs)
        del self.towers["buy"]

    kind = type("Towerless", (MODELS["shared_bottom"],), {"__init__": without_towers})
    monkeypatch.setitem(MODELS, "towerless", kind)
    message = error(backbone="towerless", backbone_options=BACKBONES["shared_bottom"])
    assert message == "backbone: should be a model with a tower for each task. Received: 'towerless'"


def test_error_in_a_file_names_the_line():
    text = "backbone: mmoe\nbackbone_options:\n  tower_units: [4]\n  num_experts: 0\n"
    with pytest.raises(ConfigError) as caught:
        config.build(AdaFTROptions, config.parse_yaml(text, "settings.yaml"))
    expected = "settings.yaml:4: backbone_options.num_experts: should be at least 1. Received: 0"
    assert str(caught.value) == expected
