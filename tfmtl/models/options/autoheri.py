"""Options and presets of AutoHERI."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from tfmtl.models.options.base import ModelOptions, require_widths
from tfmtl.models.options.dimensions import DROPOUT, NETWORK_UNITS
from tfmtl.models.options.esmm import ESMMOptions
from tfmtl.models.options.info import ModelInfo
from tfmtl.search_space import Space


@dataclasses.dataclass(frozen=True)
class AutoHERIOptions(ESMMOptions):
    """Options of `AutoHERI`, in addition to those of `ModelOptions`. `space` and `local_space` keep their defaults.

    Attributes:
        network_units: Width of each layer of a task's network. Each layer of a task that follows another is connected
            with each layer of the previous task.
        tower_units: Width of each hidden layer of a tower above the networks, without connections.
        dropout: Dropout rate in the networks and the towers.

    Example:
        >>> from tfmtl.models import AutoHERIOptions
        >>> AutoHERIOptions(network_units=(16, 8)).tower_units
        ()
    """

    search_space: ClassVar[Space] = {
        **ModelOptions.search_space,
        "network_units": NETWORK_UNITS,
        "dropout": DROPOUT,
    }

    network_units: tuple[int, ...] = (128, 64, 32)
    tower_units: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        require_widths("network_units", self.network_units, minimum=1)


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "adaftr_ali_ccp": {"embedding_dim": 8, "network_units": [64, 32, 16]},
    "adaftr_ecomm_ads": {"embedding_dim": 8, "network_units": [128, 64, 32]},
}

INFO = ModelInfo(
    name="autoheri",
    class_name="AutoHERI",
    module="tfmtl.models.autoheri",
    options_class=AutoHERIOptions,
    summary="Learned links between the tasks' layers",
    paper="Wei et al., 2021, Automated Hierarchical Representation Integration (AutoHERI, CIKM)",
    equations="hierarchical representation integration, one-shot search",
    presets=PRESETS,
    defaults={"network_units": [64, 32], "dropout": 0.3},
)
