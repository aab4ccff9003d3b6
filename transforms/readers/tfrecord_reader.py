"""Reads tf.Examples from TFRecord files, a batch of them at a time."""

import collections
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from transforms.batches.raw_batch import RawBatch, Reject
from transforms.batches.reasons import MALFORMED_EXAMPLE
from transforms.readers.arrow_batch import arrow_batch
from transforms.readers.tfrecord_recovery import BLOCK_BYTES, Records, read_records
from transforms.storage.files import open_stored

_FIRST = 16
_SHOWN_BYTES = 200
_Kinds = dict[str, str]
"""By feature, which list of values it has: `bytes_list`, `float_list` or `int64_list`."""


def read_tfrecord(path: str, columns: Sequence[str], *, block_bytes: int = BLOCK_BYTES) -> Iterator[RawBatch]:
    """Reads the `columns`, features of tf.Examples, of a TFRecord file; plain or compressed by gzip.

    A record's number in the file, from 1 on, is its line number. A column is a list a row, of text, float32 or int64,
    as the feature was written; null where it is not there or has no values.

    Args:
        path: of the file, here or on an object store.
        columns: those that are read, in this order. One that no tf.Example of the file has is missing in every row.
        block_bytes: how much is read at a time.

    Yields:
        The rows in the order of the file, but for blocks in which a feature is of several kinds: there, those of one
        kind are together. In `rejects` are records that are no tf.Example (`malformed_example`), cut or corrupt ones (see
        `transforms.readers.tfrecord_recovery.read_records`), and those with text that is not UTF-8 (`invalid_encoding`).

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is of another kind, or compressed by other means than gzip.
    """
    decoder = _Decoder(path, columns)
    with open_stored(path) as stream:
        for records in read_records(stream, path, block_bytes):
            yield from decoder.decode(records)


class _Decoder:
    """Decodes tf.Examples in which a feature is nearly always of one kind: that of the examples before."""

    def __init__(self, source: str, columns: Sequence[str]):
        self._source = source
        self._columns = columns
        self._kinds: _Kinds = {}
        self._usual: _Kinds = {}  # Of each feature, that of most examples of the block in which it was first met.

    def decode(self, records: Records) -> Iterator[RawBatch]:
        """The rows of some records, as one batch but for those of other kinds."""
        import tensorflow as tf

        numbers = np.array(records.numbers, np.int64)
        for data in records.data[:_FIRST]:
            self._kinds = {**(self._kinds_of(data) or {}), **self._kinds}
        try:
            tables = [(numbers, self._table(records.data, self._kinds), self._kinds)] if records.data else []
            self._usual = {**self._kinds, **self._usual}
        except tf.errors.InvalidArgumentError:  # Some record is malformed.
            tables = self._tables_by_kind(records)
        rejects: list[Reject] = records.rejects
        for lines, table, kinds in tables:
            mismatched_columns = frozenset(name for name, kind in kinds.items() if kind != self._usual[name])
            yield arrow_batch(table, lines, self._source, rejects, mismatched_columns)
            rejects = []
        if rejects:
            nothing = pa.table({name: pa.array([], pa.string()) for name in self._columns})
            yield RawBatch(nothing, np.array([], np.int64), self._source, tuple(rejects))

    def _tables_by_kind(self, records: Records) -> list[tuple[np.ndarray, pa.Table, _Kinds]]:
        """Looks at records one by one; those that are no tf.Example go to the rejects."""
        groups: list[tuple[_Kinds, list[int], list[bytes]]] = []
        examples_of: collections.Counter[tuple[str, str]] = collections.Counter()
        for number, data in zip(records.numbers, records.data, strict=True):
            kinds = self._kinds_of(data)
            if kinds is None:
                records.rejects.append(self._reject(number, data))
                continue
            examples_of.update(kinds.items())
            fitting = [group for group in groups if all(group[0].get(name, k) == k for name, k in kinds.items())]
            if not fitting:
                fitting = [({}, [], [])]
                groups += fitting
            known, numbers, examples = fitting[0]
            known |= kinds
            numbers.append(number)
            examples.append(data)
        for (name, kind), _ in examples_of.most_common():
            self._usual.setdefault(name, kind)
        if groups:
            self._kinds |= max(groups, key=lambda group: len(group[1]))[0]
        tables = [self._table(examples, kinds) for kinds, _, examples in groups]
        return [
            (np.array(numbers, np.int64), table, kinds)
            for (kinds, numbers, _), table in zip(groups, tables, strict=True)
        ]

    def _kinds_of(self, data: bytes) -> _Kinds | None:
        """None if the bytes are no tf.Example."""
        import tensorflow as tf
        from google.protobuf.message import DecodeError

        try:
            features = tf.train.Example.FromString(data).features.feature
        except DecodeError:
            return None
        kinds = {name: features[name].WhichOneof("kind") for name in self._columns if name in features}
        return {name: kind for name, kind in kinds.items() if kind}

    def _table(self, examples: list[bytes], kinds: _Kinds) -> pa.Table:
        """The columns; a feature of unknown kind is looked for as bytes, so that another kind is an error.

        Raises:
            tf.errors.InvalidArgumentError: if a record is no tf.Example, or a feature is of another kind.
        """
        import tensorflow as tf

        types = {"bytes_list": tf.string, "float_list": tf.float32, "int64_list": tf.int64}
        spec = {name: tf.io.RaggedFeature(types[kinds.get(name, "bytes_list")]) for name in self._columns}
        parsed = tf.io.parse_example(examples, spec)
        return pa.table({name: _lists(parsed[name]) for name in self._columns})

    def _reject(self, number: int, data: bytes) -> Reject:
        detail = f"should be a tf.Example. Received: {len(data)} bytes that are none"
        text = data[:_SHOWN_BYTES].decode("utf-8", "backslashreplace")
        return Reject(self._source, number, MALFORMED_EXAMPLE, detail, text)


def _lists(ragged: Any) -> pa.ListArray:
    values = ragged.values.numpy()
    typed = pa.array(values, pa.binary()) if values.dtype == object else pa.array(values)
    return pa.ListArray.from_arrays(pa.array(ragged.row_splits.numpy(), pa.int32()), typed)
