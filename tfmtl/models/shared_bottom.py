"""Shared-Bottom: one representation for all tasks."""

import dataclasses
from typing import Any, ClassVar

from tfmtl.config import require
from tfmtl.layers import MLP, Tower
from tfmtl.models.core.multi_task_model import MultiTaskModel
from tfmtl.models.core.options import ModelOptions
from tfmtl.models.registry import register_model


@dataclasses.dataclass(frozen=True)
class SharedBottomOptions(ModelOptions):
    """Options of `SharedBottom`, besides those of every model.

    Attributes:
        bottom_units: width of each layer of the shared bottom.
        tower_units: width of each hidden layer of a tower.
        dropout: rate, in bottom and towers.
    """

    bottom_units: tuple[int, ...] = (256, 128)
    tower_units: tuple[int, ...] = (64, 32)
    dropout: float = 0.0

    def __post_init__(self):
        super().__post_init__()
        require(0 <= self.dropout < 1, "dropout", "in [0, 1)", self.dropout)
        require(all(width >= 1 for width in self.bottom_units), "bottom_units", "positive", self.bottom_units)
        require(all(width >= 1 for width in self.tower_units), "tower_units", "positive", self.tower_units)


@register_model("shared_bottom")
class SharedBottom(MultiTaskModel):
    """`y_k = tower_k(MLP(x))`: the embeddings x, one MLP for all tasks, a tower for each.

    References:
        - [Caruana, 1997, Multitask Learning](https://doi.org/10.1023/A:1007379606734)
    """

    options_class = SharedBottomOptions
    paper = "Caruana, 1997, Multitask Learning"
    equations = "section 2"
    # AdaFTR's baseline: three layers, the first of which is shared.
    presets: ClassVar = {
        "adaftr_ali_ccp": {"embedding_dim": 8, "space": "conditional", "bottom_units": [64], "tower_units": [32, 16]},
        "adaftr_ecomm_ads": {
            "embedding_dim": 8,
            "space": "conditional",
            "bottom_units": [128],
            "tower_units": [64, 32],
        },
    }

    def __init__(self, spec: Any, vocabulary_sizes: Any, options: SharedBottomOptions, **kwargs: Any):
        super().__init__(spec, vocabulary_sizes, options, **kwargs)
        self.bottom = MLP(options.bottom_units, dropout=options.dropout, name="bottom")
        self.towers = {t.name: Tower(options.tower_units, dropout=options.dropout, name=t.name) for t in spec.tasks}

    def call(self, features, training=None):
        shared = self.bottom(self.embed_flat(features), training=training)
        return {name: tower(shared, training=training) for name, tower in self.towers.items()}
