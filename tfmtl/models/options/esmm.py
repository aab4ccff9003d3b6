"""Options and presets of ESMM."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from tfmtl.config import require
from tfmtl.models.options.base import ModelOptions, require_rate, require_widths
from tfmtl.models.options.dimensions import DROPOUT, NETWORK_UNITS
from tfmtl.models.options.info import ModelInfo
from tfmtl.search_space import Space
from tfmtl.spec import ENTIRE


@dataclasses.dataclass(frozen=True)
class ESMMOptions(ModelOptions):
    """Options of `ESMM`, in addition to those of `ModelOptions`. `space` and `local_space` keep their defaults.

    Attributes:
        tower_units: Width of each hidden layer of a tower.
        dropout: Dropout rate in the towers.

    Example:
        >>> from tfmtl.models import ESMMOptions
        >>> ESMMOptions(embedding_dim=18).tower_units
        (360, 200, 80)
    """

    search_space: ClassVar[Space] = {
        **ModelOptions.search_space,
        "tower_units": NETWORK_UNITS,
        "dropout": DROPOUT,
    }

    tower_units: tuple[int, ...] = (360, 200, 80)
    dropout: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.space == ENTIRE, "space", "entire, because all losses are over all rows", self.space)
        expected = "false, because all losses are over all rows"
        require(not self.local_space, "local_space", expected, self.local_space)
        require_widths("tower_units", self.tower_units)
        require_rate("dropout", self.dropout)


PRESETS: Mapping[str, Mapping[str, Any]] = {"ali_ccp": {"embedding_dim": 18, "tower_units": (360, 200, 80)}}

INFO = ModelInfo(
    name="esmm",
    class_name="ESMM",
    module="tfmtl.models.esmm",
    options_class=ESMMOptions,
    summary="Conversion learned on all impressions",
    paper="Ma et al., 2018, Entire Space Multi-Task Model (ESMM, SIGIR)",
    equations="1-3",
    presets=PRESETS,
    defaults={"tower_units": [64, 32], "dropout": 0.3},
)
