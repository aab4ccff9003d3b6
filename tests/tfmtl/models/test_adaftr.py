"""AdaFTR: its losses written out in NumPy from the backbone's towers, and what it records."""

import keras
import numpy as np
import pytest

from tests.tfmtl import cases
from tests.tfmtl.models.adaftr_cases import BACKBONES, FEATURES, LABELS, ROWS, SPEC, adaftr
from tests.tfmtl.numpy_layers import relu_layers, sigmoid
from tfmtl.models import MODELS, AdaFTR, MMoE

WEIGHTS = np.random.default_rng(1).uniform(0.2, 3, ROWS).astype("float32")
BACKBONE = pytest.mark.parametrize("backbone", BACKBONES)


def arrays(taps):
    return {name: np.asarray(value, "float64") for name, value in taps.items()}


def relatedness(model, taps, anchor, task):
    """Equations 8 and 9."""
    w1, b1, w2, b2 = (np.asarray(weight, "float64") for weight in model.relatedness[task].get_weights())
    product = taps[f"tower_input/{anchor}"] * taps[f"tower_input/{task}"]
    return sigmoid(relu_layers(product, [w1, b1]) @ w2 + b2)[:, 0]


def contrast(first, second, tau):
    """Equation 13, row by row."""
    losses = []
    for r in range(len(first)):
        over = np.exp(first[r] @ second[r] / tau[r])
        losses.append(-np.log(over / sum(np.exp(first[r] @ second[k] / tau[r]) for k in range(len(second)))))
    return np.array(losses)


def average(losses, weighted):
    return np.average(losses, weights=WEIGHTS if weighted else None)


@pytest.mark.parametrize("weighted", [False, True])
def test_sum_over_the_rows(weighted):
    """The contrast of equation 13 as a sum is the mean times the sum of the weights; other losses stay means."""
    weights = WEIGHTS if weighted else None
    mean, total = (
        adaftr("mmoe", contrast_reduction=reduction).compute_losses(FEATURES, LABELS, weights, training=False)
        for reduction in ("mean", "sum")
    )
    factor = WEIGHTS.sum() if weighted else ROWS
    for task in ("buy", "back"):
        name = f"{task}_contrastive_loss"
        assert mean.extras[name] > 0
        np.testing.assert_allclose(total.extras[name], factor * mean.extras[name], rtol=1e-5)
        name = f"{task}_relatedness_loss"
        np.testing.assert_array_equal(total.extras[name], mean.extras[name])


@BACKBONE
@pytest.mark.parametrize("weighted", [False, True])
def test_equations(backbone, weighted):
    model = adaftr(backbone, alpha=0.7, beta=0.3, min_temperature=0.2, max_temperature=1.5)
    taps = arrays(model.inspect(FEATURES))
    losses = model.compute_losses(FEATURES, LABELS, WEIGHTS if weighted else None, training=False)
    expected = {}
    for task in ("buy", "back"):
        y_rel = relatedness(model, taps, "click", task)
        tau = (1.5 - 0.2) * (1 - y_rel) + 0.2
        np.testing.assert_allclose(taps[f"relatedness/click/{task}"], y_rel, rtol=1e-5)
        np.testing.assert_allclose(taps[f"temperature/click/{task}"], tau, rtol=1e-5)
        same = LABELS["click"] == LABELS[task]
        assert 0 < same.sum() < ROWS
        cross_entropy = -np.where(same, np.log(y_rel), np.log(1 - y_rel))
        expected[f"{task}_relatedness_loss"] = 0.7 * average(cross_entropy, weighted)
        row_losses = contrast(taps["tower/click/0"], taps[f"tower/{task}/0"], tau)
        expected[f"{task}_contrastive_loss"] = 0.3 * average(row_losses, weighted)
        assert expected[f"{task}_contrastive_loss"] > 0.01
    assert set(losses.extras) == set(model.extra_loss_names) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(losses.extras[name], value, rtol=1e-4, err_msg=name)
    tasks = [float(loss) for loss, _ in losses.tasks.values()]
    np.testing.assert_allclose(losses.total, sum(tasks) + sum(expected.values()), rtol=1e-5)


