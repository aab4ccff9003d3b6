"""Deterministic operations of TensorFlow."""

import contextlib
from collections.abc import Iterator

import tensorflow as tf
from tensorflow.python.framework import config as framework  # The switch has no public name to ask or to undo it.


@contextlib.contextmanager
def deterministic_operations(enable: bool) -> Iterator[None]:
    """Context manager that makes the operations of TensorFlow deterministic, and undoes it afterwards.

    The steps of a pipeline after the training share its process, and are not slowed down.

    Args:
        enable: Whether to do so; otherwise nothing changes.
    """
    if not enable or framework.is_op_determinism_enabled():
        yield
        return
    tf.config.experimental.enable_op_determinism()
    try:
        yield
    finally:
        framework.disable_op_determinism()
