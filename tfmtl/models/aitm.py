"""AITM: a tower a task, and information that each task hands on to the next, as much as the example asks for."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from tfmtl import introspection
from tfmtl.config import require
from tfmtl.layers import MLP, TaskAttention, Tower
from tfmtl.models.core.multi_task_model import MultiTaskModel
from tfmtl.models.core.options import ModelOptions
from tfmtl.models.registry import register_model


@dataclasses.dataclass(frozen=True)
class AITMOptions(ModelOptions):
    """Options of `AITM`, besides those of every model.

    Attributes:
        bottom_units: width of each layer of a task's own network below the transfer; the last is the width k of what
            is transferred.
        tower_units: width of each hidden layer above the transfer; the published code has none.
        dropout: rate, in the networks below and above the transfer and in the info units.
        calibrator: as for every model, but 0.6 by default, as the paper has it; 0 is without.
    """

    bottom_units: tuple[int, ...] = (128, 64, 32)
    tower_units: tuple[int, ...] = ()
    dropout: float = 0.0
    calibrator: float = 0.6

    def __post_init__(self):
        super().__post_init__()
        positive = bool(self.bottom_units) and all(width >= 1 for width in self.bottom_units)
        require(positive, "bottom_units", "positive and at least one", self.bottom_units)
        require(all(width >= 1 for width in self.tower_units), "tower_units", "positive", self.tower_units)
        require(0 <= self.dropout < 1, "dropout", "in [0, 1)", self.dropout)


@register_model("aitm")
class AITM(MultiTaskModel):
    """Adaptive Information Transfer: `q_t = f_t(x)`, `z_t = AIT(g(z_{t'}), q_t)`, `y_t = tower_t(z_t)`.

    t' is the task that t follows; a task that follows none has `z_t = q_t`. With `p = g(z_{t'})`, the info unit's,

    `z_t = sum_u w_u h_1(u)` over u in (p, q_t), `w = softmax_u(h_2(u) . h_3(u) / sqrt(k))`.

    That is `TaskAttention(query="each")` with h_1, h_2, h_3 as its value, query and key, and is taken from there. What
    differs from MAN, whose attention descends from this one: MAN has experts and gates below it and no info unit (the
    previous task's *fused* vector itself is a token), asks with the current task's query alone, and lets a first task
    go through a projection, where here it has none.

    The loss is the tasks' cross-entropy on the entire space and the behavioral expectation calibrator, 0.6 times
    `mean(max(p_t - p_{t'}, 0))` (`tfmtl.losses.behavioral_calibrator`). Recorded: `info/<task>`, p, and
    `task_attention/<task>`, the weights of p and q, for each task that follows one; the towers record z.

    Decisions where the paper leaves room:

    - An info unit is one layer, ReLU, as wide as what it gets, as in the published code. In a tree each task that
      follows another has its own: for a chain that is the paper's one per task that is followed.
    - h_1, h_2 and h_3 are linear, with a bias.
    - The published code drops 0.1, 0.3 and 0.3 of its three layers: the preset takes one rate, 0.3.

    References:
        - [Xi et al., 2021, Modeling the Sequential Dependence among Audience Multi-step Conversions with Multi-task
          Learning in Targeted Display Advertising](https://arxiv.org/abs/2105.08489)
    """

    options_class = AITMOptions
    paper = "Xi et al., 2021, Adaptive Information Transfer Multi-task (AITM, KDD)"
    equations = "the AIT module, section 3; equation 14"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "ali_ccp": {
            "embedding_dim": 5,
            "bottom_units": (128, 64, 32),
            "dropout": 0.3,
            "calibrator": 0.6,
            "weight_decay": 1e-6,
        },
    }

    def __init__(self, spec: Any, vocabulary_sizes: Any, options: AITMOptions, **kwargs: Any):
        super().__init__(spec, vocabulary_sizes, options, **kwargs)
        dropout = {"dropout": options.dropout}
        following = [task.name for task in spec.tasks if task.follows]
        self.bottoms = {t.name: MLP(options.bottom_units, **dropout, name=f"bottom_{t.name}") for t in spec.tasks}
        self.info = {name: MLP(options.bottom_units[-1:], **dropout, name=f"info_{name}") for name in following}
        self.attention = {name: TaskAttention("each", name=name) for name in following}
        self.towers = {task.name: Tower(options.tower_units, **dropout, name=task.name) for task in spec.tasks}

    @property
    def upper_layers(self):
        return (*self.info.values(), *self.attention.values(), *super().upper_layers)

    def call(self, features, training=None):
        inputs = self.embed_flat(features)
        fused: dict[str, Any] = {}
        for task in self.spec.tasks:  # A task stands after the one that it follows.
            own = self.bottoms[task.name](inputs, training=training)
            if task.follows:
                info = self.info[task.name](fused[task.follows], training=training)
                introspection.record(f"info/{task.name}", info)
                own = self.attention[task.name](own, info)
            fused[task.name] = own
        return {name: tower(fused[name], training=training) for name, tower in self.towers.items()}
