"""Optimizers as plain data."""

import dataclasses

import keras
import pytest

from tfmtl import config
from tfmtl.config import ConfigError
from tfmtl.optimizers import RowSparseAdagrad, RowSparseAdam, RowSparseFtrl
from tfmtl.training import AdamOptions, OptimizerOptions, Stage
from tfmtl.training.two_stage import stage_optimizer


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings with an optimizer."""

    optimizer: OptimizerOptions = dataclasses.field(default_factory=AdamOptions)


def settings(text):
    return config.build(Settings, config.parse_yaml(text, "a.yaml"))


def make_optimizer(text, rate=0.1):
    return settings(f"optimizer: {{{text}}}").optimizer.optimizer(rate)


@pytest.mark.parametrize("kind", [RowSparseAdagrad, RowSparseAdam, RowSparseFtrl])
def test_defaults_are_those_of_keras_but_the_epsilon_of_adam(kind):
    name = kind.__name__.removeprefix("RowSparse")
    expected = getattr(keras.optimizers, name)(0.1).get_config()
    epsilon = ", epsilon: 1e-7" if kind is RowSparseAdam else ""
    config = make_optimizer(f"kind: {name.lower()}{epsilon}").get_config()
    assert config.pop("decay_untouched_rows") is False
    assert config | {"name": ""} == expected | {"name": ""}


def test_adam_has_the_given_options():
    optimizer = make_optimizer(
        "kind: adam, beta_1: 0.8, beta_2: 0.99, epsilon: 1e-3, weight_decay: 0.01, clip_value: 3"
    )
    assert (optimizer.beta_1, optimizer.beta_2, optimizer.epsilon) == (0.8, 0.99, 1e-3)
    assert (optimizer.weight_decay, optimizer.clipvalue, optimizer.global_clipnorm) == (0.01, 3.0, None)


def test_adagrad_has_the_given_options():
    optimizer = make_optimizer("kind: adagrad, initial_accumulator_value: 0.5, epsilon: 1e-3, clip_norm: 2")
    assert (optimizer.initial_accumulator_value, optimizer.epsilon) == (0.5, 1e-3)
    assert (optimizer.weight_decay, optimizer.clipvalue, optimizer.global_clipnorm) == (None, None, 2.0)


def test_ftrl_has_the_given_options():
    numbers = "learning_rate_power: -0.6, initial_accumulator_value: 0.5, l1: 1, l2: 2, l2_shrinkage: 3, beta: 4"
    optimizer = make_optimizer(f"kind: ftrl, {numbers}")
    assert optimizer.learning_rate_power == -0.6
    assert optimizer.initial_accumulator_value == 0.5
    assert optimizer.l1_regularization_strength == 1
    assert optimizer.l2_regularization_strength == 2
    assert optimizer.l2_shrinkage_regularization_strength == 3
    assert optimizer.beta == 4


@pytest.mark.parametrize("kind", ["adam", "adagrad", "ftrl"])
def test_accepts_a_learning_rate_schedule(kind):
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 10)
    assert float(make_optimizer(f"kind: {kind}", schedule).learning_rate) == pytest.approx(0.1)


def test_stage_optimizer_has_the_options_of_the_stage():
    optimizer = stage_optimizer(Stage(learning_rate=0.02, optimizer=AdamOptions(epsilon=1e-3)))
    assert type(optimizer) is RowSparseAdam
    assert float(optimizer.learning_rate) == pytest.approx(0.02)
    assert optimizer.epsilon == 1e-3


@pytest.mark.parametrize(
    ("text", "field", "message"),
    [
        ("epsilon: 1e-3", "kind", "should be one of adam, adagrad, ftrl. Received: None"),
        ("kind: sgd", "kind", "should be one of adam, adagrad, ftrl. Received: 'sgd'"),
        ("kind: ftrl, beta_2: 0.9", "beta_2", "should be a field of FtrlOptions."),
        ("kind: adam, epsilon: -1", "epsilon", "should be above 0. Received: -1.0"),
        ("kind: adagrad, epsilon: 0", "epsilon", "should be above 0. Received: 0.0"),
        ("kind: adam, beta_1: -0.1", "beta_1", "should be in [0, 1). Received: -0.1"),
        ("kind: adam, beta_2: 1", "beta_2", "should be in [0, 1). Received: 1.0"),
        ("kind: adam, weight_decay: -1", "weight_decay", "should be at least 0. Received: -1.0"),
        ("kind: ftrl, clip_value: 0", "clip_value", "should be above 0, or null. Received: 0.0"),
        ("kind: adagrad, clip_norm: 0", "clip_norm", "should be above 0, or null. Received: 0.0"),
        ("kind: adam, clip_value: 1, clip_norm: 2", "clip_norm", "should be null if clip_value is given."),
        ("kind: ftrl, learning_rate_power: 1", "learning_rate_power", "should be at most 0. Received: 1.0"),
        ("kind: ftrl, l1: -1", "l1", "should be at least 0. Received: -1.0"),
        (
            "kind: adagrad, initial_accumulator_value: -1",
            "initial_accumulator_value",
            "should be at least 0. Received: -1.0",
        ),
    ],
)
def test_mistake_is_an_error_with_line_and_field(text, field, message):
    with pytest.raises(ConfigError) as caught:
        settings(f"optimizer: {{{text}}}")
    assert str(caught.value).startswith(f"a.yaml:1: optimizer.{field}: {message}")
