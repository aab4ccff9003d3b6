"""Options and presets of OMoE."""

import dataclasses

from tfmtl.models.options.info import ModelInfo
from tfmtl.models.options.mmoe import DEFAULTS, PRESETS, MMoEOptions


@dataclasses.dataclass(frozen=True)
class OMoEOptions(MMoEOptions):
    """Options of `OMoE`, the same as those of `MMoE`.

    Example:
        >>> from tfmtl.models import OMoEOptions
        >>> OMoEOptions(num_experts=4).expert_units
        (256, 128)
    """


INFO = ModelInfo(
    name="omoe",
    class_name="OMoE",
    module="tfmtl.models.omoe",
    options_class=OMoEOptions,
    summary="Shared experts, one gate for all tasks",
    paper="Ma et al., 2018, One-gate Mixture-of-Experts (KDD)",
    equations="5",
    presets={"man_ali_ccp": PRESETS["man_ali_ccp"]},
    defaults=DEFAULTS,
)
