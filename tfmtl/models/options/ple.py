"""Options and presets of PLE."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from tfmtl.config import require
from tfmtl.models.options.cgc import DEFAULTS, CGCOptions
from tfmtl.models.options.info import ModelInfo
from tfmtl.search_space import Choice, Space


@dataclasses.dataclass(frozen=True)
class PLEOptions(CGCOptions):
    """Options of `PLE`: those of `CGCOptions`, which hold for each level, and the number of levels.

    Attributes:
        num_levels: Number of extraction networks, each of which reads the output of the one below.

    Example:
        >>> from tfmtl.models import PLEOptions
        >>> PLEOptions(num_shared=1, num_per_task=1).num_levels
        2
    """

    search_space: ClassVar[Space] = {
        **CGCOptions.search_space,
        "num_levels": Choice((1, 2, 3)),
    }

    num_levels: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.num_levels >= 1, "num_levels", "at least 1", self.num_levels)


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "man_ali_ccp": {
        "embedding_dim": 5,
        "embedding_l2": 5e-7,
        "weight_decay": 1e-6,
        "num_shared": 4,
        "num_per_task": 4,
        "expert_units": [256, 128],
        "tower_units": [128, 16, 32],
    },
    "adaftr_ali_ccp": {
        "embedding_dim": 8,
        "space": "conditional",
        "num_shared": 1,
        "num_per_task": 1,
        "expert_units": [64],
        "tower_units": [64, 32, 16],
    },
    "adaftr_ecomm_ads": {
        "embedding_dim": 8,
        "space": "conditional",
        "num_shared": 1,
        "num_per_task": 1,
        "expert_units": [128],
        "tower_units": [128, 64, 32],
    },
}

INFO = ModelInfo(
    name="ple",
    class_name="PLE",
    module="tfmtl.models.ple",
    options_class=PLEOptions,
    summary="Several levels of CGC",
    paper="Tang et al., 2020, Progressive Layered Extraction (RecSys)",
    equations="section 4.2",
    presets=PRESETS,
    defaults=DEFAULTS,
)