@BACKBONE
def test_logits_scores_and_task_losses_are_those_of_the_backbone(backbone):
    model = adaftr(backbone, task_weights={"buy": 2.0}, embedding_l2=0.01)
    options = {"embedding_dim": 4, "space": "conditional", "task_weights": {"buy": 2.0}, "embedding_l2": 0.01}
    if backbone == "man":
        options |= {"weighting": "fixed", "weight_decay": 0.0}
    elif backbone == "apem":
        options |= {"dependence": 0.0}
    plain = MODELS[backbone].from_spec(SPEC, cases.SIZES, **options, **BACKBONES[backbone])
    plain.set_weights(model.backbone.get_weights())
    pairs = [(model(FEATURES), plain(FEATURES)), (model.score(FEATURES), plain.score(FEATURES))]
    pairs.append((model.predict(FEATURES, verbose=0), plain.predict(FEATURES, verbose=0)))
    for ones, others in pairs:
        assert list(ones) == list(others)
        for name, one in ones.items():
            np.testing.assert_allclose(one, others[name], rtol=1e-5)
    losses, plain_losses = (one.compute_losses(FEATURES, LABELS, training=False) for one in (model, plain))
    np.testing.assert_allclose(
        float(losses.total) - sum(map(float, losses.extras.values())), plain_losses.total, rtol=1e-5
    )
    assert (
        model.spaces
        == plain.spaces
        == {"click": "entire", "buy": "conditional", "back": "conditional", "views": "entire"}
    )


def test_contrast_scope_does_not_change_losses():
    towers, everything = (adaftr(contrast_scope=scope).compute_losses(FEATURES, LABELS) for scope in ("towers", "all"))
    for name, loss in towers.extras.items():
        np.testing.assert_allclose(loss, everything.extras[name], rtol=1e-5)


@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize("scope", ["towers", "all"])
def test_contrasted_layer_is_the_hidden_layer_of_the_tower(layer, scope):
    model = adaftr(contrast_layer=layer, contrast_scope=scope)
    taps = model.inspect(FEATURES)
    for task in ("click", "buy", "back"):
        assert taps[f"contrast/{task}"].shape == (ROWS, [6, 4][layer])
        np.testing.assert_allclose(taps[f"contrast/{task}"], taps[f"tower/{task}/{layer}"], rtol=1e-5, atol=1e-6)
    assert "contrast/views" not in taps


def test_anchor_is_contrasted_with_each_other_binary_task():
    assert adaftr().pairs == (("click", "buy"), ("click", "back"))
    model = adaftr(anchor="buy")
    assert model.pairs == (("buy", "click"), ("buy", "back"))
    assert set(model.extra_loss_names) == {
        f"{task}_{kind}_loss" for task in ("click", "back") for kind in ("relatedness", "contrastive")
    }
    taps = arrays(model.inspect(FEATURES))
    tau = taps["temperature/buy/click"]
    expected = 0.01 * contrast(taps["tower/buy/0"], taps["tower/click/0"], tau).mean()
    losses = model.compute_losses(FEATURES, LABELS, training=False)
    np.testing.assert_allclose(losses.extras["click_contrastive_loss"], expected, rtol=1e-4)


@pytest.mark.parametrize("temperature", ["fixed", "learned"])
def test_fixed_or_learned_temperature_is_the_same_for_all_rows(temperature):
    model = adaftr(temperature=temperature, fixed_temperature=0.3, min_temperature=0.1, max_temperature=0.9)
    taps = arrays(model.inspect(FEATURES))
    tau = 0.3
    if temperature == "learned":
        tau = 0.8 * (1 - sigmoid(float(model.common_relatedness))) + 0.1
        assert 0.1 < tau < 0.9
    losses = model.compute_losses(FEATURES, LABELS, training=False)
    assert set(losses.extras) == {"buy_contrastive_loss", "back_contrastive_loss"}
    for task in ("buy", "back"):
        np.testing.assert_allclose(taps[f"temperature/click/{task}"], np.full(ROWS, tau), rtol=1e-5)
        expected = contrast(taps["tower/click/0"], taps[f"tower/{task}/0"], np.full(ROWS, tau)).mean()
        np.testing.assert_allclose(losses.extras[f"{task}_contrastive_loss"], 0.01 * expected, rtol=1e-4)
    assert not [name for name in taps if name.startswith("relatedness")]


