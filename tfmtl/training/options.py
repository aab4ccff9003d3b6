"""Training as plain data: strategies, and stages of training with early stopping.

The options need no TensorFlow; their strategies do.
"""

import dataclasses
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

from tfmtl.config import require
from tfmtl.search_space import Choice, Dimension, Range, Space
from tfmtl.training.optimizer_options import AdamOptions, OptimizerOptions

if TYPE_CHECKING:
    from tfmtl.training.strategy import Strategy


@dataclasses.dataclass(frozen=True)
class PlainOptions:
    """Options of plain training (`PlainTraining`).

    Attributes:
        kind: Always `plain`.

    Example:
        >>> from tfmtl.training import PlainOptions
        >>> type(PlainOptions().strategy()).__name__
        'PlainTraining'
    """

    search_space: ClassVar[Space] = {}

    kind: Literal["plain"] = "plain"

    def strategy(self, seed: int = 0) -> "Strategy":
        """Creates the strategy.

        Args:
            seed: Not used, as plain training draws nothing.
        """
        from tfmtl.training.strategy import PlainTraining

        return PlainTraining()


@dataclasses.dataclass(frozen=True)
class MetaLearningOptions:
    """Options of model-agnostic meta-learning (`MetaLearning`).

    Attributes:
        kind: Always `maml`.
        inner_learning_rate: Step size on a support set.
        episodes: Number of episodes into which a batch is divided.
        support_fraction: Share of an episode's rows that are in its support set, between 0 and 1. The gradient is that
            of the other rows, so that a share of 0.5 trains on half of the rows in each epoch.
        inner_steps: Number of steps on a support set.
        first_order: Whether the derivative of the inner gradients is omitted, which is cheaper and less exact.
        group_by: Name of the feature by whose values the rows of an episode are grouped; null for random episodes.

    Example:
        >>> from tfmtl.training import MetaLearningOptions
        >>> MetaLearningOptions(episodes=2, group_by="scenario").strategy().episodes
        2
    """

    search_space: ClassVar[Space] = {
        "support_fraction": Choice((0.05, 0.1, 0.2, 0.5)),
        "inner_learning_rate": Range(1e-3, 1e-1, log=True, digits=2),
    }

    kind: Literal["maml"] = "maml"
    inner_learning_rate: float = 0.01
    episodes: int = 4
    support_fraction: float = 0.1
    inner_steps: int = 1
    first_order: bool = False
    group_by: str | None = None

    def __post_init__(self) -> None:
        require(self.inner_learning_rate > 0, "inner_learning_rate", "above 0", self.inner_learning_rate)
        require(0 < self.support_fraction < 1, "support_fraction", "between 0 and 1", self.support_fraction)
        for name in ("episodes", "inner_steps"):
            require(getattr(self, name) >= 1, name, "at least 1", getattr(self, name))

    def strategy(self, seed: int = 0) -> "Strategy":
        """Creates the strategy.

        Args:
            seed: Seed of what the strategy draws.
        """
        from tfmtl.training.meta_learning import MetaLearning

        arguments = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        del arguments["kind"]
        return MetaLearning(**arguments, seed=seed)


@dataclasses.dataclass(frozen=True)
class ArchitectureSearchOptions:
    """Options of differentiable architecture search (`ArchitectureSearch`), for models such as `autoheri`.

    Attributes:
        kind: Always `architecture_search`.
        held_out: Share of a batch's rows on which connections are trained, between 0 and 1. The weights are trained on
            the other rows.

    Example:
        >>> from tfmtl.training import ArchitectureSearchOptions
        >>> ArchitectureSearchOptions(held_out=0.25).strategy().held_out
        0.25
    """

    search_space: ClassVar[Space] = {"held_out": Choice((0.05, 0.1, 0.2))}

    kind: Literal["architecture_search"] = "architecture_search"
    held_out: float = 0.1

    def __post_init__(self) -> None:
        require(0 < self.held_out < 1, "held_out", "between 0 and 1", self.held_out)

    def strategy(self, seed: int = 0) -> "Strategy":
        """Creates the strategy.

        Args:
            seed: Seed of what the strategy draws.
        """
        from tfmtl.training.architecture_search import ArchitectureSearch

        return ArchitectureSearch(self.held_out, seed)


StrategyOptions: TypeAlias = PlainOptions | MetaLearningOptions | ArchitectureSearchOptions
"""Options of any strategy; `kind` distinguishes them."""


@dataclasses.dataclass(frozen=True)
class Stage:
    """Options of a stage of training, which ends by early stopping.

    The defaults were chosen by measurement on logs of 20,000 to 2,000,000 rows, together with those of the optimizer
    and of the models (`tfmtl.models.options.info.ModelInfo.defaults`).

    Attributes:
        learning_rate: Learning rate of the optimizer.
        optimizer: Options of the optimizer.
        max_epochs: Maximum number of passes over the training data.
        monitor: Name of the metric that early stopping watches: `<output>_auc`, `<output>_gini` of a value, or a
            loss; on the validation data if there are any.
        patience: Number of epochs without improvement after which training stops. The weights of the best epoch are
            restored.
        strategy: Options of the strategy.

    Example:
        >>> from tfmtl.config import build, parse_yaml
        >>> from tfmtl.training import Stage
        >>> stage = build(Stage, parse_yaml("{learning_rate: 1e-4, optimizer: {kind: adagrad}, monitor: ctr_auc}"))
        >>> stage.learning_rate, stage.optimizer.kind, stage.max_epochs
        (0.0001, 'adagrad', 10)
    """

    learning_rate: float = 1e-2
    optimizer: OptimizerOptions = dataclasses.field(default_factory=AdamOptions)
    max_epochs: int = 10
    monitor: str = "loss"
    patience: int = 2
    strategy: StrategyOptions = PlainOptions()

    def __post_init__(self) -> None:
        require(self.learning_rate > 0, "learning_rate", "above 0", self.learning_rate)
        for name in ("max_epochs", "patience"):
            require(getattr(self, name) >= 1, name, "at least 1", getattr(self, name))

    def declared_space(self) -> dict[str, Dimension]:
        """Returns the hyper-parameters that a search varies by default.

        They are the learning rate and options of the optimizer and of the strategy, such as `optimizer.epsilon`.
        """
        optimizer = {f"optimizer.{name}": one for name, one in self.optimizer.search_space.items()}
        strategy = {f"strategy.{name}": one for name, one in self.strategy.search_space.items()}
        return {"learning_rate": self.optimizer.learning_rates, **optimizer, **strategy}
