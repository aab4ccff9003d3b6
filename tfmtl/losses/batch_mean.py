"""Means over the rows of a batch, on one device or over the replicas of a `tf.distribute` strategy.

Under a strategy, each replica computes the losses of the global batch: sums over its rows are summed over the replicas
before they are divided. A loss is therefore equal on all replicas, and values computed from losses (uncertainty
weights, a penalty on weights) need no correction. Gradients follow the convention of Keras, in which a replica
contributes its loss times `1 / replicas`, so that the gradients of all replicas add up to the gradient of the loss.
A loss returned by `share_gradient` needs no such factor.

Backends other than TensorFlow compute on one replica.
"""

import contextlib
import threading
from collections.abc import Iterator

from keras import ops

from tfmtl.backend import is_tensorflow
from tfmtl.types import Tensor, TensorLike

if is_tensorflow():
    from tfmtl.backend.tensorflow import replicas as tensorflow_replicas

_local = threading.local()


@contextlib.contextmanager
def replica_rows() -> Iterator[None]:
    """Treats the rows of each replica as a whole batch, inside the `with` block and in this thread."""
    outer = getattr(_local, "separate", False)
    _local.separate = True
    try:
        yield
    finally:
        _local.separate = outer


def num_replicas() -> int:
    """Returns the number of replicas that share the rows of a batch; 1 outside the replica context of a strategy."""
    if getattr(_local, "separate", False) or not is_tensorflow():
        return 1
    return tensorflow_replicas.num_replicas()


def sum_over_replicas(values: TensorLike) -> Tensor:
    """Returns the sum of the replicas' tensors on each replica; `values` unchanged on a single replica.

    All replicas have to make the same calls in the same order, outside of `tf.function`s and `tf.cond`s that only some
    of them run.

    Args:
        values: Tensor of this replica, of the same shape on each replica.

    Returns:
        A tensor of the shape of `values`.
    """
    count = num_replicas()
    return values if count == 1 else tensorflow_replicas.sum_over_replicas(values, count)


def mask_values(values: TensorLike, weights: TensorLike) -> Tensor:
    """Replaces the values of weight 0 by 0, so that a product with the weights is finite where a value is not.

    Args:
        values: Values of the rows, `(rows,)`; NaN and infinity are allowed where the weight is 0.
        weights: Weights of the rows, `(rows,)`.

    Returns:
        `(rows,)` float32. The gradient by a value of weight 0 is 0.
    """
    values = ops.cast(values, "float32")
    return ops.where(ops.equal(weights, 0), ops.zeros_like(values), values)


def batch_mean(values: TensorLike, weights: TensorLike | None = None) -> Tensor:
    """Computes the weighted mean `sum_r w_r v_r / sum_r w_r` over the rows r of the global batch.

    Rows of weight 0 are ignored: their values may be NaN or infinite, and their gradient is 0.

    Args:
        values: Values v, `(rows,)`.
        weights: Weights w, `(rows,)`; 1 by default.

    Returns:
        A float32 scalar; 0 if the weights sum to 0 or there is no row.
    """
    values = ops.cast(values, "float32")
    if weights is None:
        return mean_of_sums(ops.sum(values), ops.sum(ops.ones_like(values)))
    weights = ops.cast(weights, "float32")
    return mean_of_sums(ops.sum(weights * mask_values(values, weights)), ops.sum(weights))


def mean_of_sums(total: Tensor, weight: Tensor) -> Tensor:
    """Computes `T / W` from the sums of each replica, both summed over the replicas.

    Args:
        total: Weighted sum T over the replica's rows, a scalar.
        weight: Sum W of the weights of the replica's rows, a scalar.

    Returns:
        A scalar; 0 if W is 0.
    """
    if num_replicas() > 1:
        total, weight = ops.unstack(sum_over_replicas(ops.stack([total, weight])), num=2)
    return ops.divide_no_nan(total, weight)


def replica_mean(values: TensorLike) -> Tensor:
    """Computes the mean over the rows of this replica.

    Args:
        values: Values of the rows, `(rows,)`.

    Returns:
        A scalar; 0 if there is no row.
    """
    return ops.sum(values) / ops.maximum(ops.cast(ops.shape(values)[0], "float32"), 1.0)


def mean_by_rows(loss: Tensor, rows: TensorLike) -> Tensor:
    """Computes the mean of the replicas' losses, weighted by their numbers of rows.

    Args:
        loss: Mean over the rows of this replica, or a loss that does not depend on rows, a scalar.
        rows: Number of rows of this replica.

    Returns:
        A scalar.
    """
    if num_replicas() == 1:
        return loss
    rows = ops.cast(rows, "float32")
    return mean_of_sums(rows * loss, rows)


def share_gradient(loss: Tensor) -> Tensor:
    """Divides the gradient of a loss by the number of replicas, so that the replicas' gradients sum to its gradient.

    Args:
        loss: Loss of the global batch, a scalar that is equal on all replicas.

    Returns:
        The loss, unchanged in value.
    """
    count = num_replicas()
    return loss if count == 1 else tensorflow_replicas.divide_gradient(loss, count)
