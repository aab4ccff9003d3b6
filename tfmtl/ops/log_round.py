"""Log-round discretization of numbers."""

from typing import Any

from keras import ops


def log_round(numbers: Any, scale: float, min_bucket: int, max_bucket: int, default: float | None = None) -> Any:
    """`clip(sign(x) * round(log1p(|x|) * scale), min_bucket, max_bucket) - min_bucket + 1`; 0 where x is NaN.

    Halves round to the even number; infinities fall in the outer buckets. The ids are those of a
    `tfmtl.features.NumericalFeature`.

    Args:
        numbers: x, of any shape.
        scale: buckets per factor of e.
        min_bucket, max_bucket: bounds.
        default: stands for NaN; by default NaN has an id of its own.

    Returns:
        int32 in `[0, max_bucket - min_bucket + 1]`, of the shape of `numbers`.
    """
    numbers = ops.cast(numbers, "float32")
    missing = ops.isnan(numbers)
    numbers = ops.where(missing, 0.0 if default is None else default, numbers)
    rounded = ops.sign(numbers) * ops.round(ops.log1p(ops.abs(numbers)) * scale)
    ids = ops.cast(ops.clip(rounded, min_bucket, max_bucket), "int32") - min_bucket + 1
    return ids if default is not None else ops.where(missing, ops.zeros_like(ids), ids)
