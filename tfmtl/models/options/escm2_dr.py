"""Options of ESCM2-DR."""

import dataclasses
from typing import ClassVar

from tfmtl.config import require
from tfmtl.models.options.escm2_ips import ESCM2Options
from tfmtl.models.options.esmm import PRESETS
from tfmtl.models.options.info import ModelInfo
from tfmtl.search_space import Choice, Space


@dataclasses.dataclass(frozen=True)
class ESCM2DROptions(ESCM2Options):
    """Options of `ESCM2DR`, in addition to those of `ESCM2Options`.

    Attributes:
        imputation_weight: Factor of the loss that trains the imputed errors.

    Example:
        >>> from tfmtl.models import ESCM2DROptions
        >>> ESCM2DROptions(counterfactual_weight=0.5).imputation_weight
        0.1
    """

    search_space: ClassVar[Space] = {
        **ESCM2Options.search_space,
        "imputation_weight": Choice((0.01, 0.1, 1.0)),
    }

    imputation_weight: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.imputation_weight >= 0, "imputation_weight", "at least 0", self.imputation_weight)


INFO = ModelInfo(
    name="escm2_dr",
    class_name="ESCM2DR",
    module="tfmtl.models.escm2_dr",
    options_class=ESCM2DROptions,
    summary="ESMM with doubly robust conversion loss",
    paper="Wang et al., 2022, Entire Space Counterfactual Multi-Task Model (ESCM^2, SIGIR)",
    equations="the DR regularizer, section 3",
    presets=PRESETS,
    defaults={"tower_units": [64, 32], "dropout": 0.3},
)
