"""Adagrad that reads and writes only the embedding rows that a batch looks up."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tfmtl.optimizers.row_sparse import RowSparse
from tfmtl.types import Tensor


@keras.saving.register_keras_serializable(package="tfmtl")
class RowSparseAdagrad(RowSparse, keras.optimizers.Adagrad):
    """Adagrad that updates only the embedding rows that a batch looks up.

    For a row that is looked up, with weights w, summed gradient g and accumulator a:

        a = a + g^2
        w = w - learning_rate * g / sqrt(a + epsilon)

    A row with a gradient of 0 does not change in Adagrad, so the updates are those of `keras.optimizers.Adagrad`
    exactly, except that weight decay applies only to the rows that the batch looks up. Adagrad has one slot for each
    weight where Adam has two.

    Args:
        learning_rate: Learning rate, a number or a `keras.optimizers.schedules.LearningRateSchedule`.
        initial_accumulator_value: Initial value of the accumulator, at least 0.
        epsilon: Constant that is added to the accumulator under the root.
        decay_untouched_rows: Whether weight decay also applies to the rows that a batch does not look up. It requires
            a `weight_decay` and costs a pass over each table at every step.
        name: Name of the optimizer.
        **kwargs: Arguments of every Keras optimizer: `weight_decay` (factor of the decoupled weight decay), `clipvalue`
            (bound of the absolute value of each element of a gradient), `clipnorm` (bound of the norm of the gradient
            of each variable), `global_clipnorm` (bound of the norm of the gradient of all variables together), and
            `loss_scale_factor` (factor by which the loss is scaled and the gradients are divided).

    Raises:
        ValueError: If `use_ema` or `gradient_accumulation_steps` is set, if `decay_untouched_rows` is set without
            `weight_decay`, or if a table has a constraint (raised by the step).

    Example:
        A step with a gradient of row 1 leaves row 0 unchanged.

        >>> table = keras.Variable([[1.0], [1.0]])
        >>> optimizer = tfmtl.optimizers.RowSparseAdagrad(1.0, initial_accumulator_value=0.0)
        >>> gradient = tf.IndexedSlices(values=tf.constant([[0.5]]), indices=tf.constant([1]))
        >>> optimizer.apply([gradient], [table])
        >>> table.numpy().round(3).tolist()
        [[1.0], [0.0]]

    References:
        - [Duchi, Hazan and Singer, 2011, Adaptive Subgradient Methods for Online Learning and Stochastic
          Optimization](https://jmlr.org/papers/v12/duchi11a.html)
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        *,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        decay_untouched_rows: bool = False,
        name: str = "row_sparse_adagrad",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            learning_rate,
            initial_accumulator_value=initial_accumulator_value,
            epsilon=epsilon,
            decay_untouched_rows=decay_untouched_rows,
            name=name,
            **kwargs,
        )

    def slot_variables(self, index: int) -> Sequence[keras.Variable]:
        return (self._accumulators[index],)

    def row_step(
        self, gradient: Tensor, weights: Tensor | None, slots: Sequence[Tensor], learning_rate: Tensor
    ) -> tuple[Tensor, list[Tensor]]:
        (accumulator,) = slots
        accumulator += tf.square(gradient)
        return learning_rate * gradient * tf.math.rsqrt(accumulator + self.epsilon), [accumulator]
