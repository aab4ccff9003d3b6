"""ESMM: conversion after a click, learned on all impressions through the product of the chain's probabilities."""

import dataclasses
from typing import Any, ClassVar

from keras import ops

from tfmtl.config import require
from tfmtl.layers import Tower
from tfmtl.losses.batch_mean import mean_of_sums
from tfmtl.losses.chain_logits import entire_logits
from tfmtl.models.core.heads import task_weights
from tfmtl.models.core.multi_task_model import MultiTaskModel
from tfmtl.models.core.options import ModelOptions
from tfmtl.models.core.task_losses import row_losses
from tfmtl.models.registry import register_model
from tfmtl.spec import CONDITIONAL, ENTIRE


@dataclasses.dataclass(frozen=True)
class ESMMOptions(ModelOptions):
    """Options of `ESMM`, besides those of every model. `space` and `local_space` are what they are by default.

    Attributes:
        tower_units: width of each hidden layer of a tower.
        dropout: rate, in towers.
    """

    tower_units: tuple[int, ...] = (360, 200, 80)
    dropout: float = 0.0

    def __post_init__(self):
        super().__post_init__()
        require(self.space == ENTIRE, "space", "entire, for every loss is on all rows", self.space)
        require(not self.local_space, "local_space", "false, for every loss is on all rows", self.local_space)
        require(all(width >= 1 for width in self.tower_units), "tower_units", "positive", self.tower_units)
        require(0 <= self.dropout < 1, "dropout", "in [0, 1)", self.dropout)


@register_model("esmm")
class ESMM(MultiTaskModel):
    """`c_k = sigmoid(tower_k(x))`, `p_k = p_{k'} c_k`, k' the task that k follows; the losses are those of p.

    The towers share the embeddings x and nothing else. A tower's logit is that of the *conditional* probability
    P(z=1 | y=1, x), of which no loss is taken: it learns through the product, P(y=1, z=1 | x), whose label is known on
    every row. So `spaces` says `conditional` of the head of a task that follows another (that is what it predicts), while
    its loss is a mean over *all* rows. The product's cross-entropy is taken on its logit
    (`tfmtl.losses.product_logit`), which is finite and exact for all logits.

    The tasks may form a chain of any length or a tree. A count follows none and none follows it (`DatasetSpec`); it
    has a tower and its own likelihood.

    Decisions where the paper leaves room:

    - Its fields' vectors are concatenated, those of a multi-valued field averaged as everywhere in this package.
    - A tower ends in one logit, where the paper's 360 x 200 x 80 x 2 ends in a softmax over two: the same model.

    References:
        - [Ma et al., 2018, Entire Space Multi-Task Model: An Effective Approach for Estimating Post-Click Conversion
          Rate](https://arxiv.org/abs/1804.07931), equations 1 to 3
    """

    options_class: ClassVar[type] = ESMMOptions
    paper = "Ma et al., 2018, Entire Space Multi-Task Model (ESMM, SIGIR)"
    equations = "1-3"
    presets: ClassVar = {"ali_ccp": {"embedding_dim": 18, "tower_units": (360, 200, 80)}}

    def __init__(self, spec: Any, vocabulary_sizes: Any, options: Any, **kwargs: Any):
        super().__init__(spec, vocabulary_sizes, options, **kwargs)
        self.towers = {t.name: Tower(options.tower_units, dropout=options.dropout, name=t.name) for t in spec.tasks}

    @property
    def spaces(self):
        return {task.name: CONDITIONAL if task.follows else ENTIRE for task in self.spec.tasks}

    @property
    def follows(self) -> dict[str, str]:
        """The task before, of each task that follows one."""
        return {task.name: task.follows for task in self.spec.tasks if task.follows}

    def call(self, features, training=None):
        inputs = self.embed_flat(features)
        return {name: tower(inputs, training=training) for name, tower in self.towers.items()}

    def _tasks_losses(self, labels, logits, sample_weight):
        entire = entire_logits(self.follows, logits)
        losses = {}
        for task in self.spec.tasks:
            loss = row_losses(task, self.options, labels[task.name], entire[task.name])
            weights = task_weights(self.spec, task.name, ENTIRE, labels, sample_weight)
            weights = ops.ones_like(loss) if weights is None else weights
            rows = ops.sum(weights)
            losses[task.name] = (mean_of_sums(ops.sum(weights * loss), rows), rows)
        return losses
