"""Single-Task: a model of its own for every task, none of which knows of the others."""

import dataclasses
from typing import Any, ClassVar

from keras import ops

from tfmtl.config import require
from tfmtl.layers import FusedEmbedding, Tower
from tfmtl.model_inputs import bags, embedding_rows
from tfmtl.models.core.multi_task_model import MultiTaskModel
from tfmtl.models.core.options import ModelOptions
from tfmtl.models.registry import register_model


@dataclasses.dataclass(frozen=True)
class SingleTaskOptions(ModelOptions):
    """Options of `SingleTask`, besides those of every model. The widths are those of APEM's Single-Task (4.1.2).

    Attributes:
        embedding_dim: width of a field's embedding, of each task.
        tower_units: width of each hidden layer of a task's network.
        dropout: rate, after every hidden layer.
    """

    tower_units: tuple[int, ...] = (256, 128, 64)
    dropout: float = 0.0

    def __post_init__(self):
        super().__post_init__()
        require(0 <= self.dropout < 1, "dropout", "in [0, 1)", self.dropout)
        require(all(width >= 1 for width in self.tower_units), "tower_units", "positive", self.tower_units)


@register_model("single_task")
class SingleTask(MultiTaskModel):
    """`y_k = tower_k(x_k)`, x_k the embeddings of the fields in task k's own table: no weight is shared.

    Trained together, the tasks learn what separate models would from the same batches: a weight has a gradient from one
    loss, and the optimizers of the package update weight by weight. What joins them is what one asks for: a loss on
    several predictions (`dependence`, `calibrator`), clipping by the norm of all gradients, stopping at one task's best
    epoch.

    The tables of the tasks stand side by side in the columns of one, `(ids, tasks * embedding_dim)`, because the tasks
    look up the same ids: one gather and one sparse update serve them all, and `sparse_embeddings` is that one layer.

    References:
        - the Single-Task or Single-DNN rows of the tables of APEM, AdaFTR and M2M
    """

    options_class = SingleTaskOptions
    paper = "Caruana, 1997, Multitask Learning: single task learning, what it is held beside"
    equations = "section 1"
    presets: ClassVar = {
        "apem_ali_ccp": {"embedding_dim": 18},
        "apem_industrial": {"embedding_dim": 18},
        "adaftr_ali_ccp": {"embedding_dim": 8, "space": "conditional", "tower_units": [64, 32, 16]},
        "adaftr_ecomm_ads": {"embedding_dim": 8, "space": "conditional", "tower_units": [128, 64, 32]},
    }

    def __init__(self, spec: Any, vocabulary_sizes: Any, options: SingleTaskOptions, **kwargs: Any):
        super().__init__(spec, vocabulary_sizes, options, **kwargs)
        self.towers = {t.name: Tower(options.tower_units, dropout=options.dropout, name=t.name) for t in spec.tasks}

    def make_embedding(self):
        rows = embedding_rows(self.spec, self.vocabulary_sizes)
        width = len(self.spec.tasks) * self.options.embedding_dim
        apart = self.options.unpooled_sequences(self.spec)
        return FusedEmbedding(rows, width, bags(self.spec), unpooled=apart, name="embedding")

    def call(self, features, training=None):
        embedded = ops.split(self.embed(features), len(self.towers), axis=2)
        return {
            name: tower(ops.reshape(own, (-1, own.shape[1] * own.shape[2])), training=training)
            for (name, tower), own in zip(self.towers.items(), embedded, strict=True)
        }
