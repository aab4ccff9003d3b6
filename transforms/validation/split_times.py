"""Comparison of a column of times with the bounds of a split by time.

- If the bounds are times (`tfmtl.times.parse_time`), values of any type are converted to moments. The same moments
  therefore give the same split, however they are written.
- If the bounds are numbers, numbers and strings of numbers are compared as numbers. Other strings, dates and timestamps
  are converted to moments, and so are the bounds.
- If the bounds are other strings, such as `week-07`, values are compared as strings.
"""

import dataclasses

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfmtl.splits import TimeSplit
from tfmtl.times import parse_time
from transforms.batches import times
from transforms.batches.column_types import format_values
from transforms.batches.errors import ColumnTypeError
from transforms.batches.parsing import boolean_mask, parse_numbers


@dataclasses.dataclass(frozen=True)
class ComparedTimes:
    """Result of the comparison of a column with the bounds of a split.

    Attributes:
        from_eval: Mask of the rows at or after `eval_from`, bool, shape `(rows,)`.
        from_test: Mask of the rows at or after `test_from`, bool, shape `(rows,)`.
        invalid: Mask of the rows whose value cannot be compared, bool, shape `(rows,)`.
        expected: Description of a valid value.
    """

    from_eval: np.ndarray
    from_test: np.ndarray
    invalid: np.ndarray
    expected: str


def comparable_times(column: pa.Array, split: TimeSplit) -> ComparedTimes:
    """Compares times with the bounds of a split.

    Args:
        column: Dates, timestamps, numbers or strings.
        split: Split by time.

    Raises:
        ColumnTypeError: If the column holds dates or timestamps, but the bounds are no times.
    """
    bounds = (split.eval_from, split.test_from)
    moments = [parse_time(bound) for bound in bounds]
    is_temporal = pa.types.is_date(column.type) or pa.types.is_timestamp(column.type)
    if is_temporal and None in moments:
        expected = f"{split.column} holds dates or timestamps, so the bounds of the split should be dates or timestamps"
        wrong = bounds[moments.index(None)]
        raise ColumnTypeError(f"{expected}, such as 2026-11-18 12:00. Received: {wrong!r}")
    if isinstance(split.eval_from, str) and None in moments:
        texts = format_values(column)
        from_eval, from_test = (boolean_mask(pc.greater_equal(texts, str(bound))) for bound in bounds)
        return ComparedTimes(from_eval, from_test, boolean_mask(texts.is_null()), "given")
    if isinstance(split.eval_from, str) or is_temporal:
        values, invalid = times.parse_times(column)
        from_eval, from_test = (values >= moment for moment in moments)
        return ComparedTimes(from_eval, from_test, invalid, times.EXPECTED)
    return _compare_numbers(column, split, moments)


def _compare_numbers(column: pa.Array, split: TimeSplit, moments: list[int | None]) -> ComparedTimes:
    numbers, _ = parse_numbers(column)
    invalid = np.isnan(numbers)
    from_eval, from_test = (numbers >= float(bound) for bound in (split.eval_from, split.test_from))
    if None in moments or not invalid.any():
        return ComparedTimes(from_eval, from_test, invalid, "a number")
    values, is_not_time = times.parse_times(column)
    from_eval, from_test = (
        np.where(invalid, values >= moment, mask) for moment, mask in zip(moments, (from_eval, from_test), strict=True)
    )
    return ComparedTimes(from_eval, from_test, invalid & is_not_time, times.EXPECTED)
