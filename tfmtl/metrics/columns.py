"""Conversion and validation of the labels, predictions and weights of metrics."""

import keras
import numpy as np
from keras import ops

from tfmtl.losses.batch_mean import mask_values
from tfmtl.types import Tensor, TensorLike


def as_floats(column: TensorLike) -> np.ndarray:
    """Returns the numbers of a column as a float64 array, `(rows,)`."""
    return np.asarray(column, dtype=np.float64).ravel()


def check_lengths(**columns: np.ndarray) -> None:
    """Raises an error unless all columns have the same length.

    Args:
        **columns: Columns by the names that the error message gives.

    Raises:
        ValueError: If the lengths differ.
    """
    lengths = [str(len(column)) for column in columns.values()]
    if len(set(lengths)) > 1:
        raise ValueError(f"{_join(list(columns))} should have the same length. Received: {_join(lengths)}")


def _join(words: list[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}"


def weighted_columns(
    labels: TensorLike, predictions: TensorLike, weights: TensorLike | None, name: str = "predictions"
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns labels, predictions and weights as float64 arrays, without the rows of weight 0.

    Args:
        labels: Labels, `(rows,)`.
        predictions: Predictions, `(rows,)`.
        weights: Weights, `(rows,)`; None for weights of 1.
        name: Name of the predictions in an error message.

    Returns:
        Three arrays of the same length.

    Raises:
        ValueError: If the lengths differ.
    """
    label_values, values = as_floats(labels), as_floats(predictions)
    if weights is None:
        check_lengths(**{"labels": label_values, name: values})
        return label_values, values, np.ones_like(values)
    weight_values = as_floats(weights)
    check_lengths(**{"labels": label_values, name: values, "weights": weight_values})
    kept = weight_values != 0
    return label_values[kept], values[kept], weight_values[kept]


def flatten_columns(
    y_true: TensorLike, y_pred: TensorLike, sample_weight: TensorLike | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Flattens the arguments of `update_state` of a Keras metric.

    Args:
        y_true: Labels, of as many elements as `y_pred`.
        y_pred: Predictions, `(batch,)` or `(batch, ...)`.
        sample_weight: Weights, of as many elements as `y_pred` or one per row; None for weights of 1.

    Returns:
        Labels, predictions and weights, each `(elements,)` float32. Labels and predictions of weight 0 are 0.
    """
    predictions = ops.cast(y_pred, "float32")
    labels = ops.reshape(ops.cast(y_true, "float32"), (-1,))
    if sample_weight is None:
        return labels, ops.reshape(predictions, (-1,)), ops.ones_like(labels)
    weights = ops.cast(sample_weight, "float32")
    if len(weights.shape) < len(predictions.shape):
        for _ in range(len(predictions.shape) - len(weights.shape)):
            weights = ops.expand_dims(weights, -1)
        weights = ops.broadcast_to(weights, ops.shape(predictions))
    weights = ops.reshape(weights, (-1,))
    return mask_values(labels, weights), mask_values(ops.reshape(predictions, (-1,)), weights), weights


def widest_float() -> str:
    """Returns the most precise float dtype of the backend: float64, or float32 on JAX without `jax_enable_x64`."""
    return str(keras.backend.standardize_dtype(ops.convert_to_tensor(np.zeros((), "float64")).dtype))
