"""Customized gate control (CGC) of progressive layered extraction."""

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
class CGC(keras.layers.Layer):
    """Customized gate control (CGC) of PLE: shared and task-specific experts, and a gate for each task.

    `x_k = sum_e g_{k,e} h_{k,e}`, `h_k = [E_{k,1} .. E_{k,m}, E_{s,1} .. E_{s,n}](x)`, `g_k = softmax(x W_k)`.

    The gate of task k mixes its own experts E_k, which come first, and the shared experts E_s; it does not see the
    experts of other tasks. The weights of the gates are recorded as `gate/<task>` (see `tfmtl.introspection`). All
    experts are one `Experts` bank, the shared ones last, so that they cost one batched product per layer. Without
    task-specific experts the layer is that of MMoE.

    Args:
        tasks: Names of the tasks.
        num_shared: Number of shared experts n.
        num_per_task: Number of task-specific experts m of each task.
        units: Width of each layer of an expert.
        activation: Activation of every layer of an expert.
        dropout: Dropout rate after every layer of an expert, in [0, 1).
        kernel_initializer: Initializer of the kernels of experts and gates.
        bias_initializer: Initializer of the biases of experts.
        kernel_regularizer: Regularizer of the kernels of experts and gates.
        bias_regularizer: Regularizer of the biases of experts.

    Call arguments:
        inputs: x, `(batch, d)`.

    Returns:
        A dict of `(batch, units[-1])` by task.

    Raises:
        ValueError: If `tasks` is empty or repeats a name, or the numbers of experts are negative or both 0.

    Example:
        >>> import keras
        >>> from tfmtl.layers import CGC
        >>> layer = CGC(["click", "buy"], num_shared=2, num_per_task=1, units=[8])
        >>> {task: tuple(output.shape) for task, output in layer(keras.ops.ones((4, 3))).items()}
        {'click': (4, 8), 'buy': (4, 8)}

    References:
        - [Tang et al., 2020, Progressive Layered Extraction (PLE)](https://doi.org/10.1145/3383313.3412236),
          equations 1 to 3
        - [Luo et al., 2023, Multi-Task Deep Learning with Task Attention for Post-Click Conversion Rate Prediction]
          (https://doi.org/10.32604/iasc.2023.036622), section 3.2.2
    """

    def __init__(
        self,
        tasks: Sequence[str],
        num_shared: int,
        num_per_task: int,
        units: Sequence[int],
        activation: Activation = "relu",
        dropout: float = 0.0,
        kernel_initializer: Initializer = "glorot_uniform",
        bias_initializer: Initializer = "zeros",
        kernel_regularizer: Regularizer = None,
        bias_regularizer: Regularizer = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.tasks = task_names(tasks)
        if min(num_shared, num_per_task) < 0 or num_shared + num_per_task == 0:
            raise ValueError(
                "`num_shared` and `num_per_task` should be at least 0 and not both 0. "
                f"Received: {num_shared} and {num_per_task}"
            )
        self.num_shared = num_shared
        self.num_per_task = num_per_task
        self._arguments = DenseArguments(
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
        )
        self.experts = Experts(
            len(tasks) * num_per_task + num_shared,
            units,
            activation,
            dropout,
            dtype=self.dtype_policy,
            name="experts",
            **self._arguments.shared(),
        )
        self.gates = {
            task: Gate(dtype=self.dtype_policy, name=task, **self._arguments.kernels_only()) for task in self.tasks
        }

    def build(self, input_shape: Shape) -> None:
        self.experts.build(input_shape)
        mixed = (None, self.num_per_task + self.num_shared, self.experts.units[-1])
        for gate in self.gates.values():
            gate.build(input_shape, mixed)

    def call(self, inputs: Tensor, training: bool | None = None) -> dict[str, Tensor]:
        experts = self.experts(inputs, training=training)
        shared = experts[:, len(self.tasks) * self.num_per_task :]
        outputs = {}
        for i, (task, gate) in enumerate(self.gates.items()):
            task_experts = experts[:, i * self.num_per_task : (i + 1) * self.num_per_task]
            outputs[task] = gate(inputs, ops.concatenate([task_experts, shared], axis=1))
        return outputs

    def compute_output_shape(self, input_shape: Shape) -> Mapping[str, Shape]:
        return {task: (input_shape[0], self.experts.units[-1]) for task in self.tasks}

    def get_config(self) -> Config:
        experts = self.experts.get_config()
        return {
            **super().get_config(),
            "tasks": list(self.tasks),
            "num_shared": self.num_shared,
            "num_per_task": self.num_per_task,
            **{name: experts[name] for name in ("units", "activation", "dropout")},
            **self._arguments.get_config(),
        }
