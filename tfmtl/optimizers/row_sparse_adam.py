"""Adam that reads and writes only the embedding rows that a batch looks up."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tfmtl.optimizers.row_sparse import RowSparse
from tfmtl.types import Tensor


@keras.saving.register_keras_serializable(package="tfmtl")
class RowSparseAdam(RowSparse, keras.optimizers.Adam):
    """Adam that updates only the embedding rows that a batch looks up.

    For a row that is looked up at step t, with weights w, summed gradient g and moments m and v:

        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g^2
        w = w - learning_rate * sqrt(1 - beta_2^t) / (1 - beta_1^t) * m / (sqrt(v) + epsilon)

    All other rows keep their weights and their moments, unlike in `keras.optimizers.Adam`. If every batch looks up
    every row, the updates are those of Adam, and with `weight_decay` those of AdamW.

    Args:
        learning_rate: Learning rate, a number or a `keras.optimizers.schedules.LearningRateSchedule`.
        beta_1: Decay rate of the first moment, in [0, 1).
        beta_2: Decay rate of the second moment, in [0, 1).
        epsilon: Constant that is added to the root of the second moment.
        decay_untouched_rows: Whether weight decay also applies to the rows that a batch does not look up. It requires
            a `weight_decay` and costs a pass over each table at every step.
        name: Name of the optimizer.
        **kwargs: Arguments of every Keras optimizer: `weight_decay` (factor of the decoupled weight decay), `clipvalue`
            (bound of the absolute value of each element of a gradient), `clipnorm` (bound of the norm of the gradient
            of each variable), `global_clipnorm` (bound of the norm of the gradient of all variables together), and
            `loss_scale_factor` (factor by which the loss is scaled and the gradients are divided).

    Raises:
        ValueError: If `use_ema`, `amsgrad` or `gradient_accumulation_steps` is set, if `decay_untouched_rows` is set
            without `weight_decay`, or if a table has a constraint (raised by the step).

    Example:
        A step with a gradient of row 1 leaves row 0 unchanged.

        >>> table = keras.Variable([[1.0], [1.0]])
        >>> optimizer = tfmtl.optimizers.RowSparseAdam(learning_rate=0.25)
        >>> gradient = tf.IndexedSlices(values=tf.constant([[0.5]]), indices=tf.constant([1]))
        >>> optimizer.apply([gradient], [table])
        >>> table.numpy().round(3).tolist()
        [[1.0], [0.75]]

    References:
        - [Kingma and Ba, 2015, Adam: A Method for Stochastic Optimization](https://arxiv.org/abs/1412.6980)
        - [Loshchilov and Hutter, 2019, Decoupled Weight Decay Regularization](https://arxiv.org/abs/1711.05101)
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        *,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        decay_untouched_rows: bool = False,
        name: str = "row_sparse_adam",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            learning_rate,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=epsilon,
            decay_untouched_rows=decay_untouched_rows,
            name=name,
            **kwargs,
        )

    def slot_variables(self, index: int) -> Sequence[keras.Variable]:
        return self._momentums[index], self._velocities[index]

    def dense_step(
        self, gradient: Tensor, variable: tf.Variable, slots: Sequence[tf.Variable], learning_rate: Tensor
    ) -> None:
        """Updates a float32 or float64 variable that has a dense gradient.

        The fused kernel makes one pass over the variable where Keras makes about ten, which take most of the time of a
        step with millions of dense weights.
        """
        t = tf.cast(self.iterations.value + 1, variable.dtype)
        beta_1, beta_2, epsilon = (tf.cast(x, variable.dtype) for x in (self.beta_1, self.beta_2, self.epsilon))
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=slots[0].handle,
            v=slots[1].handle,
            beta1_power=tf.pow(beta_1, t),
            beta2_power=tf.pow(beta_2, t),
            lr=learning_rate,
            beta1=beta_1,
            beta2=beta_2,
            epsilon=epsilon,
            grad=gradient,
            use_locking=True,
        )

    def row_step(
        self, gradient: Tensor, weights: Tensor | None, slots: Sequence[Tensor], learning_rate: Tensor
    ) -> tuple[Tensor, list[Tensor]]:
        m, v = slots
        beta_1, beta_2 = tf.cast(self.beta_1, m.dtype), tf.cast(self.beta_2, m.dtype)
        t = tf.cast(self.iterations.value + 1, m.dtype)
        m += (gradient - m) * (1 - self.beta_1)
        v += (tf.square(gradient) - v) * (1 - self.beta_2)
        corrected_rate = learning_rate * tf.sqrt(1 - tf.pow(beta_2, t)) / (1 - tf.pow(beta_1, t))
        return corrected_rate * m / (tf.sqrt(v) + self.epsilon), [m, v]
