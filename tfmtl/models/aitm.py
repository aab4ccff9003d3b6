"""AITM: a network for each task, and an adaptive transfer of information from each task to the next."""

from collections.abc import Mapping
from typing import Any

import keras

from tfmtl import introspection
from tfmtl.layers import MLP, TaskAttention, Tower
from tfmtl.models.core.multi_task_model import MultiTaskModel
from tfmtl.models.options.aitm import INFO, AITMOptions
from tfmtl.models.registry import register_model
from tfmtl.spec import DatasetSpec
from tfmtl.types import Features, Tensor


@register_model("aitm")
class AITM(MultiTaskModel):
    """Adaptive Information Transfer Multi-task (AITM) framework.

    Each task has a network f_t, which reads the embeddings x of the fields. For a task t that follows a task t', the
    AIT module attends to the task's own vector q_t and to the vector p that an info unit g computes from the previous
    task's result:

    `q_t = f_t(x)`, `p = g(z_{t'})`, `z_t = sum_u w_u h_1(u)` over u in (p, q_t), `y_t = tower_t(z_t)`,

    with `w = softmax_u(h_2(u) . h_3(u) / sqrt(k))`. A task without a previous task has `z_t = q_t`. The AIT module is
    `tfmtl.layers.TaskAttention` with `query="each"`, whose value, query and key are h_1, h_2 and h_3.

    `MAN` uses this attention as well. It differs in that it has experts and gates below the attention, attends to the
    previous task's vector itself without an info unit, uses the query of the current task only, and has a projection
    where a task has no previous task.

    The loss is the cross-entropy of the tasks on the entire space and the behavioral expectation calibrator, 0.6 times
    `mean(max(p_t - p_{t'}, 0))` (`tfmtl.losses.behavioral_calibrator`). For each task that follows another, p is
    recorded as `info/<task>`, and the weights of p and q as `task_attention/<task>`.

    Choices where the paper is not specific:

    - An info unit is one layer with ReLU that is as wide as its input, as in the published code. In a tree, each task
      that follows another has an info unit; for a chain this is the paper's one for each task that is followed.
    - h_1, h_2 and h_3 are linear, with a bias.
    - The published code uses the dropout rates 0.1, 0.3 and 0.3 for its three layers. The preset uses 0.3 for all.

    Args:
        spec: Features and tasks of the dataset.
        vocabulary_sizes: Number of tokens in the vocabulary of each feature that has one.
        options: Hyper-parameters. Defaults to `AITMOptions()`.
        **kwargs: `name` and `dtype` of `keras.Model`.

    Call arguments:
        features: Transformed features by name, each `(batch,)` or `(batch, length)`.
        training: Whether dropout is applied.

    Returns:
        Logits by task name, each `(batch,)` float32.

    Example:
        >>> import numpy as np
        >>> from tfmtl.features import CategoricalFeature
        >>> from tfmtl.models import AITM, AITMOptions
        >>> from tfmtl.spec import DatasetSpec, Task
        >>> features = (CategoricalFeature("user"), CategoricalFeature("item"))
        >>> tasks = (Task("click", "clicked"), Task("buy", "bought", follows="click"))
        >>> options = AITMOptions(embedding_dim=4, bottom_units=(8,))
        >>> model = AITM(DatasetSpec("shop", features, tasks), {"user": 100, "item": 50}, options)
        >>> scores = model.score({"user": np.array([3, 7]), "item": np.array([1, 0])})
        >>> {name: tuple(values.shape) for name, values in scores.items()}
        {'click': (2,), 'buy_given_click': (2,), 'buy': (2,)}

    References:
        - [Xi et al., 2021, Modeling the Sequential Dependence among Audience Multi-step Conversions with Multi-task
          Learning in Targeted Display Advertising](https://arxiv.org/abs/2105.08489)
    """

    options_class = AITMOptions
    paper = INFO.paper
    equations = INFO.equations
    defaults = INFO.defaults
    presets = INFO.presets

    options: AITMOptions

    def __init__(
        self,
        spec: DatasetSpec,
        vocabulary_sizes: Mapping[str, int],
        options: AITMOptions | None = None,
        **kwargs: Any,
    ) -> None:
        options = options or AITMOptions()
        super().__init__(spec, vocabulary_sizes, options, **kwargs)
        rate = options.dropout
        following = [task.name for task in spec.tasks if task.follows]
        self.bottoms = {t.name: MLP(options.bottom_units, dropout=rate, name=f"bottom_{t.name}") for t in spec.tasks}
        self.info = {name: MLP(options.bottom_units[-1:], dropout=rate, name=f"info_{name}") for name in following}
        self.attention = {name: TaskAttention("each", name=name) for name in following}
        self.towers = {task.name: Tower(options.tower_units, dropout=rate, name=task.name) for task in spec.tasks}

    @property
    def upper_layers(self) -> tuple[keras.layers.Layer, ...]:
        """Layers that the second stage of `tfmtl.training.TwoStage` trains: info units, attention and towers."""
        return (*self.info.values(), *self.attention.values(), *super().upper_layers)

    def call(self, features: Features, training: bool | None = None) -> dict[str, Tensor]:
        inputs = self.embed_flat(features)
        fused: dict[str, Tensor] = {}
        for task in self.spec.tasks:  # A spec lists a task after its previous task.
            vector = self.bottoms[task.name](inputs, training=training)
            if task.follows:
                info = self.info[task.name](fused[task.follows], training=training)
                introspection.record(f"info/{task.name}", info)
                vector = self.attention[task.name](vector, info)
            fused[task.name] = vector
        return {name: tower(fused[name], training=training) for name, tower in self.towers.items()}
