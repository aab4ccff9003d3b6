"""Options and presets of Single-Task."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from tfmtl.models.options.base import ModelOptions, require_rate, require_widths
from tfmtl.models.options.dimensions import DROPOUT, NETWORK_UNITS
from tfmtl.models.options.info import ModelInfo
from tfmtl.search_space import Space


@dataclasses.dataclass(frozen=True)
class SingleTaskOptions(ModelOptions):
    """Options of `SingleTask`, in addition to those of `ModelOptions`. The widths are those of APEM (section 4.1.2).

    Attributes:
        embedding_dim: Width of each field's embedding, for each task.
        tower_units: Width of each hidden layer of a task's network.
        dropout: Dropout rate after each hidden layer.

    Example:
        >>> from tfmtl.models import SingleTaskOptions
        >>> SingleTaskOptions(embedding_dim=18).tower_units
        (256, 128, 64)
    """

    search_space: ClassVar[Space] = {
        **ModelOptions.search_space,
        "tower_units": NETWORK_UNITS,
        "dropout": DROPOUT,
    }

    tower_units: tuple[int, ...] = (256, 128, 64)
    dropout: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_rate("dropout", self.dropout)
        require_widths("tower_units", self.tower_units)


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "apem_ali_ccp": {"embedding_dim": 18},
    "apem_industrial": {"embedding_dim": 18},
    "adaftr_ali_ccp": {"embedding_dim": 8, "space": "conditional", "tower_units": [64, 32, 16]},
    "adaftr_ecomm_ads": {"embedding_dim": 8, "space": "conditional", "tower_units": [128, 64, 32]},
}

INFO = ModelInfo(
    name="single_task",
    class_name="SingleTask",
    module="tfmtl.models.single_task",
    options_class=SingleTaskOptions,
    summary="A separate network for each task",
    paper="Caruana, 1997, Multitask Learning: the single-task baseline",
    equations="section 1",
    presets=PRESETS,
    defaults={"tower_units": [64, 32], "dropout": 0.3},
)
