"""Customized gate control: experts that tasks share and experts of their own, and a gate for each task."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tfmtl.layers.experts import Experts
from tfmtl.layers.gate import Gate
from tfmtl.task_names import task_names


@keras.saving.register_keras_serializable(package="tfmtl")
class CGC(keras.layers.Layer):
    """`x_k = sum_e g_{k,e} h_{k,e}`, `h_k = [E_{k,1} .. E_{k,m}, E_{s,1} .. E_{s,n}](x)`, `g_k = softmax(x W_k)`.

    A task's gate sees its own experts E_k, which stand first, and the shared ones E_s; it does not see other tasks'.
    The weights of the gates are recorded as `gate/<task>` (see `tfmtl.introspection`). All experts are one `Experts`
    bank, the shared ones last, so that they cost one batched product a layer.

    Without experts of their own for the tasks this is MMoE.

    Args:
        tasks: their names.
        num_shared: n, how many experts all tasks share.
        num_per_task: m, how many experts each task has of its own.
        units: width of each layer of an expert.
        activation: of every layer of an expert.
        dropout: rate, after every layer of an expert.

    Call arguments:
        inputs: x, `(batch, d)`.

    Returns:
        A dict of `(batch, units[-1])` by task.

    Example:
        >>> CGC(["click", "buy"], num_shared=2, num_per_task=1, units=[8])(keras.ops.ones((4, 3)))["buy"].shape
        TensorShape([4, 8])

    References:
        - MAN, section 3.2.2
        - [Tang et al., 2020, Progressive Layered Extraction](https://doi.org/10.1145/3383313.3412236), equations 1 to 3
    """

    def __init__(
        self,
        tasks: Sequence[str],
        num_shared: int,
        num_per_task: int,
        units: Sequence[int],
        activation: Any = "relu",
        dropout: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.tasks = task_names(tasks)
        if min(num_shared, num_per_task) < 0 or num_shared + num_per_task == 0:
            raise ValueError(
                "`num_shared` and `num_per_task` should be at least 0 and not both 0. "
                f"Received: {num_shared} and {num_per_task}"
            )
        self.num_shared = num_shared
        self.num_per_task = num_per_task
        self.experts = Experts(
            len(tasks) * num_per_task + num_shared, units, activation, dropout, dtype=self.dtype_policy, name="experts"
        )
        self.gates = {task: Gate(dtype=self.dtype_policy, name=task) for task in self.tasks}

    def build(self, input_shape):
        self.experts.build(input_shape)
        seen = (None, self.num_per_task + self.num_shared, self.experts.units[-1])
        for gate in self.gates.values():
            gate.build(input_shape, seen)

    def call(self, inputs, training=None):
        experts = self.experts(inputs, training=training)
        shared = experts[:, len(self.tasks) * self.num_per_task :]
        outputs = {}
        for i, (task, gate) in enumerate(self.gates.items()):
            own = experts[:, i * self.num_per_task : (i + 1) * self.num_per_task]
            outputs[task] = gate(inputs, ops.concatenate([own, shared], axis=1))
        return outputs

    def compute_output_shape(self, input_shape):
        return {task: (input_shape[0], self.experts.units[-1]) for task in self.tasks}

    def get_config(self):
        experts = self.experts.get_config()
        return {
            **super().get_config(),
            "tasks": list(self.tasks),
            "num_shared": self.num_shared,
            "num_per_task": self.num_per_task,
            **{name: experts[name] for name in ("units", "activation", "dropout")},
        }
