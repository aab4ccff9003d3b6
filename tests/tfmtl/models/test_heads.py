"""Conversion of logits to outputs on both spaces."""

import numpy as np
import pytest
import tensorflow as tf

from tests.tfmtl import cases
from tests.tfmtl.numpy_layers import sigmoid
from tfmtl import DatasetSpec
from tfmtl.models.core.batches import prepare_labels
from tfmtl.models.core.heads import evaluation_logits, label_weights, task_outputs

CHAIN = cases.chain()
TASKS = ("click", "buy", "back", "views")
LOGITS = {name: np.random.default_rng(i).normal(0, 2, 50).astype("float32") for i, name in enumerate(TASKS)}


def spaces(buy, back):
    return {"click": "entire", "buy": buy, "back": back, "views": "entire"}


def arrays(tensors):
    return {name: np.asarray(tensor) for name, tensor in tensors.items()}


def test_heads_on_the_entire_space():
    outputs = arrays(task_outputs(CHAIN, spaces("entire", "entire"), LOGITS))
    click, buy, back = (sigmoid(LOGITS[name]) for name in TASKS[:3])
    expected = {
        "ctr": click,
        "cvr": np.minimum(buy / click, 1),
        "ctcvr": buy,
        "back_given_buy": np.minimum(back / buy, 1),
        "back": back,
        "views": np.exp(LOGITS["views"].astype("float64")),
    }
    assert list(outputs) == [output.name for output in CHAIN.outputs]
    for name, values in expected.items():
        assert outputs[name].dtype == np.float32
        np.testing.assert_allclose(outputs[name], values, rtol=1e-5)
    clipped = buy > click
    assert 0 < clipped.sum() < 50
    np.testing.assert_allclose((outputs["ctr"] * outputs["cvr"])[~clipped], outputs["ctcvr"][~clipped], rtol=1e-5)


def test_heads_on_the_conditional_space():
    outputs = arrays(task_outputs(CHAIN, spaces("conditional", "conditional"), LOGITS))
    click, buy, back = (sigmoid(LOGITS[name]) for name in TASKS[:3])
    expected = {"ctr": click, "cvr": buy, "ctcvr": click * buy, "back_given_buy": back, "back": click * buy * back}
    for name, values in expected.items():
        np.testing.assert_allclose(outputs[name], values, rtol=1e-5)


def test_heads_on_different_spaces():
    outputs = arrays(task_outputs(CHAIN, spaces("conditional", "entire"), LOGITS))
    click, buy, back = (sigmoid(LOGITS[name]) for name in TASKS[:3])
    np.testing.assert_allclose(outputs["ctcvr"], click * buy, rtol=1e-5)
    np.testing.assert_allclose(outputs["back"], back, rtol=1e-5)
    np.testing.assert_allclose(outputs["back_given_buy"], np.minimum(back / (click * buy), 1), rtol=1e-5)


@pytest.mark.parametrize("space", ["entire", "conditional"])
def test_tree_and_two_tasks_without_a_previous_task(space):
    share_and_like = "  - {name: share, label: shared, follows: click}\n  - {name: like, label: liked}\n"
    spec = DatasetSpec.from_yaml(cases.FEATURES + cases.CLICK + cases.BUY + share_and_like)
    logits = dict(zip(("click", "buy", "share", "like"), LOGITS.values(), strict=True))
    heads = {"click": "entire", "buy": space, "share": space, "like": "entire"}
    outputs = arrays(task_outputs(spec, heads, logits))
    click, share = sigmoid(logits["click"]), sigmoid(logits["share"])
    given, entire = (share, click * share) if space == "conditional" else (np.minimum(share / click, 1), share)
    np.testing.assert_allclose(outputs["share_given_click"], given, rtol=1e-5)
    np.testing.assert_allclose(outputs["share"], entire, rtol=1e-5)
    np.testing.assert_allclose(outputs["like"], sigmoid(logits["like"]), rtol=1e-5)


@pytest.mark.parametrize("buy", ["entire", "conditional"])
@pytest.mark.parametrize("back", ["entire", "conditional"])
def test_extreme_logits_give_probabilities(buy, back):
    extremes = [-1e6, -200.0, -100.0, 0.0, 100.0, 200.0, 1e6]
    grid = np.stack(np.meshgrid(extremes, extremes, extremes), axis=-1).reshape(-1, 3).astype("float32")
    logits = {"click": grid[:, 0], "buy": grid[:, 1], "back": grid[:, 2], "views": grid[:, 0]}
    outputs = arrays(task_outputs(CHAIN, spaces(buy, back), logits))
    for output in CHAIN.outputs:
        values = outputs[output.name]
        assert np.all(np.isfinite(values)), output.name
        if output.task != "views":
            assert values.min() >= 0, output.name
            assert values.max() <= 1, output.name
    never_clicked = grid[:, 0] == -200
    assert np.all(outputs["ctr"][never_clicked] == 0)
    for name, logit in evaluation_logits(CHAIN, spaces(buy, back), logits).items():
        assert np.all(np.isfinite(logit)), name


@pytest.mark.parametrize("space", ["entire", "conditional"])
def test_evaluation_logits_match_the_outputs(space):
    heads = spaces(space, space)
    outputs = arrays(task_outputs(CHAIN, heads, LOGITS))
    scores = arrays(evaluation_logits(CHAIN, heads, LOGITS))
    assert set(scores) == {"ctr", "cvr", "ctcvr", "back_given_buy", "back"}
    own = {"entire": ("ctr", "ctcvr", "back"), "conditional": ("ctr", "cvr", "back_given_buy")}[space]
    for name, task in zip(own, TASKS, strict=False):
        np.testing.assert_array_equal(scores[name], LOGITS[task])
    for name, score in scores.items():
        np.testing.assert_allclose(sigmoid(score), outputs[name], atol=1e-6)


def test_label_weights_multiply_sample_weight_observed_labels_and_the_previous_label():
    labels = {"click": [1, 0, 1, 1], "buy": [0, 0, 1, np.nan], "back": [0, 0, 1, np.nan]}
    arrays = {**{name: np.float32(values) for name, values in labels.items()}, "views": np.zeros(4, "float32")}
    prepared, weights = prepare_labels(CHAIN, arrays, tf.constant([2.0, 3.0, 4.0, 5.0]))
    expected = {
        ("click", "entire"): [2, 3, 4, 5],
        ("buy", "entire"): [2, 3, 4, 0],
        ("buy", "conditional"): [2, 0, 4, 0],
        ("back", "entire"): [2, 3, 4, 0],
        ("back", "conditional"): [0, 0, 4, 0],
    }
    for (task, space), values in expected.items():
        np.testing.assert_array_equal(label_weights(CHAIN, task, space, prepared, weights), values)
    prepared, weights = prepare_labels(CHAIN, arrays)
    np.testing.assert_array_equal(label_weights(CHAIN, "click", "entire", prepared, weights), [1, 1, 1, 1])
    np.testing.assert_array_equal(label_weights(CHAIN, "buy", "conditional", prepared, weights), [1, 0, 1, 0])
