"""Contrastive losses between the representations of two tasks: InfoNCE, a pairwise contrast, and plain alignment.

Each loss takes the representations of an anchor task and of another task for the rows of the same batch, and returns
one loss per row.
"""

from typing import Literal

from keras import ops

from tfmtl.backend import is_tensorflow
from tfmtl.types import Tensor, TensorLike

if is_tensorflow():
    from tfmtl.backend.tensorflow import contrast as tensorflow_contrast

Similarity = Literal["dot", "cosine"]
MIN_NORM = 1e-6
"""Norm up to which a vector has no direction: its cosine similarity is 0, and so is the gradient."""
_EXCLUDED_LOGIT = -1e30


def info_nce(
    anchors: TensorLike,
    others: TensorLike,
    temperature: TensorLike,
    similarity: Similarity = "dot",
    keep: TensorLike | None = None,
    block: int | None = None,
) -> Tensor:
    """Computes the InfoNCE loss between the representations of two tasks.

    The loss of row r is `-log(exp(s(a_r, b_r) / t_r) / sum_{r'} exp(s(a_r, b_r') / t_r))`, where r' runs over the rows
    of the batch, r included. As in the paper, the negatives are representations of the other task only. The loss is
    computed as a log-sum-exp: it is finite, with finite gradients, for temperatures down to 1e-6. It is 0 for a row
    without negatives.

    The cost is proportional to `batch^2 dim`. With `block`, the batch is divided into blocks of that many rows, each
    row's negatives are those of its block, and the cost is proportional to `batch block dim`.

    Args:
        anchors: Representations a of the anchor task, `(batch, dim)`.
        others: Representations b of the other task, `(batch, dim)`.
        temperature: Temperature t > 0, `(batch,)` or a scalar for all rows.
        similarity: Similarity s: "dot", the dot product, as in the paper, or "cosine".
        keep: Mask of the rows that take part, `(batch,)`; all rows by default. An excluded row is not a negative of any
            row; its own loss is finite and should be ignored.
        block: Number of rows of a block, of which the last block may have fewer; the whole batch by default.

    Returns:
        `(batch,)` float32 losses, in nats.

    Example:
        >>> import numpy as np
        >>> from tfmtl.losses import info_nce
        >>> anchors = [[1.0, 0.0], [0.0, 1.0]]
        >>> np.asarray(info_nce(anchors, others=anchors, temperature=0.5)).round(4)
        array([0.1269, 0.1269], dtype=float32)

    References:
        - [Lin et al., 2023, Modeling Adaptive Fine-grained Task Relatedness for Joint CTR-CVR Estimation]
          (https://arxiv.org/abs/2208.13442), equations 6 and 13
    """
    anchors, others = _prepare_vectors(anchors, others, similarity)
    anchors = anchors / ops.reshape(ops.cast(temperature, "float32"), (-1, 1))
    bias = None if keep is None else ops.where(ops.cast(keep, "bool"), 0.0, _EXCLUDED_LOGIT)
    if block is None:
        return _contrastive_cross_entropy(anchors, others, bias)
    rows = ops.shape(anchors)[0]
    bias = ops.zeros((rows,), "float32") if bias is None else bias
    anchors = _split_into_blocks(anchors, rows, block)
    others = _split_into_blocks(others, rows, block)
    bias = _split_into_blocks(bias, rows, block, fill=_EXCLUDED_LOGIT)
    return ops.reshape(_contrastive_cross_entropy(anchors, others, bias), (-1,))[:rows]


def _split_into_blocks(column: Tensor, rows: TensorLike, block: int, fill: float = 0.0) -> Tensor:
    """Reshapes `(rows, ...)` to `(blocks, block, ...)`; the last block is padded with `fill`."""
    padding = [[0, -rows % block], *([0, 0] for _ in column.shape[1:])]
    return ops.reshape(ops.pad(column, padding, constant_values=fill), (-1, block, *column.shape[1:]))


def _contrastive_cross_entropy(anchors: Tensor, others: Tensor, bias: Tensor | None) -> Tensor:
    """Returns `log(sum_{r'} exp(z_rr')) - z_rr` of each row r, where `z_rr' = a_r . b_r' + bias_r'`.

    Args:
        anchors: Vectors a, `(..., rows, dim)` float32.
        others: Vectors b, `(..., rows, dim)` float32.
        bias: Bias of each row r', `(..., rows)`; None for no bias.

    Returns:
        `(..., rows)` float32 losses.
    """
    bias = None if bias is None else bias[..., None, :]
    if is_tensorflow():
        return tensorflow_contrast.contrastive_cross_entropy(anchors, others, bias)
    if 0 in anchors.shape[:-1]:  # JAX and PyTorch reject the maximum of a tensor without elements.
        return ops.sum(anchors, axis=-1)
    logits = ops.matmul(anchors, ops.swapaxes(others, -1, -2))
    if bias is not None:
        logits = logits + bias
    largest = ops.stop_gradient(ops.max(logits, axis=-1, keepdims=True))
    log_sum = ops.log(ops.sum(ops.exp(logits - largest), axis=-1))
    return log_sum + (largest[..., 0] - ops.diagonal(logits, axis1=-2, axis2=-1))


