"""Options and presets of Shared-Bottom."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from tfmtl.models.options.base import ModelOptions, require_rate, require_widths
from tfmtl.models.options.dimensions import DROPOUT, EXPERT_UNITS, TOWER_UNITS
from tfmtl.models.options.info import ModelInfo
from tfmtl.search_space import Space


@dataclasses.dataclass(frozen=True)
class SharedBottomOptions(ModelOptions):
    """Options of `SharedBottom`, in addition to those of `ModelOptions`.

    Attributes:
        bottom_units: Width of each layer of the shared bottom.
        tower_units: Width of each hidden layer of a tower.
        dropout: Dropout rate in the bottom and the towers.

    Example:
        >>> from tfmtl.models import SharedBottomOptions
        >>> SharedBottomOptions(embedding_dim=8).bottom_units
        (256, 128)
    """

    search_space: ClassVar[Space] = {
        **ModelOptions.search_space,
        "bottom_units": EXPERT_UNITS,
        "tower_units": TOWER_UNITS,
        "dropout": DROPOUT,
    }

    bottom_units: tuple[int, ...] = (256, 128)
    tower_units: tuple[int, ...] = (64, 32)
    dropout: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_rate("dropout", self.dropout)
        require_widths("bottom_units", self.bottom_units)
        require_widths("tower_units", self.tower_units)


# The baseline of AdaFTR: three layers, the first of which is shared.
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "adaftr_ali_ccp": {"embedding_dim": 8, "space": "conditional", "bottom_units": [64], "tower_units": [32, 16]},
    "adaftr_ecomm_ads": {
        "embedding_dim": 8,
        "space": "conditional",
        "bottom_units": [128],
        "tower_units": [64, 32],
    },
}

INFO = ModelInfo(
    name="shared_bottom",
    class_name="SharedBottom",
    module="tfmtl.models.shared_bottom",
    options_class=SharedBottomOptions,
    summary="A shared network, a tower for each task",
    paper="Caruana, 1997, Multitask Learning",
    equations="section 2",
    presets=PRESETS,
    defaults={"bottom_units": [64], "tower_units": [32], "dropout": 0.3},
)
