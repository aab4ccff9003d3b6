"""Options and presets of MMoE."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from tfmtl.config import require
from tfmtl.models.options.base import ModelOptions, require_rate, require_widths
from tfmtl.models.options.dimensions import DROPOUT, EXPERT_UNITS, TOWER_UNITS
from tfmtl.models.options.info import ModelInfo
from tfmtl.search_space import Choice, Space


@dataclasses.dataclass(frozen=True)
class MMoEOptions(ModelOptions):
    """Options of `MMoE`, in addition to those of `ModelOptions`.

    Attributes:
        num_experts: Number of experts, which all tasks share.
        expert_units: Width of each layer of an expert.
        tower_units: Width of each hidden layer of a tower.
        dropout: Dropout rate in the experts and the towers.

    Example:
        >>> from tfmtl.models import MMoEOptions
        >>> MMoEOptions(num_experts=4).expert_units
        (256, 128)
    """

    search_space: ClassVar[Space] = {
        **ModelOptions.search_space,
        "num_experts": Choice((2, 4, 8)),
        "expert_units": EXPERT_UNITS,
        "tower_units": TOWER_UNITS,
        "dropout": DROPOUT,
    }

    num_experts: int = 8
    expert_units: tuple[int, ...] = (256, 128)
    tower_units: tuple[int, ...] = (64, 32)
    dropout: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.num_experts >= 1, "num_experts", "at least 1", self.num_experts)
        require_rate("dropout", self.dropout)
        require_widths("expert_units", self.expert_units, minimum=1)
        require_widths("tower_units", self.tower_units)


# The sizes that MAN and AdaFTR give for this baseline. AdaFTR gives only the number of experts.
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "man_ali_ccp": {
        "embedding_dim": 5,
        "embedding_l2": 5e-7,
        "weight_decay": 1e-6,
        "num_experts": 8,
        "expert_units": [256, 128],
        "tower_units": [128, 16, 32],
    },
    "adaftr_ali_ccp": {
        "embedding_dim": 8,
        "space": "conditional",
        "num_experts": 3,
        "expert_units": [64],
        "tower_units": [64, 32, 16],
    },
    "adaftr_ecomm_ads": {
        "embedding_dim": 8,
        "space": "conditional",
        "num_experts": 3,
        "expert_units": [128],
        "tower_units": [128, 64, 32],
    },
}

DEFAULTS = {"num_experts": 4, "expert_units": [64], "tower_units": [32], "dropout": 0.3}
"""Options of the preset `default`."""

INFO = ModelInfo(
    name="mmoe",
    class_name="MMoE",
    module="tfmtl.models.mmoe",
    options_class=MMoEOptions,
    summary="Shared experts, a gate for each task",
    paper="Ma et al., 2018, Multi-gate Mixture-of-Experts (KDD)",
    equations="5-7",
    presets=PRESETS,
    defaults=DEFAULTS,
)
