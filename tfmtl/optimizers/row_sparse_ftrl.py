"""FTRL-Proximal that reads and writes only the embedding rows that a batch looks up."""

from collections.abc import Sequence
from typing import Any, ClassVar

import keras
import tensorflow as tf

from tfmtl.optimizers.row_sparse import RowSparse
from tfmtl.types import Tensor


@keras.saving.register_keras_serializable(package="tfmtl")
class RowSparseFtrl(RowSparse, keras.optimizers.Ftrl):
    """FTRL-Proximal ("follow the regularized leader") that updates only the embedding rows that a batch looks up.

    For a row that is looked up, with weights w, summed gradient g, accumulator n and linear term z:

        n' = n + g^2
        z  = z + g + 2 * l2_shrinkage * w - (n'^p - n^p) / learning_rate * w
        w  = (clip(z, -l1, l1) - z) / ((n'^p + beta) / learning_rate + 2 * l2)

    where p is `-learning_rate_power`, and `l1`, `l2` and `l2_shrinkage` are the regularization strengths. A weight
    with `|z| <= l1` is exactly 0.

    The slots are initialized as in Keras: n to `initial_accumulator_value`, z to 0. Without regularization, **the first
    step on a row keeps only the fraction `1 - (n / n')^p` of its initial weights**, which is close to 0 unless
    `initial_accumulator_value` is much smaller than `g^2`.

    Args:
        learning_rate: Learning rate, a number or a `keras.optimizers.schedules.LearningRateSchedule`.
        learning_rate_power: Exponent, at most 0: the learning rate of a weight is proportional to its accumulator to
            this power.
        initial_accumulator_value: Initial value of the accumulator, at least 0.
        l1_regularization_strength: Strength of the L1 regularization, which sets weights to exactly 0.
        l2_regularization_strength: Strength of the L2 regularization in the proximal step.
        l2_shrinkage_regularization_strength: Strength of an L2 penalty whose gradient is added to that of the rows that
            the batch looks up.
        beta: Constant that is added to the power of the accumulator.
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
        >>> optimizer = tfmtl.optimizers.RowSparseFtrl(1.0, initial_accumulator_value=0.0)
        >>> gradient = tf.IndexedSlices(values=tf.constant([[0.5]]), indices=tf.constant([1]))
        >>> optimizer.apply([gradient], [table])
        >>> table.numpy().round(3).tolist()
        [[1.0], [0.0]]

    References:
        - [McMahan et al., 2013, Ad Click Prediction: a View from the Trenches](https://research.google/pubs/pub41159/)
    """

    reads_weights: ClassVar[bool] = True

    def __init__(
        self,
        learning_rate: Any = 0.001,
        *,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
        decay_untouched_rows: bool = False,
        name: str = "row_sparse_ftrl",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            learning_rate,
            learning_rate_power=learning_rate_power,
            initial_accumulator_value=initial_accumulator_value,
            l1_regularization_strength=l1_regularization_strength,
            l2_regularization_strength=l2_regularization_strength,
            l2_shrinkage_regularization_strength=l2_shrinkage_regularization_strength,
            beta=beta,
            decay_untouched_rows=decay_untouched_rows,
            name=name,
            **kwargs,
        )

    def slot_variables(self, index: int) -> Sequence[keras.Variable]:
        return self._accumulators[index], self._linears[index]

    def row_step(
        self, gradient: Tensor, weights: Tensor | None, slots: Sequence[Tensor], learning_rate: Tensor
    ) -> tuple[Tensor, list[Tensor]]:
        n, z = slots
        new_n = n + tf.square(gradient)
        power, new_power = self._power(n), self._power(new_n)
        z += gradient - (new_power - power) / learning_rate * weights
        if self.l2_shrinkage_regularization_strength:
            z += 2 * self.l2_shrinkage_regularization_strength * weights
        denominator = (new_power + self.beta) / learning_rate + 2 * self.l2_regularization_strength
        l1 = self.l1_regularization_strength
        numerator = tf.clip_by_value(z, -l1, l1) - z if l1 else -z
        return weights - numerator / denominator, [new_n, z]

    def _power(self, accumulator: Tensor) -> Tensor:
        """Returns `accumulator^(-learning_rate_power)`."""
        if self.learning_rate_power == -0.5:
            return tf.sqrt(accumulator)
        return tf.pow(accumulator, -self.learning_rate_power)
