"""Training as plain data: which strategy, and one stage of training until early stopping."""

import dataclasses
from typing import Literal

from tfmtl.config import require
from tfmtl.training.architecture_search import ArchitectureSearch
from tfmtl.training.meta_learning import MetaLearning
from tfmtl.training.optimizer_options import AdamOptions, OptimizerOptions
from tfmtl.training.strategy import PlainTraining, Strategy


@dataclasses.dataclass(frozen=True)
class PlainOptions:
    """Plain training (`PlainTraining`): a step along the gradient of each batch's loss."""

    kind: Literal["plain"] = "plain"

    def strategy(self) -> Strategy:
        """The strategy itself."""
        return PlainTraining()


@dataclasses.dataclass(frozen=True)
class MetaLearningOptions:
    """Model-agnostic meta-learning (`MetaLearning`).

    Attributes:
        inner_learning_rate: step size on a support set.
        episodes: into how many a batch is divided.
        support_fraction: share of an episode's rows that are its support set.
        inner_steps: steps on a support set.
        first_order: leave out the derivative of the inner gradient: cheaper and less exact.
        group_by: the feature by whose values episodes are formed; null draws them at random.
    """

    kind: Literal["maml"] = "maml"
    inner_learning_rate: float = 0.01
    episodes: int = 4
    support_fraction: float = 0.5
    inner_steps: int = 1
    first_order: bool = False
    group_by: str | None = None

    def __post_init__(self):
        require(self.inner_learning_rate > 0, "inner_learning_rate", "above 0", self.inner_learning_rate)
        require(0 < self.support_fraction < 1, "support_fraction", "between 0 and 1", self.support_fraction)
        for name in ("episodes", "inner_steps"):
            require(getattr(self, name) >= 1, name, "at least 1", getattr(self, name))

    def strategy(self) -> Strategy:
        """The strategy itself."""
        arguments = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        del arguments["kind"]
        return MetaLearning(**arguments)


@dataclasses.dataclass(frozen=True)
class ArchitectureSearchOptions:
    """Differentiable architecture search (`ArchitectureSearch`), for a model such as `autoheri`.

    Attributes:
        held_out: share of a batch's rows on which connections are learned; the weights are learned on the others.
    """

    kind: Literal["architecture_search"] = "architecture_search"
    held_out: float = 0.5

    def __post_init__(self):
        require(0 < self.held_out < 1, "held_out", "between 0 and 1", self.held_out)

    def strategy(self) -> Strategy:
        """The strategy itself."""
        return ArchitectureSearch(self.held_out)


StrategyOptions = PlainOptions | MetaLearningOptions | ArchitectureSearchOptions
"""Told apart by `kind`."""


@dataclasses.dataclass(frozen=True)
class Stage:
    """Training until early stopping.

    Attributes:
        learning_rate: of the optimizer.
        optimizer: what makes steps of gradients.
        max_epochs: passes over the data at most.
        monitor: the validation metric that early stopping watches, `<output>_auc` or a loss.
        patience: epochs without improvement before training stops; the best epoch's weights are kept.
        strategy: how a batch becomes an update.
    """

    learning_rate: float = 1e-3
    optimizer: OptimizerOptions = dataclasses.field(default_factory=AdamOptions)
    max_epochs: int = 10
    monitor: str = "loss"
    patience: int = 1
    strategy: StrategyOptions = PlainOptions()

    def __post_init__(self):
        require(self.learning_rate > 0, "learning_rate", "above 0", self.learning_rate)
        for name in ("max_epochs", "patience"):
            require(getattr(self, name) >= 1, name, "at least 1", getattr(self, name))
