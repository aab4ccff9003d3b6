"""Health of a trained model: measures that say whether the mechanism that its paper is about is alive.

A gate whose weights are uniform, an attention that is the same on all rows or a contrast without a gradient is dead:
the model works as one without it. `model_health` measures a model, `MECHANISMS` lists the bounds. The measures are
functions of NumPy arrays; `import tfmtl.health` imports neither Keras nor TensorFlow.

Example:
    >>> from tfmtl.health import relative_entropy
    >>> relative_entropy([[0.25, 0.25, 0.25, 0.25]])
    1.0
"""

from tfmtl.health.connections import connection_shift, cross_share, largest_connection
from tfmtl.health.evaluate import model_health
from tfmtl.health.health import Bound, Health
from tfmtl.health.measure_kinds import MEASURES, MeasureKind
from tfmtl.health.measures import (
    expert_use,
    relative_entropy,
    row_variation,
    saturation,
    temperature_spread,
    weight_variation,
)
from tfmtl.health.mechanisms import MECHANISMS, Mechanism
from tfmtl.health.profile import Profile, model_profile
from tfmtl.health.report import HealthReport
from tfmtl.health.representations import effective_rank, relative_variation
from tfmtl.health.summary import dead_sentences, health_lines

__all__ = [
    "MEASURES",
    "MECHANISMS",
    "Bound",
    "Health",
    "HealthReport",
    "MeasureKind",
    "Mechanism",
    "Profile",
    "connection_shift",
    "cross_share",
    "dead_sentences",
    "effective_rank",
    "expert_use",
    "health_lines",
    "largest_connection",
    "model_health",
    "model_profile",
    "relative_entropy",
    "relative_variation",
    "row_variation",
    "saturation",
    "temperature_spread",
    "weight_variation",
]
