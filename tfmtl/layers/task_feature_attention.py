"""Attention of each task over the features, which weighs them and keeps them apart."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tfmtl import introspection
from tfmtl.task_names import task_names


@keras.saving.register_keras_serializable(package="tfmtl")
class TaskFeatureAttention(keras.layers.Layer):
    """`a_k = softmax_f((T_k W^Q) . (H_f W^K) / sqrt(d))`, `Z_k = LayerNorm([(1 + a_kf) H_f]_f)`, for each task k.

    The features of a task stand side by side, weighed, where attention as it is usually meant would add them up: what
    follows may treat each as it likes. The weights are recorded in float32 as `task_feature_attention/<task>`,
    `(batch, features)` (see `tfmtl.introspection`).

    **Decision**: a task's features are normalized together. Each by itself, `LayerNorm((1 + a) H_f)` is that of H_f,
    whatever a is.

    Args:
        tasks: their names, in the order of the tasks' tokens.
        epsilon: of the layer normalization.

    Call arguments:
        tasks: T, `(batch, tasks, d)`, or `(1, tasks, d)` where they are the same for all rows.
        features: H, `(batch, features, d)`.

    Returns:
        Z, a dict of `(batch, features * d)` by task.

    Raises:
        ValueError: if there are not as many tokens as tasks, or theirs is another width than that of the features.

    Example:
        >>> tasks, features = keras.ops.ones((1, 2, 18)), keras.ops.ones((8, 23, 18))
        >>> TaskFeatureAttention(["click", "buy"])(tasks, features)["buy"].shape
        TensorShape([8, 414])

    References:
        - [Zhao et al., 2019, Multiple Relational Attention Network for Multi-task Learning]
          (https://doi.org/10.1145/3292500.3330861), the alignment attention
    """

    def __init__(self, tasks: Sequence[str], epsilon: float = 1e-3, **kwargs: Any):
        super().__init__(**kwargs)
        self.tasks = task_names(tasks)
        self.norm = keras.layers.LayerNormalization(epsilon=epsilon, dtype=self.dtype_policy, name="norm")

    def build(self, tasks_shape, features_shape):
        count, dim = features_shape[1:]
        if tuple(tasks_shape[1:]) != (len(self.tasks), dim):
            expected = f"(batch, {len(self.tasks)}, {dim})"
            raise ValueError(f"`tasks` should be of shape {expected}. Received: {tuple(tasks_shape)}")
        self.query_kernel, self.key_kernel = (
            self.add_weight(shape=(dim, dim), initializer="glorot_uniform", name=name)
            for name in ("query_kernel", "key_kernel")
        )
        self.norm.build((features_shape[0], len(self.tasks), count * dim))

    def call(self, tasks, features):
        _, count, dim = features.shape
        queries, keys = ops.matmul(tasks, self.query_kernel * dim**-0.5), ops.matmul(features, self.key_kernel)
        scores = ops.matmul(queries, ops.transpose(keys, (0, 2, 1)))
        weights = ops.softmax(ops.cast(scores, "float32"), axis=-1)
        for k, task in enumerate(self.tasks):
            introspection.record(f"task_feature_attention/{task}", weights[:, k])
        weighed = (1 + ops.cast(weights, self.compute_dtype))[:, :, :, None] * features[:, None]
        normalized = self.norm(ops.reshape(weighed, (-1, len(self.tasks), count * dim)))
        return {task: normalized[:, k] for k, task in enumerate(self.tasks)}

    def compute_output_shape(self, tasks_shape, features_shape):
        return dict.fromkeys(self.tasks, (features_shape[0], features_shape[1] * features_shape[2]))

    def get_config(self):
        return {**super().get_config(), "tasks": list(self.tasks), "epsilon": self.norm.epsilon}
