"""One order of rows, whatever the order in which they were written.

Beam gives rows in another order each time, and a serialized tf.Example has its features in any order. A run is only
the same as another one if its rows come in the same order: that of a fingerprint of their content.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from serving.raw_features import parsing_spec
from tfmtl.spec import DatasetSpec

_BUCKETS = 2**63 - 1
_BLOCK_ROWS = 4096
_MISSING = "<missing>"


def fingerprints(spec: DatasetSpec, examples: Sequence[bytes]) -> np.ndarray:
    """63 bits of the content of each row: features, labels and group key; `(rows,)` int64."""
    if not len(examples):
        return np.zeros(0, np.int64)
    blocks = tf.data.Dataset.from_tensor_slices(np.asarray(examples, dtype=object)).batch(_BLOCK_ROWS)
    found = blocks.map(lambda block: _hash(spec, block), num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return np.concatenate(list(found.as_numpy_iterator()))


def group_keys(spec: DatasetSpec, examples: Sequence[bytes]) -> np.ndarray | None:
    """The group key of each row as a number that tells groups apart; None where the spec has none.

    A row without one is in the group of "".
    """
    if spec.group_key is None:
        return None
    return np.unique(_texts(spec, examples, spec.group_key), return_inverse=True)[1]


def scenarios(spec: DatasetSpec, examples: Sequence[bytes]) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """The scenario of each row as a number, and their names by that number; None and none where the spec has none.

    A row without a value is in the scenario of the token that stands for a missing one.
    """
    if spec.scenario is None:
        return None, ()
    texts = _texts(spec, examples, spec.scenario)
    missing = getattr(spec.feature(spec.scenario), "default", None) or _MISSING
    names, numbers = np.unique(np.where(texts == b"", missing.encode(), texts), return_inverse=True)
    return numbers, tuple(name.decode("utf-8", "backslashreplace") for name in names)


def labels(spec: DatasetSpec, examples: Sequence[bytes]) -> dict[str, np.ndarray]:
    """The labels of each row by task, float32."""
    features = {label: tf.io.FixedLenFeature([], tf.int64) for label in spec.labels}
    blocks = [
        tf.io.parse_example(list(examples[start : start + _BLOCK_ROWS]), features)
        for start in range(0, len(examples), _BLOCK_ROWS)
    ]
    return {
        task.name: np.concatenate([block[task.label].numpy() for block in blocks]).astype(np.float32)
        for task in spec.tasks
    }


def _texts(spec: DatasetSpec, examples: Sequence[bytes], column: str) -> np.ndarray:
    """A column's values, `(rows,)` of bytes; empty where there is none."""
    feature = {column: _columns(spec)[column]}
    texts = []
    for start in range(0, len(examples), _BLOCK_ROWS):
        parsed = tf.io.parse_example(list(examples[start : start + _BLOCK_ROWS]), feature)
        texts.append(_text(parsed[column]).numpy())
    return np.concatenate(texts)


def _columns(spec: DatasetSpec) -> dict[str, Any]:
    columns = {**parsing_spec(spec), **{label: tf.io.VarLenFeature(tf.int64) for label in spec.labels}}
    if spec.group_key is not None:
        columns.setdefault(spec.group_key, tf.io.VarLenFeature(tf.string))
    return columns


def _hash(spec: DatasetSpec, block: tf.Tensor) -> tf.Tensor:
    parsed = tf.io.parse_example(block, _columns(spec))
    return tf.strings.to_hash_bucket_fast(
        tf.strings.join([_text(parsed[name]) for name in sorted(parsed)], "\x1e"), _BUCKETS
    )


def _text(column: Any) -> tf.Tensor:
    """The values of each row as one text; a number by its bits, for which no digits are lost."""
    if not isinstance(column, tf.SparseTensor):
        column = tf.RaggedTensor.from_tensor(column[:, None]).to_sparse()
    values = column.values
    if values.dtype == tf.float32:
        values = tf.bitcast(values, tf.int32)
    if values.dtype != tf.string:
        values = tf.strings.as_string(values)
    rows = tf.RaggedTensor.from_value_rowids(values, column.indices[:, 0], column.dense_shape[0])
    return tf.strings.reduce_join(rows, axis=1, separator="\x1f")
