"""A sample of the log's rows, of which statistics are taken."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from transforms.examples.from_columns import encode_empty_features

SAMPLE = "sample"
"""The split that holds a sample of the rows of all others."""
SAMPLE_BYTES = 8 << 20


def sampling_step(log_bytes: int, sample_bytes: int = SAMPLE_BYTES) -> int:
    """Every how many rows one is taken, so that the sample is of about `sample_bytes` of the log's files."""
    return max(1, -(-log_bytes // sample_bytes))


def one_in(steps: Sequence[int]) -> str:
    """The steps of samples that stand together, for a person: `3`, or `2 to 1,000`."""
    return " to ".join(f"{step:,}" for step in sorted({min(steps), max(steps)}))


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

    def sample(self, columns: pa.RecordBatch, examples: Sequence[bytes]) -> list[bytes]:
        """The tf.Examples that are taken of the next batch.

        Args:
            columns: as for `choose`.
            examples: the rows, serialized.
        """
        is_first = not self._seen
        taken = [examples[row] for row in self.choose(columns).tolist()]
        if is_first and taken:
            lacks = {field.name: field.type for field in columns.schema if not columns[field.name][0].is_valid}
            taken[0] += encode_empty_features(lacks)
        return taken

    def choose(self, columns: pa.RecordBatch) -> np.ndarray:
        """The places of the rows of the next batch that are taken, ascending.

        Args:
            columns: lists, null where a row does not have the feature; what the lists hold is not looked at.
        """
        first = -self._seen % self._step
        self._seen += columns.num_rows
        chosen = np.arange(first, columns.num_rows, self._step)
        new = [name for name in columns.schema.names if name not in self._known]
        seldom = [_first_valid(columns.column(name)) for name in new]
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
