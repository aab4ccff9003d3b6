"""Times of simulated rows: a split by time divides the log into ten parts that are as long as the eval split.

The first eight parts are `train`, then one `eval` and one `test`.
"""

import numpy as np
import pyarrow as pa

from tfmtl.spec import TimeSplit

DECIMALS = 9
"""Number of decimals of times that are not whole."""
_TRAIN_SPANS = 8
"""Length of the training split, in lengths of the eval split."""


def times_at(split: TimeSplit, position: np.ndarray) -> np.ndarray:
    """Computes the times of rows.

    Args:
        split: Split by time.
        position: Relative position of each row in time, from 0 to below 1, `(rows,)`.

    Returns:
        Times as written; days since 1970 if the split's bounds are dates. Float64 `(rows,)` if a bound is not whole,
        int64 otherwise.
    """
    eval_from, test_from = _bounds(split)
    span = test_from - eval_from
    times = eval_from - _TRAIN_SPANS * span + (_TRAIN_SPANS + 2) * span * position
    if isinstance(split.eval_from, float) or isinstance(split.test_from, float):
        rounded: np.ndarray = np.round(times, DECIMALS)
        return rounded
    whole: np.ndarray = np.floor(times).astype(np.int64)
    return whole


def in_test(split: TimeSplit, position: np.ndarray) -> np.ndarray:
    """Returns a mask of the rows in the test split, `(rows,)`.

    Args:
        split: Split by time.
        position: Relative position of each row in time, from 0 to below 1, `(rows,)`.
    """
    mask: np.ndarray = times_at(split, position) >= _bounds(split)[1]
    return mask


def time_column(split: TimeSplit, position: np.ndarray) -> pa.Array:
    """Formats the times of rows as a column of the log.

    Args:
        split: Split by time.
        position: Relative position of each row in time, from 0 to below 1, `(rows,)`.
    """
    times = times_at(split, position)
    if isinstance(split.eval_from, str):
        return pa.array(times.astype("datetime64[D]")).cast(pa.string())
    return pa.array(times)


def _bounds(split: TimeSplit) -> list[float]:
    return [
        np.datetime64(bound, "D").astype(int) if isinstance(bound, str) else bound
        for bound in (split.eval_from, split.test_from)
    ]
