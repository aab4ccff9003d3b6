"""Order of rows that does not depend on the order in which they were written.

Beam writes rows in a different order each time, and a serialized tf.Example has its features in any order. A run can
only be repeated if its rows come in the same order: rows are sorted by a fingerprint of their content.
"""

import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from pipelines.label_columns import label_parsing
from serving.raw_features import parsing_spec
from tfmtl.spec import DatasetSpec
from tfmtl.types import Tensor

FINGERPRINT_BITS = 63
_BUCKETS = 2**FINGERPRINT_BITS - 1
_BLOCK_ROWS = 4096
_KEY_BYTES = 16
_VALUE_SEPARATOR, _COLUMN_SEPARATOR = "\x1f", "\x1e"


def fingerprints(spec: DatasetSpec, rows: tf.data.Dataset) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Computes a hash of 63 bits of each row's content: features, labels and group key.

    Args:
        spec: Spec of the dataset.
        rows: Dataset of serialized tf.Examples, one an element.

    Yields:
        A block of the rows, bytes `(block,)`, and their fingerprints, int64 `(block,)`.
    """
    blocks = rows.batch(_BLOCK_ROWS)
    yield from blocks.map(
        lambda block: (block, _hash(spec, block)), num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
    ).as_numpy_iterator()


class RowSorter:
    """Sorts rows by their fingerprints in files, so that the memory does not depend on the number of rows.

    Each row is written to the part of its range of fingerprints. The parts are read in their order, and each is sorted
    in memory; rows with equal fingerprints stay in the order in which they were added.

    Args:
        folder: Empty folder for the parts, which takes as much space as the rows without compression.
        parts: Minimum number of parts, which is rounded up to a power of 2. All of them are open at the same time.
    """

    def __init__(self, folder: pathlib.Path, parts: int):
        self.rows = 0
        self._folder = folder
        self._bits = max(0, parts - 1).bit_length()
        self._writers: dict[int, Any] = {}

    def add(self, examples: np.ndarray | Sequence[bytes], keys: np.ndarray) -> None:
        """Adds rows.

        Args:
            examples: Serialized tf.Examples.
            keys: Their fingerprints, int64 `(rows,)`.
        """
        numbers = np.arange(self.rows, self.rows + len(keys))
        self.rows += len(keys)
        prefixes = np.stack([keys, numbers], axis=1).tobytes()
        for i, part in enumerate((keys >> (FINGERPRINT_BITS - self._bits)).tolist()):
            if part not in self._writers:
                self._writers[part] = tf.io.TFRecordWriter(self._path(part))
            self._writers[part].write(prefixes[i * _KEY_BYTES : (i + 1) * _KEY_BYTES] + examples[i])

    def sorted_parts(self) -> Iterator[tuple[list[bytes], np.ndarray, np.ndarray]]:
        """Yields the rows in their order, in parts, whose files are then removed. No row can be added afterwards.

        Yields:
            Serialized tf.Examples, their fingerprints, and the number of each in the order of `add`; int64 `(rows,)`.
        """
        for writer in self._writers.values():
            writer.close()
        for part in sorted(self._writers):
            path = self._path(part)
            blocks = tf.data.TFRecordDataset(path).batch(_BLOCK_ROWS).as_numpy_iterator()
            records = [record for block in blocks for record in block]
            pathlib.Path(path).unlink()
            prefixes = b"".join(record[:_KEY_BYTES] for record in records)
            keys, numbers = np.frombuffer(prefixes, np.int64).reshape(-1, 2).T
            places = np.argsort(keys, kind="stable")
            yield [records[place][_KEY_BYTES:] for place in places], keys[places], numbers[places]

    def _path(self, part: int) -> str:
        return str(self._folder / f"{part:05d}")


def row_columns(spec: DatasetSpec) -> dict[str, Any]:
    """Returns how all columns of a row are parsed: features, labels, weights and group key.

    Args:
        spec: Spec of the dataset.
    """
    labels = {name: tf.io.VarLenFeature(column.dtype) for name, column in label_parsing(spec).items()}
    columns = {**parsing_spec(spec), **labels}
    if spec.group_key is not None:
        columns.setdefault(spec.group_key, tf.io.VarLenFeature(tf.string))
    return columns


def joined_values(column: Tensor) -> Tensor:
    """Joins the values of each row into one string. The bits of a float are written, so that no digits are lost.

    Args:
        column: Parsed column, dense `(rows,)` or sparse.
    """
    if not isinstance(column, tf.SparseTensor):
        column = tf.RaggedTensor.from_tensor(column[:, None]).to_sparse()
    values = column.values
    if values.dtype == tf.float32:
        values = tf.bitcast(values, tf.int32)
    if values.dtype != tf.string:
        values = tf.strings.as_string(values)
    rows = tf.RaggedTensor.from_value_rowids(values, column.indices[:, 0], column.dense_shape[0])
    return tf.strings.reduce_join(rows, axis=1, separator=_VALUE_SEPARATOR)


def _hash(spec: DatasetSpec, block: Tensor) -> Tensor:
    parsed = tf.io.parse_example(block, row_columns(spec))
    columns = [joined_values(parsed[name]) for name in sorted(parsed)]
    return tf.strings.to_hash_bucket_fast(tf.strings.join(columns, _COLUMN_SEPARATOR), _BUCKETS)
