"""MAN: shared and task-specific experts, attention from task to task along the chain, losses weighed by uncertainty."""

import dataclasses
from typing import Any, ClassVar, Literal

from tfmtl.config import require
from tfmtl.layers import CGC, RawValues, TaskAttention, Tower
from tfmtl.model_inputs import bags, embedding_rows
from tfmtl.models.core.multi_task_model import MultiTaskModel
from tfmtl.models.core.options import ModelOptions
from tfmtl.models.registry import register_model


@dataclasses.dataclass(frozen=True)
class MANOptions(ModelOptions):
    """Options of `MAN`, besides those of every model. The defaults are the paper's (4.2).

    Attributes:
        num_shared: experts that all tasks share.
        num_per_task: experts that each task has of its own.
        expert_units: width of each layer of an expert.
        tower_units: width of each hidden layer of a tower.
        dropout: rate, in experts and towers; the paper names none.
        attention: tasks attend to the task that they follow; without it a tower sees its gate's output ("Without att"
            of Table 2).
        attention_query: whose query meets the keys, see `tfmtl.layers.TaskAttention`.
        inputs: `embedding`, or `raw`: the features as numbers (`tfmtl.layers.RawValues`), without an embedding
            ("Without meta-att").
        weighting: `uncertainty` as in equation 3; `fixed` is equation 2.
        weight_decay: that of Adam in the paper, for all weights outside the embedding table.
        embedding_l2: half of it, for the rows that a batch looks up.
    """

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

    def __post_init__(self):
        super().__post_init__()
        require(self.num_shared >= 0, "num_shared", "at least 0", self.num_shared)
        expected = "at least 0" if self.num_shared else "at least 1 where no expert is shared"
        enough = self.num_per_task >= (0 if self.num_shared else 1)
        require(enough, "num_per_task", expected, self.num_per_task)
        require(0 <= self.dropout < 1, "dropout", "in [0, 1)", self.dropout)
        positive = bool(self.expert_units) and all(width >= 1 for width in self.expert_units)
        require(positive, "expert_units", "positive and at least one", self.expert_units)
        require(all(width >= 1 for width in self.tower_units), "tower_units", "positive", self.tower_units)


@register_model("man")
class MAN(MultiTaskModel):
    """Multi-task Attention Network: `x_k = CGC_k(x)`, `C_k = attention_k(C_prev, x_k)`, `y_k = tower_k(C_k)`.

    `prev` is the task that task k follows, so that the tasks form a chain or a tree; what a task passes on is its
    *fused* representation C. A task that follows none attends to itself alone, `C_k = V_k(x_k)`. Every task has an
    attention of its own. The weights of the attention are recorded as `task_attention/<task>`, those of the gates as
    `gate/<task>`; the factors of the losses that it has learned are in `loss_factors()`.

    Decisions where the paper leaves room:

    - The first task attends to itself alone: there is no task before it. Its attention is a linear layer.
    - Section 3.3 speaks of a two-layer tower, section 4.2 of the widths [128, 16, 32]: these are taken, and a linear
      unit after them.
    - The rows on which a conversion is trained are all impressions (`space="entire"`), as the paper's AUCs are taken.
    - "Without meta-att" of Table 2 trains on "the original feature data": each field's id as one number, scaled to
      [0, 1], in place of its embedding. "Without meta" is a matter of training: `MetaLearning` or not.
    - Weight decay is the L2 term whose gradient is `d * w`, which is what Adam's option of that name adds in the
      libraries of that time; of the embeddings it touches the rows of the batch only.

    References:
        - [Luo et al., 2023, Multi-Task Deep Learning with Task Attention for Post-Click Conversion Rate Prediction]
          (https://doi.org/10.32604/iasc.2023.036622), sections 3.2 and 3.3
    """

    options_class = MANOptions
    paper = "Luo et al., 2023, Multi-Task Deep Learning with Task Attention (MAN)"
    equations = "1-3, sections 3.2.2 and 3.2.3"
    # The paper prepares Ali-CCP as AITM does and gives no width of embeddings: AITM's published command has 5.
    presets: ClassVar = {
        "ali_ccp": {"embedding_dim": 5},
        "ali_ccp_without_attention": {"embedding_dim": 5, "attention": False},
        "ali_ccp_without_meta_attention": {"inputs": "raw"},
    }

    def __init__(self, spec: Any, vocabulary_sizes: Any, options: MANOptions, **kwargs: Any):
        super().__init__(spec, vocabulary_sizes, options, **kwargs)
        names = [task.name for task in spec.tasks]
        self.cgc = CGC(
            names, options.num_shared, options.num_per_task, options.expert_units, dropout=options.dropout, name="cgc"
        )
        self.attention = {
            name: TaskAttention(options.attention_query, name=name) for name in names if options.attention
        }
        self.towers = {name: Tower(options.tower_units, dropout=options.dropout, name=name) for name in names}

    def make_embedding(self):
        if self.options.inputs == "embedding":
            return super().make_embedding()
        rows, apart = embedding_rows(self.spec, self.vocabulary_sizes), self.options.unpooled_sequences(self.spec)
        return RawValues(rows, bags(self.spec), apart, name="raw_values")

    @property
    def upper_layers(self):
        return (*self.attention.values(), *super().upper_layers)

    def call(self, features, training=None):
        fused = self.cgc(self.embed_flat(features), training=training)
        for task in self.spec.tasks if self.attention else ():  # A task stands after the one that it follows.
            previous = fused[task.follows] if task.follows else None
            fused[task.name] = self.attention[task.name](fused[task.name], previous)
        return {name: tower(fused[name], training=training) for name, tower in self.towers.items()}
