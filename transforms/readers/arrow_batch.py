"""Columns of Arrow's many types as those few of a `RawBatch`."""

import dataclasses
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.batches.column_types import empty_strings_to_null
from transforms.batches.parsing import build_lists
from transforms.batches.raw_batch import RawBatch, Reject
from transforms.batches.reasons import INVALID_ENCODING
from transforms.batches.rejects import format_csv_rows


def arrow_batch(
    columns: pa.Table,
    lines: np.ndarray,
    source: str,
    rejects: Iterable[Reject] = (),
    mismatched_columns: frozenset[str] = frozenset(),
) -> RawBatch:
    """Rows of a file whose columns have types.

    Bytes are text, dictionaries are what they stand for, and lists of any kind are `list`s. An empty text is a missing
    value, except in a list. A type that is of no use stays what it is: whether it is needed the check knows.

    Args:
        columns: of the rows.
        lines: 1-based numbers of the rows, int64, shape `(rows,)`.
        source: the file.
        rejects: rows that were rejected before.
        mismatched_columns: columns that are of another type here than in other rows of the file.

    Returns:
        The rows; those with text that is not UTF-8 are among the rejects (`invalid_encoding`).
    """
    found = RawBatch(columns, lines, source)
    arrays, bad = {}, np.zeros(len(lines), bool)
    for name in columns.column_names:
        plain, wrong = _plain(found.column(name))
        arrays[name] = empty_strings_to_null(plain)
        bad |= wrong
    batch = RawBatch(pa.table(arrays), lines, source, tuple(rejects), mismatched_columns)
    if not bad.any():
        return batch
    rows = np.flatnonzero(bad)
    more = [
        Reject(source, int(lines[row]), INVALID_ENCODING, "should be UTF-8", text)
        for row, text in zip(rows, format_csv_rows(batch.columns, rows), strict=True)
    ]
    kept = batch.take(np.flatnonzero(~bad))
    return dataclasses.replace(kept, rejects=(*rejects, *more))


def _plain(array: pa.Array) -> tuple[pa.Array, np.ndarray]:
    """The array as one of few types, and which of its elements have text that is not UTF-8 (and is escaped)."""
    types, kind = pa.types, array.type
    if types.is_dictionary(kind):
        return _plain(array.dictionary_decode())
    if types.is_null(kind):
        return array.cast(pa.string()), np.zeros(len(array), bool)
    if _is_text(kind):
        return _decoded(array)
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        count = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False)
        row = np.repeat(np.arange(len(array)), count)
        values, wrong = _plain(pc.list_flatten(array))
        return build_lists(values, row, len(array)), np.bincount(row[wrong], minlength=len(array)) > 0
    return array, np.zeros(len(array), bool)


def _is_text(kind: pa.DataType) -> bool:
    if str(kind) in ("string_view", "binary_view"):  # Which older versions of Arrow have not.
        return True
    types = pa.types
    return types.is_string(kind) or types.is_binary(kind) or types.is_large_string(kind) or types.is_large_binary(kind)


def _decoded(array: pa.Array) -> tuple[pa.Array, np.ndarray]:
    array = array.cast(pa.binary())
    try:
        return array.cast(pa.string()), np.zeros(len(array), bool)
    except pa.ArrowInvalid:
        texts = [None if cell is None else cell.decode("utf-8", "backslashreplace") for cell in array.to_pylist()]
        decoded = pa.array(texts, pa.string())
        return decoded, pc.fill_null(pc.not_equal(decoded.cast(pa.binary()), array), False).to_numpy(False)
