"""Position in the training data: the number of passes that have begun, and the batches that the next one skips."""

from typing import Any

import tensorflow as tf


class DataPosition:
    """Position in a dataset from which training starts, and which a checkpoint keeps.

    A dataset whose order is a function of a seed and the number of the pass calls `begin_pass` in one of its functions,
    once for each iterator. Its first pass then begins at the given batch of the given pass, and all later ones at their
    first batch.

    Args:
        passes: Number of passes over the data before the next one.
        batches: Number of batches of the next pass that are skipped.

    Example:
        >>> import tensorflow as tf
        >>> from tfmtl.training.data_position import DataPosition
        >>> position = DataPosition()
        >>> def numbers(_):
        ...     number, skipped = position.begin_pass()
        ...     return tf.data.Dataset.range(10 * number, 10 * number + 4).skip(skipped)
        >>> dataset = tf.data.Dataset.range(1).flat_map(numbers)
        >>> position.set(passes=2, batches=3)
        >>> [[int(batch) for batch in dataset] for _ in range(2)]
        [[23], [30, 31, 32, 33]]
        >>> position.passes
        4
    """

    def __init__(self, passes: int = 0, batches: int = 0):
        with tf.device("CPU:0"):  # Datasets run on the CPU.
            self._passes = tf.Variable(passes, dtype=tf.int64, trainable=False)
            self._batches = tf.Variable(batches, dtype=tf.int64, trainable=False)

    @property
    def passes(self) -> int:
        """Number of passes that have begun."""
        return int(self._passes.numpy())

    def set(self, passes: int, batches: int) -> None:
        """Sets where the next pass begins.

        Args:
            passes: Number of passes before it.
            batches: Number of its batches that are skipped.
        """
        self._passes.assign(passes)
        self._batches.assign(batches)

    def begin_pass(self) -> tuple[Any, Any]:
        """Counts a pass.

        Returns:
            The number of the pass, which starts at 0, and the number of batches that it skips; int64 scalars.
        """
        number, skipped = self._passes.read_value(), self._batches.read_value()
        with tf.control_dependencies([number, skipped]):
            updates = [self._passes.assign(number + 1), self._batches.assign(0)]
        with tf.control_dependencies(updates):
            return tf.identity(number), tf.identity(skipped)