def test_cosine_similarity():
    model = adaftr(similarity="cosine")
    taps = arrays(model.inspect(FEATURES))
    first, second = (taps[f"tower/{task}/0"] for task in ("click", "buy"))
    units = [one / np.maximum(np.linalg.norm(one, axis=1, keepdims=True), 1e-9) for one in (first, second)]
    expected = 0.01 * contrast(*units, taps["temperature/click/buy"]).mean()
    losses = model.compute_losses(FEATURES, LABELS, training=False)
    np.testing.assert_allclose(losses.extras["buy_contrastive_loss"], expected, rtol=1e-4)


def test_negatives_are_rows_of_the_same_block():
    model = adaftr(contrast_block=10)
    taps = arrays(model.inspect(FEATURES))
    columns = [taps[name] for name in ("tower/click/0", "tower/buy/0", "temperature/click/buy")]
    row_losses = [contrast(*(column[start : start + 10] for column in columns)) for start in (0, 10, 20)]
    losses = model.compute_losses(FEATURES, LABELS, training=False)
    expected = 0.01 * np.concatenate(row_losses).mean()
    np.testing.assert_allclose(losses.extras["buy_contrastive_loss"], expected, rtol=1e-4)


@pytest.mark.parametrize("kind", ["bpr", "mse", "mae"])
def test_losses_without_negatives(kind):
    model = adaftr(contrast=kind)
    taps = arrays(model.inspect(FEATURES))
    first, second = (taps[f"tower/{task}/0"] for task in ("click", "buy"))
    margin = (first * (second - np.roll(second, -1, axis=0))).sum(axis=1)
    row_losses = {
        "bpr": np.logaddexp(0, -margin),
        "mse": ((first - second) ** 2).mean(axis=1),
        "mae": np.abs(first - second).mean(axis=1),
    }
    losses = model.compute_losses(FEATURES, LABELS, training=False)
    assert set(losses.extras) == {"buy_contrastive_loss", "back_contrastive_loss"}
    np.testing.assert_allclose(losses.extras["buy_contrastive_loss"], 0.01 * row_losses[kind].mean(), rtol=1e-4)
    assert not [name for name in taps if name.startswith(("relatedness", "temperature"))]


def test_records_of_the_backbone_are_kept():
    model = adaftr(spec=cases.pair())
    taps, backbone_taps = model.inspect(FEATURES), model.backbone.inspect(FEATURES)
    pair = {f"{kind}/click/buy" for kind in ("relatedness", "relatedness_logit", "temperature")}
    assert set(taps) == set(backbone_taps) | pair | {"contrast/click", "contrast/buy"}
    for name, value in backbone_taps.items():
        np.testing.assert_allclose(taps[name], value, rtol=1e-6)
    np.testing.assert_allclose(taps["relatedness/click/buy"], sigmoid(taps["relatedness_logit/click/buy"]), rtol=1e-5)


def test_loss_of_given_logits_is_that_of_the_tasks():
    model = adaftr()
    losses = model.compute_losses(FEATURES, LABELS, training=False)
    expected = sum(float(loss) for loss, _ in losses.tasks.values())
    np.testing.assert_allclose(model.compute_loss(FEATURES, LABELS, losses.logits), expected, rtol=1e-6)


def test_equal_seeds_give_the_backbone_the_weights_of_the_model_alone():
    keras.utils.set_random_seed(5)
    plain = MMoE.from_spec(SPEC, cases.SIZES, embedding_dim=4, **BACKBONES["mmoe"])
    keras.utils.set_random_seed(5)
    wrapped = AdaFTR.from_spec(SPEC, cases.SIZES, embedding_dim=4, backbone_options=BACKBONES["mmoe"])
    for one, other in zip(plain.get_weights(), wrapped.backbone.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
