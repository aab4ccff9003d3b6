"""MMoE and SharedBottom: the forward pass written out in NumPy, records, and initial weights."""

import functools

import keras
import numpy as np
import pytest

from tests.tfmtl import cases
from tests.tfmtl.model_harness import config_error, randomized
from tests.tfmtl.numpy_layers import experts, flat, gated, relu_layers, tower
from tfmtl.config import ConfigError
from tfmtl.models import MODELS, MMoE, SharedBottom, model_class

FEATURES = cases.features(7)
MMOE = {"embedding_dim": 4, "num_experts": 3, "expert_units": [6, 5], "tower_units": [4]}
SHARED_BOTTOM = {"embedding_dim": 4, "bottom_units": [6, 5], "tower_units": [4]}
BOTH = pytest.mark.parametrize(("kind", "options"), [(MMoE, MMOE), (SharedBottom, SHARED_BOTTOM)])


def test_shared_bottom_equation():
    model = randomized(SharedBottom.from_spec(cases.chain(), cases.SIZES, **SHARED_BOTTOM), 0.7)
    shared = relu_layers(flat(model, FEATURES), model.bottom.get_weights())
    logits = model(FEATURES)
    assert list(logits) == ["click", "buy", "back", "views"]
    for name, logit in logits.items():
        np.testing.assert_allclose(logit, tower(model.towers[name], shared), rtol=1e-4, atol=1e-5)


def test_mmoe_equation():
    model = randomized(MMoE.from_spec(cases.chain(), cases.SIZES, **MMOE), 0.7)
    x = flat(model, FEATURES)
    bank = experts(model.experts, x)
    logits = model(FEATURES)
    assert list(logits) == ["click", "buy", "back", "views"]
    for name, logit in logits.items():
        mixed, weights = gated(model.gates[name], x, bank)
        assert weights.shape == (7, 3)
        np.testing.assert_allclose(logit, tower(model.towers[name], mixed), rtol=1e-4, atol=1e-5)


@BOTH
def test_scores_of_a_row_do_not_depend_on_other_rows(kind, options):
    model = kind.from_spec(cases.pair(), cases.SIZES, **options)
    together = model.score(FEATURES)
    for row in range(7):
        alone = model.score({name: values[row : row + 1] for name, values in FEATURES.items()})
        for name, values in alone.items():
            assert values.shape == (1,)
            np.testing.assert_allclose(values[0], together[name][row], rtol=1e-5)


def test_records_of_mmoe():
    model = MMoE.from_spec(cases.pair(), cases.SIZES, **{**MMOE, "tower_units": [4, 2]})
    taps = model.inspect(FEATURES)
    towers = {f"tower/{task}/{i}" for task in ("click", "buy") for i in (0, 1)}
    assert set(taps) == {"gate/click", "gate/buy", "tower_input/click", "tower_input/buy"} | towers
    for task in ("click", "buy"):
        assert taps[f"gate/{task}"].shape == (7, 3)
        np.testing.assert_allclose(np.sum(taps[f"gate/{task}"], axis=1), 1, atol=1e-6)
        assert taps[f"tower_input/{task}"].shape == (7, 5)
        assert taps[f"tower/{task}/0"].shape == (7, 4)
        assert taps[f"tower/{task}/1"].shape == (7, 2)


def test_records_of_shared_bottom():
    model = SharedBottom.from_spec(cases.pair(), cases.SIZES, **SHARED_BOTTOM)
    names = {"tower_input/click", "tower_input/buy", "tower/click/0", "tower/buy/0"}
    assert set(model.inspect(FEATURES)) == names


@BOTH
def test_equal_seeds_give_equal_weights(kind, options):
    def weights(seed):
        keras.utils.set_random_seed(seed)
        return kind.from_spec(cases.pair(), cases.SIZES, **options).get_weights()

    first, again, other = weights(1), weights(1), weights(2)
    for one, same in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, same)
    for one, another in zip(first, other, strict=True):
        assert one.ndim == 1 or not one.any() or np.any(one != another)
    assert sum(np.any(one != another) for one, another in zip(first, other, strict=True)) >= 6


@BOTH
def test_unseen_and_missing_ids_are_valid(kind, options):
    model = kind.from_spec(cases.pair(), cases.SIZES, **options)
    last = {name: np.full_like(values, cases.ROWS.get(name, 2) - 1) for name, values in FEATURES.items()}
    for batch in (model.zero_batch(5), last):
        assert all(np.all(np.isfinite(values)) for values in model.score(batch).values())


@BOTH
def test_rejects_wrong_options(kind, options):
    message = functools.partial(config_error, kind.from_spec, cases.pair(), cases.SIZES, **options)
    name = kind.options_class.__name__
    assert message(embeding_dim=3) == f"embeding_dim: should be a field of {name}. Did you mean `embedding_dim`?"
    assert message(embedding_dim=0) == "embedding_dim: should be at least 1. Received: 0"
    assert message(embedding_l2=-1.0) == "embedding_l2: should be at least 0. Received: -1.0"
    assert message(space="clicks") == "space: should be one of entire, conditional. Received: 'clicks'"
    assert message(dropout=1.0) == "dropout: should be in [0, 1). Received: 1.0"
    assert message(tower_units=[4, 0]) == "tower_units: should be positive widths. Received: (4, 0)"
    assert message(task_weights={"click": -1}) == "task_weights.click: should be at least 0. Received: -1.0"
    assert message(task_weights={"klick": 1}) == "task_weights.klick: should be a task of the spec. Received: 'klick'"


def test_rejects_wrong_options_of_one_model():
    with pytest.raises(ConfigError, match=r"^num_experts: should be at least 1\. Received: 0"):
        MMoE.from_spec(cases.pair(), cases.SIZES, num_experts=0)
    with pytest.raises(ConfigError, match=r"^expert_units: should be one or more positive widths\. Received:"):
        MMoE.from_spec(cases.pair(), cases.SIZES, expert_units=[])
    with pytest.raises(ConfigError, match=r"^bottom_units: should be positive widths\. Received:"):
        SharedBottom.from_spec(cases.pair(), cases.SIZES, bottom_units=[0])
    with pytest.raises(ValueError, match="`vocabulary_sizes` should contain `history`"):
        SharedBottom.from_spec(cases.pair(), {"user": 1, "tags": 2})


def test_registry():
    assert (model_class("mmoe"), model_class("shared_bottom")) == (MMoE, SharedBottom)
    assert all(kind.paper and kind.equations for kind in MODELS.values())
    with pytest.raises(ValueError, match=r"`model` should be one of .*mmoe, .*shared_bottom.*\. Received: 'none'"):
        model_class("none")
