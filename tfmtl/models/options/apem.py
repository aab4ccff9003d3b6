"""Options and presets of APEM."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from tfmtl.config import require
from tfmtl.models.options.base import ModelOptions, require_rate, require_widths
from tfmtl.models.options.dimensions import DROPOUT, TOWER_UNITS
from tfmtl.models.options.info import ModelInfo
from tfmtl.search_space import Choice, Space


@dataclasses.dataclass(frozen=True)
class APEMOptions(ModelOptions):
    """Options of `APEM`, in addition to those of `ModelOptions`.

    The defaults are those of the paper (Table 2), if it gives them.

    Attributes:
        embedding_dim: Width d of fields, inducing points and indicators.
        num_layers: Number L of pairs of an ASRG and a pattern selector.
        num_points: Number K of inducing points in a layer.
        num_heads: Number m of attention heads. It divides `embedding_dim`.
        selector_units: Width of each hidden layer in the MLP of a dynamic selector; the paper gives none.
        gamma_start: Value of gamma at the first step; `gamma = max(gamma_start - gamma_decay * step, gamma_end)`.
        gamma_decay: Decrease of gamma per training step. With less than 50 000 steps, it should be larger than the
            default so that the selectors end as zeros and ones.
        gamma_end: Lower bound of gamma.
        asrg: Representation of the fields. "dynamic": inducing points that a selector chooses, as in the paper.
            "static": all inducing points, without a selector. "self_attention": fields attend to each other, the
            paper's "w/o ASRG", at a cost of O(F^2).
        pattern_selector: Whether a tower reads the pattern of its task. Without it ("w/o PS") a tower reads the shared
            representation alone.
        tower_input: Part of the shared representation Y that a tower reads. "flatten": all K vectors. "mean": their
            mean.
        tower_units: Width of each hidden layer of a tower; the paper gives none.
        dropout: Dropout rate in the towers.
        dependence: Strength sigma of the penalty of equation 21, by task name or for all tasks. The paper gives no
            value; 0 is its "w/o L_D".

    Example:
        >>> from tfmtl.models import APEMOptions
        >>> APEMOptions(num_points=16).num_layers
        4
    """

    search_space: ClassVar[Space] = {
        **ModelOptions.search_space,
        "num_layers": Choice((1, 2, 4)),
        "num_points": Choice((8, 16, 32, 64)),
        "tower_units": TOWER_UNITS,
        "dropout": DROPOUT,
    }

    embedding_dim: int = 18
    num_layers: int = 4
    num_points: int = 64
    num_heads: int = 2
    selector_units: tuple[int, ...] = (64,)
    gamma_start: float = 10.0
    gamma_decay: float = 2e-4
    gamma_end: float = 1e-3
    asrg: Literal["dynamic", "static", "self_attention"] = "dynamic"
    pattern_selector: bool = True
    tower_input: Literal["flatten", "mean"] = "flatten"
    tower_units: tuple[int, ...] = (64, 32)
    dropout: float = 0.0
    dependence: float | Mapping[str, float] = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("num_layers", "num_points", "num_heads"):
            require(getattr(self, name) >= 1, name, "at least 1", getattr(self, name))
        expected = f"a divisor of embedding_dim, {self.embedding_dim}"
        require(self.embedding_dim % self.num_heads == 0, "num_heads", expected, self.num_heads)
        for name in ("selector_units", "tower_units"):
            require_widths(name, getattr(self, name))
        require(self.gamma_decay >= 0, "gamma_decay", "at least 0", self.gamma_decay)
        expected = f"in (0, gamma_start], {self.gamma_start}"
        require(0 < self.gamma_end <= self.gamma_start, "gamma_end", expected, self.gamma_end)
        require_rate("dropout", self.dropout)


_PAPER = {"embedding_dim": 18, "num_layers": 4, "num_points": 64, "num_heads": 2, "dependence": 1.0}

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "ali_ccp": _PAPER,
    "ali_ccp_without_asrg": {**_PAPER, "asrg": "self_attention"},
    "ali_ccp_without_pattern_selector": {**_PAPER, "pattern_selector": False},
    "ali_ccp_without_dependence": {**_PAPER, "dependence": 0.0},
    "industrial": _PAPER,
}

INFO = ModelInfo(
    name="apem",
    class_name="APEM",
    module="tfmtl.models.apem",
    options_class=APEMOptions,
    summary="Inducing points selected for each row",
    paper="Tao et al., 2023, Adaptive Pattern Extraction Multi-Task Learning (APEM)",
    equations="10-23",
    presets=PRESETS,
    defaults={"num_layers": 2, "num_points": 16, "tower_units": [32], "dependence": 0.1, "dropout": 0.3},
)
