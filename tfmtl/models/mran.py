"""MRAN: attention between tasks, between features, and of each task over the features."""

import dataclasses
from typing import Any, ClassVar

from keras import ops

from tfmtl.config import require
from tfmtl.layers import SelfAttention, TaskAnchors, TaskFeatureAttention, Tower
from tfmtl.models.core.multi_task_model import MultiTaskModel
from tfmtl.models.core.options import ModelOptions
from tfmtl.models.registry import register_model


@dataclasses.dataclass(frozen=True)
class MRANOptions(ModelOptions):
    """Options of `MRAN`, besides those of every model.

    Attributes:
        num_heads: of the attention between tasks and of that between features; it should divide `embedding_dim`.
        anchor_dim: width of a task's embedding; that of the representation made of it is `embedding_dim`.
        tower_units: width of each hidden layer of a tower; the paper has two.
        dropout: rate, in towers.
    """

    num_heads: int = 2
    anchor_dim: int = 16
    tower_units: tuple[int, ...] = (64, 32)
    dropout: float = 0.0

    def __post_init__(self):
        super().__post_init__()
        for name in ("num_heads", "anchor_dim"):
            require(getattr(self, name) >= 1, name, "at least 1", getattr(self, name))
        divisor = f"a divisor of embedding_dim, {self.embedding_dim}"
        require(self.embedding_dim % self.num_heads == 0, "num_heads", divisor, self.num_heads)
        require(0 <= self.dropout < 1, "dropout", "in [0, 1)", self.dropout)
        require(all(width >= 1 for width in self.tower_units), "tower_units", "positive", self.tower_units)


@register_model("mran")
class MRAN(MultiTaskModel):
    """`T = SA_tasks(anchors)`, `H = SA_features(x)`, `Z = A(T, H)`, `y_k = tower_k(Z_k)`, x the fields' embeddings.

    Three relations are learned: between tasks and between features by multi-head self-attention
    (`tfmtl.layers.SelfAttention`, each with weights of its own), and of each task on the features, which it weighs
    by what it asks for (`tfmtl.layers.TaskFeatureAttention`). A task's tower reads all features, weighed.

    Recorded: `self_attention/tasks`, `(1, heads, tasks, tasks)` in the order of the spec, `self_attention/features`,
    `(batch, heads, fields, fields)`, and `task_feature_attention/<task>`, `(batch, fields)`.

    Decisions where the paper leaves room, or does not fit:

    - Its tasks are represented by their labels, which are not known when a score is asked for; so it keeps the
      attention of training for prediction. Here, as M2M has it (4.1.4), a task is an embedded point, the same in both
      (`tfmtl.layers.TaskAnchors`), and the attention of a row is that row's.
    - Residuals are normalized over the columns of a row, where the paper normalizes over a batch: a score does not
      depend on the rows beside it. For a task's features see `TaskFeatureAttention`.
    - Of its several attention functions, scaled dot products.
    - The penalty on the attention weights in its objective is left out; the one on the weights is `weight_decay`.

    References:
        - [Zhao et al., 2019, Multiple Relational Attention Network for Multi-task Learning]
          (https://doi.org/10.1145/3292500.3330861)
    """

    options_class = MRANOptions
    paper = "Zhao et al., 2019, Multiple Relational Attention Network (MRAN, KDD)"
    equations = "the three relationship learning modules, section 3"
    # M2M's comparison: the widths that it states for all of its models.
    presets: ClassVar = {"m2m_taobao": {"embedding_dim": 16, "num_heads": 2}}

    def __init__(self, spec: Any, vocabulary_sizes: Any, options: MRANOptions, **kwargs: Any):
        super().__init__(spec, vocabulary_sizes, options, **kwargs)
        names = [task.name for task in spec.tasks]
        self.anchors = TaskAnchors(len(names), options.embedding_dim, options.anchor_dim, name="anchors")
        self.task_attention = SelfAttention(options.num_heads, name="tasks")
        self.feature_attention = SelfAttention(options.num_heads, name="features")
        self.alignment = TaskFeatureAttention(names, name="alignment")
        self.towers = {name: Tower(options.tower_units, dropout=options.dropout, name=name) for name in names}

    def call(self, features, training=None):
        tasks = self.task_attention(self.anchors(ops.arange(len(self.towers)))[None])
        aligned = self.alignment(tasks, self.feature_attention(self.embed(features)))
        return {name: tower(aligned[name], training=training) for name, tower in self.towers.items()}
