"""Reader of tf.Examples in TFRecord files, in batches."""

import collections
import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from transforms.batches.raw_batch import RawBatch, Reject
from transforms.batches.reasons import MALFORMED_EXAMPLE
from transforms.readers.arrow_batch import arrow_batch
from transforms.readers.tfrecord_recovery import BLOCK_BYTES, Records, read_records
from transforms.storage.files import open_stored, position

_SAMPLED_RECORDS = 16
_SHOWN_BYTES = 200
_Kinds = dict[str, str]
"""Kind of each feature's list: `bytes_list`, `float_list` or `int64_list`."""


def read_tfrecord(path: str, columns: Sequence[str], *, block_bytes: int = BLOCK_BYTES) -> Iterator[RawBatch]:
    """Reads features of the tf.Examples of a TFRecord file, plain or compressed by gzip.

    A row's line number is its record's 1-based number in the file. A column is one list per row, of strings, float32 or
    int64 as the feature was written; null where the feature is absent or has no values.

    Args:
        path: Path of the file, local or on an object store.
        columns: Names of the features that are read, in this order. A feature that no tf.Example of the file has is
            missing in every row.
        block_bytes: Number of bytes that are read at a time.

    Yields:
        Rows in the order of the file, except that a block in which a feature has several kinds is divided into one
        batch per kind. In `rejects` are records that are not a tf.Example (`malformed_example`), truncated and corrupt
        records (see `transforms.readers.tfrecord_recovery.read_records`), and rows with a string that is not UTF-8
        (`invalid_encoding`).

    Raises:
        FileNotFoundError: If there is no such file.
        LogError: If the file has another format, or is compressed other than by gzip.
    """
    decoder = _Decoder(path, columns)
    with open_stored(path) as stream:
        for records in read_records(stream, path, block_bytes):
            for batch in decoder.decode(records):
                yield dataclasses.replace(batch, position=position(stream))


def tfrecord_names(path: str) -> list[str]:
    """Returns the sorted names of the features of the first tf.Examples of a TFRecord file.

    Args:
        path: Path of the file.

    Raises:
        LogError: If the file has another format, or is compressed other than by gzip.
        FileNotFoundError: If there is no such file.
    """
    import tensorflow as tf
    from google.protobuf.message import DecodeError

    names: set[str] = set()
    with open_stored(path) as stream:
        for records in read_records(stream, path):
            for data in records.data[:_SAMPLED_RECORDS]:
                with contextlib.suppress(DecodeError):
                    names |= set(tf.train.Example.FromString(data).features.feature)
            if names:
                break
    return sorted(names)


class _Decoder:
    """Decodes tf.Examples whose features nearly always have the same kind as in the records before.

    Args:
        source: Path of the file.
        columns: Names of the features that are decoded.
    """

    def __init__(self, source: str, columns: Sequence[str]):
        self._source = source
        self._columns = columns
        self._kinds: _Kinds = {}  # Kinds that are tried first.
        self._main_kinds: _Kinds = {}  # Most frequent kind in the first block that has the feature.

    def decode(self, records: Records) -> Iterator[RawBatch]:
        """Yields the rows of a block of records: one batch, or one per kind if a feature has several kinds."""
        import tensorflow as tf

        numbers = np.array(records.numbers, np.int64)
        for data in records.data[:_SAMPLED_RECORDS]:
            self._kinds = {**(self._find_kinds(data) or {}), **self._kinds}
        try:
            tables = [(numbers, self._parse(records.data, self._kinds), self._kinds)] if records.data else []
            self._main_kinds = {**self._kinds, **self._main_kinds}
        except tf.errors.InvalidArgumentError:  # A record is malformed, or a feature has another kind.
            tables = self._parse_by_kind(records)
        rejects: list[Reject] = records.rejects
        for lines, table, kinds in tables:
            mismatched_columns = frozenset(name for name, kind in kinds.items() if kind != self._main_kinds[name])
            yield arrow_batch(table, lines, self._source, rejects, mismatched_columns)
            rejects = []
        if rejects:
            no_rows = pa.table({name: pa.array([], pa.string()) for name in self._columns})
            yield RawBatch(no_rows, np.array([], np.int64), self._source, tuple(rejects))

    def _parse_by_kind(self, records: Records) -> list[tuple[np.ndarray, pa.Table, _Kinds]]:
        """Groups records by the kinds of their features and parses each group.

        Records that are not a tf.Example are added to the rejects.

        Returns:
            Line numbers, columns and kinds of each group.
        """
        groups: list[tuple[_Kinds, list[int], list[bytes]]] = []
        kind_counts: collections.Counter[tuple[str, str]] = collections.Counter()
        for number, data in zip(records.numbers, records.data, strict=True):
            kinds = self._find_kinds(data)
            if kinds is None:
                records.rejects.append(self._reject(number, data))
                continue
            kind_counts.update(kinds.items())
            for group in groups:
                if all(group[0].get(name, kind) == kind for name, kind in kinds.items()):
                    break
            else:
                group = ({}, [], [])
                groups.append(group)
            group_kinds, numbers, examples = group
            group_kinds |= kinds
            numbers.append(number)
            examples.append(data)
        for (name, kind), _ in kind_counts.most_common():
            self._main_kinds.setdefault(name, kind)
        if groups:
            self._kinds |= max(groups, key=lambda group: len(group[1]))[0]
        return [
            (np.array(numbers, np.int64), self._parse(examples, kinds), kinds) for kinds, numbers, examples in groups
        ]

    def _find_kinds(self, data: bytes) -> _Kinds | None:
        """Returns the kinds of the features of a serialized tf.Example, or None if the bytes are not one."""
        import tensorflow as tf
        from google.protobuf.message import DecodeError

        try:
            features = tf.train.Example.FromString(data).features.feature
        except DecodeError:
            return None
        kinds = {name: features[name].WhichOneof("kind") for name in self._columns if name in features}
        return {name: kind for name, kind in kinds.items() if kind}

    def _parse(self, examples: list[bytes], kinds: _Kinds) -> pa.Table:
        """Parses serialized tf.Examples of one kind.

        A feature of unknown kind is parsed as bytes, so that any other kind raises an error.

        Raises:
            tf.errors.InvalidArgumentError: If a record is not a tf.Example, or a feature has another kind.
        """
        import tensorflow as tf

        types = {"bytes_list": tf.string, "float_list": tf.float32, "int64_list": tf.int64}
        spec = {name: tf.io.RaggedFeature(types[kinds.get(name, "bytes_list")]) for name in self._columns}
        parsed = tf.io.parse_example(examples, spec)
        return pa.table({name: _convert_ragged(parsed[name]) for name in self._columns})

    def _reject(self, number: int, data: bytes) -> Reject:
        detail = f"should be a tf.Example. Received: {len(data)} bytes that are not one"
        text = data[:_SHOWN_BYTES].decode("utf-8", "backslashreplace")
        return Reject(self._source, number, MALFORMED_EXAMPLE, detail, text)


def _convert_ragged(ragged: Any) -> pa.ListArray:
    """Converts a `tf.RaggedTensor` to Arrow."""
    values = ragged.values.numpy()
    typed = pa.array(values, pa.binary()) if values.dtype == object else pa.array(values)
    return pa.ListArray.from_arrays(pa.array(ragged.row_splits.numpy(), pa.int32()), typed)
