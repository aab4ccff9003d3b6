"""Encoder of serialized tf.Examples from tokens with their rows and features."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.examples.wire import BYTES_LIST, FLOAT_LIST, INT64_LIST, field_key, head, packed_head, varint

_TABLE_SIZE = 1 << 22
"""Keys below this number are looked up in a table; larger ones are sorted, which takes less memory."""


def encode_tokens(
    names: Sequence[str],
    rows: int,
    row: np.ndarray,
    field: np.ndarray,
    tokens: pa.Array,
    weights: np.ndarray | None = None,
    weight_names: Mapping[str, str] | None = None,
) -> list[bytes]:
    """Encodes each row as a serialized tf.Example with the features that have tokens.

    Two serialized tf.Examples, concatenated, are the tf.Example of both, because protocol buffers merge messages and
    the parsers of tf.Examples follow them. Features that many rows share can therefore be encoded once.

    Args:
        names: Names of the features.
        rows: Number of rows.
        row: Row index of each token, int64, shape `(tokens,)`.
        field: Index of each token's feature in `names`, int64, shape `(tokens,)`.
        tokens: Tokens, binary, shape `(tokens,)`. Those of one row and feature form a list, in their order.
        weights: Weight of each token, float32, shape `(tokens,)`.
        weight_names: Name of the list of weights, by name of each feature that has weights.

    Returns:
        One serialized tf.Example for each row; an empty one for a row without tokens.
    """
    if not len(row):
        return [b""] * rows
    key = row * len(names) + field
    if (np.diff(key) < 0).any():
        order = np.argsort(key, kind="stable")
        key, tokens = key[order], tokens.take(pa.array(order))
        weights = None if weights is None else weights[order]
    starts = np.flatnonzero(np.append(True, np.diff(key) != 0))  # First token of each list.
    counts = np.diff(np.append(starts, len(key)))
    list_row, list_field = np.divmod(key[starts], len(names))
    is_first_list = np.append(True, np.diff(list_row) != 0)  # Mask of the lists that begin a row.

    pieces = _Pieces()
    lengths = pc.binary_length(tokens).to_numpy(zero_copy_only=False).astype(np.int64)
    prefixes = pieces.add_table(lengths, lambda length: field_key(1) + varint(length))
    sizes = np.add.reduceat(pieces.sizes(prefixes) + lengths, starts)
    weighted = np.isin(list_field, [i for i, name in enumerate(names) if name in (weight_names or {})])
    # The pieces of a row are its head and its lists. Those of a list are its head, a prefix and a token for each token,
    # and, if it has weights, the head of the weights and all weights.
    piece_counts = is_first_list + 1 + 2 * counts + 2 * weighted
    positions = np.cumsum(piece_counts) - piece_counts
    sequence = np.zeros(piece_counts.sum(), np.int64)
    sequence[positions + is_first_list] = pieces.add_table(
        sizes * len(names) + list_field, lambda k: head(names[k % len(names)], BYTES_LIST, k // len(names))
    )
    token_positions = np.repeat(positions + is_first_list + 1 - 2 * starts, counts) + 2 * np.arange(len(key))
    sequence[token_positions] = prefixes
    sequence[token_positions + 1] = pieces.add(tokens)
    if weight_names and weights is not None and weighted.any():
        weight_positions = (positions + is_first_list + 1 + 2 * counts)[weighted]
        known_names = dict(weight_names)
        sequence[weight_positions] = pieces.add_table(
            (counts * len(names) + list_field)[weighted],
            lambda k: packed_head(known_names[names[k % len(names)]], FLOAT_LIST, 4 * (k // len(names))),
        )
        sequence[weight_positions + 1] = pieces.add(_split_floats(weights, np.append(starts, len(key))))[weighted]
    return pieces.join(sequence, positions[is_first_list], list_row[is_first_list], rows)


def encode_numbers(numbers: Mapping[str, int]) -> bytes:
    """Encodes a serialized tf.Example of one integer per feature.

    Args:
        numbers: Integer >= 0 of each feature, by name.
    """
    values = {name: varint(number) for name, number in numbers.items()}
    entries = [packed_head(name, INT64_LIST, len(value)) + value for name, value in values.items()]
    body = b"".join(entries)
    return field_key(1) + varint(len(body)) + body


class _Pieces:
    """Numbered pieces of bytes; number 0 is a placeholder for the heads of rows."""

    def __init__(self) -> None:
        self._arrays = [pa.array([b""], pa.binary())]
        self._sizes = [np.zeros(1, np.int64)]
        self._count = 1

    def add(self, array: pa.Array) -> np.ndarray:
        """Adds all elements of an array and returns their numbers."""
        self._arrays.append(array)
        self._sizes.append(pc.binary_length(array).to_numpy(zero_copy_only=False).astype(np.int64))
        self._count += len(array)
        return np.arange(self._count - len(array), self._count)

    def add_table(self, keys: np.ndarray, function: Callable[[int], bytes]) -> np.ndarray:
        """Adds the function of each different key and returns the number of the piece of each key."""
        if keys.max() < _TABLE_SIZE:
            unique = np.flatnonzero(np.bincount(keys))
            table = np.zeros(unique[-1] + 1, np.int64)
            table[unique] = np.arange(len(unique))
            index = table[keys]
        else:
            unique, index = np.unique(keys, return_inverse=True)
        numbers: np.ndarray = self.add(pa.array([function(key) for key in unique.tolist()], pa.binary()))[index]
        return numbers

    def sizes(self, numbers: np.ndarray) -> np.ndarray:
        """Returns the number of bytes of the pieces with given numbers."""
        sizes: np.ndarray = np.concatenate(self._sizes)[numbers]
        return sizes

    def join(self, sequence: np.ndarray, starts: np.ndarray, row: np.ndarray, rows: int) -> list[bytes]:
        """Joins a sequence of pieces into one message per row.

        Args:
            sequence: Numbers of the pieces of all messages.
            starts: Positions in `sequence` at which the messages begin.
            row: Row index of each message.
            rows: Number of rows; a row without message is empty.
        """
        lengths = np.add.reduceat(self.sizes(sequence), starts)
        sequence[starts] = self.add_table(lengths, lambda length: field_key(1) + varint(length))
        joined = pa.concat_arrays(self._arrays).take(pa.array(sequence))
        _, offsets, data = joined.buffers()
        ends = np.frombuffer(offsets, np.int32)[np.append(starts, len(sequence))]
        first_message = np.searchsorted(row, np.arange(rows + 1))
        buffers = [None, pa.py_buffer(ends[first_message]), data]
        messages: list[bytes] = pa.Array.from_buffers(pa.binary(), rows, buffers).to_pylist()
        return messages


def _split_floats(values: np.ndarray, ends: np.ndarray) -> pa.Array:
    """Returns the bytes of float32 values, split where lists begin and end."""
    data = pa.py_buffer(np.ascontiguousarray(values, "<f4"))
    return pa.Array.from_buffers(pa.binary(), len(ends) - 1, [None, pa.py_buffer((4 * ends).astype(np.int32)), data])
