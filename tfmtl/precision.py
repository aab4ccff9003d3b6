"""Numeric precision of a model, as the Keras dtype policy of the layers that are created in a `with` block."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras


@contextlib.contextmanager
def dtype_policy(policy: Any) -> Iterator[None]:
    """Sets the global dtype policy inside the `with` block and restores the previous one afterwards.

    Layers that are created in the block have the policy. A model keeps it when it is saved and loaded.

    Under `mixed_bfloat16`, products are computed in bfloat16, whereas weights, losses, softmaxes, logits and the
    variables of the optimizer stay float32. Bfloat16 has the range of float32, so the loss needs no scaling.

    Args:
        policy: A `keras.DTypePolicy` or its name, such as `mixed_bfloat16`.

    Example:
        >>> import keras
        >>> from tfmtl.precision import dtype_policy
        >>> with dtype_policy("mixed_bfloat16"):
        ...     layer = keras.layers.Dense(1)
        >>> layer.compute_dtype
        'bfloat16'
        >>> keras.config.dtype_policy().name
        'float32'
    """
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(previous)
