"""Options and presets of MAN."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from tfmtl.config import require
from tfmtl.models.options.base import ModelOptions, require_rate, require_widths
from tfmtl.models.options.cgc import DEFAULTS
from tfmtl.models.options.dimensions import DROPOUT, EXPERT_UNITS, TOWER_UNITS
from tfmtl.models.options.info import ModelInfo
from tfmtl.search_space import Choice, Space


@dataclasses.dataclass(frozen=True)
class MANOptions(ModelOptions):
    """Options of `MAN`, in addition to those of `ModelOptions`. The defaults are those of the paper (section 4.2).

    Attributes:
        num_shared: Number of experts that all tasks share.
        num_per_task: Number of experts of each task that no other task uses.
        expert_units: Width of each layer of an expert.
        tower_units: Width of each hidden layer of a tower.
        dropout: Dropout rate in the experts and the towers; the paper gives none.
        attention: Whether a task attends to its previous task. Without attention, a tower reads the output of its gate
            ("Without att" in Table 2).
        attention_query: Task whose query is compared with the keys, see `tfmtl.layers.TaskAttention`.
        inputs: Input of the experts. "embedding": the embeddings of the fields. "raw": the features as numbers
            (`tfmtl.layers.RawValues`), without an embedding ("Without meta-att" in Table 2).
        weighting: Combination of the tasks' losses. "uncertainty" is equation 3, "fixed" is equation 2.
        weight_decay: Factor of the weight decay outside the embedding table; the paper's weight decay of Adam.
        embedding_l2: Factor of the mean of the squared embeddings of a batch; half of the paper's weight decay.

    Example:
        >>> from tfmtl.models import MANOptions
        >>> MANOptions(attention=False).weighting
        'uncertainty'
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
    tower_units: tuple[int, ...] = (128, 16, 32)
    dropout: float = 0.0
    attention: bool = True
    attention_query: Literal["current", "each"] = "current"
    inputs: Literal["embedding", "raw"] = "embedding"
    weighting: Literal["fixed", "uncertainty"] = "uncertainty"
    weight_decay: float = 1e-6
    embedding_l2: float = 5e-7

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.num_shared >= 0, "num_shared", "at least 0", self.num_shared)
        expected = "at least 0" if self.num_shared else "at least 1 where `num_shared` is 0"
        is_enough = self.num_per_task >= (0 if self.num_shared else 1)
        require(is_enough, "num_per_task", expected, self.num_per_task)
        require_rate("dropout", self.dropout)
        require_widths("expert_units", self.expert_units, minimum=1)
        require_widths("tower_units", self.tower_units)


# The paper prepares Ali-CCP as AITM does and gives no width of embeddings: AITM's published command has 5.
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "ali_ccp": {"embedding_dim": 5},
    "ali_ccp_without_attention": {"embedding_dim": 5, "attention": False},
    "ali_ccp_without_meta_attention": {"inputs": "raw"},
}

INFO = ModelInfo(
    name="man",
    class_name="MAN",
    module="tfmtl.models.man",
    options_class=MANOptions,
    summary="CGC with attention from task to task",
    paper="Luo et al., 2023, Multi-Task Deep Learning with Task Attention (MAN)",
    equations="1-3, sections 3.2.2 and 3.2.3",
    presets=PRESETS,
    defaults=DEFAULTS,
)
