"""Mechanisms of models, by what they record: their measures, and the bounds within which they are alive.

A mechanism is described once for all models that have it. A model has the mechanisms whose values it records in a
forward pass (`tfmtl.introspection`), so that a mechanism that an option turns off is not measured, and a model of your
own with layers of this library has theirs. The mechanisms that are not read from recorded values alone are in
`tfmtl.health.contrast` and `tfmtl.health.generated_weights`.
"""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from tfmtl.health import connections, measures, representations
from tfmtl.health.health import Bound

Measure = Callable[[np.ndarray], float]


@dataclasses.dataclass(frozen=True)
class Mechanism:
    """Kind of mechanism that is measured on recorded values.

    Attributes:
        title: The mechanism in words; `{0}`, `{1}` are the parts of the path after the kind.
        bounds: Range in which the mechanism is alive, by the name of the measure.
        reason: Explanation of the bounds.
        is_choice: Whether the values are weights over the last axis, so that one key alone is no choice.

    Example:
        >>> from tfmtl.health import MECHANISMS
        >>> MECHANISMS["gate"].name("click", "1")
        'gate of click, level 1'
    """

    title: str
    bounds: Mapping[str, Bound]
    reason: str
    is_choice: bool = True

    def name(self, *parts: str) -> str:
        """Returns the mechanism in words.

        Args:
            *parts: Parts of the path after the kind.
        """
        words = [_word(part) for part in parts]
        return self.title.format(*words) + ("" if len(words) <= self.title.count("{") else f", level {words[-1]}")


def _word(part: str) -> str:
    """Returns a part of a path as it is said: the number of a numbered layer, and words for a hyphen."""
    number = part.removeprefix("layer_").removeprefix("unit_")
    return "the shared part" if part == "shared-part" else number.replace("-", " ")


_GATE = Mechanism(
    "gate of {0}",
    {
        "relative_entropy": Bound(high=0.99),
        "weight_variation": Bound(low=0.05),
        "expert_use": Bound(low=0.05),
    },
    "A gate whose entropy is .99 of the maximum gives two experts .56 and .44: it is nearly their mean. One whose "
    "weights vary by less than a twentieth between rows does not depend on the row. An expert with less than a "
    "twentieth of an equal share is not trained.",
)
_TASK_ATTENTION = Mechanism(
    "task attention of {0}",
    {"relative_entropy": Bound(high=0.99), "weight_variation": Bound(low=0.05)},
    "Above .99 both weights are between .44 and .56: the mean of two vectors. Without variation the transfer is the "
    "same for all rows, which needs no attention.",
)
MECHANISMS: Mapping[str, Mechanism] = {
    "gate": _GATE,
    "task_attention": _TASK_ATTENTION,
    "meta_attention": Mechanism(
        "meta attention of {0}",
        _TASK_ATTENTION.bounds,
        "Uniform attention is the mean of the views. Without variation, the views do not depend on the scenario.",
    ),
    "attention": Mechanism(
        "attention, layer {0}",
        {"relative_entropy": Bound(high=0.9)},
        "At .9 of the maximum, the inducing points attend to 17 of 23 fields as if to all of them alike; uniform "
        "attention gives each point the mean of the fields.",
    ),
    "selector": Mechanism(
        "selector, layer {0}",
        {"row_variation": Bound(low=0.01), "saturation": Bound()},
        "A selector that chooses the same points for every row selects nothing. Saturation is no fault: the schedule "
        "of gamma ends with zeros and ones.",
        is_choice=False,
    ),
    "pattern": Mechanism(
        "pattern selector of {0}, layer {1}",
        {"relative_entropy": Bound(high=0.99)},
        "At .99 of the maximum the pattern of a task is nearly the mean of the points, which all tasks share.",
    ),
    "shared_representation": Mechanism(
        "shared representation",
        {"effective_rank": Bound(low=10.0)},
        "A tower can tell rows apart only in the directions in which they differ, and a log has tens of features. "
        "Representations of less than 40 numbers need a quarter of them.",
        is_choice=False,
    ),
    "self_attention": Mechanism(
        "self-attention of {0}",
        {"relative_entropy": Bound(high=0.99)},
        "Uniform attention adds the same mean to every token.",
    ),
    "task_feature_attention": Mechanism(
        "attention of {0} to the features",
        {"relative_entropy": Bound(high=0.99)},
        "Uniform attention weights the features of every task alike.",
    ),
    "connection": Mechanism(
        "representation integration of {0}",
        {"connection_shift": Bound(low=0.02), "largest_connection": Bound(low=0.05)},
        "All connections start at 1/2. If they stay there, nothing was chosen; if all are near 0, no layer of the "
        "previous task is read.",
        is_choice=False,
    ),
    "cross_stitch": Mechanism(
        "cross-stitch unit {0}",
        {"cross_share": Bound(low=0.01)},
        "With less than a hundredth from the other tasks, the tasks have separate networks.",
        is_choice=False,
    ),
}
"""Mechanisms by the kind of the recorded values, the first part of their path."""


MEASURE_FUNCTIONS: Mapping[str, Measure] = {
    "relative_entropy": measures.relative_entropy,
    "weight_variation": measures.weight_variation,
    "row_variation": measures.row_variation,
    "expert_use": measures.expert_use,
    "saturation": measures.saturation,
    "effective_rank": representations.effective_rank,
    "connection_shift": connections.connection_shift,
    "largest_connection": connections.largest_connection,
    "cross_share": connections.cross_share,
}
"""Functions of recorded values by the name of the measure."""