def bpr_contrast(
    anchors: TensorLike, others: TensorLike, similarity: Similarity = "dot", keep: TensorLike | None = None
) -> Tensor:
    """Computes a pairwise contrast with one negative per row: the next row of the batch.

    The loss of row r is `-log sigmoid(s(a_r, b_r) - s(a_r, b_r'))` with r' the next row that takes part; the first such
    row follows the last. Batches are shuffled, so the next row is a random row. The loss is 0 for a row without a
    negative.

    Deviation from the paper: equation 7 takes the logarithm of the difference itself, which need not be positive. The
    sigmoid is that of the BPR loss, to which the paper refers.

    Args:
        anchors: Representations a of the anchor task, `(batch, dim)`.
        others: Representations b of the other task, `(batch, dim)`.
        similarity: Similarity s: "dot", the dot product, as in the paper, or "cosine".
        keep: Mask of the rows that take part, `(batch,)`; all rows by default. An excluded row is not a negative of any
            row; its own loss is finite and should be ignored.

    Returns:
        `(batch,)` float32 losses, in nats.

    Example:
        >>> import numpy as np
        >>> from tfmtl.losses import bpr_contrast
        >>> anchors = [[1.0, 0.0], [0.0, 1.0]]
        >>> np.asarray(bpr_contrast(anchors, others=anchors)).round(4)
        array([0.3133, 0.3133], dtype=float32)

    References:
        - [Lin et al., 2023, Modeling Adaptive Fine-grained Task Relatedness for Joint CTR-CVR Estimation]
          (https://arxiv.org/abs/2208.13442), equation 7
    """
    anchors, others = _prepare_vectors(anchors, others, similarity)
    positives = ops.sum(anchors * others, axis=1)
    keep = ops.ones_like(positives) if keep is None else keep
    counts = ops.cumsum(ops.cast(ops.cast(keep, "bool"), "int32"))
    total = ops.max(counts, initial=0)
    # The next row that takes part is the first row at which the count of such rows is larger.
    next_counts = ops.where(counts < total, counts + 1, 1)
    negative_rows = ops.minimum(ops.searchsorted(counts, next_counts), ops.shape(counts)[0] - 1)
    negatives = ops.sum(anchors * ops.take(others, negative_rows, axis=0), axis=1)
    return ops.where(total > 1, ops.softplus(negatives - positives), 0.0)


def alignment(anchors: TensorLike, others: TensorLike, kind: Literal["mse", "mae"] = "mse") -> Tensor:
    """Computes the distance between the representations of two tasks, without negatives.

    The loss of row r is `mean_j (a_rj - b_rj)^2` for "mse" and `mean_j |a_rj - b_rj|` for "mae".

    Args:
        anchors: Representations a of the anchor task, `(batch, dim)`.
        others: Representations b of the other task, `(batch, dim)`.
        kind: Distance: "mse", the mean squared difference, or "mae", the mean absolute difference.

    Returns:
        `(batch,)` float32 losses.

    Example:
        >>> import numpy as np
        >>> from tfmtl.losses import alignment
        >>> np.asarray(alignment([[1.0, 0.0]], [[0.0, 2.0]], kind="mse"))
        array([2.5], dtype=float32)

    References:
        - [Lin et al., 2023, Modeling Adaptive Fine-grained Task Relatedness for Joint CTR-CVR Estimation]
          (https://arxiv.org/abs/2208.13442), equation 5
    """
    differences = ops.cast(anchors, "float32") - ops.cast(others, "float32")
    return ops.mean(ops.square(differences) if kind == "mse" else ops.abs(differences), axis=1)


def _prepare_vectors(anchors: TensorLike, others: TensorLike, similarity: Similarity) -> tuple[Tensor, Tensor]:
    """Returns both representations in float32, normalized for the cosine similarity."""
    anchors, others = ops.cast(anchors, "float32"), ops.cast(others, "float32")
    return (_normalize(anchors), _normalize(others)) if similarity == "cosine" else (anchors, others)


def _normalize(vectors: Tensor) -> Tensor:
    squares = ops.sum(ops.square(vectors), axis=1, keepdims=True)
    has_direction = squares > MIN_NORM**2
    # The inner `where` keeps the infinite derivative of the square root at 0 out of the gradient of the outer one.
    return ops.where(has_direction, vectors * ops.rsqrt(ops.where(has_direction, squares, 1.0)), 0.0)
