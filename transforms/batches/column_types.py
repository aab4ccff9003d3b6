"""Arrow types of raw columns: the types that each use supports, single values, missing values and formatting."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.batches.errors import ColumnTypeError
from transforms.batches.raw_batch import RawBatch

TOKENS = "strings, integers, booleans, dates or timestamps"
"""Types of a column of tokens."""
NUMBERS = "numbers, booleans or strings"
"""Types of a column of numbers."""
LABELS = "strings, numbers, booleans or dates"
"""Types of a column of labels whose positive values are given."""
TIMES = "dates, timestamps, numbers or strings"
"""Types of a column of times."""
_TRAILING_ZEROS = r"\.?0+$"


def is_supported(column_type: pa.DataType, expected: str) -> bool:
    """Returns whether a column of a type, or of lists of it, can be used as expected.

    Args:
        column_type: Type of the column.
        expected: `TOKENS`, `NUMBERS`, `LABELS` or `TIMES`.
    """
    inner = column_type.value_type if pa.types.is_list(column_type) else column_type
    return (expected != NUMBERS and _is_token(inner)) or (expected != TOKENS and _is_number(inner))


def require_type(batch: RawBatch, column: str, expected: str) -> None:
    """Checks the type of a column.

    Args:
        batch: Rows of a file.
        column: Name of the column.
        expected: `TOKENS`, `NUMBERS`, `LABELS` or `TIMES`.

    Raises:
        ColumnTypeError: If the column holds neither values of the expected types nor lists of them.
    """
    received = batch.columns.schema.field(column).type
    if not is_supported(received, expected):
        where = f"{batch.source}, from row {batch.lines[0]} on" if len(batch.lines) else batch.source
        raise ColumnTypeError(f"{where}: {column} should be {expected}, or lists of them. Received: {received}")


def unwrap_single_values(batch: RawBatch, columns: Iterable[str]) -> tuple[RawBatch, dict[str, np.ndarray]]:
    """Replaces each list of one value by the value, and every other list by null.

    Args:
        batch: Rows of a file.
        columns: Names of the columns that have one value per row.

    Returns:
        The batch, and by column the mask of the rows with several values, bool, shape `(rows,)`; columns that are not
        lists have no mask.
    """
    multiple = {}
    for name in dict.fromkeys(columns):
        column = batch.column(name)
        if pa.types.is_list(column.type):
            count = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
            multiple[name] = count > 1
            index = np.where(count == 1, np.cumsum(count) - 1, -1)
            values = empty_strings_to_null(pc.list_flatten(column)).take(pa.array(index, mask=index < 0))
            batch = batch.replace(name, values)
    return batch, multiple


def is_missing(column: pa.Array) -> np.ndarray:
    """Returns the mask of the missing values, null or NaN; bool, shape `(rows,)`."""
    missing: np.ndarray = column.is_null(nan_is_null=True).to_numpy(zero_copy_only=False)
    return missing


def empty_strings_to_null(column: pa.Array) -> pa.Array:
    """Replaces empty strings by null; columns of other types are returned unchanged."""
    if not pa.types.is_string(column.type):
        return column
    empty = pc.equal(column, "")
    return pc.if_else(empty, None, column) if pc.any(empty).as_py() else column


def format_values(column: pa.Array) -> pa.Array:
    """Formats values as strings: numbers in decimal, booleans as true and false, dates and timestamps by ISO 8601.

    A timestamp is formatted as `2026-11-18T10:00:00`, followed by the fraction of the second without trailing zeros. A
    timestamp with a time zone is converted to UTC and ends in Z.

    Args:
        column: Values of a type of `TOKENS` or `NUMBERS`.

    Returns:
        An array of strings, null where `column` is null.
    """
    column_type = column.type
    if pa.types.is_string(column_type):
        return column
    if pa.types.is_timestamp(column_type):
        times = pc.replace_substring(column.cast(pa.timestamp(column_type.unit)).cast(pa.string()), " ", "T")
        has_fraction = pc.match_substring(times, ".")
        times = pc.if_else(has_fraction, pc.replace_substring_regex(times, _TRAILING_ZEROS, ""), times)
        return pc.binary_join_element_wise(times, "Z", "") if column_type.tz else times
    return column.cast(pa.string())


def _is_token(column_type: pa.DataType) -> bool:
    types = pa.types
    predicates = (types.is_string, types.is_integer, types.is_boolean, types.is_date, types.is_timestamp)
    return any(predicate(column_type) for predicate in predicates)


def _is_number(column_type: pa.DataType) -> bool:
    types = pa.types
    floats = (types.is_float32, types.is_float64)
    predicates = (types.is_string, types.is_integer, types.is_boolean, types.is_decimal, *floats)
    return any(predicate(column_type) for predicate in predicates)
