"""Process that measures matrix products and training steps of layers on the Keras backend of `KERAS_BACKEND`.

It does not import `tfmtl.models`, which need TensorFlow.
"""

import importlib
import math
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from benchmarks import protocol
from benchmarks.batches import TASKS, Batch, field_sizes, log_batches
from benchmarks.layer_stacks import STACKS
from benchmarks.timing import seconds_per_step

_BACKEND = importlib.import_module(f"benchmarks.on_{keras.backend.backend()}")


def run(job: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the result of a job of `benchmarks.rows`; the kind `device` only checks the device.

    Args:
        job: The job, with the settings of the run.

    Raises:
        RuntimeError: If the backend does not find the device.
    """
    with _BACKEND.use_device(job["device"]):
        return _KINDS[job["kind"]](job)


def measure_product(job: Mapping[str, Any]) -> dict[str, Any]:
    """Measures a plain matrix product.

    Args:
        job: The job; its `product` is the number of products, m, k and n.
    """
    count, m, k, n = job["product"]
    batch = [] if count == 1 else [count]
    steps = _BACKEND.product_steps((*batch, m, k), (*batch, k, n), job["dtype"])
    seconds, blocks = seconds_per_step(steps, job["seconds"], job["warm_up"])
    return {"seconds": seconds, "blocks": blocks, "flops": 2 * count * m * k * n, "dtype": job["dtype"]}


def measure_layers(job: Mapping[str, Any]) -> dict[str, Any]:
    """Measures time, operations and peak memory of a training step of a stack of layers with Keras's Adam.

    Args:
        job: The job; its `stack` is a key of `benchmarks.layer_stacks.STACKS`.

    Raises:
        FloatingPointError: If the loss is not finite.
    """
    keras.config.set_dtype_policy(job["policy"])
    keras.utils.set_random_seed(job["seed"])
    batches = make_batches(job)
    stack = STACKS[job["stack"]](field_sizes(job["ids"]), TASKS, **job["options"])
    stack(batches[0][0])
    step = _BACKEND.TrainingStep(stack, keras.optimizers.Adam())
    train = step.steps(batches)

    def steps(number: int) -> None:
        loss = train(number)
        if not math.isfinite(loss):
            raise FloatingPointError(f"the loss should be finite. Received: {loss}")

    seconds, blocks = seconds_per_step(steps, job["seconds"], job["warm_up"])
    result = {"seconds": seconds, "blocks": blocks, "batch": job["batch"], "parameters": stack.count_params()}
    result["peak_mb"] = _BACKEND.peak_memory_mb(job["device"])
    if job["count_flops"]:
        result["flops"], result["forward_flops"] = step.count_flops(batches[0])
    return result


def make_batches(job: Mapping[str, Any]) -> list[Batch]:
    """Draws the batches that a job uses in turn, with ids of 32 bits.

    Args:
        job: The job, with the settings of the run.
    """
    batches = log_batches(job["ids"], job["batch"], job["pool"], job["seed"])
    return [({name: ids.astype(np.int32) for name, ids in features.items()}, labels) for features, labels in batches]


_KINDS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "device": lambda job: {},
    "limit": measure_product,
    "layers": measure_layers,
}

if __name__ == "__main__":
    protocol.answer(run)
