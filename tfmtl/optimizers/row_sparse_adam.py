"""Adam that reads and writes only the embedding rows that a batch touches."""

from typing import Any

import keras
import tensorflow as tf


def sum_repeated_rows(gradient: tf.IndexedSlices) -> tf.IndexedSlices:
    """The same gradient with each row named once: what a batch says of a row is summed before anything is squared."""
    rows, position = tf.unique(gradient.indices)
    values = tf.math.unsorted_segment_sum(gradient.values, position, tf.shape(rows)[0])
    return tf.IndexedSlices(values, rows, gradient.dense_shape)


@keras.saving.register_keras_serializable(package="tfmtl")
class RowSparseAdam(keras.optimizers.Adam):
    """Adam, lazy on embedding rows: a row that no example of the batch looks up keeps its value and its moments.

    For the summed gradient g of a touched row, at step t:
    `m = b1 m + (1 - b1) g`, `v = b2 v + (1 - b2) g^2`,
    `w = w - lr * sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(v) + eps)`.
    When every row is in every batch this is Adam; dense variables are handled as `keras.optimizers.Adam` does. A step
    costs time and memory by the rows touched, not by the vocabulary.

    `clipvalue` c clips every element of g to [-c, c], after what a batch says of a row is summed: the gradient of a row
    that is not looked up is 0 and stays so.

    Args: those of `keras.optimizers.Adam`; `weight_decay`, `amsgrad`, `use_ema`, clipping by norm and gradient
    accumulation, which would touch every row of a table, are refused.

    References:
        - [Kingma and Ba, 2015, Adam](https://arxiv.org/abs/1412.6980)
    """

    _TOUCH_EVERY_ROW = (
        "weight_decay",
        "amsgrad",
        "use_ema",
        "clipnorm",
        "global_clipnorm",
        "gradient_accumulation_steps",
    )

    def __init__(self, learning_rate: Any = 0.001, *, name: str = "row_sparse_adam", **kwargs: Any):
        refused = [option for option in self._TOUCH_EVERY_ROW if kwargs.get(option)]
        if refused:
            raise ValueError(f"options should be such as leave untouched rows alone. Received: {', '.join(refused)}")
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)

    def apply(self, grads, trainable_variables=None):
        summed = [sum_repeated_rows(one) if isinstance(one, tf.IndexedSlices) else one for one in grads]
        super().apply(summed, trainable_variables)

    def update_step(self, gradient, variable, learning_rate):
        if not isinstance(gradient, tf.IndexedSlices):
            super().update_step(gradient, variable, learning_rate)
            return
        rows, values = gradient.indices, tf.cast(gradient.values, variable.dtype)
        index = self._get_variable_index(variable)
        m, v = self._momentums[index].value, self._velocities[index].value
        step = tf.cast(self.iterations.value + 1, variable.dtype)
        b1, b2 = tf.cast(self.beta_1, variable.dtype), tf.cast(self.beta_2, variable.dtype)
        m_rows = b1 * tf.gather(m, rows) + (1 - b1) * values
        v_rows = b2 * tf.gather(v, rows) + (1 - b2) * tf.square(values)
        rate = tf.cast(learning_rate, variable.dtype) * tf.sqrt(1 - tf.pow(b2, step)) / (1 - tf.pow(b1, step))
        m.scatter_update(tf.IndexedSlices(m_rows, rows))
        v.scatter_update(tf.IndexedSlices(v_rows, rows))
        table = variable.value if isinstance(variable, keras.Variable) else variable
        table.scatter_sub(tf.IndexedSlices(rate * m_rows / (tf.sqrt(v_rows) + self.epsilon), rows))
