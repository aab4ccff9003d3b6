"""What the row-sparse optimizers have in common: a step reads and writes only the table rows that a batch looks up."""

from collections.abc import Sequence
from typing import Any, ClassVar

import keras
import tensorflow as tf

_DENSIFYING = {
    "use_ema": "the average of a table moves at every step",
    "amsgrad": "the largest second moments would be one more table",
    "gradient_accumulation_steps": "the accumulated gradient of a table is as large as the table",
}


def wide(dtype: Any) -> tf.DType:
    """The dtype in which a step is computed and slots are kept: float32 for the 16-bit floats, else the same."""
    dtype = tf.as_dtype(dtype)
    return tf.float32 if dtype in (tf.float16, tf.bfloat16) else dtype


def sum_repeated_rows(gradient: tf.IndexedSlices) -> tf.IndexedSlices:
    """The same gradient with each row named once: what a batch says of a row is summed, in float32 at least.

    An optimizer that squares the gradient, or clips it, has to see the sum and not its terms.
    """
    rows, position = tf.unique(gradient.indices)
    values = tf.cast(gradient.values, wide(gradient.values.dtype))
    return tf.IndexedSlices(tf.math.unsorted_segment_sum(values, position, tf.size(rows)), rows, gradient.dense_shape)


class _DivisibleSlices(tf.IndexedSlices):
    """Slices that Keras can divide by a loss's scale; `tf.IndexedSlices` has no operators."""

    def __truediv__(self, divisor):
        return tf.IndexedSlices(self.values / divisor, self.indices, self.dense_shape)


