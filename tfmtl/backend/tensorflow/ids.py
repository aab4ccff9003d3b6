"""Check of ids against the sizes of their fields, on CPU."""

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
from tensorflow.python.ops import control_flow_util  # Whether XLA compiles a graph has no public name.

from tfmtl.types import Tensor


def check_ids(ids: Tensor, vocab_sizes: Mapping[str, int], fields: Sequence[str]) -> Tensor:
    """Returns ids unchanged, and raises an error if one of them is outside its field.

    One reduction checks the ids of all fields. The message is put together only if one is outside. Nothing is checked
    where a GPU or TPU is present, since an assertion would wait for the device, and XLA leaves assertions out.

    Args:
        ids: `(batch, columns)` int64.
        vocab_sizes: Number of ids of each field.
        fields: Field of each column.

    Returns:
        The ids.

    Raises:
        tf.errors.InvalidArgumentError: If an id of a field is negative, or at least the field's size.
    """
    if any(tf.config.list_logical_devices(device) for device in ("GPU", "TPU")):
        return ids
    # Without its sign a negative id is a large number, so that one maximum checks both bounds.
    sizes = np.array([vocab_sizes[field] for field in fields], "uint64")
    valid = tf.reduce_all(tf.reduce_max(tf.bitcast(ids, tf.uint64), axis=0) < sizes)
    if tf.executing_eagerly():
        if not valid:
            _raise_eagerly(ids.numpy(), vocab_sizes, fields)
        return ids
    checked = tf.cond(valid, lambda: True, lambda: _raise_in_graph(ids, vocab_sizes, fields))
    with tf.control_dependencies([checked]):
        return tf.identity(ids)


def _raise_eagerly(ids: np.ndarray, vocab_sizes: Mapping[str, int], fields: Sequence[str]) -> None:
    row, column = np.argwhere((ids < 0) | (ids >= [vocab_sizes[field] for field in fields]))[0]
    message = f"{_message(fields[column], vocab_sizes)} {ids[row, column]}"
    raise tf.errors.InvalidArgumentError(None, None, message)


def _raise_in_graph(ids: Tensor, vocab_sizes: Mapping[str, int], fields: Sequence[str]) -> Tensor:
    """Raises the error of the first field with an id outside it."""
    names = list(dict.fromkeys(fields))
    numbers = {name: number for number, name in enumerate(names)}
    segments = [numbers[field] for field in fields]
    sizes = np.array([vocab_sizes[name] for name in names], "int64")
    lowest = tf.math.unsorted_segment_min(tf.reduce_min(ids, axis=0), segments, len(names))
    highest = tf.math.unsorted_segment_max(tf.reduce_max(ids, axis=0), segments, len(names))
    valid = (lowest >= 0) & (highest < sizes)
    received = tf.where(highest >= sizes, highest, lowest)
    # XLA cannot compile a message that is chosen, and leaves assertions out.
    messages = [_message(name, vocab_sizes) for name in names]
    first = tf.argmin(tf.cast(valid, tf.int8))
    compiled = control_flow_util.GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())
    message = messages[0] if compiled else tf.gather(messages, first)
    assertion = tf.raw_ops.Assert(condition=tf.reduce_all(valid), data=[message, tf.gather(received, first)])
    with tf.control_dependencies([assertion]):
        return tf.constant(True)


def _message(field: str, vocab_sizes: Mapping[str, int]) -> str:
    return f"ids of {field!r} should be in [0, {vocab_sizes[field]}). Received:"
