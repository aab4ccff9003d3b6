"""Rows of a split as sparse one-hot matrices of raw features, for models of scikit-learn."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import tensorflow as tf
from scipy import sparse

from pipelines.judged_rows import judged_rows
from pipelines.label_columns import known_labels, label_parsing, population_weights
from serving.raw_features import parsing_spec
from serving.training_only import fixed_values
from tfmtl.features import NUMBER_COLUMNS, NUMBERS, POSITIONS, Cross, DenseFeature, NumericalFeature
from tfmtl.spec import DatasetSpec, Output

_BATCH_ROWS = 65536


class RowSample:
    """Draws a random sample of a given number of rows from batches whose total number of rows is known.

    Args:
        rows: Number of rows of all batches.
        sample_rows: Number of rows of the sample; all rows if there are not more.
        seed: Seed of the sample.
    """

    def __init__(self, rows: int, sample_rows: int, seed: int = 0):
        self._rows = rows
        self._left = min(rows, sample_rows)
        self._random = np.random.default_rng(seed)

    def draw(self, batch: np.ndarray) -> np.ndarray:
        """Returns the sampled rows of the next batch, in their order.

        Args:
            batch: Rows of the batch, `(rows,)`.
        """
        if self._left >= self._rows:
            return batch
        count = min(len(batch), self._rows)
        drawn = self._random.hypergeometric(self._left, self._rows - self._left, count)
        self._rows -= count
        self._left -= drawn
        return batch[np.sort(self._random.choice(len(batch), drawn, replace=False))]


@dataclasses.dataclass(frozen=True)
class LabelledRows:
    """Labels and weights of rows.

    Attributes:
        labels: Labels by column, NaN where they are not known, float32 `(rows,)`.
        weights: Weights, float32 `(rows,)`; None for weights of 1.
    """

    labels: Mapping[str, np.ndarray]
    weights: np.ndarray | None

    def in_space(self, spec: DatasetSpec, output: Output) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Returns the rows in an output's space that have a known label and a weight above 0.

        Args:
            spec: Spec of the dataset.
            output: Output of the spec.

        Returns:
            Indices, labels and weights of these rows; None for weights of 1.
        """
        rows = judged_rows(spec, output, self.labels, self.weights)
        labels = self.labels[spec.task(output.task).label][rows]
        return rows, labels, None if self.weights is None else self.weights[rows]


def joined(parts: Sequence[LabelledRows]) -> LabelledRows:
    """Returns the labels and weights of the rows of several parts.

    Args:
        parts: Parts, at least one.
    """
    labels = {name: np.concatenate([one.labels[name] for one in parts]) for name in parts[0].labels}
    weights = [one.weights for one in parts if one.weights is not None]
    return LabelledRows(labels, np.concatenate(weights) if weights else None)


