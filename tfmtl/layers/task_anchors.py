"""Tasks as points in a space."""

from typing import Any

import keras
from keras import ops

from tfmtl.layers.mlp import MLP


@keras.saving.register_keras_serializable(package="tfmtl")
class TaskAnchors(keras.layers.Layer):
    """`T_t = MLP(embedding(t))`: a global representation of each task, one layer with LeakyReLU after a lookup.

    The layer is shared by the tasks. The slope of LeakyReLU is that of Keras, 0.2; the paper gives none.

    Args:
        num_tasks: how many tasks there are.
        units: width of T_t.
        dim: width of a task's embedding.
        activation: of the layer.

    Call arguments:
        inputs: ids of tasks, 0 .. num_tasks - 1, whole numbers of any shape.

    Returns:
        The shape of the ids, and `units`.

    References:
        - [Zhang et al., 2022, Leaving No One Behind: A Multi-Scenario Multi-Task Meta Learning Approach for Advertiser
          Modeling](https://doi.org/10.1145/3488560.3498479), equation 7
    """

    def __init__(self, num_tasks: int, units: int = 256, dim: int = 16, activation: Any = "leaky_relu", **kwargs: Any):
        super().__init__(**kwargs)
        for name, value in (("num_tasks", num_tasks), ("units", units), ("dim", dim)):
            if value < 1:
                raise ValueError(f"`{name}` should be at least 1. Received: {value}")
        self.num_tasks = num_tasks
        self.units = units
        self.dim = dim
        self.hidden = MLP((units,), activation, dtype=self.dtype_policy, name="hidden")

    def build(self, input_shape):
        self.table = self.add_weight(shape=(self.num_tasks, self.dim), initializer="uniform", name="table")
        self.hidden.build((*input_shape, self.dim))

    def call(self, inputs):
        one_hot = ops.one_hot(inputs, self.num_tasks, dtype=self.compute_dtype)  # Tasks are few: no sparse gradient.
        return self.hidden(ops.matmul(one_hot, self.table))

    def compute_output_shape(self, input_shape):
        return (*input_shape, self.units)

    def get_config(self):
        return {
            **super().get_config(),
            "num_tasks": self.num_tasks,
            "units": self.units,
            "dim": self.dim,
            "activation": keras.activations.serialize(self.hidden.activation),
        }
