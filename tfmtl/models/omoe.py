"""OMoE: experts and one gate that all tasks share."""

from collections.abc import Mapping
from typing import Any

from tfmtl.layers import Experts, Gate, Tower
from tfmtl.models.core.multi_task_model import MultiTaskModel
from tfmtl.models.options.omoe import INFO, OMoEOptions
from tfmtl.models.registry import register_model
from tfmtl.spec import DatasetSpec
from tfmtl.types import Features, Tensor


@register_model("omoe")
class OMoE(MultiTaskModel):
    """One-gate Mixture-of-Experts (OMoE), the baseline of MMoE.

    All tasks share a bank of experts f_e, which read the embeddings x of the fields, and one gate. Each task has a
    tower, and all towers read the same weighted sum of the experts:

    `y_k = tower_k(sum_e g_e(x) f_e(x))` with `g(x) = softmax(W x)`.

    The weights of the gate are recorded as `gate/all-tasks`, `(batch, num_experts)`.

    Args:
        spec: Features and tasks of the dataset.
        vocabulary_sizes: Number of tokens in the vocabulary of each feature that has one.
        options: Hyper-parameters. Defaults to `OMoEOptions()`.
        **kwargs: `name` and `dtype` of `keras.Model`.

    Call arguments:
        features: Transformed features by name, each `(batch,)` or `(batch, length)`.
        training: Whether dropout is applied.

    Returns:
        Logits by task name, each `(batch,)` float32.

    Example:
        >>> import numpy as np
        >>> from tfmtl.features import CategoricalFeature
        >>> from tfmtl.models import OMoE, OMoEOptions
        >>> from tfmtl.spec import DatasetSpec, Task
        >>> features = (CategoricalFeature("user"), CategoricalFeature("item"))
        >>> tasks = (Task("click", "clicked"), Task("buy", "bought", follows="click"))
        >>> options = OMoEOptions(embedding_dim=4, num_experts=2, expert_units=(8,), tower_units=(4,))
        >>> model = OMoE(DatasetSpec("shop", features, tasks), {"user": 100, "item": 50}, options)
        >>> scores = model.score({"user": np.array([3, 7]), "item": np.array([1, 0])})
        >>> {name: tuple(values.shape) for name, values in scores.items()}
        {'click': (2,), 'buy_given_click': (2,), 'buy': (2,)}

    References:
        - [Ma et al., 2018, Modeling Task Relationships in Multi-task Learning with Multi-gate Mixture-of-Experts]
          (https://dl.acm.org/doi/10.1145/3219819.3220007), equation 5
    """

    options_class = OMoEOptions
    paper = INFO.paper
    equations = INFO.equations
    defaults = INFO.defaults
    presets = INFO.presets

    options: OMoEOptions

    def __init__(
        self,
        spec: DatasetSpec,
        vocabulary_sizes: Mapping[str, int],
        options: OMoEOptions | None = None,
        **kwargs: Any,
    ) -> None:
        options = options or OMoEOptions()
        super().__init__(spec, vocabulary_sizes, options, **kwargs)
        self.experts = Experts(options.num_experts, options.expert_units, dropout=options.dropout, name="experts")
        self.gate = Gate(name="all-tasks")
        self.towers = {t.name: Tower(options.tower_units, dropout=options.dropout, name=t.name) for t in spec.tasks}

    def call(self, features: Features, training: bool | None = None) -> dict[str, Tensor]:
        inputs = self.embed_flat(features)
        mixed = self.gate(inputs, self.experts(inputs, training=training))
        return {name: tower(mixed, training=training) for name, tower in self.towers.items()}
