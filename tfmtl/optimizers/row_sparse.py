"""Base class of the row-sparse optimizers, whose steps read and write only the table rows that a batch looks up."""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import keras
import tensorflow as tf

from tfmtl.types import Config, Shape, Tensor

_REJECTED_OPTIONS = {
    "use_ema": "the moving average of a table changes at every step",
    "amsgrad": "the maxima of the second moments of a table are as large as the table",
    "gradient_accumulation_steps": "the accumulated gradient of a table is as large as the table",
}


def accumulation_dtype(dtype: Any) -> tf.DType:
    """Returns the dtype of the arithmetic and of the slots of a variable.

    Args:
        dtype: Data type of the variable.

    Returns:
        float32 for float16 and bfloat16, the same dtype for all others.
    """
    dtype = tf.as_dtype(dtype)
    return tf.float32 if dtype in (tf.float16, tf.bfloat16) else dtype


def sum_repeated_rows(gradient: tf.IndexedSlices) -> tf.IndexedSlices:
    """Sums the gradients of each row, so that every row occurs once.

    An optimizer that squares or clips a gradient requires the sum. It is computed in float32 or a wider dtype.

    Args:
        gradient: Gradient of a table, in which a row may occur several times.

    Returns:
        The same gradient with unique `indices`.
    """
    rows, positions = tf.unique(gradient.indices)
    values = tf.cast(gradient.values, accumulation_dtype(gradient.values.dtype))
    return tf.IndexedSlices(tf.math.unsorted_segment_sum(values, positions, tf.size(rows)), rows, gradient.dense_shape)


class _DivisibleSlices(tf.IndexedSlices):
    """Slices with a division, which `tf.IndexedSlices` lacks and Keras needs to undo a loss scale."""

    def __truediv__(self, divisor: Any) -> tf.IndexedSlices:
        return tf.IndexedSlices(self.values / divisor, self.indices, self.dense_shape)


