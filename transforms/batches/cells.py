"""Columns as readers find them: text, or Arrow's other types; which ones can be used for what, and their text."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.batches.raw_batch import RawBatch

TOKENS = "text, whole numbers, booleans, dates or timestamps"
NUMBERS = "numbers, booleans or text"
_ENDING_ZEROS = r"\.?0+$"


class ColumnTypeError(ValueError):
    """The type of a file's column is none that its use in the data set allows."""


def fits(kind: pa.DataType, expected: str) -> bool:
    """Whether a column of a type, or of lists of it, can be what is expected: `TOKENS` or `NUMBERS`."""
    inner = kind.value_type if pa.types.is_list(kind) else kind
    return _is_token(inner) if expected == TOKENS else _is_number(inner)


def require_type(batch: RawBatch, column: str, expected: str) -> None:
    """Raises `ColumnTypeError` unless a column holds what is expected (`TOKENS` or `NUMBERS`), or lists of it."""
    kind = batch.columns.schema.field(column).type
    if not fits(kind, expected):
        where = f"{batch.source}, from row {batch.lines[0]} on" if len(batch.lines) else batch.source
        raise ColumnTypeError(f"{where}: {column} should be {expected}, or lists of them. Received: {kind}")


def with_single_values(batch: RawBatch, columns: Iterable[str]) -> tuple[RawBatch, dict[str, np.ndarray]]:
    """Puts the value in place of each list of one, and null in place of all other lists.

    Args:
        batch: of rows.
        columns: that have one value a row.

    Returns:
        The rows, and by column which of them have several values.
    """
    several = {}
    for name in dict.fromkeys(columns):
        cells = batch.column(name)
        if pa.types.is_list(cells.type):
            count = pc.fill_null(pc.list_value_length(cells), 0).to_numpy(zero_copy_only=False)
            several[name] = count > 1
            place = np.where(count == 1, np.cumsum(count) - 1, -1)
            values = without_empty(pc.list_flatten(cells)).take(pa.array(place, mask=place < 0))
            batch = batch.replace(name, values)
    return batch, several


def is_missing(cells: pa.Array) -> np.ndarray:
    """Which cells have no value: null ones, and NaN among numbers."""
    return cells.is_null(nan_is_null=True).to_numpy(zero_copy_only=False)


def without_empty(cells: pa.Array) -> pa.Array:
    """Empty texts become null; other types stay as they are."""
    if not pa.types.is_string(cells.type):
        return cells
    empty = pc.equal(cells, "")
    return pc.if_else(empty, None, cells) if pc.any(empty).as_py() else cells


def as_text(cells: pa.Array) -> pa.Array:
    """Cells as text: numbers in decimal, booleans as true and false, dates and timestamps by ISO 8601.

    A timestamp is `2026-11-18T10:00:00`, with the digits of a second's fraction that are not 0; one with a time zone is
    given in UTC, with a Z at its end.
    """
    kind = cells.type
    if pa.types.is_string(kind):
        return cells
    if pa.types.is_timestamp(kind):
        texts = pc.replace_substring(cells.cast(pa.timestamp(kind.unit)).cast(pa.string()), " ", "T")
        fraction = pc.match_substring(texts, ".")
        texts = pc.if_else(fraction, pc.replace_substring_regex(texts, _ENDING_ZEROS, ""), texts)
        return pc.binary_join_element_wise(texts, "Z", "") if kind.tz else texts
    return cells.cast(pa.string())


def _is_token(kind: pa.DataType) -> bool:
    types = pa.types
    return any(is_one(kind) for is_one in (types.is_string, types.is_integer, types.is_boolean, _is_moment))


def _is_number(kind: pa.DataType) -> bool:
    types = pa.types
    some = (types.is_string, types.is_integer, types.is_boolean, types.is_decimal, types.is_float32, types.is_float64)
    return any(is_one(kind) for is_one in some)


def _is_moment(kind: pa.DataType) -> bool:
    return pa.types.is_date(kind) or pa.types.is_timestamp(kind)
