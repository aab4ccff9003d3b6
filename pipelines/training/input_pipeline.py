"""Input pipeline of training: reads tf.Examples of raw features, gives batches of transformed features and labels."""

import dataclasses
import functools
import os
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from pipelines.label_columns import label_parsing, training_labels
from pipelines.training.packed_rows import PackedRows
from pipelines.training.row_cache import Cache, choose_cache
from serving.raw_features import parsing_spec
from serving.training_only import served_transform
from tfmtl.model_inputs import transformed_inputs
from tfmtl.spec import DatasetSpec
from tfmtl.training.data_position import DataPosition

Share = Callable[[tf.data.Dataset], tf.data.Dataset]
"""A function that selects one worker's share of the batches."""

_BLOCK_ROWS = 4096
_OPEN_FILES = 8
_EVALUATION_BATCH = 8192


def _all_rows(batches: tf.data.Dataset) -> tf.data.Dataset:
    """Returns the batches unchanged: the share of a single worker."""
    return batches


@dataclasses.dataclass(frozen=True)
class InputPipeline:
    """Pipeline of `tf.data` operations that reads, parses, transforms, shuffles and batches the rows.

    Its elements are `(features, labels)`, both by name, or `(features, labels, weights)` if the spec has row weights. A
    label that is not known is NaN. The rows of `first_rows` have the fixed values of features that are known in
    training only; those of `evaluation`, whose labels came about with the values of the log, have these. Rows are read,
    parsed and transformed in blocks of thousands.
    For training, the blocks are shuffled and joined to windows, the rows of a window are permuted, and the window is
    divided into batches. The rows of each batch depend on the files, `seed`, `shuffle_rows` and the epoch only, not on
    the machine or on `cache`.

    Attributes:
        spec: Spec of the dataset.
        transform: Function from raw features, `tf.SparseTensor`s by name, to transformed ones.
        batch_size: Number of rows per batch.
        shuffle_rows: Approximate number of consecutive rows from which a batch is drawn. Half of them are shuffled as
            blocks, and half as rows of a window.
        seed: Seed of the shuffling.
        cache: Storage of the transformed rows from the second epoch on, 4 bytes per value: `memory`, `disk`, or `none`,
            which reads the files in every epoch.
        cache_dir: Folder of the cache on disk, which must be empty at first
            (`pipelines.training.row_cache.cache_folder`); None for other caches.

    Raises:
        ValueError: If the cache is `disk` and `cache_dir` is not given.

    Example:
    ```python
    inputs = InputPipeline(spec, TransformGraph(transformed, spec), batch_size=1024)
    model.fit(inputs.training(train_files), validation_data=inputs.evaluation(eval_files))
    ```
    """

    spec: DatasetSpec
    transform: Callable[[dict], dict]
    batch_size: int
    shuffle_rows: int = 65536
    seed: int = 0
    cache: Cache = "none"
    cache_dir: str | None = None

    def __post_init__(self) -> None:
        if self.cache == "disk" and not self.cache_dir:
            raise ValueError(f"`cache_dir` should be a folder if `cache` is disk. Received: {self.cache_dir!r}")

    def training(
        self, files: Sequence[str], share: Share = _all_rows, position: DataPosition | None = None
    ) -> tf.data.Dataset:
        """Returns a dataset of shuffled batches, which has each row once per epoch, in a different order each time.

        The order of an epoch is a function of the seed and the number of the epoch. An epoch that begins at a later
        batch reads the rows before it, but neither parses nor transforms them, unless there is a cache to fill.

        Args:
            files: TFRecord files, compressed with GZIP.
            share: Function that selects a worker's share of the batches, if there are several workers.
            position: Epoch and batch with which the dataset begins; the first one by default.
        """
        position = position or DataPosition()
        raw = self.cache == "none"
        serialized = self._serialized(files, _OPEN_FILES)
        blocks = serialized if raw else self._cached(self._packed(serialized))

        @tf.autograph.experimental.do_not_convert
        def epoch(_: Any) -> tf.data.Dataset:
            # `Dataset.shuffle` combines its seed with the seed of this graph, which is the program's global seed unless
            # it is set. With 0, TensorFlow 2.16 raises an error.
            tf.random.set_seed(1)
            return share(self._epoch(blocks, raw, *position.begin_pass()))

        batches = tf.data.Dataset.range(1).flat_map(epoch).prefetch(tf.data.AUTOTUNE)
        options = tf.data.Options()
        options.experimental_warm_start = True  # Prepares the first window while Keras traces the training step.
        return batches.with_options(options)

    def evaluation(self, files: Sequence[str], share: Share = _all_rows) -> tf.data.Dataset:
        """Returns a dataset of large batches in the order of the files.

        After the first epoch it is kept in memory, unless the compressed files have more than 256 MB.

        Args:
            files: TFRecord files, compressed with GZIP.
            share: Function that selects a worker's share of the batches, if there are several workers.
        """
        blocks = self._packed(self._serialized(files, 1))
        blocks = blocks.cache() if choose_cache("auto", files) == "memory" else blocks
        return share(blocks.rebatch(_EVALUATION_BATCH).map(self._layout.unpack)).prefetch(1)

    def first_rows(self, files: Sequence[str], rows: int) -> tf.data.Dataset:
        """Returns a dataset of the first rows in the order of the files, in batches of the size of training.

        Args:
            files: TFRecord files, compressed with GZIP.
            rows: Number of rows, rounded up to whole batches; fewer if the files have fewer.
        """
        size = min(self.batch_size, rows)
        blocks = self._packed(self._serialized(files, 1), is_served=True)
        return blocks.rebatch(size).take(-(-rows // size)).map(self._layout.unpack)

    def blocks(self, files: Sequence[str], open_files: int, is_served: bool = False) -> tf.data.Dataset:
        """Returns a dataset of blocks of transformed rows, with integers as int32.

        Args:
            files: TFRecord files, compressed with GZIP.
            open_files: Number of files from which blocks are taken in turn; with 1, blocks are in the order of the
                files.
            is_served: Whether fixed values take the place of features that are known in training only.
        """
        parse = functools.partial(self.parse, is_served=is_served)
        serialized = self._serialized(files, open_files)
        return serialized.map(parse, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)

    def _serialized(self, files: Sequence[str], open_files: int) -> tf.data.Dataset:
        """Returns a dataset of blocks of serialized rows."""
        names = tf.data.Dataset.from_tensor_slices(sorted(files))
        # Files are interleaved by block, as passing on single records takes longer than reading them.
        return names.interleave(
            lambda name: tf.data.TFRecordDataset(name, compression_type="GZIP").batch(_BLOCK_ROWS),
            cycle_length=open_files,
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        )

    def _packed(self, blocks: tf.data.Dataset, is_served: bool = False) -> tf.data.Dataset:
        """Returns a dataset of parsed blocks, in which each type of values is one matrix (`PackedRows`)."""

        @tf.autograph.experimental.do_not_convert
        def packed(examples: Any) -> Any:
            return self._layout.pack(*self._transformed(examples, is_served))

        return blocks.map(packed, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)

    @property
    def _layout(self) -> PackedRows:
        names = (*(task.name for task in self.spec.tasks), *self.spec.maturity_columns)
        return PackedRows(transformed_inputs(self.spec), names, self.spec.weight is not None)

    @tf.autograph.experimental.do_not_convert  # Converting Keras takes seconds.
    def parse(self, examples: Any, is_served: bool = False) -> tuple[Any, ...]:
        """Parses and transforms a block of rows.

        Args:
            examples: Serialized tf.Examples, `(rows,)`.
            is_served: Whether fixed values take the place of features that are known in training only.

        Returns:
            Transformed features by name, with ids as int32; labels by task and columns of open labels by name, float32;
            and the weights of the rows,
            float32 `(rows,)`, if the spec has any.
        """
        transformed, *others = self._transformed(examples, is_served)
        features = {}
        for i in transformed_inputs(self.spec):
            values = tf.ensure_shape(transformed[i.name], (None, *i.shape))
            features[i.name] = tf.cast(values, tf.int32) if i.dtype == "int64" else values
        return features, *others

    def _transformed(self, examples: Any, is_served: bool) -> tuple[Any, ...]:
        columns, spec = label_parsing(self.spec), self.spec.served if is_served else self.spec
        parsed = tf.io.parse_example(examples, {**parsing_spec(spec), **columns})
        raw = {
            name: tf.RaggedTensor.from_tensor(tensor[:, None]).to_sparse() if isinstance(tensor, tf.Tensor) else tensor
            for name, tensor in parsed.items()
            if name not in columns
        }
        transform = served_transform(self.transform, self.spec) if is_served else self.transform
        labels = training_labels(self.spec, parsed)
        weights = [] if self.spec.weight is None else [parsed[self.spec.weight]]
        return transform(raw), labels, *weights

    def _cached(self, blocks: tf.data.Dataset) -> tf.data.Dataset:
        if self.cache == "disk":
            return blocks.cache(os.path.join(str(self.cache_dir), "blocks"))
        return blocks.cache() if self.cache == "memory" else blocks

    def _epoch(self, blocks: tf.data.Dataset, raw: bool, epoch: Any, skipped_batches: Any) -> tf.data.Dataset:
        """Returns a dataset of the batches of an epoch but the first ones; `raw` blocks are parsed after skipping."""
        window = -(-self.shuffle_rows // 2)
        seeds = tf.random.stateless_uniform((2,), [self.seed, epoch], maxval=tf.int64.max, dtype=tf.int64)
        skipped_rows = skipped_batches * self.batch_size
        first_window, offset = skipped_rows // window, skipped_rows % window
        shuffled = blocks.shuffle(-(-window // _BLOCK_ROWS), seed=seeds[0], reshuffle_each_iteration=False)
        remaining = _skip_rows(shuffled, first_window * window)
        windows = (self._packed(remaining) if raw else remaining).rebatch(window)

        @tf.autograph.experimental.do_not_convert
        def permute(number: Any, rows: Any) -> Any:
            order = tf.range(tf.shape(rows[0])[0])
            order = tf.random.experimental.stateless_shuffle(order, seed=tf.stack([seeds[1], number]))
            order = order[tf.where(number == first_window, offset, 0) :]
            return tuple(tf.gather(matrix, order) for matrix in rows)

        numbers = tf.data.Dataset.range(first_window, tf.int64.max)
        # The next window is prepared while batches are taken from the present one.
        permuted = tf.data.Dataset.zip(numbers, windows).map(permute).prefetch(1)
        return permuted.rebatch(self.batch_size).map(self._layout.unpack)


@tf.autograph.experimental.do_not_convert
def _skip_rows(blocks: tf.data.Dataset, rows: Any) -> tf.data.Dataset:
    """Returns a dataset of blocks without their first rows."""

    def size(block: Any) -> Any:
        return tf.shape(tf.nest.flatten(block)[0], tf.int64)[0]

    def drop(start: Any, *block: Any) -> Any:
        columns = tf.nest.map_structure(lambda column: column[tf.maximum(rows - start, 0) :], block)
        return columns if len(columns) > 1 else columns[0]

    def numbered(start: Any, *block: Any) -> Any:
        return start + size(block), (start, *block)

    starts = blocks.scan(tf.constant(0, tf.int64), numbered)
    return starts.filter(lambda start, *block: start + size(block) > rows).map(drop)
