"""OMoE: experts shared by all tasks, and one gate for all of them."""

import dataclasses
from typing import Any, ClassVar

from tfmtl.layers import Experts, Gate, Tower
from tfmtl.models.core.multi_task_model import MultiTaskModel
from tfmtl.models.mmoe import MMoE, MMoEOptions
from tfmtl.models.registry import register_model


@dataclasses.dataclass(frozen=True)
class OMoEOptions(MMoEOptions):
    """Options of `OMoE`: those of `MMoE`."""


@register_model("omoe")
class OMoE(MultiTaskModel):
    """`y_k = tower_k(sum_e g_e(x) f_e(x))`, `g(x) = softmax(W x)`: the one-gate mixture that MMoE is held beside.

    The gate's weights are recorded as `gate/all-tasks`.

    References:
        - [Ma et al., 2018, Modeling Task Relationships in Multi-task Learning with Multi-gate Mixture-of-Experts]
          (https://dl.acm.org/doi/10.1145/3219819.3220007), equation 5
    """

    options_class = OMoEOptions
    paper = "Ma et al., 2018, One-gate Mixture-of-Experts (KDD)"
    equations = "5"
    presets: ClassVar = {"man_ali_ccp": MMoE.presets["man_ali_ccp"]}

    def __init__(self, spec: Any, vocabulary_sizes: Any, options: OMoEOptions, **kwargs: Any):
        super().__init__(spec, vocabulary_sizes, options, **kwargs)
        self.experts = Experts(options.num_experts, options.expert_units, dropout=options.dropout, name="experts")
        self.gate = Gate(name="all-tasks")
        self.towers = {t.name: Tower(options.tower_units, dropout=options.dropout, name=t.name) for t in spec.tasks}

    def call(self, features, training=None):
        inputs = self.embed_flat(features)
        mixed = self.gate(inputs, self.experts(inputs, training=training))
        return {name: tower(mixed, training=training) for name, tower in self.towers.items()}
