"""The Keras backend in use, and the fast paths that need TensorFlow.

Layers, losses and metrics run on any Keras backend. Where TensorFlow has a faster implementation, it is in
`tfmtl.backend.tensorflow`, which other backends never import.
"""

import keras


def is_tensorflow() -> bool:
    """Returns whether Keras runs on TensorFlow."""
    return bool(keras.backend.backend() == "tensorflow")


def require_tensorflow(feature: str) -> None:
    """Raises an error unless Keras runs on TensorFlow.

    Args:
        feature: What needs TensorFlow, as the subject of the message: "`tfmtl.models`".

    Raises:
        RuntimeError: If Keras runs on another backend.
    """
    if not is_tensorflow():
        name = keras.backend.backend()
        raise RuntimeError(
            f"{feature} should be used with the TensorFlow backend of Keras (KERAS_BACKEND=tensorflow). "
            f"Received: {name}"
        )
