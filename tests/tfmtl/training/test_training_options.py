"""Strategies and stages as plain data."""

import dataclasses

import pytest

from tfmtl import config
from tfmtl.config import ConfigError
from tfmtl.training import (
    AdagradOptions,
    ArchitectureSearch,
    ArchitectureSearchOptions,
    MetaLearning,
    MetaLearningOptions,
    PlainOptions,
    PlainTraining,
    Stage,
    StrategyOptions,
)


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings with a strategy and an optional stage."""

    strategy: StrategyOptions = dataclasses.field(default_factory=PlainOptions)
    second: Stage | None = None


def settings(text):
    return config.build(Settings, config.parse_yaml(text, "a.yaml"))


def test_default_is_plain_training():
    built = settings("{}")
    assert built == Settings()
    assert type(built.strategy.strategy()) is PlainTraining


def test_meta_learning_has_the_given_options():
    built = settings("strategy: {kind: maml, inner_learning_rate: 0.1, episodes: 2, first_order: true, group_by: user}")
    strategy = built.strategy.strategy(seed=5)
    assert type(strategy) is MetaLearning
    assert strategy.get_config() == {
        "inner_learning_rate": 0.1,
        "episodes": 2,
        "support_fraction": 0.1,
        "inner_steps": 1,
        "first_order": True,
        "group_by": "user",
        "seed": 5,
    }


def test_architecture_search_has_the_given_options():
    strategy = settings("strategy: {kind: architecture_search, held_out: 0.2}").strategy.strategy(seed=5)
    assert type(strategy) is ArchitectureSearch
    assert strategy.get_config() == {"held_out": 0.2, "seed": 5}


def test_defaults_are_those_of_the_strategies():
    assert MetaLearningOptions().strategy().get_config() == MetaLearning().get_config()
    assert ArchitectureSearchOptions().strategy().get_config() == ArchitectureSearch().get_config()


def test_stage_is_unchanged_after_writing_and_reading():
    text = """
        second:
          learning_rate: 1e-4
          optimizer: {kind: adagrad, epsilon: 1e-3}
          max_epochs: 3
          monitor: ctcvr_auc
          strategy: {kind: maml}
    """
    built = settings(text)
    assert built.second == Stage(1e-4, AdagradOptions(epsilon=1e-3), 3, "ctcvr_auc", 2, MetaLearningOptions())
    plain = config.to_plain(built)
    assert plain["second"]["optimizer"] == {"kind": "adagrad", "epsilon": 1e-3}
    assert plain["second"]["strategy"] == {"kind": "maml"}
    assert config.build(Settings, config.Document(plain)) == built


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "strategy: {kind: reptile}",
            "a.yaml:1: strategy.kind: should be one of plain, maml, architecture_search. Received: 'reptile'",
        ),
        ("strategy: {kind: plain, episodes: 2}", "a.yaml:1: strategy.episodes: should be a field of PlainOptions."),
        ("strategy: {kind: maml, episodes: 0}", "a.yaml:1: strategy.episodes: should be at least 1. Received: 0"),
        (
            "strategy: {kind: architecture_search, held_out: 1}",
            "a.yaml:1: strategy.held_out: should be between 0 and 1. Received: 1.0",
        ),
        ("strategy: {kind: maml, inner_steps: 0}", "a.yaml:1: strategy.inner_steps: should be at least 1. Received: 0"),
        (
            "strategy: {kind: maml, inner_learning_rate: 0}",
            "a.yaml:1: strategy.inner_learning_rate: should be above 0. Received: 0.0",
        ),
        (
            "strategy:\\n  kind: maml\\n  support_fraction: 1",
            "a.yaml:3: strategy.support_fraction: should be between 0 and 1. Received: 1.0",
        ),
        ("second: {patience: 0}", "a.yaml:1: second.patience: should be at least 1. Received: 0"),
        ("second: {max_epochs: 0}", "a.yaml:1: second.max_epochs: should be at least 1. Received: 0"),
        ("second: {learning_rate: 0}", "a.yaml:1: second.learning_rate: should be above 0. Received: 0.0"),
    ],
)
def test_mistake_is_an_error_with_line_and_field(text, message):
    with pytest.raises(ConfigError) as caught:
        settings(text.replace("\\n", "\n"))
    assert str(caught.value).startswith(message)
