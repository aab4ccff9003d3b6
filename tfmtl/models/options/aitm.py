"""Options and presets of AITM."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from tfmtl.models.options.base import ModelOptions, require_rate, require_widths
from tfmtl.models.options.dimensions import DROPOUT, NETWORK_UNITS
from tfmtl.models.options.info import ModelInfo
from tfmtl.search_space import Choice, Space


@dataclasses.dataclass(frozen=True)
class AITMOptions(ModelOptions):
    """Options of `AITM`, in addition to those of `ModelOptions`.

    Attributes:
        bottom_units: Width of each layer of a task's network below the transfer; the last width is the width k of the
            transferred vectors.
        tower_units: Width of each hidden layer above the transfer; the published code has none.
        dropout: Dropout rate in the networks below and above the transfer and in the info units.
        calibrator: Strength of the behavioral expectation calibrator; 0.6 as in the paper.

    Example:
        >>> from tfmtl.models import AITMOptions
        >>> AITMOptions(bottom_units=(16,)).calibrator
        0.6
    """

    search_space: ClassVar[Space] = {
        **ModelOptions.search_space,
        "bottom_units": NETWORK_UNITS,
        "dropout": DROPOUT,
        "calibrator": Choice((0.0, 0.1, 0.3, 0.6, 1.0)),
    }

    bottom_units: tuple[int, ...] = (128, 64, 32)
    tower_units: tuple[int, ...] = ()
    dropout: float = 0.0
    calibrator: float = 0.6

    def __post_init__(self) -> None:
        super().__post_init__()
        require_widths("bottom_units", self.bottom_units, minimum=1)
        require_widths("tower_units", self.tower_units)
        require_rate("dropout", self.dropout)


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "ali_ccp": {
        "embedding_dim": 5,
        "bottom_units": (128, 64, 32),
        "dropout": 0.3,
        "calibrator": 0.6,
        "weight_decay": 1e-6,
    },
}

INFO = ModelInfo(
    name="aitm",
    class_name="AITM",
    module="tfmtl.models.aitm",
    options_class=AITMOptions,
    summary="Information transfer from task to task",
    paper="Xi et al., 2021, Adaptive Information Transfer Multi-task (AITM, KDD)",
    equations="the AIT module, section 3; equation 14",
    presets=PRESETS,
    defaults={"bottom_units": [64, 32], "dropout": 0.3},
)
