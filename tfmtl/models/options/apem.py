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

    The sizes are those of the paper (Table 2), if it gives them. The defaults of `selector_bias`, `token_scale`,
    `position_keys`, `unit_points`, `residual_gain`, `layer_norm` and `fields_in_tower`, and the schedule of gamma,
    depart from the paper: with its form, attention, points and selectors hardly change in training (see `APEM`). The
    preset `as_written` has that form.

    Attributes:
        embedding_dim: Width d of fields, inducing points and indicators.
        num_layers: Number L of pairs of an ASRG and a pattern selector.
        num_points: Number K of inducing points in a layer.
        num_heads: Number m of attention heads. It divides `embedding_dim`.
        selector_units: Width of each hidden layer in the MLP of a dynamic selector; the paper gives none.
        gamma_start: Value of gamma at the first step; `gamma = max(gamma_start - gamma_decay * step, gamma_end)`.
        gamma_decay: Decrease of gamma per training step; None for `(gamma_start - gamma_end) / gamma_steps`.
        gamma_steps: Number of training steps after which gamma is `gamma_end`, where `gamma_decay` is None. The
            pipeline gives the number of planned steps, `max_epochs` times the steps of an epoch, unless the options
            name a number. None is 50 000, for which the paper's decay is made.
        gamma_end: Lower bound of gamma. The selectors end as zeros and ones if it is small.
        selector_bias: Initial bias of the last layer in the MLP of a selector. With the default, a selector begins with
            values around .84, so that most points take part. 0 in the paper, which gives 1/2.
        token_scale: Factor of the tokens H wherever attention weights and selections are computed from them; values
            are not scaled. 1 in the paper.
        position_keys: Whether the keys of a field have a trained part of their own. False in the paper.
        unit_points: Whether the entries of points and indicators have a standard deviation of 1 at the beginning, and
            the points are orthogonal. False is the initialization by Glorot; the paper names none.
        residual_gain: Initial value of the trained factor of the points in Y. None is a constant 1, as in the paper.
        layer_norm: Whether Y and T are normalized, as in the paper.
        fields_in_tower: Whether a tower reads the embeddings of the fields beside Y. False in the paper.
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
        "token_scale": Choice((3.0, 10.0, 20.0)),
        "tower_units": TOWER_UNITS,
        "dropout": DROPOUT,
    }

    embedding_dim: int = 18
    num_layers: int = 4
    num_points: int = 64
    num_heads: int = 2
    selector_units: tuple[int, ...] = (64,)
    gamma_start: float = 4.0
    gamma_decay: float | None = None
    gamma_steps: int | None = None
    gamma_end: float = 0.1
    selector_bias: float = 1.0
    token_scale: float = 10.0
    position_keys: bool = True
    unit_points: bool = True
    residual_gain: float | None = 0.01
    layer_norm: bool = False
    fields_in_tower: bool = True
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
        is_valid = self.gamma_decay is None or self.gamma_decay >= 0
        require(is_valid, "gamma_decay", "at least 0, or null", self.gamma_decay)
        is_valid = self.gamma_steps is None or self.gamma_steps >= 1
        require(is_valid, "gamma_steps", "at least 1, or null", self.gamma_steps)
        require(self.token_scale > 0, "token_scale", "above 0", self.token_scale)
        expected = f"in (0, gamma_start], {self.gamma_start}"
        require(0 < self.gamma_end <= self.gamma_start, "gamma_end", expected, self.gamma_end)
        require_rate("dropout", self.dropout)

    @property
    def decay_of_gamma(self) -> float:
        """Decrease of gamma per training step."""
        if self.gamma_decay is not None:
            return self.gamma_decay
        return (self.gamma_start - self.gamma_end) / (self.gamma_steps or _PAPER_STEPS)


_PAPER_STEPS = 50_000
_AS_WRITTEN = {
    "gamma_start": 10.0,
    "gamma_decay": 2e-4,
    "gamma_end": 1e-3,
    "selector_bias": 0.0,
    "token_scale": 1.0,
    "position_keys": False,
    "unit_points": False,
    "residual_gain": None,
    "layer_norm": True,
    "fields_in_tower": False,
}
_PAPER = {"embedding_dim": 18, "num_layers": 4, "num_points": 64, "num_heads": 2, "dependence": 1.0}

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "ali_ccp": _PAPER,
    "ali_ccp_without_asrg": {**_PAPER, "asrg": "self_attention"},
    "ali_ccp_without_pattern_selector": {**_PAPER, "pattern_selector": False},
    "ali_ccp_without_dependence": {**_PAPER, "dependence": 0.0},
    "industrial": _PAPER,
    "as_written": {**_PAPER, **_AS_WRITTEN},
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
    defaults={"num_layers": 1, "num_points": 32, "tower_units": [128, 64, 32], "dependence": 0.1, "dropout": 0.3},
)
