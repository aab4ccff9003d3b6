"""Serialized tf.Examples of lists of tokens, made of whole columns at a time."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.examples.wire import BYTES_LIST, FLOAT_LIST, INT64_LIST, field_key, head, packed_head, varint

_FEW = 1 << 22


def encode_tokens(
    names: Sequence[str],
    rows: int,
    row: np.ndarray,
    field: np.ndarray,
    tokens: pa.Array,
    weights: np.ndarray | None = None,
    weight_names: Mapping[str, str] | None = None,
) -> list[bytes]:
    """A serialized tf.Example for each row, with the features that it has; empty for a row without any.

    Two of them, one after the other, are the tf.Example of both: so protobuf merges messages, and so the parsers of
    tf.Examples read them. What many rows share can then be encoded once.

    Args:
        names: of the features.
        rows: how many.
        row: of each token, int64 `(tokens,)`.
        field: of each token, as its place in `names`, int64 `(tokens,)`.
        tokens: binary `(tokens,)`; those of one row and field are a list, in their order.
        weights: of each token, float32 `(tokens,)`.
        weight_names: what the lists of weights are called, by the names that have any.
    """
    if not len(row):
        return [b""] * rows
    key = row * len(names) + field
    if (np.diff(key) < 0).any():
        order = np.argsort(key, kind="stable")
        key, tokens = key[order], tokens.take(pa.array(order))
        weights = None if weights is None else weights[order]
    starts = np.flatnonzero(np.append(True, np.diff(key) != 0))  # Of the lists.
    counts = np.diff(np.append(starts, len(key)))
    list_row, list_field = np.divmod(key[starts], len(names))
    heads = np.append(True, np.diff(list_row) != 0)  # The lists that are the first ones of their row.

    pieces = _Pieces()
    lengths = pc.binary_length(tokens).to_numpy(zero_copy_only=False).astype(np.int64)
    prefixes = pieces.add_table(lengths, lambda length: field_key(1) + varint(length))
    bodies = np.add.reduceat(pieces.sizes(prefixes) + lengths, starts)
    weighted = np.isin(list_field, [i for i, name in enumerate(names) if name in (weight_names or {})])
    # A row is its head and its lists; a list is its head, a prefix and a token for each, and a head and all weights.
    size = heads + 1 + 2 * counts + 2 * weighted
    place = np.cumsum(size) - size
    sequence = np.zeros(size.sum(), np.int64)
    sequence[place + heads] = pieces.add_table(
        bodies * len(names) + list_field, lambda k: head(names[k % len(names)], BYTES_LIST, k // len(names))
    )
    inner = np.repeat(place + heads + 1 - 2 * starts, counts) + 2 * np.arange(len(key))
    sequence[inner] = prefixes
    sequence[inner + 1] = pieces.add(tokens)
    if weight_names and weights is not None and weighted.any():
        after = (place + heads + 1 + 2 * counts)[weighted]
        own = dict(weight_names)
        sequence[after] = pieces.add_table(
            (counts * len(names) + list_field)[weighted],
            lambda k: packed_head(own[names[k % len(names)]], FLOAT_LIST, 4 * (k // len(names))),
        )
        sequence[after + 1] = pieces.add(_cut(weights, np.append(starts, len(key))))[weighted]
    return pieces.join(sequence, place[heads], list_row[heads], rows)


def encode_numbers(numbers: Mapping[str, int]) -> bytes:
    """A serialized tf.Example of whole numbers from 0 on, one of each name."""
    values = {name: varint(number) for name, number in numbers.items()}
    entries = [packed_head(name, INT64_LIST, len(value)) + value for name, value in values.items()]
    body = b"".join(entries)
    return field_key(1) + varint(len(body)) + body


class _Pieces:
    """Pieces of bytes, each known by its number; number 0 is left for the heads of rows."""

    def __init__(self) -> None:
        self._arrays = [pa.array([b""], pa.binary())]
        self._sizes = [np.zeros(1, np.int64)]
        self._count = 1

    def add(self, array: pa.Array) -> np.ndarray:
        """Adds all of an array; returns their numbers."""
        self._arrays.append(array)
        self._sizes.append(pc.binary_length(array).to_numpy(zero_copy_only=False).astype(np.int64))
        self._count += len(array)
        return np.arange(self._count - len(array), self._count)

    def add_table(self, keys: np.ndarray, make: Callable[[int], bytes]) -> np.ndarray:
        """Adds what `make` makes of each different key; returns the number of each key's."""
        if keys.max() < _FEW:
            unique = np.flatnonzero(np.bincount(keys))
            index = np.zeros(unique[-1] + 1, np.int64)
            index[unique] = np.arange(len(unique))
            which = index[keys]
        else:
            unique, which = np.unique(keys, return_inverse=True)
        return self.add(pa.array([make(key) for key in unique.tolist()], pa.binary()))[which]

    def sizes(self, numbers: np.ndarray) -> np.ndarray:
        """Bytes of the pieces of these numbers."""
        return np.concatenate(self._sizes)[numbers]

    def join(self, sequence: np.ndarray, starts: np.ndarray, row: np.ndarray, rows: int) -> list[bytes]:
        """Joins a sequence of pieces into messages, which begin at `starts`, and gives each to its row."""
        lengths = np.add.reduceat(self.sizes(sequence), starts)
        sequence[starts] = self.add_table(lengths, lambda length: field_key(1) + varint(length))
        joined = pa.concat_arrays(self._arrays).take(pa.array(sequence))
        _, offsets, data = joined.buffers()
        ends = np.frombuffer(offsets, np.int32)[np.append(starts, len(sequence))]
        first = np.searchsorted(row, np.arange(rows + 1))
        return pa.Array.from_buffers(pa.binary(), rows, [None, pa.py_buffer(ends[first]), data]).to_pylist()


def _cut(values: np.ndarray, ends: np.ndarray) -> pa.Array:
    """The bytes of float32 values, cut where lists end."""
    data = pa.py_buffer(np.ascontiguousarray(values, "<f4"))
    return pa.Array.from_buffers(pa.binary(), len(ends) - 1, [None, pa.py_buffer((4 * ends).astype(np.int32)), data])
