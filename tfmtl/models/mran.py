"""MRAN: attention between tasks, between features, and from each task to the features."""

from collections.abc import Mapping
from typing import Any

from keras import ops

from tfmtl.layers import SelfAttention, TaskAnchors, TaskFeatureAttention, Tower
from tfmtl.models.core.multi_task_model import MultiTaskModel
from tfmtl.models.options.mran import INFO, MRANOptions
from tfmtl.models.registry import register_model
from tfmtl.spec import DatasetSpec
from tfmtl.types import Features, Tensor


@register_model("mran")
class MRAN(MultiTaskModel):
    """Multiple Relational Attention Network (MRAN).

    The network learns three relations: between tasks and between features by multi-head self-attention SA
    (`tfmtl.layers.SelfAttention`), and from each task to the features by the attention A
    (`tfmtl.layers.TaskFeatureAttention`). The tower of a task reads all features, weighted for this task:

    `T = SA_tasks(anchors)`, `H = SA_features(x)`, `Z = A(T, H)`, `y_k = tower_k(Z_k)`,

    where x are the embeddings of the fields. The weights are recorded as `self_attention/tasks`, `(1, heads, tasks,
    tasks)` in the order of the spec, `self_attention/features`, `(batch, heads, fields, fields)`, and
    `task_feature_attention/<task>`, `(batch, fields)`.

    Deviation from the paper: the paper represents tasks by their labels, which are not known at prediction; it keeps
    the attention of training for prediction. Here, as M2M describes it (section 4.1.4), a task is an embedded vector,
    the same in both (`tfmtl.layers.TaskAnchors`), and the attention of a row depends on that row only.

    Deviation from the paper: residuals are normalized over the columns of a row instead of over the batch, so that a
    score does not depend on the other rows. See also `tfmtl.layers.TaskFeatureAttention`.

    Deviation from the paper: the penalty on the attention weights is left out. The penalty on the weights of the
    network is the option `weight_decay`.

    Among the attention functions of the paper, this is the scaled dot product.

    Args:
        spec: Features and tasks of the dataset.
        vocabulary_sizes: Number of tokens in the vocabulary of each feature that has one.
        options: Hyper-parameters. Defaults to `MRANOptions()`.
        **kwargs: `name` and `dtype` of `keras.Model`.

    Call arguments:
        features: Transformed features by name, each `(batch,)` or `(batch, length)`.
        training: Whether dropout is applied.

    Returns:
        Logits by task name, each `(batch,)` float32.

    Example:
        >>> import numpy as np
        >>> from tfmtl.features import CategoricalFeature
        >>> from tfmtl.models import MRAN, MRANOptions
        >>> from tfmtl.spec import DatasetSpec, Task
        >>> features = (CategoricalFeature("user"), CategoricalFeature("item"))
        >>> tasks = (Task("click", "clicked"), Task("buy", "bought", follows="click"))
        >>> options = MRANOptions(embedding_dim=4, anchor_dim=4, tower_units=(8,))
        >>> model = MRAN(DatasetSpec("shop", features, tasks), {"user": 100, "item": 50}, options)
        >>> scores = model.score({"user": np.array([3, 7]), "item": np.array([1, 0])})
        >>> {name: tuple(values.shape) for name, values in scores.items()}
        {'click': (2,), 'buy_given_click': (2,), 'buy': (2,)}

    References:
        - [Zhao et al., 2019, Multiple Relational Attention Network for Multi-task Learning]
          (https://doi.org/10.1145/3292500.3330861)
    """

    options_class = MRANOptions
    paper = INFO.paper
    equations = INFO.equations
    defaults = INFO.defaults
    presets = INFO.presets

    options: MRANOptions

    def __init__(
        self,
        spec: DatasetSpec,
        vocabulary_sizes: Mapping[str, int],
        options: MRANOptions | None = None,
        **kwargs: Any,
    ) -> None:
        options = options or MRANOptions()
        super().__init__(spec, vocabulary_sizes, options, **kwargs)
        names = [task.name for task in spec.tasks]
        self.anchors = TaskAnchors(len(names), options.embedding_dim, options.anchor_dim, name="anchors")
        self.task_attention = SelfAttention(options.num_heads, name="tasks")
        self.feature_attention = SelfAttention(options.num_heads, name="features")
        self.alignment = TaskFeatureAttention(names, name="alignment")
        self.towers = {name: Tower(options.tower_units, dropout=options.dropout, name=name) for name in names}

    def call(self, features: Features, training: bool | None = None) -> dict[str, Tensor]:
        tasks = self.task_attention(self.anchors(ops.arange(len(self.towers)))[None])
        aligned = self.alignment(tasks, self.feature_attention(self.embed(features)))
        return {name: tower(aligned[name], training=training) for name, tower in self.towers.items()}
