"""Sampling of negatives: the model is trained on few rows and predicts the probabilities of all of them."""

import dataclasses
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmtl.config import FieldError
from tfmtl.features import CategoricalFeature
from tfmtl.metrics import calibration_ratio, roc_auc
from tfmtl.models import MMoE
from tfmtl.models.core.sampled_logits import sampled_logits
from tfmtl.sampling import NegativeSampling
from tfmtl.spec import CONDITIONAL, ENTIRE, DatasetSpec, GivenSplit, Task

FEATURES = (CategoricalFeature("user"), CategoricalFeature("item"))
CHAIN = (
    Task("click", "clicked", output="ctr"),
    Task("buy", "bought", follows="click", output="ctcvr", conditional_output="cvr"),
)
SPEC = DatasetSpec("shop", FEATURES, CHAIN)
SAMPLED = dataclasses.replace(SPEC, sampling=NegativeSampling("click", 0.1))
SIZES = {"user": 40, "item": 30}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def logit(p):
    return np.log(p) - np.log1p(-p)


@pytest.mark.parametrize("rate", [0.01, 0.5, 0.99])
def test_probabilities_on_the_sampled_rows_follow_from_bayes(rate):
    random = np.random.default_rng(0)
    click, buy_of_click = random.uniform(0.001, 0.999, (2, 500))
    spec = dataclasses.replace(SPEC, sampling=NegativeSampling("click", rate))
    remaining = click + rate * (1 - click)
    for space, p in ((ENTIRE, click * buy_of_click), (CONDITIONAL, buy_of_click)):
        given = {"click": logit(click).astype("float32"), "buy": logit(p).astype("float32")}
        found = sampled_logits(spec, {"click": ENTIRE, "buy": space}, given)
        np.testing.assert_allclose(sigmoid(np.asarray(found["click"])), click / remaining, rtol=2e-4)
        expected = p / remaining if space == ENTIRE else p
        np.testing.assert_allclose(sigmoid(np.asarray(found["buy"])), expected, rtol=2e-3)


@pytest.mark.parametrize("extreme", [-80.0, -20.0, 20.0, 80.0])
def test_extreme_logits_have_finite_losses_and_gradients(extreme):
    spaces = {"click": ENTIRE, "buy": ENTIRE}
    for other in (-80.0, 0.0, 80.0):
        logits = {"click": tf.constant([extreme]), "buy": tf.constant([other])}
        with tf.GradientTape() as tape:
            tape.watch(logits)
            found = sampled_logits(SAMPLED, spaces, logits)
            total = tf.add_n([tf.nn.sigmoid_cross_entropy_with_logits([1.0], one) for one in found.values()])
        gradients = tape.gradient(total, logits)
        assert np.isfinite([total.numpy(), *(one.numpy() for one in gradients.values())]).all()


def test_a_spec_without_sampling_changes_nothing():
    logits = {"click": np.zeros(2, "float32"), "buy": np.zeros(2, "float32")}
    assert sampled_logits(SPEC, {"click": ENTIRE, "buy": ENTIRE}, logits) is logits


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sampling": NegativeSampling("sale", 0.1)}, "sampling.task: should be one of click, buy"),
        ({"sampling": NegativeSampling("buy", 0.1)}, "sampling.task: should be a binary task that all others follow"),
        ({"tasks": (*CHAIN, Task("like", "liked"))}, "follow; like would be biased"),
        ({"split": GivenSplit()}, "sampling: should be left out for a log that is split already"),
        (
            {"sampling": NegativeSampling("click", 0.1, key=("clicked",))},
            r"sampling.key\[0\]: should be a column other",
        ),
    ],
)
def test_mistakes(changes, message):
    with pytest.raises(FieldError, match=message):
        dataclasses.replace(SAMPLED, **changes)


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1])
def test_shares(share):
    with pytest.raises(FieldError, match="above 0 and below 1"):
        NegativeSampling("click", share)


def log(rows, seed):
    """Rows with a click rate of about 2 %."""
    random = np.random.default_rng(seed)
    user, item = random.integers(1, 41, rows), random.integers(1, 31, rows)
    true = probabilities(user, item)
    clicked = (random.random(rows) < true["ctr"]).astype("float32")
    bought = clicked * (random.random(rows) < true["cvr"])
    return {"user": user, "item": item}, {"click": clicked, "buy": bought.astype("float32")}