class RowSparse(keras.optimizers.Optimizer):
    """Base class that restricts the steps of a Keras optimizer to the table rows that a batch looks up.

    A subclass inherits from `RowSparse` first and from a Keras optimizer second, and defines `slot_variables` and
    `row_step`.

    A variable whose gradient is a `tf.IndexedSlices` is a table. The gradients of a repeated row are summed, then the
    optimizer's formula is applied to the rows that the batch looks up. All other rows and their slots remain
    unchanged, so the time and the memory of a step do not depend on the vocabulary size. Variables with a dense
    gradient are updated as by the Keras optimizer. Slots and arithmetic are float32 or wider; a 16-bit variable is
    rounded once, when it is written.

    Under `tf.distribute`, gradients are summed over the replicas before repeated rows are summed and gradients are
    clipped, so a step of several replicas equals the step of one replica on the global batch.

    - `clipvalue` bounds every element of the summed gradient.
    - `clipnorm` bounds the norm of the gradient of each variable. Rows that are not looked up have a gradient of 0, so
      the norm over the rows that are looked up is the norm of the whole gradient.
    - `global_clipnorm` bounds the norm of the gradient of all variables together.
    - `weight_decay` d applies `w = w - learning_rate * d * w` before the step, as in Keras, but **a row of a table
      decays only at the steps that look it up**. With `decay_untouched_rows`, all rows decay at every step, which
      costs a pass over the table. `exclude_from_weight_decay` works as in Keras.
    - `loss_scale_factor` works as in Keras.

    Args:
        learning_rate: Learning rate, a number or a `keras.optimizers.schedules.LearningRateSchedule`.
        decay_untouched_rows: Whether weight decay also applies to the rows that a batch does not look up.
        **kwargs: Arguments of the Keras optimizer.

    Raises:
        ValueError: If `use_ema`, `amsgrad` or `gradient_accumulation_steps` is set, or if a table has a constraint
            (raised by the step). Each of them requires access to every row at every step.
    """

    reads_weights: ClassVar[bool] = False
    """Whether `row_step` requires the values of the weights."""

    def __init__(self, learning_rate: Any, *, decay_untouched_rows: bool = False, **kwargs: Any) -> None:
        for option, reason in _REJECTED_OPTIONS.items():
            if kwargs.get(option):
                raise ValueError(
                    f"`{option}` should not be set in a row-sparse optimizer: {reason}. Received: {kwargs[option]}"
                )
        if decay_untouched_rows and not kwargs.get("weight_decay"):
            raise ValueError(
                "`decay_untouched_rows` should be set together with `weight_decay`. "
                f"Received: weight_decay={kwargs.get('weight_decay')}"
            )
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.decay_untouched_rows = decay_untouched_rows

    def slot_variables(self, index: int) -> Sequence[keras.Variable]:
        """Returns the slots of a trainable variable.

        Args:
            index: Index of the variable among the trainable variables.
        """
        raise NotImplementedError(f"{type(self).__name__} should define `slot_variables`")

    def row_step(
        self, gradient: Tensor, weights: Tensor | None, slots: Sequence[Tensor], learning_rate: Tensor
    ) -> tuple[Tensor, list[Tensor]]:
        """Applies the optimizer's formula to rows of a table, or to a whole variable.

        Args:
            gradient: Gradient of unique rows, `(rows, ...)`, or of a whole variable.
            weights: Weights of the same shape, after weight decay; may be None unless `reads_weights`.
            slots: Slots of the same shape.
            learning_rate: Learning rate, a scalar.

        Returns:
            The value to subtract from the weights, and the new values of the slots.
        """
        raise NotImplementedError(f"{type(self).__name__} should define `row_step`")

    def dense_step(
        self, gradient: Tensor, variable: tf.Variable, slots: Sequence[tf.Variable], learning_rate: Tensor
    ) -> None:
        """Updates a float32 or float64 variable that has a dense gradient, by default as the Keras optimizer does.

        Args:
            gradient: Gradient of the variable's shape.
            variable: Variable to update, after weight decay.
            slots: Slots of the variable.
            learning_rate: Learning rate, a scalar.
        """
        super().update_step(gradient, variable, learning_rate)

    def add_variable(
        self, shape: Shape, initializer: Any = "zeros", dtype: Any = None, **kwargs: Any
    ) -> keras.Variable:
        dtype = accumulation_dtype(dtype).name if dtype is not None else None
        return super().add_variable(shape, initializer=initializer, dtype=dtype, **kwargs)

    def apply(self, grads: Iterable[Any], trainable_variables: Iterable[Any] | None = None) -> None:
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

    def _clip_gradients(self, grads: Sequence[Any]) -> Sequence[Any]:
        """Returns the gradients unchanged; they are clipped after the sum over the replicas."""
        return grads

    def _apply_weight_decay(self, variables: Sequence[Any]) -> None:
        """Does nothing; `update_step` applies the weight decay to the rows that it updates."""

    def _all_reduce_sum_gradients(self, grads_and_vars: Iterable[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
        """Returns the gradients of the global batch, with unique rows and clipped, and their variables."""
        widened = [
            (
                gradient
                if isinstance(gradient, tf.IndexedSlices)
                else tf.cast(gradient, accumulation_dtype(gradient.dtype)),
                variable,
            )
            for gradient, variable in grads_and_vars
        ]
        reduced = super()._all_reduce_sum_gradients(widened)
        summed = [
            sum_repeated_rows(gradient) if isinstance(gradient, tf.IndexedSlices) else gradient
            for gradient, _ in reduced
        ]
        clipped = super()._clip_gradients(
            [gradient.values if isinstance(gradient, tf.IndexedSlices) else gradient for gradient in summed]
        )
        grads = [
            tf.IndexedSlices(values, gradient.indices, gradient.dense_shape)
            if isinstance(gradient, tf.IndexedSlices)
            else values
            for gradient, values in zip(summed, clipped, strict=True)
        ]
        return list(zip(grads, (variable for _, variable in reduced), strict=True))

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        variable = variable.value if isinstance(variable, keras.Variable) else variable
        slots = [slot.value for slot in self.slot_variables(self._get_variable_index(variable))]
        dtype = accumulation_dtype(variable.dtype)
        learning_rate, decay = tf.cast(learning_rate, dtype), None
        if self.weight_decay and self._use_weight_decay(variable):
            decay = learning_rate * self.weight_decay
        if isinstance(gradient, tf.IndexedSlices):
            self._update_rows(gradient, variable, slots, learning_rate, decay)
        elif variable.dtype == dtype:
            if decay is not None:
                variable.assign_sub(variable * decay)
            self.dense_step(gradient, variable, slots, learning_rate)
        else:
            weights = _decayed(tf.cast(variable, dtype), decay)
            slot_values = [tf.convert_to_tensor(slot) for slot in slots]
            step, slot_values = self.row_step(gradient, weights, slot_values, learning_rate)
            for slot, value in zip(slots, slot_values, strict=True):
                slot.assign(value)
            variable.assign(tf.cast(weights - step, variable.dtype))

    def _update_rows(
        self,
        gradient: tf.IndexedSlices,
        table: tf.Variable,
        slots: Sequence[tf.Variable],
        learning_rate: Tensor,
        decay: Tensor | None,
    ) -> None:
        """Updates the rows of a table that have a gradient, and their slots."""
        rows, dtype = gradient.indices, learning_rate.dtype
        if decay is not None and self.decay_untouched_rows:
            table.assign_sub(table * tf.cast(decay, table.dtype))
            decay = None
        weights = None
        if self.reads_weights or decay is not None or table.dtype != dtype:
            weights = _decayed(tf.cast(tf.gather(table, rows), dtype), decay)
        slot_rows = [tf.gather(slot, rows) for slot in slots]
        step, slot_rows = self.row_step(gradient.values, weights, slot_rows, learning_rate)
        for slot, value in zip(slots, slot_rows, strict=True):
            slot.scatter_update(tf.IndexedSlices(value, rows))
        if weights is None:
            table.scatter_sub(tf.IndexedSlices(step, rows))
        else:
            table.scatter_update(tf.IndexedSlices(tf.cast(weights - step, table.dtype), rows))

    def get_config(self) -> Config:
        return {**super().get_config(), "decay_untouched_rows": self.decay_untouched_rows}


def _decayed(weights: Tensor, decay: Tensor | None) -> Tensor:
    """Returns the weights after weight decay."""
    return weights if decay is None else weights - weights * decay
