"""Optimizers as plain data. The options need no TensorFlow; their optimizers do."""

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from tfmtl.config import require
from tfmtl.search_space import Range, Space

if TYPE_CHECKING:
    import keras


@dataclasses.dataclass(frozen=True)
class GradientOptions:
    """Options of every optimizer.

    Attributes:
        weight_decay: Factor d of the decoupled weight decay `w = w - learning_rate * d * w` before each step, of dense
            weights and of the embedding rows that the batch looks up.
        clip_value: Bound of the absolute value of each element of a gradient; null for no bound.
        clip_norm: Bound of the norm of the gradient of all weights together; null for no bound.

    Example:
        >>> from tfmtl.training.optimizer_options import GradientOptions
        >>> GradientOptions(clip_norm=1.0).weight_decay
        0.0
    """

    weight_decay: float = 0.0
    clip_value: float | None = None
    clip_norm: float | None = None

    def __post_init__(self) -> None:
        require(self.weight_decay >= 0, "weight_decay", "at least 0", self.weight_decay)
        for name in ("clip_value", "clip_norm"):
            value = getattr(self, name)
            require(value is None or value > 0, name, "above 0, or null", value)
        is_valid = self.clip_value is None or self.clip_norm is None
        require(is_valid, "clip_norm", "null if clip_value is given", self.clip_norm)

    def _arguments(self) -> dict[str, Any]:
        """Returns the arguments that all optimizers of Keras have."""
        return {
            "weight_decay": self.weight_decay or None,
            "clipvalue": self.clip_value,
            "global_clipnorm": self.clip_norm,
        }


@dataclasses.dataclass(frozen=True)
class AdamOptions(GradientOptions):
    """Options of Adam (`tfmtl.optimizers.RowSparseAdam`).

    Row-sparse Adam moves an embedding row by about the learning rate each time a batch looks it up, however small its
    gradient is. An `epsilon` of the size of the gradients of rare rows, as by default, reduces their overfitting.
    Papers that name Adam without an epsilon have 1e-8.

    Attributes:
        kind: Always `adam`.
        beta_1: Decay rate of the first moment, in [0, 1).
        beta_2: Decay rate of the second moment, in [0, 1).
        epsilon: Constant that is added to the root of the second moment.
        weight_decay: Factor of the decoupled weight decay.
        clip_value: Bound of the absolute value of each element of a gradient; null for no bound.
        clip_norm: Bound of the norm of the gradient of all weights together; null for no bound.

    Example:
        >>> from tfmtl.training import AdamOptions
        >>> optimizer = AdamOptions(epsilon=1e-3).optimizer(learning_rate=0.01)
        >>> type(optimizer).__name__, optimizer.epsilon
        ('RowSparseAdam', 0.001)
    """

    learning_rates: ClassVar[Range] = Range(3e-4, 3e-2, log=True, digits=2)
    search_space: ClassVar[Space] = {"epsilon": Range(1e-7, 1e-2, log=True, digits=2)}

    kind: Literal["adam"] = "adam"
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-3

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("beta_1", "beta_2"):
            require(0 <= getattr(self, name) < 1, name, "in [0, 1)", getattr(self, name))
        require(self.epsilon > 0, "epsilon", "above 0", self.epsilon)

    def optimizer(self, learning_rate: Any) -> "keras.optimizers.Optimizer":
        """Creates an optimizer.

        Args:
            learning_rate: Learning rate, a number or a `keras.optimizers.schedules.LearningRateSchedule`.
        """
        from tfmtl.optimizers import RowSparseAdam

        return RowSparseAdam(
            learning_rate, beta_1=self.beta_1, beta_2=self.beta_2, epsilon=self.epsilon, **self._arguments()
        )


