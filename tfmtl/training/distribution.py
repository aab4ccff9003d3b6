"""Training on several devices or machines, with the rows of a batch divided between the replicas."""

import contextlib
import functools
import tempfile
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import keras
import tensorflow as tf

from tfmtl.types import Tensor

Shard: TypeAlias = Callable[[tf.data.Dataset], tf.data.Dataset]
"""Function from a dataset of global batches to a dataset of the rows of one worker."""

StepFunction: TypeAlias = Callable[[Any], dict[str, Tensor]]
"""Function from a batch, or from an iterator of batches, to values of metrics by name."""

with tf.Graph().as_default():  # Scopes belong to a graph, and this module may be imported in the scope of a strategy.
    ONE_DEVICE = tf.distribute.get_strategy()
"""Strategy of one device: TensorFlow's default outside of the scope of a strategy."""


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Returns whether this process is the chief, which writes the model; always true with one worker.

    Args:
        strategy: Strategy of the training.

    Example:
        >>> from tfmtl.training import Distribution
        >>> from tfmtl.training.distribution import is_chief
        >>> is_chief(Distribution().strategy())
        True
    """
    resolver = strategy.cluster_resolver
    if resolver is None or not resolver.cluster_spec().as_dict():
        return True
    has_chief_job = "chief" in resolver.cluster_spec().jobs
    return bool(resolver.task_type == "chief" if has_chief_job else resolver.task_id == 0)


@contextlib.contextmanager
def chief_folder(strategy: tf.distribute.Strategy, folder: str) -> Iterator[str]:
    """Gives the folder to which this process may save a model.

    All workers have to save a model together, because some of its variables are distributed over them, but only the
    chief may write it.

    Args:
        strategy: Strategy of the training.
        folder: Folder of the model.

    Yields:
        `folder` for the chief; a temporary folder for another worker, which is removed after the `with` block.

    Example:
        >>> from tfmtl.training import Distribution
        >>> from tfmtl.training.distribution import chief_folder
        >>> with chief_folder(Distribution().strategy(), "runs/model") as folder:
        ...     print(folder)
        runs/model
    """
    if is_chief(strategy):
        yield folder
        return
    with tempfile.TemporaryDirectory() as temporary_folder:
        yield temporary_folder


def worker_shard(strategy: tf.distribute.Strategy) -> Shard:
    """Returns the function that selects the rows of this worker, which its replicas then divide.

    Apply it at the stage of the input pipeline at which slicing batches is cheapest, for example before examples are
    parsed. Every worker has to make the same batches in the same order.

    Args:
        strategy: Strategy of the training.

    Returns:
        A function from a dataset of global batches to a dataset of this worker's rows of each batch. With one worker
        it returns the dataset unchanged.

    Example:
        >>> import tensorflow as tf
        >>> from tfmtl.training import Distribution
        >>> from tfmtl.training.distribution import worker_shard
        >>> shard = worker_shard(Distribution().strategy())
        >>> [batch.tolist() for batch in shard(tf.data.Dataset.range(3).batch(2)).as_numpy_iterator()]
        [[0, 1], [2]]
    """
    workers = count_workers(strategy)
    if workers == 1:
        return lambda batches: batches
    return functools.partial(shard_batches, index=_worker_index(strategy), parts=workers)


def shard_batches(batches: tf.data.Dataset, index: int, parts: int) -> tf.data.Dataset:
    """Selects one of the equal parts of each batch.

    Args:
        batches: Dataset of batches.
        index: Index of the part.
        parts: Number of parts. Their sizes differ by at most one row, and may be 0, so that there are as many batches
            in each part.

    Returns:
        Dataset of the rows of the part.

    Example:
        >>> import tensorflow as tf
        >>> from tfmtl.training.distribution import shard_batches
        >>> batches = tf.data.Dataset.range(6).batch(4)
        >>> [rows.tolist() for rows in shard_batches(batches, index=1, parts=2).as_numpy_iterator()]
        [[2, 3], [5]]
    """

    def select(*batch: Any) -> Any:
        return slice_rows(batch if len(batch) > 1 else batch[0], index, parts)

    return batches.map(select, num_parallel_calls=tf.data.AUTOTUNE)


def slice_rows(batch: Any, index: Tensor | int, parts: int) -> Any:
    """Returns the rows of a batch in one of its equal parts, which may be empty.

    Args:
        batch: Nested structure of tensors `(batch, ...)`; entries that are None stay None.
        index: Index of the part.
        parts: Number of parts.

    Returns:
        The same structure of tensors `(rows, ...)`.

    Example:
        >>> import tensorflow as tf
        >>> from tfmtl.training.distribution import slice_rows
        >>> slice_rows({"user": tf.range(5)}, index=1, parts=2)["user"].numpy().tolist()
        [2, 3, 4]
    """
    rows = tf.shape(keras.tree.flatten(batch)[0])[0]
    start, end = rows * index // parts, rows * (index + 1) // parts
    return keras.tree.map_structure(lambda tensor: None if tensor is None else tensor[start:end], batch)


def make_replica_function(model: keras.Model, step: StepFunction) -> StepFunction:
    """Creates the function that Keras calls with an iterator for each step, for a model on several replicas.

    The function divides a batch between the replicas of this process and runs a step on each. It replaces that of
    Keras for these reasons:

    - Keras uses distributed datasets of TensorFlow. A process can hang when their iterators are garbage-collected,
      which happens after each epoch, and at the end of the data half a step is executed.
    - Keras averages what the replicas return by a collective operation for each metric, which fails with several
      workers. Keras reads the metrics of an epoch from their variables, so the values of one replica suffice for a
      step.

    Args:
        model: The model, in whose `replica_strategy` the step runs.
        step: Function from a replica's rows of a batch to values of metrics by name.

    Returns:
        A function from an iterator of batches to values of metrics by name.

    Example:
        >>> import types
        >>> import tensorflow as tf
        >>> from tfmtl.training import Distribution
        >>> from tfmtl.training.distribution import make_replica_function
        >>> strategy = Distribution("mirrored", devices=("CPU:0",)).strategy()
        >>> model = types.SimpleNamespace(replica_strategy=strategy, run_eagerly=False)
        >>> step = make_replica_function(model, lambda batch: {"sum": tf.reduce_sum(batch)})
        >>> int(step(iter(tf.data.Dataset.range(5).batch(3)))["sum"])
        3
    """
    strategy = model.replica_strategy
    count = _count_local_replicas(strategy)

    def replica_step(batch: Any) -> dict[str, Tensor]:
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group % count
        with tf.device("CPU:0"):  # Slicing on the CPU copies only the replica's rows to its device.
            rows = slice_rows(batch, replica, count)
        return step(rows)

    def batch_step(batch: Any) -> dict[str, Tensor]:
        logs = strategy.run(replica_step, args=(batch,))
        return {name: strategy.experimental_local_results(value)[0] for name, value in logs.items()}

    if model.run_eagerly:
        return lambda iterator: batch_step(next(iterator))
    traced = tf.function(batch_step, autograph=False)
    latest: list[Any] = [None, None]  # The specification of a dataset, and the function traced for it.

    def iterator_step(iterator: Any) -> dict[str, Tensor]:
        # The specification allows any number of rows, so a smaller last batch is not traced again. Comparing the
        # specification takes less time than a lookup of the traced function in each step.
        spec = iterator.element_spec
        if spec is not latest[0]:
            latest[:] = spec, traced.get_concrete_function(spec)
        logs: dict[str, Tensor] = latest[1](next(iterator))
        return logs

    return iterator_step


def first_worker_says(strategy: tf.distribute.Strategy, flag: bool) -> bool:
    """Returns the flag of the first worker on all workers, which have to call this function together.

    Args:
        strategy: Strategy of the training.
        flag: Flag of this worker.

    Example:
        >>> from tfmtl.training import Distribution
        >>> from tfmtl.training.distribution import first_worker_says
        >>> first_worker_says(Distribution().strategy(), True)
        True
    """
    if count_workers(strategy) == 1:
        return flag
    said = tf.constant(float(flag and is_chief(strategy)))
    total = strategy.reduce(tf.distribute.ReduceOp.SUM, strategy.run(lambda: tf.identity(said)), axis=None)
    return bool(total.numpy() > 0)


def count_workers(strategy: tf.distribute.Strategy) -> int:
    """Returns the number of processes that train together.

    Args:
        strategy: Strategy of the training.

    Example:
        >>> from tfmtl.training import Distribution
        >>> from tfmtl.training.distribution import count_workers
        >>> count_workers(Distribution().strategy())
        1
    """
    return int(strategy.num_replicas_in_sync // _count_local_replicas(strategy))


def optimizer_steps(optimizer: keras.optimizers.Optimizer) -> int:
    """Returns the number of steps that an optimizer has made; its counter may have a copy on each replica.

    Args:
        optimizer: Optimizer of a model.

    Example:
        >>> import keras
        >>> from tfmtl.training.distribution import optimizer_steps
        >>> optimizer_steps(keras.optimizers.Adam())
        0
    """
    return int(keras.ops.convert_to_numpy(optimizer.iterations))


def _count_local_replicas(strategy: tf.distribute.Strategy) -> int:
    # The default strategy has one replica and no list of devices.
    return 1 if strategy.num_replicas_in_sync == 1 else len(strategy.extended.worker_devices)


def _worker_index(strategy: tf.distribute.Strategy) -> int:
    """Returns the index of this process among the processes that train; a chief precedes the workers."""
    resolver = strategy.cluster_resolver
    chiefs = 0 if resolver.task_type == "chief" else len(resolver.cluster_spec().as_dict().get("chief", ()))
    return int(resolver.task_id) + chiefs
