"""Attention of tasks over features."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from tfmtl import introspection
from tfmtl.layers._shapes import known
from tfmtl.layers._weights import KernelArguments
from tfmtl.task_names import task_names
from tfmtl.types import Config, Initializer, Regularizer, Shape, Tensor


@keras.saving.register_keras_serializable(package="tfmtl")
class TaskFeatureAttention(keras.layers.Layer):
    """Task-feature alignment of MRAN: each task weights the features by attention and concatenates them.

    `a_k = softmax_f((T_k W^Q) . (H_f W^K) / sqrt(d))`, `Z_k = LayerNorm([(1 + a_kf) H_f]_f)` for each task k.

    The weighted features of a task are concatenated, where scaled dot-product attention would sum them. The weights a_k
    are recorded in float32 as `task_feature_attention/<task>`, `(batch, features)` (see `tfmtl.introspection`).

    The paper leaves open what is normalized together. All features of a task are: normalized by itself,
    `LayerNorm((1 + a) H_f)` would not depend on a.

    Args:
        tasks: Names of the tasks, in the order of their tokens.
        epsilon: Epsilon of the layer normalization.
        kernel_initializer: Initializer of the kernels W^Q and W^K.
        kernel_regularizer: Regularizer of the kernels W^Q and W^K.

    Call arguments:
        tasks: T, `(batch, tasks, d)`, or `(1, tasks, d)` if the tokens are the same for all rows.
        features: H, `(batch, features, d)`.

    Returns:
        Z, a dict of `(batch, features * d)` by task.

    Raises:
        ValueError: If the number of tokens is not that of the tasks, or their width is not that of the features.

    Example:
        >>> import keras
        >>> from tfmtl.layers import TaskFeatureAttention
        >>> tasks, features = keras.ops.ones((1, 2, 18)), keras.ops.ones((8, 23, 18))
        >>> tuple(TaskFeatureAttention(["click", "buy"])(tasks, features)["buy"].shape)
        (8, 414)

    References:
        - [Zhao et al., 2019, Multiple Relational Attention Network for Multi-task Learning (MRAN)]
          (https://doi.org/10.1145/3292500.3330861), the alignment attention
    """

    def __init__(
        self,
        tasks: Sequence[str],
        epsilon: float = 1e-3,
        kernel_initializer: Initializer = "glorot_uniform",
        kernel_regularizer: Regularizer = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.tasks = task_names(tasks)
        self._arguments = KernelArguments(kernel_initializer, kernel_regularizer)
        self.norm = keras.layers.LayerNormalization(epsilon=epsilon, dtype=self.dtype_policy, name="norm")

    def build(self, tasks_shape: Shape, features_shape: Shape) -> None:
        _, count, dim = features_shape
        if tuple(tasks_shape[1:]) != (len(self.tasks), dim):
            expected = f"(batch, {len(self.tasks)}, {dim})"
            raise ValueError(f"`tasks` should be of shape {expected}. Received: {tuple(tasks_shape)}")
        self.query_kernel, self.key_kernel = (
            self.add_weight(shape=(dim, dim), name=name, **self._arguments.kernel())
            for name in ("query_kernel", "key_kernel")
        )
        self.norm.build((features_shape[0], len(self.tasks), known(count) * known(dim)))

    def call(self, tasks: Tensor, features: Tensor) -> dict[str, Tensor]:
        _, count, dim = features.shape
        queries, keys = ops.matmul(tasks, self.query_kernel * dim**-0.5), ops.matmul(features, self.key_kernel)
        scores = ops.matmul(queries, ops.transpose(keys, (0, 2, 1)))
        weights = ops.softmax(ops.cast(scores, "float32"), axis=-1)
        for k, task in enumerate(self.tasks):
            introspection.record(f"task_feature_attention/{task}", weights[:, k])
        weighted = (1 + ops.cast(weights, self.compute_dtype))[:, :, :, None] * features[:, None]
        normalized = self.norm(ops.reshape(weighted, (-1, len(self.tasks), count * dim)))
        return {task: normalized[:, k] for k, task in enumerate(self.tasks)}

    def compute_output_shape(self, tasks_shape: Shape, features_shape: Shape) -> Mapping[str, Shape]:
        batch, count, dim = features_shape
        return dict.fromkeys(self.tasks, (batch, known(count) * known(dim)))

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "tasks": list(self.tasks),
            "epsilon": self.norm.epsilon,
            **self._arguments.get_config(),
        }
