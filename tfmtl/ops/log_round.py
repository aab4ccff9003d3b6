"""Log-round discretization of numbers."""

from keras import ops

from tfmtl.types import Tensor, TensorLike


def log_round(
    numbers: TensorLike, scale: float, min_bucket: int, max_bucket: int, default: float | None = None
) -> Tensor:
    """Discretizes numbers: `clip(sign(x) * round(log1p(|x|) * scale), min_bucket, max_bucket) - min_bucket + 1`.

    Halves are rounded to the even number; infinities fall into the outer buckets. The ids are those of a
    `tfmtl.features.NumericalFeature`.

    Args:
        numbers: x, of any shape.
        scale: Buckets per factor of e.
        min_bucket: Lowest bucket; lower values fall into it.
        max_bucket: Highest bucket; higher values fall into it.
        default: Number that replaces NaN. None gives NaN the id 0.

    Returns:
        int32 ids in `[0, max_bucket - min_bucket + 1]`, of the shape of `numbers`.

    Example:
        >>> import numpy as np
        >>> from tfmtl.ops import log_round
        >>> ids = log_round([0.0, 10.0, 1e9, float("nan")], scale=4.0, min_bucket=0, max_bucket=64)
        >>> np.array(ids).tolist()
        [1, 11, 65, 0]

    References:
        - APEM, section 3.1
    """
    numbers = ops.cast(numbers, "float32")
    missing = ops.isnan(numbers)
    numbers = ops.where(missing, 0.0 if default is None else default, numbers)
    rounded = ops.sign(numbers) * ops.round(ops.log1p(ops.abs(numbers)) * scale)
    ids = ops.cast(ops.clip(rounded, min_bucket, max_bucket), "int32") - min_bucket + 1
    return ids if default is not None else ops.where(missing, ops.zeros_like(ids), ids)
