"""Order of rows that does not depend on the order in which they were written.

Beam writes rows in a different order each time, and a serialized tf.Example has its features in any order. A run can
only be repeated if its rows come in the same order: rows are sorted by a fingerprint of their content.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from serving.raw_features import parsing_spec
from tfmtl.spec import DatasetSpec
from tfmtl.types import Tensor

_BUCKETS = 2**63 - 1
_BLOCK_ROWS = 4096
_MISSING = "<missing>"
_VALUE_SEPARATOR, _COLUMN_SEPARATOR = "\x1f", "\x1e"


def fingerprints(spec: DatasetSpec, examples: Sequence[bytes]) -> np.ndarray:
    """Computes a hash of 63 bits of each row's content: features, labels and group key.

    Args:
        spec: Spec of the dataset.
        examples: Serialized tf.Examples.

    Returns:
        Fingerprints, int64 `(rows,)`.
    """
    if not len(examples):
        return np.zeros(0, np.int64)
    blocks = tf.data.Dataset.from_tensor_slices(np.asarray(examples, dtype=object)).batch(_BLOCK_ROWS)
    hashes = blocks.map(lambda block: _hash(spec, block), num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return np.concatenate(list(hashes.as_numpy_iterator()))


def group_keys(spec: DatasetSpec, examples: Sequence[bytes]) -> np.ndarray | None:
    """Numbers the groups of the rows. Rows without a group key are in one group.

    Args:
        spec: Spec of the dataset.
        examples: Serialized tf.Examples.

    Returns:
        Number of each row's group, `(rows,)`; None if the spec has no group key.
    """
    if spec.group_key is None:
        return None
    numbers: np.ndarray = np.unique(_column_strings(spec, examples, spec.group_key), return_inverse=True)[1]
    return numbers


def scenarios(spec: DatasetSpec, examples: Sequence[bytes]) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Numbers the scenarios of the rows. A row without a value is in the scenario of the feature's default token.

    Args:
        spec: Spec of the dataset.
        examples: Serialized tf.Examples.

    Returns:
        Number of each row's scenario, `(rows,)`, and the names of the scenarios, of which a number is an index; None
        and no names if the spec has no scenario.
    """
    if spec.scenario is None:
        return None, ()
    strings = _column_strings(spec, examples, spec.scenario)
    missing = getattr(spec.feature(spec.scenario), "default", None) or _MISSING
    names, numbers = np.unique(np.where(strings == b"", missing.encode(), strings), return_inverse=True)
    return numbers, tuple(name.decode("utf-8", "backslashreplace") for name in names)


def labels(spec: DatasetSpec, examples: Sequence[bytes]) -> dict[str, np.ndarray]:
    """Reads the labels of the rows.

    Args:
        spec: Spec of the dataset.
        examples: Serialized tf.Examples.

    Returns:
        Labels by task, float32 `(rows,)`.
    """
    features = {label: tf.io.FixedLenFeature([], tf.int64) for label in spec.labels}
    blocks = [
        tf.io.parse_example(list(examples[start : start + _BLOCK_ROWS]), features)
        for start in range(0, len(examples), _BLOCK_ROWS)
    ]
    return {
        task.name: np.concatenate([block[task.label].numpy() for block in blocks]).astype(np.float32)
        for task in spec.tasks
    }


def _column_strings(spec: DatasetSpec, examples: Sequence[bytes], column: str) -> np.ndarray:
    """Returns a column's values as byte strings `(rows,)`; a missing value is the empty string."""
    feature = {column: _parsing_spec(spec)[column]}
    blocks = []
    for start in range(0, len(examples), _BLOCK_ROWS):
        parsed = tf.io.parse_example(list(examples[start : start + _BLOCK_ROWS]), feature)
        blocks.append(_joined_values(parsed[column]).numpy())
    return np.concatenate(blocks)


def _parsing_spec(spec: DatasetSpec) -> dict[str, Any]:
    columns = {**parsing_spec(spec), **{label: tf.io.VarLenFeature(tf.int64) for label in spec.labels}}
    if spec.group_key is not None:
        columns.setdefault(spec.group_key, tf.io.VarLenFeature(tf.string))
    return columns


def _hash(spec: DatasetSpec, block: Tensor) -> Tensor:
    parsed = tf.io.parse_example(block, _parsing_spec(spec))
    columns = [_joined_values(parsed[name]) for name in sorted(parsed)]
    return tf.strings.to_hash_bucket_fast(tf.strings.join(columns, _COLUMN_SEPARATOR), _BUCKETS)


def _joined_values(column: Tensor) -> Tensor:
    """Joins the values of each row into one string. The bits of a float are written, so that no digits are lost."""
    if not isinstance(column, tf.SparseTensor):
        column = tf.RaggedTensor.from_tensor(column[:, None]).to_sparse()
    values = column.values
    if values.dtype == tf.float32:
        values = tf.bitcast(values, tf.int32)
    if values.dtype != tf.string:
        values = tf.strings.as_string(values)
    rows = tf.RaggedTensor.from_value_rowids(values, column.indices[:, 0], column.dense_shape[0])
    return tf.strings.reduce_join(rows, axis=1, separator=_VALUE_SEPARATOR)
