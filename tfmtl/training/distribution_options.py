"""Options of the training on several devices or machines."""

import dataclasses
import json
import os
from typing import TYPE_CHECKING, Literal

from tfmtl.config import require

if TYPE_CHECKING:
    import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Distribution:
    """Options of synchronous training on several replicas, each of which computes its share of every batch.

    The batch size is that of the global batch, whatever the number of replicas. Losses are means over the rows of the
    global batch, gradients are those of its loss, and metrics count each row once. Therefore N steps on R replicas give
    the results of N steps on one device, with two exceptions. The negatives of a contrastive loss and the episodes of
    meta-learning are drawn from the rows of one replica, and dropout uses the same mask on each replica.

    With `multi_worker`, each machine runs one process with the same settings and files. The environment variable
    `TF_CONFIG` lists the machines and gives the index of each. On the first machine it is

        TF_CONFIG='{"cluster": {"worker": ["host0:4711", "host1:4711"]}, "task": {"type": "worker", "index": 0}}'

    and on the second the same with index 1. The worker of index 0 is the chief. All workers train, evaluate and save
    together, but only the chief writes the model, and only the chief may do anything else.

    Attributes:
        kind: `none` for one device, `mirrored` for several devices of this machine, `multi_worker` for several
            machines.
        devices: Names of the devices of `mirrored`, such as `GPU:0`; all GPUs by default.

    Example:
        >>> from tfmtl.training import Distribution
        >>> strategy = Distribution("mirrored", devices=("CPU:0",)).strategy()
        >>> strategy.num_replicas_in_sync
        1
    """

    kind: Literal["none", "mirrored", "multi_worker"] = "none"
    devices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        is_valid = not self.devices or self.kind == "mirrored"
        require(is_valid, "devices", "omitted unless `kind` is mirrored", list(self.devices))
        require(len(set(self.devices)) == len(self.devices), "devices", "without duplicates", list(self.devices))

    def strategy(self) -> "tf.distribute.Strategy":
        """Creates the strategy in whose scope a model and its optimizer have to be created.

        With several workers, create it before anything else of TensorFlow.

        Raises:
            ValueError: If `kind` is `multi_worker` and `TF_CONFIG` lists no workers.
        """
        import tensorflow as tf  # Imported here, since the options are read without TensorFlow.

        from tfmtl.training.distribution import ONE_DEVICE

        if self.kind == "none":
            return ONE_DEVICE
        if self.kind == "mirrored":
            return tf.distribute.MirroredStrategy(list(self.devices) or None)
        if not json.loads(os.environ.get("TF_CONFIG") or "{}").get("cluster"):
            received = os.environ.get("TF_CONFIG")
            raise ValueError(f"TF_CONFIG should list the workers of a multi-worker training. Received: {received!r}")
        return tf.distribute.MultiWorkerMirroredStrategy()
