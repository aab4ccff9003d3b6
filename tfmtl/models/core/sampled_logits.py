"""Logits of the rows that remain after the sampling of negatives, from those of all rows."""

import math
from collections.abc import Mapping

from keras import ops

from tfmtl.spec import ENTIRE, DatasetSpec
from tfmtl.types import Logits, Tensor

_SMALLEST = 1e-12


def sampled_logits(spec: DatasetSpec, spaces: Mapping[str, str], logits: Logits) -> Logits:
    """Converts the logits of all rows to those of the sampled rows, on which the losses of training are computed.

    With the share `r` of negatives that are kept and the probability `c` of the sampled task, `c + r (1 - c)` of the
    rows like this one remain. The probability of an event for which the sampled one is necessary is divided by it:

    - the logit of the sampled task becomes `logit - log r`;
    - that of a head on the entire space with the probability `p <= c` becomes `log p - log(c - p + r (1 - c))`;
    - a head on the conditional space has the same logit, as all rows of its space remain.

    Args:
        spec: Spec of the dataset.
        spaces: Space of each task's head by task name.
        logits: Logits of all rows by task name, each `(batch,)`.

    Returns:
        Logits by task name; those that are given if the spec has no sampling.

    Example:
        >>> import numpy as np
        >>> from tfmtl.features import CategoricalFeature
        >>> from tfmtl.models.core.sampled_logits import sampled_logits
        >>> from tfmtl.sampling import NegativeSampling
        >>> from tfmtl.spec import DatasetSpec, Task
        >>> sampling = NegativeSampling("click", negatives=0.5)
        >>> spec = DatasetSpec("shop", (CategoricalFeature("user"),), (Task("click", "clicked"),), sampling=sampling)
        >>> logit = sampled_logits(spec, {"click": "entire"}, {"click": np.zeros(1, "float32")})["click"]
        >>> round(float(1 / (1 + np.exp(-logit[0]))), 4)  # One of 1.5 remaining rows is positive.
        0.6667
    """
    if spec.sampling is None:
        return logits
    rate = spec.sampling.negatives
    root = ops.cast(logits[spec.sampling.task], "float32")
    converted = {**logits, spec.sampling.task: root - math.log(rate)}
    for task in spec.tasks:
        if task.name != spec.sampling.task and spaces[task.name] == ENTIRE:
            converted[task.name] = _entire(ops.cast(logits[task.name], "float32"), ops.stop_gradient(root), rate)
    return converted


def _entire(logit: Tensor, root: Tensor, rate: float) -> Tensor:
    larger = ops.maximum(root, ops.stop_gradient(logit))  # A head may exceed that of the previous task.
    others = ops.sigmoid(larger) - ops.sigmoid(logit) + rate * ops.sigmoid(-larger)
    return ops.log_sigmoid(logit) - ops.log(ops.maximum(others, _SMALLEST))