@dataclasses.dataclass
class OneHotColumns:
    """Columns of a one-hot matrix of raw features.

    Each token of a categorical or multivalent feature in the training split is a column of zeros and ones. A number `x`
    is a column with the value `sign(x) * log1p(|x|)`, a sequence of numbers a column with the sum of these values, and
    each position of a vector a column with the value of its number.
    Each combination of the values of a cross in the training split is a column too, in which a number `x` counts as
    `round(sign(x) * log1p(|x|) * scale)`.

    Attributes:
        spec: Spec of the dataset.
        indices: Index of each column, by the name of the feature and the token, which is empty for numbers.
    """

    spec: DatasetSpec
    indices: dict[tuple[str, bytes], int] = dataclasses.field(default_factory=dict)

    def read(
        self, files: Sequence[str], grow: bool, sample: RowSample | None = None
    ) -> Iterator[tuple[sparse.csr_matrix, LabelledRows]]:
        """Reads tf.Examples in batches.

        Args:
            files: TFRecord files, compressed with GZIP.
            grow: Adds a column for each new token, to read training rows. Otherwise other tokens are ignored, and fixed
                values take the place of features that are known in training only.
            sample: Draws the rows that are parsed; None for all.

        Yields:
            A matrix with the columns known so far, and the labels and weights of its rows.
        """
        features, others = parsing_spec(self.spec), label_parsing(self.spec)
        records = tf.data.TFRecordDataset(sorted(files), compression_type="GZIP").batch(_BATCH_ROWS)
        for examples in records.as_numpy_iterator():
            rows = examples if sample is None else sample.draw(examples)
            parsed = tf.io.parse_example(rows, features | others)
            if not grow:
                parsed |= fixed_values(self.spec, len(rows))
            labels = {name: values.numpy() for name, values in known_labels(self.spec, parsed).items()}
            weights = None if self.spec.weight is None else parsed[self.spec.weight].numpy()
            if grow:
                weights = population_weights(self.spec, labels, weights)
            yield self._matrix(parsed, len(rows), grow), LabelledRows(labels, weights)

    def _matrix(self, parsed: dict, rows: int, grow: bool) -> sparse.csr_matrix:
        row_indices, columns, values = [], [], []
        for cross in self.spec.crosses:
            column = self._token_columns(cross.name, self._crossed(cross, parsed, rows), grow)
            row_indices.append(np.flatnonzero(column >= 0))
            columns.append(column[column >= 0])
            values.append(np.ones(len(columns[-1])))
        for feature in self.spec.features:
            entry = parsed[feature.name]
            if isinstance(entry, tf.SparseTensor):
                index, entries = entry.indices.numpy()[:, 0], entry.values.numpy()
            else:
                index, entries = np.arange(len(entry)), entry.numpy()
            if isinstance(feature, POSITIONS):
                present = ~np.isnan(entries) if isinstance(feature, NUMBER_COLUMNS) else entries != b""
                index, entries = index[present], entries[present]
            if isinstance(feature, DenseFeature):
                places = [b"%d" % place for place in range(feature.length)]
                column = self._token_columns(feature.name, places, grow)[entry.indices.numpy()[present, 1]]
                value = np.sign(entries) * np.log1p(np.abs(entries))
            elif isinstance(feature, NUMBERS):
                column = np.full(len(entries), self.indices.setdefault((feature.name, b""), len(self.indices)))
                value = np.sign(entries) * np.log1p(np.abs(entries))
            else:
                column = self._token_columns(feature.name, entries, grow)
                value = np.ones(len(entries))
            row_indices.append(index[column >= 0])
            columns.append(column[column >= 0])
            values.append(value[column >= 0])
        coordinates = (np.concatenate(row_indices), np.concatenate(columns))
        return sparse.csr_matrix((np.concatenate(values), coordinates), shape=(rows, max(1, len(self.indices))))

    def _crossed(self, cross: Cross, parsed: dict, rows: int) -> list[bytes]:
        """Returns the values of the features of a cross, joined, for each row."""
        members = []
        for feature in map(self.spec.feature, cross.features):
            values = np.full(rows, b"", object)
            entry = parsed[feature.name]
            if isinstance(entry, tf.SparseTensor):
                values[entry.indices.numpy()[::-1, 0]] = entry.values.numpy()[::-1]  # The first value of a row remains.
            else:
                values[:] = entry.numpy().reshape(-1)
            if isinstance(feature, NumericalFeature):
                present = np.array([value != b"" for value in values], bool)
                numbers = values[present].astype(np.float32)
                buckets = np.rint(np.sign(numbers) * np.log1p(np.abs(numbers)) * feature.scale)
                values[present] = [b"%d" % bucket for bucket in np.nan_to_num(buckets, nan=-(10**9)).tolist()]
            members.append(values)
        return [b"\x1f".join(row) for row in zip(*members, strict=True)]

    def _token_columns(self, name: str, tokens: Iterable[bytes], grow: bool) -> np.ndarray:
        unique, inverse = np.unique(np.asarray(tokens, dtype=object), return_inverse=True)
        if grow:
            found = [self.indices.setdefault((name, token), len(self.indices)) for token in unique]
        else:
            found = [self.indices.get((name, token), -1) for token in unique]
        return np.asarray(found, dtype=np.int64)[inverse] if len(found) else np.zeros(0, np.int64)
