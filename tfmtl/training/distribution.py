"""Training on several devices or machines: which, and the rows of a batch that each replica gets."""

import contextlib
import dataclasses
import functools
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from typing import Any, Literal

import keras
import tensorflow as tf

from tfmtl.config import require

Share = Callable[[tf.data.Dataset], tf.data.Dataset]
ONE_DEVICE = tf.distribute.get_strategy()
"""What there is outside of any strategy's scope, where modules are imported."""


@dataclasses.dataclass(frozen=True)
class Distribution:
    """On what a model is trained: synchronously, each replica on its share of the rows of every batch.

    A batch is the global one, whatever the number of replicas: losses are means over its rows, gradients are those of
    its loss, metrics count each of its rows once. So N steps on R replicas are N steps on one device, except for what
    looks at rows together: the negatives of a contrast and the episodes of meta-learning are those of a replica's own
    rows, and dropout draws the same mask on each replica.

    `multi_worker` is one process a machine, all with the same settings and files. Each is told by the environment
    variable `TF_CONFIG` who takes part and which one it is, on the first machine

        TF_CONFIG='{"cluster": {"worker": ["host0:4711", "host1:4711"]}, "task": {"type": "worker", "index": 0}}'

    and with index 1 on the second. The worker of index 0 is the chief, which alone leaves a model behind. Only the
    chief may do more than train; all of them have to train, evaluate and save together.

    Attributes:
        kind: `none`: one device. `mirrored`: several devices of this machine. `multi_worker`: several machines.
        devices: of `mirrored`, such as `GPU:0`; all GPUs by default.
    """

    kind: Literal["none", "mirrored", "multi_worker"] = "none"
    devices: tuple[str, ...] = ()

    def __post_init__(self):
        named = not self.devices or self.kind == "mirrored"
        require(named, "devices", "left out unless `kind` is mirrored", list(self.devices))
        require(len(set(self.devices)) == len(self.devices), "devices", "each named once", list(self.devices))

    def strategy(self) -> tf.distribute.Strategy:
        """The strategy, in whose scope a model and its optimizer are made.

        Make it before anything else of TensorFlow where there are several workers.

        Raises:
            ValueError: if `TF_CONFIG` names no workers.
        """
        if self.kind == "none":
            return ONE_DEVICE
        if self.kind == "mirrored":
            return tf.distribute.MirroredStrategy(list(self.devices) or None)
        if not json.loads(os.environ.get("TF_CONFIG") or "{}").get("cluster"):
            received = os.environ.get("TF_CONFIG")
            raise ValueError(f"TF_CONFIG should name the workers of a multi-worker training. Received: {received!r}")
        return tf.distribute.MultiWorkerMirroredStrategy()


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process is the one that leaves a model behind."""
    resolver = strategy.cluster_resolver
    if resolver is None or not resolver.cluster_spec().as_dict():
        return True
    chiefs = "chief" in resolver.cluster_spec().jobs
    return resolver.task_type == "chief" if chiefs else resolver.task_id == 0


@contextlib.contextmanager
def folder_of_chief(strategy: tf.distribute.Strategy, folder: str) -> Iterator[str]:
    """The folder itself for the chief; for another worker, one that is removed after the `with` block.

    Saving reads variables that workers hold together: each of them has to take part, and one may write.
    """
    if is_chief(strategy):
        yield folder
        return
    with tempfile.TemporaryDirectory() as elsewhere:
        yield elsewhere


def share_of_worker(strategy: tf.distribute.Strategy) -> Share:
    """What gives of a data set of global batches the rows of this process, which its replicas then divide.

    It is to be applied where cutting batches is cheapest: before they are parsed, for example. Every worker has to make
    the same batches in the same order. Where there is one worker, batches stay as they are.

    Example:
        >>> share = share_of_worker(strategy)
        >>> model.fit(share(rows.batch(1024)).map(parse))
    """
    workers = strategy.num_replicas_in_sync // _local_replicas(strategy)
    if workers == 1:
        return lambda batches: batches
    return functools.partial(share_of, worker=_worker(strategy), workers=workers)


def share_of(batches: tf.data.Dataset, worker: int, workers: int) -> tf.data.Dataset:
    """Of each batch the rows of a worker; sizes differ by one row at most, so that each has as many batches."""

    def rows(*batch):
        return part(batch if len(batch) > 1 else batch[0], worker, workers)

    return batches.map(rows, num_parallel_calls=tf.data.AUTOTUNE)


def part(batch: Any, index: int, parts: int) -> Any:
    """The rows of a batch in one of its equal parts; it may be empty."""
    rows = tf.shape(keras.tree.flatten(batch)[0])[0]
    start, end = rows * index // parts, rows * (index + 1) // parts
    return keras.tree.map_structure(lambda tensor: None if tensor is None else tensor[start:end], batch)


def on_replicas(model: keras.Model, step: Callable[[Any], dict[str, Any]]) -> Callable[[Any], dict[str, Any]]:
    """What Keras calls with an iterator for each step: divides a batch between this process's replicas and runs them.

    Keras's own takes TensorFlow's distributed data sets. When their iterators are collected as garbage, as after each
    epoch, a process can wait for ever; and at the end of the data they carry out half a step. It averages what replicas
    return with a collective operation for each metric, and fails where there are several workers. The metrics of an
    epoch are read from their variables, so that of a step one replica's will do.

    Args:
        model: in whose `replica_strategy` the step runs.
        step: takes a replica's batch and gives the metrics by name.
    """
    strategy = model.replica_strategy
    count = _local_replicas(strategy)

    def on_replica(batch):
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group % count
        with tf.device("CPU:0"):  # Only its own rows travel to a device.
            rows = part(batch, replica, count)
        return step(rows)

    def on_batch(batch):
        logs = strategy.run(on_replica, args=(batch,))
        return {name: strategy.experimental_local_results(value)[0] for name, value in logs.items()}

    if model.run_eagerly:
        return lambda iterator: on_batch(next(iterator))
    traced = tf.function(on_batch, autograph=False)
    of_spec: list[Any] = [None, None]

    def on_next(iterator):
        # By the data set's specification, batches have any number of rows: the last one, a smaller one, is not traced
        # again. To look the function up at each step would take longer than to see that the data set is the same.
        spec = iterator.element_spec
        if spec is not of_spec[0]:
            of_spec[:] = spec, traced.get_concrete_function(spec)
        return of_spec[1](next(iterator))

    return on_next


def _local_replicas(strategy: tf.distribute.Strategy) -> int:
    # The default strategy has one replica and knows of no devices.
    return 1 if strategy.num_replicas_in_sync == 1 else len(strategy.extended.worker_devices)


def _worker(strategy: tf.distribute.Strategy) -> int:
    """The place of this process among those that train: a chief comes before the workers."""
    resolver = strategy.cluster_resolver
    chiefs = 0 if resolver.task_type == "chief" else len(resolver.cluster_spec().as_dict().get("chief", ()))
    return int(resolver.task_id) + chiefs
