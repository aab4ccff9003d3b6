"""Conversion of Arrow columns of any type to the types of a `RawBatch`."""

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
    """Converts typed columns of a file to a batch.

    Bytes become strings, dictionaries become their values, and lists of any kind become `list`s. An empty string is a
    missing value, except in a list. Other types are kept; the validation rejects those that it cannot use.

    Args:
        columns: Columns of the rows.
        lines: 1-based numbers of the rows, int64, shape `(rows,)`.
        source: Path of the file.
        rejects: Rows that are rejected already.
        mismatched_columns: Names of the columns whose type differs from that of most rows of the file.

    Returns:
        The rows. Those with a string that is not UTF-8 are among the rejects (`invalid_encoding`).
    """
    received = RawBatch(columns, lines, source)
    arrays, undecodable = {}, np.zeros(len(lines), bool)
    for name in columns.column_names:
        converted, mask = _convert(received.column(name))
        arrays[name] = empty_strings_to_null(converted)
        undecodable |= mask
    batch = RawBatch(pa.table(arrays), lines, source, tuple(rejects), mismatched_columns)
    if not undecodable.any():
        return batch
    rows = np.flatnonzero(undecodable)
    encoding_rejects = [
        Reject(source, int(lines[row]), INVALID_ENCODING, "should be UTF-8", text)
        for row, text in zip(rows, format_csv_rows(batch.columns, rows), strict=True)
    ]
    accepted = batch.take(np.flatnonzero(~undecodable))
    return dataclasses.replace(accepted, rejects=(*rejects, *encoding_rejects))


def _convert(array: pa.Array) -> tuple[pa.Array, np.ndarray]:
    """Returns the converted array, and the mask of its elements with strings that are not UTF-8, which are escaped."""
    types, array_type = pa.types, array.type
    if types.is_dictionary(array_type):
        return _convert(array.dictionary_decode())
    if types.is_null(array_type):
        return array.cast(pa.string()), np.zeros(len(array), bool)
    if _is_string_or_binary(array_type):
        return _decode(array)
    if types.is_list(array_type) or types.is_large_list(array_type) or types.is_fixed_size_list(array_type):
        count = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False)
        row = np.repeat(np.arange(len(array)), count)
        values, undecodable = _convert(pc.list_flatten(array))
        return build_lists(values, row, len(array)), np.bincount(row[undecodable], minlength=len(array)) > 0
    return array, np.zeros(len(array), bool)


def _is_string_or_binary(array_type: pa.DataType) -> bool:
    if str(array_type) in ("string_view", "binary_view"):  # Older versions of Arrow have no predicate for these.
        return True
    types = pa.types
    predicates = (types.is_string, types.is_binary, types.is_large_string, types.is_large_binary)
    return any(predicate(array_type) for predicate in predicates)


def _decode(array: pa.Array) -> tuple[pa.Array, np.ndarray]:
    array = array.cast(pa.binary())
    try:
        return array.cast(pa.string()), np.zeros(len(array), bool)
    except pa.ArrowInvalid:
        values = array.to_pylist()
        decoded = pa.array(
            [None if value is None else value.decode("utf-8", "backslashreplace") for value in values], pa.string()
        )
        return decoded, pc.fill_null(pc.not_equal(decoded.cast(pa.binary()), array), False).to_numpy(False)
