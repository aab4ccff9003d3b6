"""The input path of training: tf.Examples of raw features -> batches of transformed features and labels."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from serving.raw_features import parsing_spec
from tfmtl.fields import transformed_inputs
from tfmtl.spec import DatasetSpec

_EVALUATION_BATCH = 8192


@dataclasses.dataclass(frozen=True)
class InputPath:
    """Reads, parses after batching, transforms, and gives `(features, labels by task name)`.

    Attributes:
        spec: of the data set.
        transform: maps raw features (`tf.SparseTensor`s by name) to transformed ones.
        batch_size: rows a batch.
        shuffle_rows: size of the shuffle buffer.
        seed: of the shuffling.
    """

    spec: DatasetSpec
    transform: Callable[[dict], dict]
    batch_size: int
    shuffle_rows: int = 65536
    seed: int = 0

    def training(self, files: Sequence[str]) -> tf.data.Dataset:
        """Shuffled batches of one epoch, another order each epoch.

        Serialized rows are shuffled and batched, then parsed a batch at a time: nothing is done row by row.
        """
        rows = _records(files).shuffle(self.shuffle_rows, seed=self.seed, reshuffle_each_iteration=True)
        return self._parsed(rows.batch(self.batch_size))

    def evaluation(self, files: Sequence[str]) -> tf.data.Dataset:
        """The rows in their order, in large batches that are kept in memory once read."""
        return self._parsed(_records(files).batch(_EVALUATION_BATCH)).cache()

    def _parsed(self, batches: tf.data.Dataset) -> tf.data.Dataset:
        return batches.map(self.parse, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)

    def parse(self, examples: Any) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        """Transformed features and labels of serialized tf.Examples `(batch,)`."""
        labels = {label: tf.io.FixedLenFeature([], tf.int64) for label in self.spec.labels}
        parsed = tf.io.parse_example(examples, {**parsing_spec(self.spec), **labels})
        raw = {
            name: tf.RaggedTensor.from_tensor(tensor[:, None]).to_sparse() if isinstance(tensor, tf.Tensor) else tensor
            for name, tensor in parsed.items()
            if name not in labels
        }
        transformed = self.transform(raw)
        inputs = transformed_inputs(self.spec)
        features = {i.name: tf.ensure_shape(transformed[i.name], (None, *i.shape)) for i in inputs}
        return features, {task.name: tf.cast(parsed[task.label], tf.float32) for task in self.spec.tasks}


def _records(files: Sequence[str]) -> tf.data.Dataset:
    return tf.data.TFRecordDataset(list(files), compression_type="GZIP", num_parallel_reads=tf.data.AUTOTUNE)
