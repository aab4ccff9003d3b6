"""Cross-Stitch: a network for each task, and after each layer a unit that mixes those of all tasks."""

import dataclasses
from typing import Any, ClassVar

from tfmtl.config import require
from tfmtl.layers import MLP, CrossStitch, Tower
from tfmtl.models.core.multi_task_model import MultiTaskModel
from tfmtl.models.core.options import ModelOptions
from tfmtl.models.registry import register_model


@dataclasses.dataclass(frozen=True)
class CrossStitchOptions(ModelOptions):
    """Options of `CrossStitchNetwork`, besides those of every model.

    Attributes:
        network_units: width of each layer of a task's network; a cross-stitch unit follows each.
        tower_units: width of each hidden layer of a tower, which no unit follows.
        own: share of a task's own layer in the beginning, see `tfmtl.layers.CrossStitch`.
        per_channel: whether every channel of a layer has weights of its own, instead of one weight for all.
        dropout: rate, in networks and towers.
    """

    network_units: tuple[int, ...] = (256, 128)
    tower_units: tuple[int, ...] = (64, 32)
    own: float = 0.9
    per_channel: bool = False
    dropout: float = 0.0

    def __post_init__(self):
        super().__post_init__()
        positive = bool(self.network_units) and all(width >= 1 for width in self.network_units)
        require(positive, "network_units", "positive and at least one", self.network_units)
        require(all(width >= 1 for width in self.tower_units), "tower_units", "positive", self.tower_units)
        require(0 <= self.own <= 1, "own", "in [0, 1]", self.own)
        require(0 <= self.dropout < 1, "dropout", "in [0, 1)", self.dropout)


@register_model("cross_stitch")
class CrossStitchNetwork(MultiTaskModel):
    """`x_{k,l} = sum_j a_{l,kj} act(x_{j,l-1} W_{j,l} + b_{j,l})`, `y_k = tower_k(x_{k,L})`, `x_{k,0}` the embeddings.

    Decisions where the papers leave room:

    - The embedding is shared: the tables of MAN, APEM, AdaFTR and M2M hold the embedding the same for all models.
    - A unit has one weight for each pair of tasks, as AdaFTR counts its parameters (Table 1: 4 a layer for two tasks).
      Misra et al. give each channel of a layer a unit of its own: `per_channel`.
    - Their units learn 100 to 1000 times as fast as the rest under SGD. Adam's step does not depend on the scale of a
      gradient, so that one learning rate serves all.
    - With `tower_units` empty every layer but the logit's is stitched, as theirs are; towers are there for what
      contrasts or fine-tunes them.

    The units' weights are recorded as `cross_stitch/unit_<layer>`.

    References:
        - [Misra et al., 2016, Cross-stitch Networks for Multi-task Learning](https://arxiv.org/abs/1604.03539)
    """

    options_class = CrossStitchOptions
    paper = "Misra et al., 2016, Cross-stitch Networks (CVPR)"
    equations = "1"
    presets: ClassVar = {
        "adaftr_ali_ccp": {
            "embedding_dim": 8,
            "space": "conditional",
            "network_units": [64, 32, 16],
            "tower_units": [],
        },
        "adaftr_ecomm_ads": {
            "embedding_dim": 8,
            "space": "conditional",
            "network_units": [128, 64, 32],
            "tower_units": [],
        },
    }

    def __init__(self, spec: Any, vocabulary_sizes: Any, options: CrossStitchOptions, **kwargs: Any):
        super().__init__(spec, vocabulary_sizes, options, **kwargs)
        names = [task.name for task in spec.tasks]
        self.networks = {
            f"{name}_{i}": MLP([width], dropout=options.dropout, name=f"{name}_{i}")
            for i, width in enumerate(options.network_units)
            for name in names
        }
        self.stitches = [
            CrossStitch(names, options.own, options.per_channel, name=f"unit_{i}")
            for i in range(len(options.network_units))
        ]
        self.towers = {name: Tower(options.tower_units, dropout=options.dropout, name=name) for name in names}

    def call(self, features, training=None):
        hiddens = dict.fromkeys(self.towers, self.embed_flat(features))
        for i, stitch in enumerate(self.stitches):
            own = {name: self.networks[f"{name}_{i}"](hiddens[name], training=training) for name in hiddens}
            hiddens = stitch(own)
        return {name: tower(hiddens[name], training=training) for name, tower in self.towers.items()}
