"""A sample of the log's rows, of which statistics are taken."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from transforms.example_columns import encode

SAMPLE = "sample"
"""The split that holds a sample of the rows of all others."""
SAMPLE_BYTES = 8 << 20


def sampling_step(log_bytes: int, sample_bytes: int = SAMPLE_BYTES) -> int:
    """Every how many rows one is taken, so that the sample is of about `sample_bytes` of the log's files."""
    return max(1, -(-log_bytes // sample_bytes))


class Sampler:
    """Takes the first row and each `step`-th one after it.

    A feature that no sampled row has is still seen: the first row that has one of the columns, so far always missing,
    is taken too. And the very first row has an empty list of each feature that it lacks. So a schema that is made of
    the sample knows every feature and its type, also one that the log never has.

    Args:
        step: 1 takes all.
    """

    def __init__(self, step: int):
        self._step = step
        self._seen = 0
        self._known: set[str] = set()

    def sample(self, typed: pa.RecordBatch) -> list[bytes]:
        """Serialized tf.Examples of the rows of the next batch that are taken. Args: as for `choose`."""
        is_first = not self._seen
        rows = typed.take(pa.array(self.choose(typed)))
        return encode(rows.slice(0, int(is_first)), empty_lists=True) + encode(rows.slice(int(is_first)))

    def choose(self, typed: pa.RecordBatch) -> np.ndarray:
        """The places of the rows of the next batch that are taken, ascending.

        Args:
            typed: columns of lists, null where a value is missing.
        """
        first = -self._seen % self._step
        self._seen += typed.num_rows
        chosen = np.arange(first, typed.num_rows, self._step)
        new = [name for name in typed.schema.names if name not in self._known]
        seldom = [_first_valid(typed.column(name)) for name in new]
        self._known |= {name for name, row in zip(new, seldom, strict=True) if row is not None}
        return np.union1d(chosen, [row for row in seldom if row is not None]).astype(np.int64)


def thin(examples: Iterable[bytes], step: int) -> Iterator[bytes]:
    """Of a sample's serialized tf.Examples, the first and each `step`-th one after it, and the first with a feature."""
    import tensorflow as tf

    known: set[str] = set()
    for number, example in enumerate(examples):
        features = tf.train.Example.FromString(example).features.feature
        names = {name for name, feature in features.items() if _has_values(feature)}
        if number % step == 0 or names - known:
            known |= names
            yield example


def _has_values(feature: Any) -> bool:
    kind = feature.WhichOneof("kind")
    return kind is not None and len(getattr(feature, kind).value) > 0


def _first_valid(column: pa.Array) -> int | None:
    valid = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
    return int(valid[0]) if len(valid) else None
