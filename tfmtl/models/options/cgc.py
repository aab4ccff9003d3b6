"""Options of CGC."""

import dataclasses
from typing import ClassVar

from tfmtl.config import require
from tfmtl.models.options.base import ModelOptions, require_rate, require_widths
from tfmtl.models.options.dimensions import DROPOUT, EXPERT_UNITS, TOWER_UNITS
from tfmtl.models.options.info import ModelInfo
from tfmtl.search_space import Choice, Space


@dataclasses.dataclass(frozen=True)
class CGCOptions(ModelOptions):
    """Options of `CustomizedGateControl`, in addition to those of `ModelOptions`.

    Attributes:
        num_shared: Number of experts that all tasks share.
        num_per_task: Number of experts of each task that no other task uses.
        expert_units: Width of each layer of an expert.
        tower_units: Width of each hidden layer of a tower.
        dropout: Dropout rate in the experts and the towers.

    Example:
        >>> from tfmtl.models import CGCOptions
        >>> CGCOptions(num_shared=2).num_per_task
        4
    """

    search_space: ClassVar[Space] = {
        **ModelOptions.search_space,
        "num_shared": Choice((1, 2, 4)),
        "num_per_task": Choice((1, 2, 4)),
        "expert_units": EXPERT_UNITS,
        "tower_units": TOWER_UNITS,
        "dropout": DROPOUT,
    }

    num_shared: int = 4
    num_per_task: int = 4
    expert_units: tuple[int, ...] = (256, 128)
    tower_units: tuple[int, ...] = (64, 32)
    dropout: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.num_shared >= 1, "num_shared", "at least 1", self.num_shared)
        require(self.num_per_task >= 1, "num_per_task", "at least 1", self.num_per_task)
        require_rate("dropout", self.dropout)
        require_widths("expert_units", self.expert_units, minimum=1)
        require_widths("tower_units", self.tower_units)


DEFAULTS = {"num_shared": 2, "num_per_task": 1, "expert_units": [64], "tower_units": [32], "dropout": 0.3}
"""Options of the preset `default`; PLE and MAN, whose experts are those of CGC, have the same."""

INFO = ModelInfo(
    name="cgc",
    class_name="CustomizedGateControl",
    module="tfmtl.models.cgc",
    options_class=CGCOptions,
    summary="Shared and task-specific experts, gates",
    paper="Tang et al., 2020, Customized Gate Control (RecSys)",
    equations="section 4.1",
    defaults=DEFAULTS,
)
