"""MMoE: experts that all tasks share, and a gate for each task."""

from collections.abc import Mapping
from typing import Any

from tfmtl.layers import Experts, Gate, Tower
from tfmtl.models.core.multi_task_model import MultiTaskModel
from tfmtl.models.options.mmoe import INFO, MMoEOptions
from tfmtl.models.registry import register_model
from tfmtl.spec import DatasetSpec
from tfmtl.types import Features, Tensor


@register_model("mmoe")
class MMoE(MultiTaskModel):
    """Multi-gate Mixture-of-Experts (MMoE).

    All tasks share a bank of experts f_e, which read the embeddings x of the fields. Each task has a gate, which
    weights the experts for each row, and a tower, which reads the weighted sum:

    `y_k = tower_k(sum_e g_{k,e}(x) f_e(x))` with `g_k(x) = softmax(W_k x)`.

    The weights of the gates are recorded as `gate/<task>`, `(batch, num_experts)`.

    Args:
        spec: Features and tasks of the dataset.
        vocabulary_sizes: Number of tokens in the vocabulary of each feature that has one.
        options: Hyper-parameters. Defaults to `MMoEOptions()`.
        **kwargs: `name` and `dtype` of `keras.Model`.

    Call arguments:
        features: Transformed features by name, each `(batch,)` or `(batch, length)`.
        training: Whether dropout is applied.

    Returns:
        Logits by task name, each `(batch,)` float32.

    Example:
        >>> import numpy as np
        >>> from tfmtl.features import CategoricalFeature
        >>> from tfmtl.models import MMoE, MMoEOptions
        >>> from tfmtl.spec import DatasetSpec, Task
        >>> features = (CategoricalFeature("user"), CategoricalFeature("item"))
        >>> tasks = (Task("click", "clicked"), Task("buy", "bought", follows="click"))
        >>> options = MMoEOptions(embedding_dim=4, num_experts=2, expert_units=(8,), tower_units=(4,))
        >>> model = MMoE(DatasetSpec("shop", features, tasks), {"user": 100, "item": 50}, options)
        >>> scores = model.score({"user": np.array([3, 7]), "item": np.array([1, 0])})
        >>> {name: tuple(values.shape) for name, values in scores.items()}
        {'click': (2,), 'buy_given_click': (2,), 'buy': (2,)}

    References:
        - [Ma et al., 2018, Modeling Task Relationships in Multi-task Learning with Multi-gate Mixture-of-Experts]
          (https://dl.acm.org/doi/10.1145/3219819.3220007), equations 5 to 7
    """

    options_class = MMoEOptions
    paper = INFO.paper
    equations = INFO.equations
    defaults = INFO.defaults
    presets = INFO.presets

    options: MMoEOptions

    def __init__(
        self,
        spec: DatasetSpec,
        vocabulary_sizes: Mapping[str, int],
        options: MMoEOptions | None = None,
        **kwargs: Any,
    ) -> None:
        options = options or MMoEOptions()
        super().__init__(spec, vocabulary_sizes, options, **kwargs)
        self.experts = Experts(options.num_experts, options.expert_units, dropout=options.dropout, name="experts")
        self.gates = {task.name: Gate(name=task.name) for task in spec.tasks}
        self.towers = {t.name: Tower(options.tower_units, dropout=options.dropout, name=t.name) for t in spec.tasks}

    def call(self, features: Features, training: bool | None = None) -> dict[str, Tensor]:
        inputs = self.embed_flat(features)
        experts = self.experts(inputs, training=training)
        return {name: self.towers[name](gate(inputs, experts), training=training) for name, gate in self.gates.items()}
