"""Shared-Bottom: one representation for all tasks, and a tower for each task."""

from collections.abc import Mapping
from typing import Any

from tfmtl.layers import MLP, Tower
from tfmtl.models.core.multi_task_model import MultiTaskModel
from tfmtl.models.options.shared_bottom import INFO, SharedBottomOptions
from tfmtl.models.registry import register_model
from tfmtl.spec import DatasetSpec
from tfmtl.types import Features, Tensor


@register_model("shared_bottom")
class SharedBottom(MultiTaskModel):
    """Shared-Bottom network.

    One multilayer perceptron, the bottom, reads the embeddings x of the fields. A tower for each task reads its output:

    `y_k = tower_k(MLP(x))`.

    Args:
        spec: Features and tasks of the dataset.
        vocabulary_sizes: Number of tokens in the vocabulary of each feature that has one.
        options: Hyper-parameters. Defaults to `SharedBottomOptions()`.
        **kwargs: `name` and `dtype` of `keras.Model`.

    Call arguments:
        features: Transformed features by name, each `(batch,)` or `(batch, length)`.
        training: Whether dropout is applied.

    Returns:
        Logits by task name, each `(batch,)` float32.

    Example:
        >>> import numpy as np
        >>> from tfmtl.features import CategoricalFeature
        >>> from tfmtl.models import SharedBottom, SharedBottomOptions
        >>> from tfmtl.spec import DatasetSpec, Task
        >>> features = (CategoricalFeature("user"), CategoricalFeature("item"))
        >>> tasks = (Task("click", "clicked"), Task("buy", "bought", follows="click"))
        >>> options = SharedBottomOptions(embedding_dim=4, bottom_units=(8,), tower_units=(4,))
        >>> model = SharedBottom(DatasetSpec("shop", features, tasks), {"user": 100, "item": 50}, options)
        >>> scores = model.score({"user": np.array([3, 7]), "item": np.array([1, 0])})
        >>> {name: tuple(values.shape) for name, values in scores.items()}
        {'click': (2,), 'buy_given_click': (2,), 'buy': (2,)}

    References:
        - [Caruana, 1997, Multitask Learning](https://doi.org/10.1023/A:1007379606734)
    """

    options_class = SharedBottomOptions
    paper = INFO.paper
    equations = INFO.equations
    defaults = INFO.defaults
    presets = INFO.presets

    options: SharedBottomOptions

    def __init__(
        self,
        spec: DatasetSpec,
        vocabulary_sizes: Mapping[str, int],
        options: SharedBottomOptions | None = None,
        **kwargs: Any,
    ) -> None:
        options = options or SharedBottomOptions()
        super().__init__(spec, vocabulary_sizes, options, **kwargs)
        self.bottom = MLP(options.bottom_units, dropout=options.dropout, name="bottom")
        self.towers = {t.name: Tower(options.tower_units, dropout=options.dropout, name=t.name) for t in spec.tasks}

    def call(self, features: Features, training: bool | None = None) -> dict[str, Tensor]:
        shared = self.bottom(self.embed_flat(features), training=training)
        return {name: tower(shared, training=training) for name, tower in self.towers.items()}
