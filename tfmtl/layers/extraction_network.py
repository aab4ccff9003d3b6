"""Extraction network: one level of progressive layered extraction."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from tfmtl.layers._weights import DenseArguments
from tfmtl.layers.experts import Experts
from tfmtl.layers.gate import Gate
from tfmtl.task_names import task_names
from tfmtl.types import Activation, Config, Initializer, Regularizer, Shape, Tensor


@keras.saving.register_keras_serializable(package="tfmtl")
class ExtractionNetwork(keras.layers.Layer):
    """Extraction network of PLE: experts and gates of one level, which read the representations of the level below.

    `x'_k = g_k(x_k) [E_k(x_k), E_s(x_s)]` for each task k, and for the shared part
    `x'_s = g_s(x_s) [E_1(x_1) .. E_K(x_K), E_s(x_s)]`, with gates `g(x) = softmax(x W)`.

    Experts and gate of task k read its representation x_k, those of the shared part read x_s. The gate of a task mixes
    its own experts, which come first, and the shared experts; the gate of the shared part mixes all experts. The first
    level takes the same input for all representations; the last level has no shared gate, because no level follows. A
    level that is both first and last computes what `tfmtl.layers.CGC` does with one bank of experts.

    The weights of the gates are recorded as `gate/<task>` and `gate/shared-part` (see `tfmtl.introspection`).

    Args:
        tasks: Names of the tasks.
        num_shared: Number of experts of the shared part.
        num_per_task: Number of experts of each task.
        units: Width of each layer of an expert.
        activation: Activation of every layer of an expert.
        dropout: Dropout rate after every layer of an expert, in [0, 1).
        is_last: Whether no level follows.
        kernel_initializer: Initializer of the kernels of experts and gates.
        bias_initializer: Initializer of the biases of experts.
        kernel_regularizer: Regularizer of the kernels of experts and gates.
        bias_regularizer: Regularizer of the biases of experts.

    Call arguments:
        inputs: A dict of x_k, `(batch, d)`, by task.
        shared: x_s, `(batch, d)`.

    Returns:
        A dict of `(batch, units[-1])` by task, and `(batch, units[-1])` for the shared part; only the dict if the level
        is the last.

    Raises:
        ValueError: If `tasks` is empty or repeats a name, or a number of experts is below 1.

    Example:
        >>> import keras
        >>> from tfmtl.layers import ExtractionNetwork
        >>> x = keras.ops.ones((4, 3))
        >>> level = ExtractionNetwork(["click", "buy"], num_shared=2, num_per_task=1, units=[8])
        >>> outputs, shared = level({"click": x, "buy": x}, x)
        >>> tuple(outputs["buy"].shape), tuple(shared.shape)
        ((4, 8), (4, 8))

    References:
        - [Tang et al., 2020, Progressive Layered Extraction (PLE)](https://doi.org/10.1145/3383313.3412236),
          section 4.2
    """

    def __init__(
        self,
        tasks: Sequence[str],
        num_shared: int,
        num_per_task: int,
        units: Sequence[int],
        activation: Activation = "relu",
        dropout: float = 0.0,
        is_last: bool = False,
        kernel_initializer: Initializer = "glorot_uniform",
        bias_initializer: Initializer = "zeros",
        kernel_regularizer: Regularizer = None,
        bias_regularizer: Regularizer = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.tasks = task_names(tasks)
        if min(num_shared, num_per_task) < 1:
            raise ValueError(
                f"`num_shared` and `num_per_task` should be at least 1. Received: {num_shared} and {num_per_task}"
            )
        self.is_last = is_last
        self._arguments = DenseArguments(
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
        )
        bank = {
            "units": units,
            "activation": activation,
            "dropout": dropout,
            "dtype": self.dtype_policy,
            **self._arguments.shared(),
        }
        gate = {"dtype": self.dtype_policy, **self._arguments.kernels_only()}
        self.experts = {task: Experts(num_per_task, **bank, name=f"{task}_experts") for task in self.tasks}
        self.shared_experts = Experts(num_shared, **bank, name="shared-experts")
        self.gates = {task: Gate(**gate, name=task) for task in self.tasks}
        # Names of tasks have no hyphen.
        self.shared_gate = None if is_last else Gate(**gate, name="shared-part")

    def build(self, inputs_shape: Mapping[str, Shape], shared_shape: Shape) -> None:
        num_per_task = self.experts[self.tasks[0]].num_experts
        num_shared, width = self.shared_experts.num_experts, self.shared_experts.units[-1]
        for task in self.tasks:
            self.experts[task].build(inputs_shape[task])
            self.gates[task].build(inputs_shape[task], (None, num_per_task + num_shared, width))
        self.shared_experts.build(shared_shape)
        if self.shared_gate is not None:
            self.shared_gate.build(shared_shape, (None, len(self.tasks) * num_per_task + num_shared, width))

    def call(self, inputs: Mapping[str, Tensor], shared: Tensor, training: bool | None = None) -> Any:
        task_experts = {task: experts(inputs[task], training=training) for task, experts in self.experts.items()}
        shared_experts = self.shared_experts(shared, training=training)
        outputs = {
            task: gate(inputs[task], ops.concatenate([task_experts[task], shared_experts], axis=1))
            for task, gate in self.gates.items()
        }
        if self.shared_gate is None:
            return outputs
        return outputs, self.shared_gate(shared, ops.concatenate([*task_experts.values(), shared_experts], axis=1))

    def compute_output_shape(self, inputs_shape: Mapping[str, Shape], shared_shape: Shape) -> Any:
        shape = (shared_shape[0], self.shared_experts.units[-1])
        outputs = dict.fromkeys(self.tasks, shape)
        return outputs if self.shared_gate is None else (outputs, shape)

    def get_config(self) -> Config:
        experts = self.shared_experts.get_config()
        return {
            **super().get_config(),
            "tasks": list(self.tasks),
            "num_shared": experts["num_experts"],
            "num_per_task": self.experts[self.tasks[0]].num_experts,
            **{name: experts[name] for name in ("units", "activation", "dropout")},
            "is_last": self.is_last,
            **self._arguments.get_config(),
        }
