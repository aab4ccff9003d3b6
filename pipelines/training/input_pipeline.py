"""The input path of training: tf.Examples of raw features -> batches of transformed features and labels."""

import contextlib
import dataclasses
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import tensorflow as tf

from pipelines.settings import CacheSetting
from serving.raw_features import parsing_spec
from tfmtl.model_inputs import transformed_inputs
from tfmtl.spec import DatasetSpec

Cache = Literal["none", "memory", "disk"]
Share = Callable[[tf.data.Dataset], tf.data.Dataset]
_SMALL_FILES_MB = 256
_BLOCK_ROWS = 4096
_OPEN_FILES = 8
_EVALUATION_BATCH = 8192


def _whole(batches: tf.data.Dataset) -> tf.data.Dataset:
    return batches


@dataclasses.dataclass(frozen=True)
class InputPipeline:
    """Reads, parses after batching, transforms, shuffles, and gives `(features, labels by task name)`.

    Nothing is done row by row: rows are read, parsed and transformed in blocks of thousands. Blocks are then shuffled,
    joined to windows, the rows of a window permuted, and batches cut from it. Which rows are in which batch depends on
    the files, `seed`, `shuffle_rows` and the epoch, not on the machine or on `cache`.

    Attributes:
        spec: of the data set.
        transform: maps raw features (`tf.SparseTensor`s by name) to transformed ones.
        batch_size: rows a batch.
        shuffle_rows: from how many rows on end a batch is drawn, about; half of them are shuffled as blocks, half as
            rows of a window.
        seed: of the shuffling.
        cache: where blocks are kept once transformed, from the second epoch on: `memory`, `disk` (a folder), or
            `none`, which reads the files each epoch. A value takes 4 bytes.
        cache_dir: of `disk`; where the blocks are, an empty folder at the beginning (`cache_folder` gives one).

    Raises:
        ValueError: if the cache is `disk` and no folder is given.
    """

    spec: DatasetSpec
    transform: Callable[[dict], dict]
    batch_size: int
    shuffle_rows: int = 65536
    seed: int = 0
    cache: Cache = "none"
    cache_dir: str | None = None

    def __post_init__(self):
        if self.cache == "disk" and not self.cache_dir:
            raise ValueError(f"`cache_dir` should be a folder where `cache` is disk. Received: {self.cache_dir!r}")

    def training(self, files: Sequence[str], share: Share = _whole) -> tf.data.Dataset:
        """Shuffled batches of one epoch, each row once, in another order each epoch.

        Args:
            files: GZIP TFRecords.
            share: is applied to the batches, where several replicas get a share of each.
        """
        window = -(-self.shuffle_rows // 2)
        blocks = self._cached(self.blocks(files, _OPEN_FILES))
        shuffled = blocks.shuffle(-(-window // _BLOCK_ROWS), seed=self.seed, reshuffle_each_iteration=True)
        draws = tf.data.Dataset.random(seed=self.seed, rerandomize_each_iteration=True)
        permuted = tf.data.Dataset.zip(shuffled.rebatch(window), draws).map(self._permute)
        # A window is made while batches are cut from the one before it.
        batches = share(permuted.prefetch(1).rebatch(self.batch_size)).prefetch(tf.data.AUTOTUNE)
        options = tf.data.Options()
        options.experimental_warm_start = True  # The first window is made while Keras traces the training step.
        return batches.with_options(options)

    def evaluation(self, files: Sequence[str], share: Share = _whole) -> tf.data.Dataset:
        """The rows in their order, in large batches; they are kept in memory once read."""
        batches = self.blocks(files, 1).cache().rebatch(_EVALUATION_BATCH).map(self._widen)
        return share(batches).prefetch(1)

    def blocks(self, files: Sequence[str], open_files: int) -> tf.data.Dataset:
        """Thousands of transformed rows each, as they stand in the files; whole numbers as int32.

        Args:
            files: GZIP TFRecords.
            open_files: from how many files blocks are taken in turn.
        """
        names = tf.data.Dataset.from_tensor_slices(sorted(files))
        # Files are interleaved by block: handing over single records costs more than reading them.
        examples = names.interleave(
            lambda name: tf.data.TFRecordDataset(name, compression_type="GZIP").batch(_BLOCK_ROWS),
            cycle_length=open_files,
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        )
        return examples.map(self.parse, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)

    def parse(self, examples: Any) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        """Transformed features (ids as int32) and labels of serialized tf.Examples `(rows,)`."""
        labels = {label: tf.io.FixedLenFeature([], tf.int64) for label in self.spec.labels}
        parsed = tf.io.parse_example(examples, {**parsing_spec(self.spec), **labels})
        raw = {
            name: tf.RaggedTensor.from_tensor(tensor[:, None]).to_sparse() if isinstance(tensor, tf.Tensor) else tensor
            for name, tensor in parsed.items()
            if name not in labels
        }
        transformed = self.transform(raw)
        features = {}
        for i in transformed_inputs(self.spec):
            values = tf.ensure_shape(transformed[i.name], (None, *i.shape))
            features[i.name] = tf.cast(values, tf.int32) if i.dtype == "int64" else values
        return features, {task.name: tf.cast(parsed[task.label], tf.float32) for task in self.spec.tasks}

    def _cached(self, blocks: tf.data.Dataset) -> tf.data.Dataset:
        if self.cache == "disk":
            return blocks.cache(os.path.join(str(self.cache_dir), "blocks"))
        return blocks.cache() if self.cache == "memory" else blocks

    def _permute(self, window: Any, draw: Any) -> Any:
        features, labels = window
        rows = tf.range(tf.shape(next(iter(labels.values())))[0])
        order = tf.random.experimental.stateless_shuffle(rows, seed=tf.stack([draw, 0]))
        return self._widen(*tf.nest.map_structure(lambda column: tf.gather(column, order), (features, labels)))

    def _widen(self, features: Any, labels: Any) -> Any:
        """The dtypes that models take."""
        return {i.name: tf.cast(features[i.name], i.dtype) for i in transformed_inputs(self.spec)}, labels


def choose_cache(cache: CacheSetting, files: Sequence[str]) -> Cache:
    """Of `auto`, `memory` for files of 256 MB (compressed) at most and `none` for larger ones; else what is given."""
    if cache != "auto":
        return cache
    small = sum(tf.io.gfile.stat(name).length for name in files) <= _SMALL_FILES_MB * 2**20
    return "memory" if small else "none"


@contextlib.contextmanager
def cache_folder(cache: Cache) -> Iterator[str | None]:
    """An empty folder for the blocks of a cache on disk, removed afterwards; None for other caches."""
    if cache != "disk":
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="tfmtl_cache_") as folder:
        yield folder
