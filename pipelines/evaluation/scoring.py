"""Scoring of test rows: tf.Examples of files as batches with labels, scenarios, groups and the scores of two models."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from pipelines.evaluation.scored_batch import ScoredBatch
from tfmtl.spec import DatasetSpec

BATCH_ROWS = 8192
_SIGNATURE = "serving_default"
_HASHES = 2**62


class Scorer:
    """Scores tf.Examples with the signature `serving_default` of a candidate and of the served model.

    Args:
        spec: Spec of the dataset.
        candidate: Folder of the candidate's SavedModel.
        baseline: Folder of the served model's SavedModel; None if there is none.
    """

    def __init__(self, spec: DatasetSpec, candidate: str, baseline: str | None):
        self._spec = spec
        self._models = [tf.saved_model.load(folder) for folder in (candidate, baseline) if folder]
        self._signatures = [model.signatures[_SIGNATURE] for model in self._models]
        self._outputs = {output.name for output in spec.outputs}
        self._columns: dict[str, Any] = {label: tf.io.FixedLenFeature([], tf.int64) for label in spec.labels}
        for name in filter(None, (spec.scenario, spec.group_key)):
            self._columns.setdefault(name, tf.io.VarLenFeature(tf.string))

    def batches(self, file: str) -> Iterator[ScoredBatch]:
        """Yields the scored rows of a file.

        Args:
            file: TFRecord file, compressed with GZIP.
        """
        records = tf.data.TFRecordDataset(file, compression_type="GZIP").batch(BATCH_ROWS)
        parsed = records.map(lambda examples: (examples, self._parse(examples)), num_parallel_calls=2)
        for examples, columns in parsed.prefetch(2):
            scores = [self._score(signature, examples) for signature in self._signatures]
            yield ScoredBatch(
                labels={label: columns[label].numpy().astype(np.float64) for label in self._spec.labels},
                scores=scores[0],
                baseline=scores[1] if len(scores) > 1 else {},
                scenarios=columns["scenario"].numpy() if self._spec.scenario else None,
                groups=columns["group"].numpy(),
            )

    def _parse(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        parsed = tf.io.parse_example(examples, self._columns)
        columns = {label: parsed[label] for label in self._spec.labels}
        if self._spec.scenario:
            columns["scenario"] = _first(parsed[self._spec.scenario], examples)
        groups = _first(parsed[self._spec.group_key], examples) if self._spec.group_key else examples
        columns["group"] = tf.strings.to_hash_bucket_fast(groups, _HASHES)
        return columns

    def _score(self, signature: Any, examples: tf.Tensor) -> Mapping[str, np.ndarray]:
        (name,) = signature.structured_input_signature[1]
        scores = signature(**{name: examples})
        found = self._outputs & set(scores)
        return {output: scores[output].numpy().astype(np.float64).reshape(-1) for output in found}


def _first(column: tf.SparseTensor, examples: tf.Tensor) -> tf.Tensor:
    """Returns the first value of each row; the empty string where there is none."""
    rows = tf.RaggedTensor.from_value_rowids(column.values, column.indices[:, 0], tf.size(examples, tf.int64))
    return rows[:, :1].to_tensor("", shape=[None, 1])[:, 0]
