"""CGC: experts of a task's own beside shared ones, and a gate for each task."""

import dataclasses
from typing import Any

from tfmtl.config import require
from tfmtl.layers import CGC, Tower
from tfmtl.models.core.multi_task_model import MultiTaskModel
from tfmtl.models.core.options import ModelOptions
from tfmtl.models.registry import register_model


@dataclasses.dataclass(frozen=True)
class CGCOptions(ModelOptions):
    """Options of `CustomizedGateControl`, besides those of every model.

    Attributes:
        num_shared: experts that all tasks share.
        num_per_task: experts that each task has of its own.
        expert_units: width of each layer of an expert.
        tower_units: width of each hidden layer of a tower.
        dropout: rate, in experts and towers.
    """

    num_shared: int = 4
    num_per_task: int = 4
    expert_units: tuple[int, ...] = (256, 128)
    tower_units: tuple[int, ...] = (64, 32)
    dropout: float = 0.0

    def __post_init__(self):
        super().__post_init__()
        require(self.num_shared >= 1, "num_shared", "at least 1", self.num_shared)
        require(self.num_per_task >= 1, "num_per_task", "at least 1", self.num_per_task)
        require(0 <= self.dropout < 1, "dropout", "in [0, 1)", self.dropout)
        positive = bool(self.expert_units) and all(width >= 1 for width in self.expert_units)
        require(positive, "expert_units", "positive and at least one", self.expert_units)
        require(all(width >= 1 for width in self.tower_units), "tower_units", "positive", self.tower_units)


@register_model("cgc")
class CustomizedGateControl(MultiTaskModel):
    """`y_k = tower_k(g_k(x) [E_k(x), E_s(x)])`, `g_k(x) = softmax(W_k x)`: E_k the task's own experts, E_s shared ones.

    It is `PLE` of one level, and MAN without attention. The layer that does it is `tfmtl.layers.CGC`. The gates'
    weights are recorded as `gate/<task>`, a task's own experts first.

    References:
        - [Tang et al., 2020, Progressive Layered Extraction](https://doi.org/10.1145/3383313.3412236), section 4.1
    """

    options_class = CGCOptions
    paper = "Tang et al., 2020, Customized Gate Control (RecSys)"
    equations = "section 4.1"

    def __init__(self, spec: Any, vocabulary_sizes: Any, options: CGCOptions, **kwargs: Any):
        super().__init__(spec, vocabulary_sizes, options, **kwargs)
        names = [task.name for task in spec.tasks]
        self.cgc = CGC(
            names, options.num_shared, options.num_per_task, options.expert_units, dropout=options.dropout, name="cgc"
        )
        self.towers = {name: Tower(options.tower_units, dropout=options.dropout, name=name) for name in names}

    def call(self, features, training=None):
        mixed = self.cgc(self.embed_flat(features), training=training)
        return {name: tower(mixed[name], training=training) for name, tower in self.towers.items()}
