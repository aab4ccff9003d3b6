"""Health of the meta units of M2M: how much the weights that they generate differ between rows."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tfmtl.health.health import Bound, Health
from tfmtl.health.representations import relative_variation

KNOWLEDGE = "scenario_knowledge"
"""Path of the recorded values from which weights are generated."""
_BOUND = Bound(low=0.05)
"""With less than a twentieth, the weights of all scenarios are in effect the same."""
_ROWS = 32


def generated_weights_health(model: Any, recorded: Mapping[str, np.ndarray]) -> Iterator[Health]:
    """Yields the health of each layer of a model that has meta units with generated weights.

    The measure is the mean of `relative_variation` over the layers of a unit, on 32 rows. It is that of the whole
    weights W and b, of which a part is the same for all rows.

    Args:
        model: A model.
        recorded: Recorded values of all rows by path; those of `scenario_knowledge` are used.
    """
    if KNOWLEDGE not in recorded:
        return
    rows = recorded[KNOWLEDGE]
    knowledge = rows[np.linspace(0, len(rows) - 1, min(_ROWS, len(rows))).astype(int)]
    for name, units in _meta_units(model):
        layers = [weights for unit in units if unit.generated for weights in unit.layer_weights]
        if not layers:
            continue
        variations = [relative_variation(generated(weights, knowledge)) for weights in layers]
        yield Health("meta_unit", name, "relative_variation", float(np.mean(variations)), _BOUND)


def generated(weights: Mapping[str, Any], knowledge: np.ndarray) -> np.ndarray:
    """Computes the weights W and b of a layer of a meta unit for each row of knowledge.

    `W = V_w S + v_w`, or `W = v_w + L R^T` with generated L and R, and `b = V_b S + v_b` (see
    `tfmtl.layers.MetaUnit`).

    Args:
        weights: Weights of the layer by name.
        knowledge: S, `(rows, s)`.

    Returns:
        W and b of each row, `(rows, d * d + d)`.
    """
    arrays = {name: np.asarray(variable, np.float32) for name, variable in weights.items()}
    rows, d = len(knowledge), len(arrays["bias"])
    bias = knowledge @ arrays["bias_kernel"] + arrays["bias"]
    if "kernel" in arrays:
        kernel = np.tensordot(knowledge, arrays["kernel"], axes=1)
    else:
        left, right = (
            (knowledge @ arrays[name] + arrays[f"{name}_base"]).reshape(rows, d, -1) for name in ("left", "right")
        )
        # A row vector h is multiplied by R L^T.
        kernel = right @ left.transpose(0, 2, 1)
    return np.concatenate([(kernel + arrays["base"]).reshape(rows, -1), bias], axis=1)


def _meta_units(model: Any) -> Iterator[tuple[str, list[Any]]]:
    """Yields each layer of a model that owns meta units: its name in words, and its units."""
    from tfmtl.layers import MetaAttention, MetaTower

    for layer in model._flatten_layers(include_self=False):
        if isinstance(layer, MetaAttention):
            yield f"meta unit in the attention of {layer.name}", [layer.unit]
        elif isinstance(layer, MetaTower):
            yield f"meta unit in the tower of {layer.name}", layer.units
