"""Scoring of test rows: tf.Examples of files as batches with labels, scenarios, groups and the scores of two models."""

import collections
import concurrent.futures
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from pipelines.evaluation.scored_batch import ScoredBatch
from pipelines.label_columns import known_labels, label_parsing
from tfmtl.spec import DatasetSpec

BATCH_ROWS = 8192
SIGNATURE = "serving_default"
"""Signature that takes tf.Examples."""
_HASHES = 2**62
_BATCHES_AT_ONCE = 2
"""Number of batches that are scored at a time: a graph of many small operations uses about 1.5 cores."""


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
        self._signatures = [model.signatures[SIGNATURE] for model in self._models]
        self._outputs = {output.name for output in spec.outputs}
        self._columns: dict[str, Any] = dict(label_parsing(spec))
        for name in filter(None, (spec.scenario, spec.group_key)):
            self._columns.setdefault(name, tf.io.VarLenFeature(tf.string))
        examples = tf.TensorSpec([None], tf.string)
        # One graph for all files: it is traced once, and its operations run in parallel.
        self._compute = tf.function(self._graph, input_signature=[examples], autograph=False).get_concrete_function()

    def batches(self, file: str) -> Iterator[ScoredBatch]:
        """Yields the scored rows of a file; the next batches are scored while the caller works on the present one.

        Args:
            file: TFRecord file, compressed with GZIP.
        """
        records = tf.data.TFRecordDataset(file, compression_type="GZIP").batch(BATCH_ROWS).prefetch(2)
        pending: collections.deque[concurrent.futures.Future[ScoredBatch]] = collections.deque()
        with concurrent.futures.ThreadPoolExecutor(_BATCHES_AT_ONCE) as threads:
            for examples in records:
                pending.append(threads.submit(self._scored, examples))
                if len(pending) > _BATCHES_AT_ONCE:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()

    def _scored(self, examples: tf.Tensor) -> ScoredBatch:
        columns, *scores = tf.nest.map_structure(lambda tensor: tensor.numpy(), self._compute(examples))
        candidate, baseline = [
            {name: values.reshape(-1).astype(np.float64) for name, values in one.items()} for one in (*scores, {})[:2]
        ]
        return ScoredBatch(
            labels={name: labels.astype(np.float64) for name, labels in columns["labels"].items()},
            scores=candidate,
            baseline=baseline,
            scenarios=columns.get("scenario"),
            groups=columns["group"],
            weights=None if "weight" not in columns else columns["weight"].astype(np.float64),
        )

    def _graph(self, examples: tf.Tensor) -> list[dict[str, Any]]:
        """Returns the columns of the rows, and the scores of each model, by name."""
        return [self._parse(examples), *(self._score(signature, examples) for signature in self._signatures)]

    def _parse(self, examples: tf.Tensor) -> dict[str, Any]:
        parsed = tf.io.parse_example(examples, self._columns)
        columns: dict[str, Any] = {"labels": known_labels(self._spec, parsed)}
        if self._spec.weight is not None:
            columns["weight"] = parsed[self._spec.weight]
        if self._spec.scenario:
            columns["scenario"] = _first(parsed[self._spec.scenario], examples)
        groups = _first(parsed[self._spec.group_key], examples) if self._spec.group_key else examples
        columns["group"] = tf.strings.to_hash_bucket_fast(groups, _HASHES)
        return columns

    def _score(self, signature: Any, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        scores = call_signature(signature, examples)
        return {output: scores[output] for output in sorted(self._outputs & set(scores))}


def call_signature(signature: Any, values: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns the outputs by name of a signature with one input, which TensorFlow takes by its name only.

    Args:
        signature: Signature of a loaded SavedModel.
        values: The input.
    """
    (name,) = signature.structured_input_signature[1]
    outputs: dict[str, tf.Tensor] = signature(**{name: values})
    return outputs


def _first(column: tf.SparseTensor, examples: tf.Tensor) -> tf.Tensor:
    """Returns the first value of each row; the empty string where there is none."""
    rows = tf.RaggedTensor.from_value_rowids(column.values, column.indices[:, 0], tf.size(examples, tf.int64))
    return rows[:, :1].to_tensor("", shape=[None, 1])[:, 0]
