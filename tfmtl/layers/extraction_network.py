"""One level of progressive layered extraction: experts by task and shared ones, which read the level below."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tfmtl.layers.experts import Experts
from tfmtl.layers.gate import Gate
from tfmtl.task_names import task_names


@keras.saving.register_keras_serializable(package="tfmtl")
class ExtractionNetwork(keras.layers.Layer):
    """`x'_k = g_k(x_k) [E_k(x_k), E_s(x_s)]` of each task, `x'_s = g_s(x_s) [E_1(x_1) .. E_K(x_K), E_s(x_s)]`.

    Experts E and gates `g = softmax(x W)` of a task read the task's representation x_k, those of the shared part read
    its x_s. A task's gate mixes its own experts, which stand first, and the shared ones; the shared part's mixes all.
    The first level has the same input in all places; the last one has no shared gate, for nothing follows it. A level
    that is first and last is `tfmtl.layers.CGC`, whose experts are one bank because they have one input.

    The weights of the gates are recorded as `gate/<task>` and `gate/shared-part` (see `tfmtl.introspection`).

    Args:
        tasks: their names.
        num_shared: how many experts the shared part has.
        num_per_task: how many experts each task has of its own.
        units: width of each layer of an expert.
        activation: of every layer of an expert.
        dropout: rate, after every layer of an expert.
        is_last: whether no level follows.

    Call arguments:
        inputs: a dict of x_k, `(batch, d)`, by task.
        shared: x_s, `(batch, d)`.

    Returns:
        A dict of `(batch, units[-1])` by task, and the shared part's `(batch, units[-1])`; of the last level the dict
        alone.

    Example:
        >>> x = keras.ops.ones((4, 3))
        >>> level = ExtractionNetwork(["click", "buy"], num_shared=2, num_per_task=1, units=[8])
        >>> tasks, shared = level({"click": x, "buy": x}, x)
        >>> tasks["buy"].shape, shared.shape
        (TensorShape([4, 8]), TensorShape([4, 8]))

    References:
        - [Tang et al., 2020, Progressive Layered Extraction](https://doi.org/10.1145/3383313.3412236), section 4.2
    """

    def __init__(
        self,
        tasks: Sequence[str],
        num_shared: int,
        num_per_task: int,
        units: Sequence[int],
        activation: Any = "relu",
        dropout: float = 0.0,
        is_last: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.tasks = task_names(tasks)
        if min(num_shared, num_per_task) < 1:
            raise ValueError(
                f"`num_shared` and `num_per_task` should be at least 1. Received: {num_shared} and {num_per_task}"
            )
        self.is_last = is_last
        bank = {"units": units, "activation": activation, "dropout": dropout, "dtype": self.dtype_policy}
        self.experts = {task: Experts(num_per_task, **bank, name=f"{task}_experts") for task in self.tasks}
        self.shared_experts = Experts(num_shared, **bank, name="shared-experts")
        self.gates = {task: Gate(dtype=self.dtype_policy, name=task) for task in self.tasks}
        # Its name can be no task's, for a task's has no hyphen.
        self.shared_gate = None if is_last else Gate(dtype=self.dtype_policy, name="shared-part")

    def build(self, inputs_shape, shared_shape):
        per_task = self.experts[self.tasks[0]].num_experts
        common, width = self.shared_experts.num_experts, self.shared_experts.units[-1]
        for task in self.tasks:
            self.experts[task].build(inputs_shape[task])
            self.gates[task].build(inputs_shape[task], (None, per_task + common, width))
        self.shared_experts.build(shared_shape)
        if self.shared_gate is not None:
            self.shared_gate.build(shared_shape, (None, len(self.tasks) * per_task + common, width))

    def call(self, inputs, shared, training=None):
        own = {task: experts(inputs[task], training=training) for task, experts in self.experts.items()}
        common = self.shared_experts(shared, training=training)
        outputs = {
            task: gate(inputs[task], ops.concatenate([own[task], common], axis=1)) for task, gate in self.gates.items()
        }
        if self.shared_gate is None:
            return outputs
        return outputs, self.shared_gate(shared, ops.concatenate([*own.values(), common], axis=1))

    def compute_output_shape(self, inputs_shape, shared_shape):
        shape = (shared_shape[0], self.shared_experts.units[-1])
        outputs = dict.fromkeys(self.tasks, shape)
        return outputs if self.shared_gate is None else (outputs, shape)

    def get_config(self):
        experts = self.shared_experts.get_config()
        return {
            **super().get_config(),
            "tasks": list(self.tasks),
            "num_shared": experts["num_experts"],
            "num_per_task": self.experts[self.tasks[0]].num_experts,
            **{name: experts[name] for name in ("units", "activation", "dropout")},
            "is_last": self.is_last,
        }
