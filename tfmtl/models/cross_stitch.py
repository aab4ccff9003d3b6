"""Cross-Stitch: a network for each task, and units that mix the tasks after each layer."""

from collections.abc import Mapping
from typing import Any

from tfmtl.layers import MLP, CrossStitch, Tower
from tfmtl.models.core.multi_task_model import MultiTaskModel
from tfmtl.models.options.cross_stitch import INFO, CrossStitchOptions
from tfmtl.models.registry import register_model
from tfmtl.spec import DatasetSpec
from tfmtl.types import Features, Tensor


@register_model("cross_stitch")
class CrossStitchNetwork(MultiTaskModel):
    """Cross-Stitch network.

    Each task has a network, which reads the shared embeddings of the fields. After each layer, a
    cross-stitch unit replaces the layers of the tasks by linear combinations of them with trained weights a:

    `x_{k,l} = sum_j a_{l,kj} act(x_{j,l-1} W_{j,l} + b_{j,l})` and `y_k = tower_k(x_{k,L})`,

    where `x_{k,0}` are the embeddings. The weights of the units are recorded as `cross_stitch/unit_<layer>`.

    Choices where the papers are not specific:

    - The embedding is shared, as the tables of MAN, APEM, AdaFTR and M2M keep the embedding the same for all models.
    - A unit has one weight for each pair of tasks, as AdaFTR counts its parameters (Table 1: 4 per layer for two
      tasks). Misra et al. give each channel of a layer a separate unit; this is `per_channel`.
    - In Misra et al. the units learn 100 to 1000 times as fast as the other weights under SGD. The step of Adam does
      not depend on the scale of a gradient, so one learning rate is used.
    - With empty `tower_units` a unit follows each layer except the logit, as in Misra et al. Towers serve contrastive
      losses and fine-tuning.

    Args:
        spec: Features and tasks of the dataset.
        vocabulary_sizes: Number of tokens in the vocabulary of each feature that has one.
        options: Hyper-parameters. Defaults to `CrossStitchOptions()`.
        **kwargs: `name` and `dtype` of `keras.Model`.

    Call arguments:
        features: Transformed features by name, each `(batch,)` or `(batch, length)`.
        training: Whether dropout is applied.

    Returns:
        Logits by task name, each `(batch,)` float32.

    Example:
        >>> import numpy as np
        >>> from tfmtl.features import CategoricalFeature
        >>> from tfmtl.models import CrossStitchNetwork, CrossStitchOptions
        >>> from tfmtl.spec import DatasetSpec, Task
        >>> features = (CategoricalFeature("user"), CategoricalFeature("item"))
        >>> tasks = (Task("click", "clicked"), Task("buy", "bought", follows="click"))
        >>> options = CrossStitchOptions(embedding_dim=4, network_units=(8,), tower_units=(4,))
        >>> model = CrossStitchNetwork(DatasetSpec("shop", features, tasks), {"user": 100, "item": 50}, options)
        >>> scores = model.score({"user": np.array([3, 7]), "item": np.array([1, 0])})
        >>> {name: tuple(values.shape) for name, values in scores.items()}
        {'click': (2,), 'buy_given_click': (2,), 'buy': (2,)}

    References:
        - [Misra et al., 2016, Cross-stitch Networks for Multi-task Learning](https://arxiv.org/abs/1604.03539)
    """

    options_class = CrossStitchOptions
    paper = INFO.paper
    equations = INFO.equations
    defaults = INFO.defaults
    presets = INFO.presets

    options: CrossStitchOptions

    def __init__(
        self,
        spec: DatasetSpec,
        vocabulary_sizes: Mapping[str, int],
        options: CrossStitchOptions | None = None,
        **kwargs: Any,
    ) -> None:
        options = options or CrossStitchOptions()
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

    def call(self, features: Features, training: bool | None = None) -> dict[str, Tensor]:
        hiddens = dict.fromkeys(self.towers, self.embed_flat(features))
        for i, stitch in enumerate(self.stitches):
            outputs = {name: self.networks[f"{name}_{i}"](hiddens[name], training=training) for name in hiddens}
            hiddens = stitch(outputs)
        return {name: tower(hiddens[name], training=training) for name, tower in self.towers.items()}
