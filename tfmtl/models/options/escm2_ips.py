"""Options of ESCM2-IPS."""

import dataclasses
from typing import ClassVar

from tfmtl.config import require
from tfmtl.models.options.esmm import PRESETS, ESMMOptions
from tfmtl.models.options.info import ModelInfo
from tfmtl.search_space import Choice, Space


@dataclasses.dataclass(frozen=True)
class ESCM2Options(ESMMOptions):
    """Options of `ESCM2IPS`, in addition to those of `ESMMOptions`. `max_weight` also bounds the inverse propensity.

    Attributes:
        counterfactual_weight: Factor of the counterfactual risk, lambda_c in the paper. The paper's lambda_g, the
            factor of the global risk, is the entry of the conversion in `task_weights`.
        propensity_gradient: Whether the counterfactual risk also trains the propensity, which is the predicted click
            probability.

    Example:
        >>> from tfmtl.models import ESCM2Options
        >>> ESCM2Options(task_weights={"buy": 0.5}).counterfactual_weight
        0.1
    """

    search_space: ClassVar[Space] = {
        **ESMMOptions.search_space,
        "counterfactual_weight": Choice((0.01, 0.03, 0.1, 0.3, 1.0)),
    }

    counterfactual_weight: float = 0.1
    propensity_gradient: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        weight = self.counterfactual_weight
        require(weight >= 0, "counterfactual_weight", "at least 0", weight)


INFO = ModelInfo(
    name="escm2_ips",
    class_name="ESCM2IPS",
    module="tfmtl.models.escm2_ips",
    options_class=ESCM2Options,
    summary="ESMM with inverse propensity weighting",
    paper="Wang et al., 2022, Entire Space Counterfactual Multi-Task Model (ESCM^2, SIGIR)",
    equations="the IPS regularizer, section 3",
    presets=PRESETS,
    defaults={"tower_units": [64, 32], "dropout": 0.3},
)
