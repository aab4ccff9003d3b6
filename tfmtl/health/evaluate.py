"""model_health: measures whether the mechanisms of a trained model are alive."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from tfmtl import introspection
from tfmtl.health.contrast import contrast_health, temperature_health
from tfmtl.health.generated_weights import KNOWLEDGE, generated_weights_health
from tfmtl.health.health import Health
from tfmtl.health.recorded import is_measured, recorded_health
from tfmtl.health.report import HealthReport

ROWS = 4096
"""Number of rows that are measured at most."""
_CHUNK = 1024
_CONTRAST_BATCHES = 4
_MAX_BYTES = 128 * 2**20
_CONSTANT = ("self_attention/tasks", "connection", "cross_stitch")
"""Beginnings of the paths of values that do not depend on the rows."""


def model_health(model: Any, batches: Iterable[Any]) -> HealthReport:
    """Measures whether the mechanisms of a trained model are alive, such as its gates, attention and temperatures.

    The first 4,096 rows are evaluated in inference mode; fewer if what the model records for them takes more than
    128 MB. Weights, the state of the optimizer and the seeds do not change. `tfmtl.health.MECHANISMS` lists the
    mechanisms, their measures and their bounds.

    Args:
        model: A model of `tfmtl.models`, or another Keras model with layers of this library.
        batches: Batches of `(features, labels)`. They should be as large as in training, on which the gradient of a
            contrastive loss depends. Labels are used for that gradient only.

    Returns:
        The health of each mechanism by measure; nothing for a model without a mechanism.

    Example:
        >>> import numpy as np
        >>> from tfmtl.features import CategoricalFeature
        >>> from tfmtl.health import model_health
        >>> from tfmtl.models import OMoE, OMoEOptions
        >>> from tfmtl.spec import DatasetSpec, Task
        >>> spec = DatasetSpec("shop", (CategoricalFeature("user"),), (Task("click", "clicked"),))
        >>> model = OMoE(spec, {"user": 100}, OMoEOptions(embedding_dim=4, num_experts=2, expert_units=(8,)))
        >>> rows = {"user": np.arange(64)}
        >>> for health in model_health(model, [(rows, {"click": np.arange(64) % 2})])[:2]:
        ...     print(health.mechanism, health.measure, health.alive)
        gate of all tasks relative_entropy False
        gate of all tasks weight_variation False
    """
    kept = list(_first_rows(batches))
    if not kept:
        return HealthReport()
    recorded = _record(model, _joined([features for features, _ in kept]))
    measures: list[Health] = [
        *recorded_health(recorded, _first_tasks(model)),
        *generated_weights_health(model, recorded),
        *temperature_health(model, recorded),
        *contrast_health(model, kept[:_CONTRAST_BATCHES]),
    ]
    return HealthReport(measures)


def recorded_values(model: Any, batches: Iterable[Any]) -> tuple[dict[str, np.ndarray], set[str]]:
    """Returns what a model records of its mechanisms for the rows that `model_health` measures.

    Args:
        model: A Keras model.
        batches: Batches of `(features, labels)`.

    Returns:
        The values by path, `(rows, ...)`, and the paths of those that do not depend on the rows, `(...)`.
    """
    kept = list(_first_rows(batches))
    recorded = _record(model, _joined([features for features, _ in kept])) if kept else {}
    return recorded, {path for path in recorded if path.startswith(_CONSTANT)}


def _first_rows(batches: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
    """Yields features and labels of the first batches, as arrays, until they have enough rows."""
    left = ROWS
    for batch in batches:
        features, labels = ({name: np.asarray(values)[:left] for name, values in part.items()} for part in batch[:2])
        yield features, labels
        left -= _rows(features)
        if left <= 0:
            return


def _joined(parts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _rows(features: dict[str, np.ndarray]) -> int:
    return len(next(iter(features.values())))


def _record(model: Any, features: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns what the model records of its mechanisms for the rows, as float32 by path."""
    chunks: list[dict[str, np.ndarray]] = []
    taken = 0
    for start in range(0, _rows(features), _CHUNK):
        chunk = {name: values[start : start + _CHUNK] for name, values in features.items()}
        chunks.append({path: _array(value) for path, value in _taps(model, chunk).items() if _is_needed(path)})
        taken += sum(values.nbytes for values in chunks[-1].values())
        if taken + taken // len(chunks) > _MAX_BYTES:
            break
    return {
        path: values if path.startswith(_CONSTANT) else np.concatenate([chunk[path] for chunk in chunks])
        for path, values in chunks[0].items()
    }


def _is_needed(path: str) -> bool:
    return is_measured(path) or path == KNOWLEDGE or path.startswith(("temperature/", "relatedness/"))


def _taps(model: Any, features: dict[str, np.ndarray]) -> dict[str, Any]:
    if hasattr(model, "inspect"):
        taps: dict[str, Any] = model.inspect(features)
        return taps
    with introspection.collect() as taps:
        model(features, training=False)
    return taps


def _array(value: Any) -> np.ndarray:
    from keras import ops

    return np.asarray(ops.convert_to_numpy(ops.cast(value, "float32")))


def _first_tasks(model: Any) -> tuple[str, ...] | None:
    spec = getattr(model, "spec", None)
    return None if spec is None else tuple(task.name for task in spec.tasks if not task.follows)
