"""Task anchors: global representations of tasks."""

from typing import Any

import keras
from keras import ops

from tfmtl.layers._ids import check_ids, clip_ids, mark_outside
from tfmtl.layers._weights import DenseArguments, copy, get_initializer
from tfmtl.layers.mlp import MLP
from tfmtl.types import Activation, Config, Initializer, Regularizer, Shape, Tensor

_FIELD = "tasks"


@keras.saving.register_keras_serializable(package="tfmtl")
class TaskAnchors(keras.layers.Layer):
    """Task anchors of M2M: a global representation of each task, `T_t = MLP(embedding(t))`.

    The MLP is one layer, shared by the tasks. The paper gives no slope for its LeakyReLU; it is that of Keras, 0.2.

    Args:
        num_tasks: Number of tasks.
        units: Width of T_t.
        dim: Width of a task's embedding.
        activation: Activation of the layer.
        embeddings_initializer: Initializer of the tasks' embeddings.
        embeddings_regularizer: Regularizer of the tasks' embeddings.
        kernel_initializer: Initializer of the kernel of the layer.
        bias_initializer: Initializer of the bias of the layer.
        kernel_regularizer: Regularizer of the kernel of the layer.
        bias_regularizer: Regularizer of the bias of the layer.

    Call arguments:
        inputs: Ids of tasks, integers in [0, num_tasks), of any shape.

    Returns:
        `(*inputs.shape, units)`. On JAX and PyTorch, NaN for an id outside [0, num_tasks).

    Raises:
        ValueError: If `num_tasks`, `units` or `dim` is below 1.
        tf.errors.InvalidArgumentError: If an id is outside [0, num_tasks) (on TensorFlow, on CPU, without XLA).

    Example:
        >>> import keras
        >>> from tfmtl.layers import TaskAnchors
        >>> tuple(TaskAnchors(num_tasks=3, units=8, dim=4)(keras.ops.arange(3)).shape)
        (3, 8)

    References:
        - [Zhang et al., 2022, Leaving No One Behind: A Multi-Scenario Multi-Task Meta Learning Approach for Advertiser
          Modeling](https://doi.org/10.1145/3488560.3498479), equation 7
    """

    def __init__(
        self,
        num_tasks: int,
        units: int = 256,
        dim: int = 16,
        activation: Activation = "leaky_relu",
        embeddings_initializer: Initializer = "uniform",
        embeddings_regularizer: Regularizer = None,
        kernel_initializer: Initializer = "glorot_uniform",
        bias_initializer: Initializer = "zeros",
        kernel_regularizer: Regularizer = None,
        bias_regularizer: Regularizer = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        for name, value in (("num_tasks", num_tasks), ("units", units), ("dim", dim)):
            if value < 1:
                raise ValueError(f"`{name}` should be at least 1. Received: {value}")
        self.num_tasks = num_tasks
        self.units = units
        self.dim = dim
        self.embeddings_initializer = get_initializer(embeddings_initializer)
        self.embeddings_regularizer = keras.regularizers.get(embeddings_regularizer)
        self._arguments = DenseArguments(
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
        )
        self.hidden = MLP((units,), activation, dtype=self.dtype_policy, name="hidden", **self._arguments.shared())

    def build(self, input_shape: Shape) -> None:
        self.table = self.add_weight(
            shape=(self.num_tasks, self.dim),
            initializer=copy(self.embeddings_initializer),
            regularizer=self.embeddings_regularizer,
            name="table",
        )
        self.hidden.build((*input_shape, self.dim))

    def call(self, inputs: Tensor) -> Tensor:
        shape = ops.shape(inputs)
        ids, sizes = ops.reshape(ops.cast(inputs, "int"), (-1, 1)), {_FIELD: self.num_tasks}
        ids = check_ids(ids, sizes, [_FIELD])
        known_ids = clip_ids(ids, sizes, [_FIELD])
        one_hot = ops.one_hot(known_ids, self.num_tasks, dtype=self.compute_dtype)  # Tasks are few: no sparse gradient.
        rows = mark_outside(ops.matmul(one_hot, self.table), ids, sizes, [_FIELD])
        return self.hidden(ops.reshape(rows, (*shape, self.dim)))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape, self.units)

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "num_tasks": self.num_tasks,
            "units": self.units,
            "dim": self.dim,
            "activation": keras.activations.serialize(self.hidden.activation),
            "embeddings_initializer": keras.initializers.serialize(self.embeddings_initializer),
            "embeddings_regularizer": keras.regularizers.serialize(self.embeddings_regularizer),
            **self._arguments.get_config(),
        }
