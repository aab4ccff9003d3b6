"""Serialized tf.Examples of typed columns, made of whole columns at a time."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.examples.wire import BYTES_LIST, FLOAT_LIST, INT64_LIST, field_key, head, packed_head, varint

_NOTHING = pa.scalar(b"", pa.binary())


def encode(columns: pa.RecordBatch) -> list[bytes]:
    """A serialized tf.Example for each row, with the features of the columns that have values there.

    A row's bytes are pieces, joined: for each column what stands before its values, and the values. The pieces before
    are few, since they depend on a length alone; so a row costs no step of Python.

    Args:
        columns: lists of binary, float or int64; a list that is null or empty is no feature of its row.

    Raises:
        TypeError: if a column is of another type.
    """
    by_name = zip(columns.schema.names, columns.columns, strict=True)
    pieces = []
    for name, lists in by_name:
        pieces += _pieces(name, lists)
    features = _join(pieces) if pieces else pa.array([b""] * columns.num_rows, pa.binary())
    return _join([_by_length(features, lambda length: field_key(1) + varint(length)), features]).to_pylist()


def encode_empty_features(types: Mapping[str, pa.ListType]) -> bytes:
    """A serialized tf.Example of features without values, which says what there would be.

    Appended to another one it adds its features, as protobuf merges messages that stand one after another.

    Args:
        types: of the features by name: lists of binary, float or int64.
    """
    kinds = {pa.binary(): BYTES_LIST, pa.float32(): FLOAT_LIST, pa.int64(): INT64_LIST}
    features = b"".join(head(name, kinds[lists.value_type], 0) for name, lists in types.items())
    return field_key(1) + varint(len(features)) + features


def _pieces(name: str, lists: pa.Array) -> list[pa.Array]:
    """The pieces of a feature: binary, null in rows without it."""
    if not pa.types.is_list(lists.type):
        raise TypeError(f"{name}: should be lists of binary, float or int64. Received: {lists.type}")
    counts = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    values = lists.flatten()
    if not len(values):
        return []
    kind = values.type
    if pa.types.is_binary(kind) or pa.types.is_string(kind):
        tokens = values.cast(pa.binary())
        if counts.max() == 1:  # Most columns: no lists to join.
            tokens = _spread(tokens, counts)
            return [_by_length(tokens, lambda length: _with_token(name, length)), tokens]
        pieces = _join([_by_length(tokens, lambda length: field_key(1) + varint(length)), tokens])
        body = pc.binary_join(_lists(pieces, counts), _NOTHING)
        return [_by_length(body, lambda length: head(name, BYTES_LIST, length)), body]
    if kind == pa.float32():
        body = _floats(values, counts)
        return [_by_length(body, lambda size: packed_head(name, FLOAT_LIST, size)), body]
    if kind == pa.int64():
        body = _integers(values)
        body = _spread(body, counts) if counts.max() == 1 else pc.binary_join(_lists(body, counts), _NOTHING)
        return [_by_length(body, lambda size: packed_head(name, INT64_LIST, size)), body]
    raise TypeError(f"{name}: should be lists of binary, float or int64. Received: {lists.type}")


def _join(pieces: Sequence[pa.Array]) -> pa.Array:
    return pc.binary_join_element_wise(*pieces, _NOTHING, null_handling="replace", null_replacement=b"")


def _by_length(values: pa.Array, make: Callable[[int], bytes]) -> pa.Array:
    """For each value what `make` makes of its length; null for null."""
    lengths = pc.binary_length(values)
    different = pc.unique(lengths).drop_null()
    table = pa.array([make(length) for length in different.to_pylist()], pa.binary())
    return table.take(pc.index_in(lengths, value_set=different))


def _spread(values: pa.Array, counts: np.ndarray) -> pa.Array:
    """A value for each row that has one, null for the others."""
    if len(values) == len(counts):
        return values
    return values.take(pa.array(np.cumsum(counts) - 1, mask=counts == 0))


def _lists(values: pa.Array, counts: np.ndarray) -> pa.ListArray:
    ends = np.append(0, np.cumsum(counts)).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(ends, mask=np.append(counts == 0, False)), values)


def _floats(values: pa.Array, counts: np.ndarray) -> pa.Array:
    """The bytes of each row's values; null in rows without any."""
    data = np.ascontiguousarray(values.to_numpy(zero_copy_only=False), "<f4")
    ends = np.append(0, np.cumsum(4 * counts)).astype(np.int32)
    there = pa.array(counts > 0).buffers()[1]
    return pa.Array.from_buffers(pa.binary(), len(counts), [there, pa.py_buffer(ends), pa.py_buffer(data)])


def _integers(values: pa.Array) -> pa.Array:
    """Each value as a varint, a negative one as protobuf has it: of 64 bits."""
    found = values.dictionary_encode()
    table = pa.array([varint(value % 2**64) for value in found.dictionary.to_pylist()], pa.binary())
    return table.take(found.indices)


def _with_token(name: str, length: int) -> bytes:
    """All that stands before the one token of a feature."""
    token = field_key(1) + varint(length)
    return head(name, BYTES_LIST, len(token) + length) + token
