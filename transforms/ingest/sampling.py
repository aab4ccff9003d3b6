"""Sample of a log's rows, from which statistics are computed."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from transforms.examples.from_columns import encode_empty_features

SAMPLE = "sample"
"""Name of the split that holds a sample of the rows of all other splits."""
SAMPLE_BYTES = 8 << 20


def sampling_step(log_bytes: int, sample_bytes: int = SAMPLE_BYTES) -> int:
    """Returns the step `n` at which a sample of one in `n` rows has about the wanted size.

    Args:
        log_bytes: Size of the log's files in bytes.
        sample_bytes: Size of the sample in bytes of the log's files.

    Returns:
        The step, at least 1.
    """
    return max(1, -(-log_bytes // sample_bytes))


def format_steps(steps: Sequence[int]) -> str:
    """Formats the steps of several samples, as "3" if they are equal and as "2 to 1,000" otherwise."""
    return " to ".join(f"{step:,}" for step in sorted({min(steps), max(steps)}))


class Sampler:
    """Samples the first row of a sequence of batches and each `step`-th row after it.

    Two rules ensure that a schema that is inferred from the sample knows every feature and its type. The first row that
    has a value of a feature is sampled too. And the very first row is given an empty list for each feature that it
    lacks, which covers features that no row of the log has.

    Args:
        step: Distance between sampled rows; 1 samples all rows.
    """

    def __init__(self, step: int):
        self._step = step
        self._seen = 0
        self._known: set[str] = set()

    def sample(self, columns: pa.RecordBatch, examples: pa.Array | Sequence[bytes]) -> list[bytes]:
        """Samples tf.Examples from the next batch.

        Args:
            columns: Columns of lists, null in rows without the feature; the values in the lists are not used.
            examples: Serialized tf.Examples of the rows.

        Returns:
            The sampled tf.Examples, in order.
        """
        is_first = not self._seen
        rows = self.choose(columns)
        if isinstance(examples, pa.Array):
            sampled: list[bytes] = examples.take(pa.array(rows)).to_pylist()
        else:
            sampled = [examples[row] for row in rows.tolist()]
        if is_first and sampled:
            missing = {field.name: field.type for field in columns.schema if not columns[field.name][0].is_valid}
            sampled[0] += encode_empty_features(missing)
        return sampled

    def choose(self, columns: pa.RecordBatch) -> np.ndarray:
        """Chooses rows of the next batch.

        Args:
            columns: Columns of lists, null in rows without the feature; the values in the lists are not used.

        Returns:
            Indices of the chosen rows in ascending order, int64.
        """
        first = -self._seen % self._step
        self._seen += columns.num_rows
        chosen = np.arange(first, columns.num_rows, self._step)
        new = [name for name in columns.schema.names if name not in self._known]
        first_rows = {name: _first_valid(columns.column(name)) for name in new}
        self._known |= {name for name, row in first_rows.items() if row is not None}
        return np.union1d(chosen, [row for row in first_rows.values() if row is not None]).astype(np.int64)


def thin(examples: Iterable[bytes], step: int) -> Iterator[bytes]:
    """Samples from a sample.

    Args:
        examples: Serialized tf.Examples of a sample.
        step: Distance between sampled rows.

    Yields:
        The first tf.Example, each `step`-th one after it, and the first one that has a value of a feature.
    """
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
