"""Parameters that each loss of AdaFTR trains (Algorithm 1), and finite losses at extremes."""

import numpy as np
import pytest
import tensorflow as tf

from tests.tfmtl.models.adaftr_cases import BACKBONES, FEATURES, LABELS, ROWS, adaftr

SCOPES = pytest.mark.parametrize("scope", ["towers", "all"])
CONTRASTS = [
    {"temperature": "adaptive"},
    {"temperature": "learned"},
    {"temperature": "fixed"},
    {"contrast": "bpr"},
    {"contrast": "mse"},
    {"contrast": "mae"},
]
EACH_CONTRAST = pytest.mark.parametrize("contrast", CONTRASTS, ids=lambda one: next(iter(one.values())))


def as_array(slope):
    return np.asarray(tf.convert_to_tensor(slope))


def reached(model, get_loss):
    """Paths of the variables whose gradient is not 0."""
    with tf.GradientTape() as tape:
        loss = get_loss(model.compute_losses(FEATURES, LABELS, training=True))
    slopes = dict(
        zip(
            [variable.path for variable in model.trainable_variables],
            tape.gradient(loss, model.trainable_variables),
            strict=True,
        )
    )
    return {path for path, slope in slopes.items() if slope is not None and np.any(as_array(slope))}


def paths(*layers):
    return {variable.path for layer in layers for variable in layer.trainable_variables}


def hidden_paths(model, task, layers):
    return {variable.path for variable in model.backbone.towers[task].hidden.trainable_variables[: 2 * layers]}


@SCOPES
@pytest.mark.parametrize("backbone", BACKBONES)
def test_relatedness_loss_trains_only_its_network(scope, backbone):
    model = adaftr(backbone, contrast_scope=scope)
    for task in ("buy", "back"):
        found = reached(model, lambda losses, task=task: losses.extras[f"{task}_relatedness_loss"])
        assert found == paths(model.relatedness[task])


@SCOPES
@pytest.mark.parametrize("layer", [0, 1])
def test_contrast_trains_the_layers_of_its_scope(scope, layer):
    model = adaftr(contrast_scope=scope, contrast_layer=layer)
    found = reached(model, lambda losses: losses.extras["buy_contrastive_loss"])
    towers = hidden_paths(model, "click", layer + 1) | hidden_paths(model, "buy", layer + 1)
    backbone = model.backbone
    below = paths(backbone.embedding, backbone.experts, backbone.gates["click"], backbone.gates["buy"])
    assert len(towers) == 4 * (layer + 1)
    assert found == (towers if scope == "towers" else towers | below)


@EACH_CONTRAST
def test_contrast_trains_neither_relatedness_nor_layers_below_the_towers(contrast):
    model = adaftr(**contrast)
    found = reached(model, lambda losses: losses.extras["back_contrastive_loss"])
    towers = hidden_paths(model, "click", 1) | hidden_paths(model, "back", 1)
    learned = {model.common_relatedness.path} if contrast.get("temperature") == "learned" else set()
    assert found == towers | learned


@SCOPES
def test_task_losses_train_only_the_backbone(scope):
    model = adaftr(contrast_scope=scope, alpha=0, beta=0)
    assert reached(model, lambda losses: losses.total) <= paths(model.backbone)
    for task in ("click", "buy", "back", "views"):
        found = reached(model, lambda losses, task=task: losses.tasks[task][0])
        assert paths(model.backbone.towers[task].head, model.backbone.embedding) <= found <= paths(model.backbone)


def test_weight_decay_excludes_the_relatedness_network():
    model = adaftr(weight_decay=0.1, alpha=0)
    found = reached(model, lambda losses: losses.total)
    assert not found & paths(*model.relatedness.values())
    without = adaftr(alpha=0)
    decayed = [weight for weight in model.backbone.trainable_variables if weight is not model.embedding.table]
    expected = 0.05 * sum(float(np.sum(np.square(weight))) for weight in decayed)
    totals = [float(one.compute_losses(FEATURES, LABELS).total) for one in (model, without)]
    np.testing.assert_allclose(totals[0] - totals[1], expected, rtol=1e-3)


def test_gradient_of_the_relatedness_network_is_proportional_to_alpha():
    slopes = []
    for alpha, beta in ((1.0, 0.01), (1.0, 5.0), (3.0, 0.0)):
        model = adaftr(alpha=alpha, beta=beta, contrast_scope="all")
        with tf.GradientTape() as tape:
            total = model.compute_losses(FEATURES, LABELS).total
        slopes.append([as_array(slope) for slope in tape.gradient(total, model.relatedness["buy"].trainable_variables)])
    for first, second, third in zip(*slopes, strict=True):
        np.testing.assert_allclose(first, second, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(3 * first, third, rtol=1e-5, atol=1e-6)


def extremes():
    one = {name: values[:1] for name, values in FEATURES.items()}
    zeros = {name: np.zeros(ROWS, "float32") for name in LABELS}
    ones = {name: np.ones(ROWS, "float32") for name in LABELS}
    return {
        "all labels 0": (FEATURES, zeros, None),
        "all labels 1": (FEATURES, ones, None),
        "one row": (one, {name: values[:1] for name, values in LABELS.items()}, None),
        "no weight": (FEATURES, LABELS, np.zeros(ROWS, "float32")),
        "one row of weight": (FEATURES, LABELS, np.eye(ROWS, dtype="float32")[3]),
    }


@pytest.mark.parametrize("contrast", [*CONTRASTS, {"similarity": "cosine"}], ids=lambda one: next(iter(one.values())))
@pytest.mark.parametrize("scale", [0.0, 15.0])
def test_losses_and_gradients_at_extremes_are_finite(contrast, scale):
    bounds = {"min_temperature": 1e-6, "max_temperature": 2e-6, "fixed_temperature": 1e-6}
    model = adaftr(contrast_scope="all", **contrast, **bounds)
    model.set_weights([scale * weight for weight in model.get_weights()])
    largest = max(np.abs(logit).max() for logit in model(FEATURES).values())
    assert largest > 100 if scale else largest == 0
    for name, (features, labels, weights) in extremes().items():
        with tf.GradientTape() as tape:
            losses = model.compute_losses(features, labels, weights)
        slopes = tape.gradient(losses.total, model.trainable_variables)
        assert np.isfinite(losses.total), name
        assert all(np.all(np.isfinite(as_array(slope))) for slope in slopes if slope is not None), name
        alone = name in ("one row", "no weight", "one row of weight")
        if alone and contrast.get("contrast") not in ("mse", "mae"):
            assert float(losses.extras["buy_contrastive_loss"]) == pytest.approx(0, abs=1e-8), name


@EACH_CONTRAST
def test_rows_of_weight_zero_are_left_out(contrast):
    model = adaftr(**contrast)
    kept = np.arange(ROWS) % 3 != 1
    whole = model.compute_losses(FEATURES, LABELS, kept.astype("float32"), training=False)
    part = [{name: values[kept] for name, values in one.items()} for one in (FEATURES, LABELS)]
    alone = model.compute_losses(*part, training=False)
    for name, loss in alone.extras.items():
        np.testing.assert_allclose(whole.extras[name], loss, rtol=1e-5, err_msg=name)
        assert float(loss) > 0


def test_table_has_a_sparse_gradient():
    model = adaftr(contrast_scope="all")
    with tf.GradientTape() as tape:
        total = model.compute_losses(FEATURES, LABELS).total
    assert isinstance(tape.gradient(total, model.embedding.table.value), tf.IndexedSlices)
    assert model.embedding is model.backbone.embedding
