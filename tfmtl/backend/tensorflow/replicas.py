"""Communication between the replicas of a `tf.distribute` strategy."""

from collections.abc import Callable

import tensorflow as tf

from tfmtl.types import Tensor, TensorLike


def num_replicas() -> int:
    """Returns the number of replicas that compute together; 1 outside the replica context of a strategy."""
    context = tf.distribute.get_replica_context()
    return 1 if context is None else int(context.num_replicas_in_sync)


def sum_over_replicas(values: TensorLike, count: int) -> Tensor:
    """Returns the sum of the replicas' tensors, which is equal on each replica.

    Args:
        values: Tensor of this replica, of the same shape on each replica.
        count: Number of replicas.

    Returns:
        A tensor of the shape of `values`.
    """

    @tf.custom_gradient
    def all_reduce(replica_values: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        total = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, replica_values)
        # The upstream gradients are equal on all replicas, so their sum is a product.
        return total, lambda upstream: upstream * tf.cast(count, upstream.dtype)

    return all_reduce(tf.convert_to_tensor(values))


def divide_gradient(values: TensorLike, divisor: int) -> Tensor:
    """Returns `values` unchanged; their gradient is divided by `divisor`.

    Args:
        values: Tensor of any shape.
        divisor: Number by which the gradient is divided.

    Returns:
        A tensor equal to `values`.
    """

    @tf.custom_gradient
    def identity(tensor: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        return tf.identity(tensor), lambda upstream: upstream / divisor

    return identity(values)