@dataclasses.dataclass(frozen=True)
class AdagradOptions(GradientOptions):
    """Options of Adagrad (`tfmtl.optimizers.RowSparseAdagrad`).

    Its learning rates are larger than those of Adam: 0.01 to 0.1.

    Attributes:
        kind: Always `adagrad`.
        initial_accumulator_value: Initial value of the sum of squared gradients.
        epsilon: Constant that is added to the sum of squared gradients under the root.
        weight_decay: Factor of the decoupled weight decay.
        clip_value: Bound of the absolute value of each element of a gradient; null for no bound.
        clip_norm: Bound of the norm of the gradient of all weights together; null for no bound.

    Example:
        >>> from tfmtl.training import AdagradOptions
        >>> type(AdagradOptions().optimizer(learning_rate=0.05)).__name__
        'RowSparseAdagrad'
    """

    learning_rates: ClassVar[Range] = Range(3e-3, 3e-1, log=True, digits=2)
    search_space: ClassVar[Space] = {}

    kind: Literal["adagrad"] = "adagrad"
    initial_accumulator_value: float = 0.1
    epsilon: float = 1e-7

    def __post_init__(self) -> None:
        super().__post_init__()
        initial = self.initial_accumulator_value
        require(initial >= 0, "initial_accumulator_value", "at least 0", initial)
        require(self.epsilon > 0, "epsilon", "above 0", self.epsilon)

    def optimizer(self, learning_rate: Any) -> "keras.optimizers.Optimizer":
        """Creates an optimizer.

        Args:
            learning_rate: Learning rate, a number or a `keras.optimizers.schedules.LearningRateSchedule`.
        """
        from tfmtl.optimizers import RowSparseAdagrad

        return RowSparseAdagrad(
            learning_rate,
            initial_accumulator_value=self.initial_accumulator_value,
            epsilon=self.epsilon,
            **self._arguments(),
        )


@dataclasses.dataclass(frozen=True)
class FtrlOptions(GradientOptions):
    """Options of FTRL-Proximal (`tfmtl.optimizers.RowSparseFtrl`).

    Attributes:
        kind: Always `ftrl`.
        learning_rate_power: Exponent p, at most 0: the learning rate of a weight is proportional to the sum of its
            squared gradients to the power p.
        initial_accumulator_value: Initial value of the sum of squared gradients. The first step discards the initial
            value of a weight whose squared gradient is much smaller than this.
        l1: Strength of the L1 regularization, which sets weights to exactly 0.
        l2: Strength of the L2 regularization in the proximal step.
        l2_shrinkage: Strength of an L2 penalty that is added to the gradient, of the rows that a batch looks up.
        beta: Constant that is added to the root of the sum of squared gradients.
        weight_decay: Factor of the decoupled weight decay.
        clip_value: Bound of the absolute value of each element of a gradient; null for no bound.
        clip_norm: Bound of the norm of the gradient of all weights together; null for no bound.

    Example:
        >>> from tfmtl.training import FtrlOptions
        >>> type(FtrlOptions(l1=0.1).optimizer(learning_rate=0.05)).__name__
        'RowSparseFtrl'
    """

    learning_rates: ClassVar[Range] = Range(3e-3, 3e-1, log=True, digits=2)
    search_space: ClassVar[Space] = {}

    kind: Literal["ftrl"] = "ftrl"
    learning_rate_power: float = -0.5
    initial_accumulator_value: float = 0.1
    l1: float = 0.0
    l2: float = 0.0
    l2_shrinkage: float = 0.0
    beta: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.learning_rate_power <= 0, "learning_rate_power", "at most 0", self.learning_rate_power)
        for name in ("initial_accumulator_value", "l1", "l2", "l2_shrinkage", "beta"):
            require(getattr(self, name) >= 0, name, "at least 0", getattr(self, name))

    def optimizer(self, learning_rate: Any) -> "keras.optimizers.Optimizer":
        """Creates an optimizer.

        Args:
            learning_rate: Learning rate, a number or a `keras.optimizers.schedules.LearningRateSchedule`.
        """
        from tfmtl.optimizers import RowSparseFtrl

        return RowSparseFtrl(
            learning_rate,
            learning_rate_power=self.learning_rate_power,
            initial_accumulator_value=self.initial_accumulator_value,
            l1_regularization_strength=self.l1,
            l2_regularization_strength=self.l2,
            l2_shrinkage_regularization_strength=self.l2_shrinkage,
            beta=self.beta,
            **self._arguments(),
        )


OptimizerOptions: TypeAlias = AdamOptions | AdagradOptions | FtrlOptions
"""Options of any optimizer; `kind` distinguishes them."""
