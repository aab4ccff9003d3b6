"""Ids outside their field: an error on TensorFlow, NaN on other backends."""

from collections.abc import Mapping, Sequence

import keras
import numpy as np
from keras import ops

from tfmtl.backend import is_tensorflow
from tfmtl.types import Tensor

if is_tensorflow():
    from tfmtl.backend.tensorflow import ids as tensorflow_ids


def check_ids(ids: Tensor, vocab_sizes: Mapping[str, int], fields: Sequence[str]) -> Tensor:
    """Returns ids as they are; on TensorFlow, on CPU, raises an error if one is outside its field.

    Args:
        ids: `(batch, columns)` of Keras's dtype "int".
        vocab_sizes: Number of ids of each field.
        fields: Field of each column.
    """
    return tensorflow_ids.check_ids(ids, vocab_sizes, fields) if is_tensorflow() else ids


def clip_ids(ids: Tensor, vocab_sizes: Mapping[str, int], fields: Sequence[str]) -> Tensor:
    """Returns ids that can be looked up; on TensorFlow the ids as they are.

    On other backends an id outside its field becomes the nearest one inside, whose value `mark_outside` replaces.

    Args:
        ids: `(batch, columns)`.
        vocab_sizes: Number of ids of each field.
        fields: Field of each column.
    """
    return ids if is_tensorflow() else ops.clip(ids, 0, _sizes(vocab_sizes, fields) - 1)


def mark_outside(values: Tensor, ids: Tensor, vocab_sizes: Mapping[str, int], fields: Sequence[str]) -> Tensor:
    """Returns values with NaN where an id is outside its field; on TensorFlow the values as they are.

    JAX cannot raise an error from compiled code, so that the values have to show it; PyTorch does the same.

    Args:
        values: `(batch, columns, dim)`.
        ids: `(batch, columns)`.
        vocab_sizes: Number of ids of each field.
        fields: Field of each column.
    """
    if is_tensorflow():
        return values
    valid = ops.logical_and(ops.greater_equal(ids, 0), ops.less(ids, _sizes(vocab_sizes, fields)))
    return ops.where(valid[:, :, None], values, ops.cast(float("nan"), values.dtype))


def _sizes(vocab_sizes: Mapping[str, int], fields: Sequence[str]) -> np.ndarray:
    return np.array([vocab_sizes[field] for field in fields], keras.backend.standardize_dtype("int"))
