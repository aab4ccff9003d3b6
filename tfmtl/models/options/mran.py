"""Options and presets of MRAN."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from tfmtl.config import require
from tfmtl.models.options.base import ModelOptions, require_rate, require_widths
from tfmtl.models.options.dimensions import DROPOUT, TOWER_UNITS
from tfmtl.models.options.info import ModelInfo
from tfmtl.search_space import Choice, Space


@dataclasses.dataclass(frozen=True)
class MRANOptions(ModelOptions):
    """Options of `MRAN`, in addition to those of `ModelOptions`.

    Attributes:
        num_heads: Number of heads of the attention between tasks and of the attention between features. It divides
            `embedding_dim`.
        anchor_dim: Width of a task's embedding. The vector that is made of it has the width `embedding_dim`.
        tower_units: Width of each hidden layer of a tower; the paper has two layers.
        dropout: Dropout rate in the towers.

    Example:
        >>> from tfmtl.models import MRANOptions
        >>> MRANOptions(embedding_dim=8, num_heads=4).anchor_dim
        16
    """

    search_space: ClassVar[Space] = {
        **ModelOptions.search_space,
        "num_heads": Choice((1, 2, 4)),
        "tower_units": TOWER_UNITS,
        "dropout": DROPOUT,
    }

    num_heads: int = 2
    anchor_dim: int = 16
    tower_units: tuple[int, ...] = (64, 32)
    dropout: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("num_heads", "anchor_dim"):
            require(getattr(self, name) >= 1, name, "at least 1", getattr(self, name))
        divisor = f"a divisor of embedding_dim, {self.embedding_dim}"
        require(self.embedding_dim % self.num_heads == 0, "num_heads", divisor, self.num_heads)
        require_rate("dropout", self.dropout)
        require_widths("tower_units", self.tower_units)


# The comparison in M2M: the widths that it gives for all of its models.
PRESETS: Mapping[str, Mapping[str, Any]] = {"m2m_taobao": {"embedding_dim": 16, "num_heads": 2}}

INFO = ModelInfo(
    name="mran",
    class_name="MRAN",
    module="tfmtl.models.mran",
    options_class=MRANOptions,
    summary="Attention between tasks and features",
    paper="Zhao et al., 2019, Multiple Relational Attention Network (MRAN, KDD)",
    equations="the three relationship learning modules, section 3",
    presets=PRESETS,
    defaults={"tower_units": [64, 32], "dropout": 0.3},
)
