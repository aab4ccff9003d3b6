"""Health of AdaFTR: the spread of its temperatures, and the gradient of its contrast against that of the tasks."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tfmtl.health.health import Bound, Health
from tfmtl.health.measures import temperature_spread

_SPREAD = Bound(low=0.02)
"""If 90 % of the rows have temperatures within a fiftieth of the range, the temperature is in effect fixed."""
_RATIO = Bound(low=0.05)
"""A gradient of a twentieth changes the direction of a step by 3 degrees at most (arctan .05)."""
_SUFFIX = "_contrastive_loss"


def temperature_health(model: Any, recorded: Mapping[str, np.ndarray]) -> Iterator[Health]:
    """Yields the health of each adaptive temperature of a model.

    Args:
        model: A model.
        recorded: Recorded values of all rows by path; a temperature is adaptive if `relatedness/<anchor>/<task>` is
            recorded as well.
    """
    for path, temperatures in recorded.items():
        kind, _, pair = path.partition("/")
        if kind == "temperature" and f"relatedness/{pair}" in recorded:
            value = temperature_spread(temperatures, model.options.min_temperature, model.options.max_temperature)
            name = f"temperature of {' and '.join(pair.split('/'))}"
            yield Health("temperature", name, "temperature_spread", value, _SPREAD)


def contrast_health(model: Any, batches: Sequence[tuple[Any, Any]]) -> Iterator[Health]:
    """Yields the health of each contrastive loss of a model: the ratio of its gradient's norm to that of the tasks.

    `sum_b ||grad_w L_cl|| / sum_b ||grad_w L_tasks||` over batches b, where w are the trained variables that both
    losses reach, L_cl includes its factor beta, and L_tasks is the loss of the tasks as they are combined. The ratio
    depends on the number of negatives, so the batches should be as large as in training.

    Args:
        model: A model.
        batches: Features and labels of each batch.
    """
    names = [name for name in getattr(model, "extra_loss_names", ()) if name.endswith(_SUFFIX)]
    norms = [_gradient_norms(model, names, *batch) for batch in batches] if names else []
    for name in names:
        contrast = sum(batch[name][0] for batch in norms)
        tasks = sum(batch[name][1] for batch in norms)
        value = _ratio(contrast, tasks)
        yield Health("contrast", f"contrast of {name.removesuffix(_SUFFIX)}", "gradient_ratio", value, _RATIO)


def _ratio(contrast: float, tasks: float) -> float:
    """Returns a ratio of norms, which is infinite only if the tasks have no gradient but the contrast has one."""
    if tasks == 0.0:
        return math.inf if contrast > 0.0 else 0.0
    return contrast / tasks


def _gradient_norms(model: Any, names: Sequence[str], features: Any, labels: Any) -> dict[str, tuple[float, float]]:
    """Returns the norms of the gradients of each contrastive loss and of the tasks, for the variables of both."""
    import tensorflow as tf

    variables = [variable.value for variable in model.trainable_variables]
    with tf.GradientTape(persistent=True) as tape:
        losses = model.compute_losses(features, labels, training=False)
        tasks = model.combine_losses({name: loss for name, (loss, _) in losses.tasks.items()})
    of_tasks = tape.gradient(tasks, variables)
    norms = {}
    for name in names:
        of_contrast = tape.gradient(losses.extras[name], variables)
        pairs = [
            pair for pair in zip(of_contrast, of_tasks, strict=True) if pair[0] is not None and pair[1] is not None
        ]
        norms[name] = (_norm([pair[0] for pair in pairs]), _norm([pair[1] for pair in pairs]))
    return norms


def _norm(gradients: Sequence[Any]) -> float:
    """Returns the norm of gradients together; the rows of a sparse gradient that has an id several times are summed."""
    return math.sqrt(sum(float(np.square(_dense_rows(gradient)).sum()) for gradient in gradients))


def _dense_rows(gradient: Any) -> np.ndarray:
    if not hasattr(gradient, "indices"):
        return np.asarray(gradient, np.float64)
    ids, places = np.unique(np.asarray(gradient.indices), return_inverse=True)
    values = np.asarray(gradient.values, np.float64)
    rows = np.zeros((len(ids), *values.shape[1:]))
    np.add.at(rows, places.ravel(), values)
    return rows
