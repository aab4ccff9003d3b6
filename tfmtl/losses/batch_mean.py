"""Means over the rows of a batch, whether one device holds them or the replicas of a `tf.distribute` strategy do.

Under a strategy each replica computes the losses of the *global* batch: sums over its own rows are added up over the
replicas before anything is divided. So a loss is the same number on every replica, and what is computed from losses
(uncertainty, a penalty on weights) needs no thought of replicas. Gradients follow Keras's convention, where a replica
contributes its loss times `1 / replicas`: those of all replicas add up to the gradient of the one loss. A loss that
goes through `share_gradient` needs no such factor.
"""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import tensorflow as tf
from keras import ops

_own = threading.local()


@contextlib.contextmanager
def replica_rows() -> Iterator[None]:
    """Inside the `with` block, and in this thread, a replica's rows are a batch of their own."""
    outer = getattr(_own, "rows", False)
    _own.rows = True
    try:
        yield
    finally:
        _own.rows = outer


def replicas() -> int:
    """How many replicas hold rows of the batch at hand; 1 outside a replica of a strategy."""
    context = tf.distribute.get_replica_context()
    return 1 if context is None or getattr(_own, "rows", False) else context.num_replicas_in_sync


def sum_over_replicas(values: Any) -> Any:
    """The sum of the replicas' tensors, on each of them; the tensor itself where there is one replica.

    All replicas have to call it, as often and in the same order, outside of a `tf.function` or `tf.cond` of their own.
    """
    count = replicas()
    if count == 1:
        return values

    @tf.custom_gradient
    def summed(own):
        # What follows is the same on each replica, and so is its gradient: the sum of all is a product.
        total = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, own)
        return total, lambda upstream: upstream * tf.cast(count, upstream.dtype)

    return summed(tf.convert_to_tensor(values))


def batch_mean(values: Any, weights: Any = None) -> Any:
    """`sum_r w_r v_r / sum_r w_r` over the rows r of the batch; 0 where all weights are 0, or there is no row.

    Args:
        values: v, `(rows,)`.
        weights: w, `(rows,)`; 1 by default.

    Returns:
        A float32 scalar.
    """
    weights = ops.ones_like(values) if weights is None else ops.cast(weights, "float32")
    return mean_of_sums(ops.sum(weights * values), ops.sum(weights))


def mean_of_sums(total: Any, weight: Any) -> Any:
    """`T / W` of a replica's weighted sum and sum of weights, both added up over the replicas; 0 where W is."""
    if replicas() > 1:
        total, weight = tf.unstack(sum_over_replicas(tf.stack([total, weight])))
    return ops.divide_no_nan(total, weight)


def replica_mean(values: Any) -> Any:
    """The mean over a replica's own rows, `(rows,)`; 0 where it has none."""
    return ops.sum(values) / ops.maximum(ops.cast(ops.shape(values)[0], "float32"), 1.0)


def mean_by_rows(loss: Any, rows: Any) -> Any:
    """A loss that is a mean over each replica's rows, or no matter of rows, as that of the batch.

    Args:
        loss: a scalar.
        rows: how many rows the replica has.
    """
    if replicas() == 1:
        return loss
    rows = tf.cast(rows, "float32")
    return mean_of_sums(rows * loss, rows)


def share_gradient(loss: Any) -> Any:
    """The loss of the global batch, with its gradient by the number of replicas: their gradients add up to it."""
    count = replicas()
    if count == 1:
        return loss
    shared = tf.custom_gradient(lambda whole: (tf.identity(whole), lambda upstream: upstream / count))
    return shared(loss)
