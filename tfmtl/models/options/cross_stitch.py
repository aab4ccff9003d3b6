"""Options and presets of Cross-Stitch."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from tfmtl.config import require
from tfmtl.models.options.base import ModelOptions, require_rate, require_widths
from tfmtl.models.options.dimensions import DROPOUT, EXPERT_UNITS, TOWER_UNITS
from tfmtl.models.options.info import ModelInfo
from tfmtl.search_space import Choice, Space


@dataclasses.dataclass(frozen=True)
class CrossStitchOptions(ModelOptions):
    """Options of `CrossStitchNetwork`, in addition to those of `ModelOptions`.

    Attributes:
        network_units: Width of each layer of a task's network; a cross-stitch unit follows each layer.
        tower_units: Width of each hidden layer of a tower, after which there are no units.
        own: Initial weight of a task's own layer in a unit (`tfmtl.layers.CrossStitch`).
        per_channel: Whether each channel of a layer has separate weights, instead of one weight for all channels.
        dropout: Dropout rate in the networks and the towers.

    Example:
        >>> from tfmtl.models import CrossStitchOptions
        >>> CrossStitchOptions(network_units=(64,)).own
        0.9
    """

    search_space: ClassVar[Space] = {
        **ModelOptions.search_space,
        "network_units": EXPERT_UNITS,
        "tower_units": TOWER_UNITS,
        "dropout": DROPOUT,
        "own": Choice((0.5, 0.7, 0.9, 0.98)),
    }

    network_units: tuple[int, ...] = (256, 128)
    tower_units: tuple[int, ...] = (64, 32)
    own: float = 0.9
    per_channel: bool = False
    dropout: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_widths("network_units", self.network_units, minimum=1)
        require_widths("tower_units", self.tower_units)
        require(0 <= self.own <= 1, "own", "in [0, 1]", self.own)
        require_rate("dropout", self.dropout)


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "adaftr_ali_ccp": {
        "embedding_dim": 8,
        "space": "conditional",
        "network_units": [64, 32, 16],
        "tower_units": [],
    },
    "adaftr_ecomm_ads": {
        "embedding_dim": 8,
        "space": "conditional",
        "network_units": [128, 64, 32],
        "tower_units": [],
    },
}

INFO = ModelInfo(
    name="cross_stitch",
    class_name="CrossStitchNetwork",
    module="tfmtl.models.cross_stitch",
    options_class=CrossStitchOptions,
    summary="Units that mix the tasks' networks",
    paper="Misra et al., 2016, Cross-stitch Networks (CVPR)",
    equations="1",
    presets=PRESETS,
    defaults={"network_units": [64], "tower_units": [32], "dropout": 0.3},
)