class RowSparse(keras.optimizers.Optimizer):
    """Makes a Keras optimizer lazy on tables: the first base of a class whose second base is that optimizer.

    Dense variables are handled as the Keras optimizer handles them. A variable whose gradient is a `tf.IndexedSlices`
    is a table: repeated rows are summed first, then the optimizer's formula is applied to the rows that the batch
    looks up. All others keep their value and their slots bit by bit, so the cost of a step in time and memory does not
    depend on the vocabulary. Slots are float32 at least, and so is the arithmetic; a 16-bit variable is rounded
    once, when it is written.

    Under `tf.distribute`, gradients are summed over the replicas first; repeated rows are summed and gradients clipped
    after it, so that n replicas make the step that one makes on the global batch.

    - `clipvalue`: of every element of the summed gradient.
    - `clipnorm`: of the norm of one variable's gradient. Rows that are not looked up have gradient 0, so the norm over
      the rows touched is the norm of the whole gradient.
    - `global_clipnorm`: of the norm over all variables, dense gradients and rows touched.
    - `weight_decay` d: before the step `w = w - lr * d * w`, as in Keras. **A row of a table decays only at the steps
      that look it up**; decaying all of them costs a pass over the table at every step and is done only when
      `decay_untouched_rows` asks for it. `exclude_from_weight_decay` holds as in Keras.
    - `loss_scale_factor`: as in Keras.

    A subclass says which slots it has and what a step is, on rows or on a whole variable.

    Args:
        learning_rate: a number, or a schedule of `keras.optimizers.schedules`.
        decay_untouched_rows: weight decay also of the rows that a batch does not look up.
        kwargs: those of the Keras optimizer, which names them.

    Raises:
        ValueError: for `use_ema`, `amsgrad` and `gradient_accumulation_steps`, and from a step on a table that has a
            constraint: these would read or write every row at every step.
    """

    reads_weights: ClassVar[bool] = False
    """Whether `row_step` needs the values of the weights."""

    def __init__(self, learning_rate: Any, *, decay_untouched_rows: bool = False, **kwargs: Any):
        for option, reason in _DENSIFYING.items():
            if kwargs.get(option):
                raise ValueError(
                    f"`{option}` should not be set in a row-sparse optimizer: {reason}. Received: {kwargs[option]}"
                )
        if decay_untouched_rows and not kwargs.get("weight_decay"):
            raise ValueError("`decay_untouched_rows` should come with a `weight_decay`. Received none")
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.decay_untouched_rows = decay_untouched_rows

    def slots_of(self, index: int) -> Sequence[keras.Variable]:
        """The slots of the trainable variable of that index."""
        raise NotImplementedError(f"{type(self).__name__} should have `slots_of`")

    def row_step(self, gradient: Any, weights: Any, slots: Sequence[Any], learning_rate: Any) -> tuple[Any, list[Any]]:
        """The optimizer's formula.

        Args:
            gradient: `(rows, ...)`, each row once; a whole variable's for a dense one.
            weights: their values, after weight decay; may be None unless `reads_weights`.
            slots: their slots.
            learning_rate: a scalar.

        Returns:
            What is subtracted from the weights, and the new values of the slots.
        """
        raise NotImplementedError(f"{type(self).__name__} should have a `row_step`")

    def dense_step(
        self, gradient: Any, variable: tf.Variable, slots: Sequence[tf.Variable], learning_rate: Any
    ) -> None:
        """The same for a whole float32 or float64 variable: Keras's own."""
        super().update_step(gradient, variable, learning_rate)

    def add_variable(self, shape, initializer="zeros", dtype=None, **kwargs):
        dtype = wide(dtype).name if dtype is not None else None
        return super().add_variable(shape, initializer=initializer, dtype=dtype, **kwargs)

    def apply(self, grads, trainable_variables=None):
        grads = list(grads)
        variables = self._trainable_variables if trainable_variables is None else list(trainable_variables)
        for index, (gradient, variable) in enumerate(zip(grads, variables, strict=False)):
            if isinstance(gradient, tf.IndexedSlices):
                if getattr(variable, "constraint", None) is not None:
                    raise ValueError(
                        "a table should have no constraint, which reads and writes every row at every step. "
                        f"Received: {variable.constraint} of {variable.name}"
                    )
                if self.loss_scale_factor is not None:
                    grads[index] = _DivisibleSlices(gradient.values, gradient.indices, gradient.dense_shape)
        super().apply(grads, trainable_variables)

    def _clip_gradients(self, grads):
        """Keras clips what one replica computed; here it is done after the reduction."""
        return grads

    def _apply_weight_decay(self, variables):
        """Done in `update_step`, which knows the rows."""

    def _all_reduce_sum_gradients(self, grads_and_vars):
        """Of each variable the gradient of the global batch, each row once, clipped."""
        widened = [
            (one if isinstance(one, tf.IndexedSlices) else tf.cast(one, wide(one.dtype)), variable)
            for one, variable in grads_and_vars
        ]
        reduced = super()._all_reduce_sum_gradients(widened)
        summed = [sum_repeated_rows(one) if isinstance(one, tf.IndexedSlices) else one for one, _ in reduced]
        clipped = super()._clip_gradients([one.values if isinstance(one, tf.IndexedSlices) else one for one in summed])
        pairs = zip(summed, clipped, strict=True)
        grads = [
            tf.IndexedSlices(values, one.indices, one.dense_shape) if isinstance(one, tf.IndexedSlices) else values
            for one, values in pairs
        ]
        return list(zip(grads, (variable for _, variable in reduced), strict=True))

    def update_step(self, gradient, variable, learning_rate):
        variable = variable.value if isinstance(variable, keras.Variable) else variable
        slots = [slot.value for slot in self.slots_of(self._get_variable_index(variable))]
        dtype = wide(variable.dtype)
        rate, decay = tf.cast(learning_rate, dtype), None
        if self.weight_decay and self._use_weight_decay(variable):
            decay = rate * self.weight_decay
        if isinstance(gradient, tf.IndexedSlices):
            self._update_rows(gradient, variable, slots, rate, decay)
        elif variable.dtype == dtype:
            if decay is not None:
                variable.assign_sub(variable * decay)
            self.dense_step(gradient, variable, slots, rate)
        else:
            weights = _decayed(tf.cast(variable, dtype), decay)
            step, values = self.row_step(gradient, weights, [tf.convert_to_tensor(slot) for slot in slots], rate)
            for slot, value in zip(slots, values, strict=True):
                slot.assign(value)
            variable.assign(tf.cast(weights - step, variable.dtype))

    def _update_rows(self, gradient, table, slots, rate, decay):
        rows, dtype = gradient.indices, rate.dtype
        if decay is not None and self.decay_untouched_rows:
            table.assign_sub(table * tf.cast(decay, table.dtype))
            decay = None
        weights = None
        if self.reads_weights or decay is not None or table.dtype != dtype:
            weights = _decayed(tf.cast(tf.gather(table, rows), dtype), decay)
        step, values = self.row_step(gradient.values, weights, [tf.gather(slot, rows) for slot in slots], rate)
        for slot, value in zip(slots, values, strict=True):
            slot.scatter_update(tf.IndexedSlices(value, rows))
        if weights is None:
            table.scatter_sub(tf.IndexedSlices(step, rows))
        else:
            table.scatter_update(tf.IndexedSlices(tf.cast(weights - step, table.dtype), rows))

    def get_config(self):
        return {**super().get_config(), "decay_untouched_rows": self.decay_untouched_rows}


def _decayed(weights, decay):
    return weights if decay is None else weights - weights * decay