def probabilities(user, item):
    """True probabilities of a click, and of a purchase after it and at all."""
    effects = np.random.default_rng(5).normal(0, 0.8, (4, 41))
    ctr = sigmoid(-4.3 + effects[0, user] + effects[1, item])
    cvr = sigmoid(-0.6 + effects[2, user] + effects[3, item])
    return {"ctr": ctr, "cvr": cvr, "ctcvr": ctr * cvr}


OUTPUTS = {"ctr": "click", "ctcvr": "buy"}
"""Task of each output on the entire space."""


def take(columns, rows):
    return {name: values[rows] for name, values in columns.items()}


def fitted(spec, space, features, labels, learning_rate=0.01, **fit):
    keras.utils.set_random_seed(0)
    model = MMoE.from_spec(
        spec, SIZES, space=space, embedding_dim=8, num_experts=2, expert_units=(16,), tower_units=(8,), dropout=0.0,
        wide=True,
    )  # fmt: skip
    model.compile(keras.optimizers.Adam(learning_rate, epsilon=1e-3))
    model.fit(features, labels, **{"batch_size": 512, "epochs": 3, "verbose": 0, **fit})
    return model


@pytest.mark.slow
@pytest.mark.parametrize("space", [ENTIRE, pytest.param(CONDITIONAL, marks=pytest.mark.long)])
def test_scores_are_calibrated_on_all_rows_and_rank_as_those_of_all_rows(space):
    features, labels = log(250_000, 1)
    test_features, test_labels = log(400_000, 2)
    kept = (labels["click"] == 1) | (np.random.default_rng(3).random(250_000) < 0.1)
    assert kept.mean() < 1 / 7
    sampled = fitted(SAMPLED, space, take(features, kept), take(labels, kept))
    whole = fitted(SPEC, space, features, labels)
    naive = fitted(SPEC, space, take(features, kept), take(labels, kept))
    scores = {
        name: model.predict(test_features, batch_size=16384, verbose=0)
        for name, model in (("sampled", sampled), ("whole", whole), ("naive", naive))
    }
    for output, task in OUTPUTS.items():
        ratios = {name: calibration_ratio(test_labels[task], one[output]) for name, one in scores.items()}
        assert ratios["naive"] > 4
        assert ratios["sampled"] == pytest.approx(1, abs=0.06)
        aucs = {name: roc_auc(test_labels[task], one[output]) for name, one in scores.items()}
        assert aucs["sampled"] > aucs["whole"] - 0.005
    loss = sampled.evaluate(test_features, test_labels, batch_size=16384, verbose=0, return_dict=True)["click_loss"]
    clicks = test_labels["click"]
    p = np.clip(scores["sampled"]["ctr"], 1e-7, 1 - 1e-7)
    assert loss == pytest.approx(-np.mean(clicks * np.log(p) + (1 - clicks) * np.log1p(-p)), rel=1e-3)


@pytest.mark.long
@pytest.mark.parametrize("space", [ENTIRE, CONDITIONAL])
def test_a_tenth_of_the_negatives_is_calibrated_within_two_percent(space):
    """With 60,000 clicks in training, the standard error of the mean probability of a click is 0.4 %."""
    features, labels = log(3_000_000, 7)
    kept = (labels["click"] == 1) | (np.random.default_rng(8).random(3_000_000) < 0.1)
    rows = [np.flatnonzero(kept), np.arange(len(kept))]
    test_features, test_labels = log(500_000, 9)
    true = probabilities(test_features["user"], test_features["item"])
    aucs, seconds, ratios = {}, {}, {}
    for name, spec, part in (("sampled", SAMPLED, rows[0]), ("whole", SPEC, rows[1])):
        part_features, part_labels = take(features, part), take(labels, part)
        start = time.process_time()
        # The mean probability after a step of a constant size is off by more than the bound.
        decay = keras.optimizers.schedules.CosineDecay(0.01, 3 * (len(part) // 512))
        model = fitted(spec, space, part_features, part_labels, decay)
        seconds[name] = time.process_time() - start
        scores = model.predict(test_features, batch_size=16384, verbose=0)
        aucs[name] = {output: roc_auc(test_labels[task], scores[output]) for output, task in OUTPUTS.items()}
        ratios[name] = {output: float(scores[output].mean() / true[output].mean()) for output in OUTPUTS}
    ratio = seconds["whole"] / seconds["sampled"]
    print(f"\n{space}: {ratio:.1f} times the processor time without sampling; AUC {aucs}; calibration {ratios}")
    for output in OUTPUTS:
        assert ratios["sampled"][output] == pytest.approx(1, abs=0.02), output
    for output in OUTPUTS:
        assert aucs["sampled"][output] > aucs["whole"][output] - 0.005
