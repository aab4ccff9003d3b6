"""Encoder of serialized tf.Examples from typed columns.

The bytes of a row are joined from pieces, one for each column: the bytes that precede its values, and the values. A
column whose tokens repeat has few different pieces, which are encoded once; all rows are joined at once by Arrow.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.examples.wire import BYTES_LIST, FLOAT_LIST, INT64_LIST, field_key, head, packed_head, varint

_FEW = 0.5
"""Share of different tokens among all up to which each different one is joined with its head once."""


def encode(columns: pa.RecordBatch) -> pa.Array:
    """Encodes each row as a serialized tf.Example with the features that have values.

    Args:
        columns: Lists of binary, float or int64; a null or empty list adds no feature to its row.

    Returns:
        One serialized tf.Example for each row, binary.

    Raises:
        TypeError: If a column has another type.
    """
    pieces = []
    for name, lists in zip(columns.schema.names, columns.columns, strict=True):
        pieces += _encode_feature(name, lists)
    if not pieces:
        return pa.array([field_key(1) + varint(0)] * columns.num_rows, pa.binary())
    lengths = sum(pc.fill_null(pc.binary_length(piece), 0).to_numpy(zero_copy_only=False) for piece in pieces)
    heads = _map_values(pa.array(lengths), lambda length: field_key(1) + varint(length))
    return _join([heads, *pieces])


def encode_empty_features(types: Mapping[str, pa.ListType]) -> bytes:
    """Encodes a serialized tf.Example of features that have a kind but no values.

    Appended to another serialized tf.Example it adds its features, because protocol buffers merge concatenated
    messages.

    Args:
        types: Type of each feature by name: list of binary, float or int64.
    """
    kinds = {pa.binary(): BYTES_LIST, pa.float32(): FLOAT_LIST, pa.int64(): INT64_LIST}
    features = b"".join(head(name, kinds[lists.value_type], 0) for name, lists in types.items())
    return field_key(1) + varint(len(features)) + features


def _encode_feature(name: str, lists: pa.Array) -> list[pa.Array]:
    """Returns the pieces of a feature in their order, each binary of shape `(rows,)`, null in rows without it."""
    if not pa.types.is_list(lists.type):
        raise TypeError(f"{name}: should be lists of binary, float or int64. Received: {lists.type}")
    counts = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    values = lists.flatten()
    if not len(values):
        return []
    value_type = values.type
    if pa.types.is_binary(value_type) or pa.types.is_string(value_type):
        tokens = values.cast(pa.binary())
        if counts.max() == 1:  # Most columns have no lists that need to be joined.
            return _encode_single_tokens(name, tokens, counts)
        pieces = _join([_map_lengths(tokens, lambda length: field_key(1) + varint(length)), tokens])
        body = pc.binary_join(_build_lists(pieces, counts), pa.scalar(b"", pa.binary()))
        return [_map_lengths(body, lambda size: head(name, BYTES_LIST, size)), body]
    if value_type == pa.float32():
        body = _pack_floats(values, counts)
        return [_map_lengths(body, lambda size: packed_head(name, FLOAT_LIST, size)), body]
    if value_type == pa.int64():
        body = _encode_integers(values)
        body = (
            _spread(body, counts)
            if counts.max() == 1
            else pc.binary_join(_build_lists(body, counts), pa.scalar(b"", pa.binary()))
        )
        return [_map_lengths(body, lambda size: packed_head(name, INT64_LIST, size)), body]
    raise TypeError(f"{name}: should be lists of binary, float or int64. Received: {lists.type}")


def _encode_single_tokens(name: str, tokens: pa.Array, counts: np.ndarray) -> list[pa.Array]:
    """Encodes a feature that has at most one token per row."""
    encoded = _spread(tokens, counts).dictionary_encode()
    different = encoded.dictionary
    heads = _map_lengths(different, lambda length: _token_head(name, length))
    if len(different) <= _FEW * len(counts):
        return [_join([heads, different]).take(encoded.indices)]
    return [heads.take(encoded.indices), different.take(encoded.indices)]


def _join(pieces: Sequence[pa.Array]) -> pa.Array:
    return pc.binary_join_element_wise(
        *pieces, pa.scalar(b"", pa.binary()), null_handling="replace", null_replacement=b""
    )


def _map_lengths(values: pa.Array, function: Callable[[int], bytes]) -> pa.Array:
    """Applies a function to the length of each value, once for each different length; null for null."""
    return _map_values(pc.binary_length(values), function)


def _map_values(numbers: pa.Array, function: Callable[[int], bytes]) -> pa.Array:
    """Applies a function once to each different number; null for null."""
    different = pc.unique(numbers).drop_null()
    results = pa.array([function(number) for number in different.to_pylist()], pa.binary())
    return results.take(pc.index_in(numbers, value_set=different))


def _spread(values: pa.Array, counts: np.ndarray) -> pa.Array:
    """Puts the values of the rows that have one into shape `(rows,)`, null for the other rows."""
    if len(values) == len(counts):
        return values
    return values.take(pa.array(np.cumsum(counts) - 1, mask=counts == 0))


def _build_lists(values: pa.Array, counts: np.ndarray) -> pa.ListArray:
    ends = np.append(0, np.cumsum(counts)).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(ends, mask=np.append(counts == 0, False)), values)


def _pack_floats(values: pa.Array, counts: np.ndarray) -> pa.Array:
    """Returns the bytes of each row's values; null in rows without values."""
    data = np.ascontiguousarray(values.to_numpy(zero_copy_only=False), "<f4")
    ends = np.append(0, np.cumsum(4 * counts)).astype(np.int32)
    validity = pa.array(counts > 0).buffers()[1]
    return pa.Array.from_buffers(pa.binary(), len(counts), [validity, pa.py_buffer(ends), pa.py_buffer(data)])


def _encode_integers(values: pa.Array) -> pa.Array:
    """Encodes each value as a varint; negative values in 64 bits of two's complement, as protocol buffers define."""
    encoded = values.dictionary_encode()
    varints = pa.array([varint(value % 2**64) for value in encoded.dictionary.to_pylist()], pa.binary())
    return varints.take(encoded.indices)


def _token_head(name: str, length: int) -> bytes:
    """Encodes the bytes that precede the only token of a feature."""
    token_head = field_key(1) + varint(length)
    return head(name, BYTES_LIST, len(token_head) + length) + token_head
