"""Replacement of the values that mean a missing value, such as NULL or ?."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.batches.raw_batch import RawBatch


def nulls_replaced(batch: RawBatch, null: Sequence[str]) -> RawBatch:
    """Replaces strings that mean a missing value by null.

    A list counts as missing if it holds such a string and nothing else, so that a value is read alike from a text file
    and from a format with lists.

    Args:
        batch: Rows of a file.
        null: Strings that mean a missing value.
    """
    if not null:
        return batch
    tokens = pa.array(list(null), pa.string())
    for name in batch.columns.column_names:
        column = batch.column(name)
        if pa.types.is_string(column.type):
            batch = batch.replace(name, pc.if_else(pc.is_in(column, value_set=tokens), None, column))
        elif pa.types.is_list(column.type) and pa.types.is_string(column.type.value_type):
            batch = batch.replace(name, _lists_replaced(column, tokens))
    return batch


def _lists_replaced(column: pa.Array, tokens: pa.Array) -> pa.Array:
    length = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    is_null = pc.is_in(pc.list_flatten(column), value_set=tokens).to_numpy(zero_copy_only=False)
    null_count = np.bincount(np.repeat(np.arange(len(column)), length)[is_null], minlength=len(column))
    missing = (length == 1) & (null_count == 1)
    if not missing.any():
        return column
    return column.take(pa.array(np.arange(len(column)), mask=missing))
