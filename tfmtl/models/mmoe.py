"""MMoE: experts shared by all tasks, a gate for each task."""

import dataclasses
from typing import Any, ClassVar

from tfmtl.config import require
from tfmtl.layers import Experts, Gate, Tower
from tfmtl.models.core.multi_task_model import MultiTaskModel
from tfmtl.models.core.options import ModelOptions
from tfmtl.models.registry import register_model


@dataclasses.dataclass(frozen=True)
class MMoEOptions(ModelOptions):
    """Options of `MMoE`, besides those of every model.

    Attributes:
        num_experts: experts that all tasks share.
        expert_units: width of each layer of an expert.
        tower_units: width of each hidden layer of a tower.
        dropout: rate, in experts and towers.
    """

    num_experts: int = 8
    expert_units: tuple[int, ...] = (256, 128)
    tower_units: tuple[int, ...] = (64, 32)
    dropout: float = 0.0

    def __post_init__(self):
        super().__post_init__()
        require(self.num_experts >= 1, "num_experts", "at least 1", self.num_experts)
        require(0 <= self.dropout < 1, "dropout", "in [0, 1)", self.dropout)
        positive = bool(self.expert_units) and all(width >= 1 for width in self.expert_units)
        require(positive, "expert_units", "positive and at least one", self.expert_units)
        require(all(width >= 1 for width in self.tower_units), "tower_units", "positive", self.tower_units)


@register_model("mmoe")
class MMoE(MultiTaskModel):
    """`y_k = tower_k(sum_e g_{k,e}(x) f_e(x))`, `g_k(x) = softmax(W_k x)`.

    References:
        - [Ma et al., 2018, Modeling Task Relationships in Multi-task Learning with Multi-gate Mixture-of-Experts]
          (https://dl.acm.org/doi/10.1145/3219819.3220007), equations 5 to 7
    """

    options_class = MMoEOptions
    paper = "Ma et al., 2018, Multi-gate Mixture-of-Experts (KDD)"
    equations = "5-7"
    # The sizes that MAN and AdaFTR give for it as a baseline. AdaFTR names the number of experts only: as in its own.
    presets: ClassVar = {
        "man_ali_ccp": {
            "embedding_dim": 5,
            "embedding_l2": 5e-7,
            "weight_decay": 1e-6,
            "num_experts": 8,
            "expert_units": [256, 128],
            "tower_units": [128, 16, 32],
        },
        "adaftr_ali_ccp": {
            "embedding_dim": 8,
            "space": "conditional",
            "num_experts": 3,
            "expert_units": [64],
            "tower_units": [64, 32, 16],
        },
        "adaftr_ecomm_ads": {
            "embedding_dim": 8,
            "space": "conditional",
            "num_experts": 3,
            "expert_units": [128],
            "tower_units": [128, 64, 32],
        },
    }

    def __init__(self, spec: Any, vocabulary_sizes: Any, options: MMoEOptions, **kwargs: Any):
        super().__init__(spec, vocabulary_sizes, options, **kwargs)
        self.experts = Experts(options.num_experts, options.expert_units, dropout=options.dropout, name="experts")
        self.gates = {task.name: Gate(name=task.name) for task in spec.tasks}
        self.towers = {t.name: Tower(options.tower_units, dropout=options.dropout, name=t.name) for t in spec.tasks}

    def call(self, features, training=None):
        inputs = self.embed_flat(features)
        experts = self.experts(inputs, training=training)
        return {name: self.towers[name](gate(inputs, experts), training=training) for name, gate in self.gates.items()}
