"""Stacks of layers that are trained like the models of their papers, on any Keras backend."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from tfmtl.layers import DynamicSelector, Experts, FusedEmbedding, Gate, PatternSelector, SetAttention, Tower
from tfmtl.types import Features, Labels, Logits, Tensor


class MMoEStack(keras.layers.Layer):
    """Layers of MMoE: embeddings, experts, and a gate and a tower for each task.

    Args:
        vocab_sizes: Number of ids by field.
        tasks: Names of the tasks.
        embedding_dim: Width of an embedding.
        num_experts: Number of experts.
        expert_units: Width of each layer of an expert.
        tower_units: Width of each hidden layer of a tower.

    Call arguments:
        features: Ids by field, `(batch,)`.

    Returns:
        Logits by task, `(batch,)`.
    """

    def __init__(
        self,
        vocab_sizes: Mapping[str, int],
        tasks: Sequence[str],
        *,
        embedding_dim: int,
        num_experts: int,
        expert_units: Sequence[int],
        tower_units: Sequence[int],
    ) -> None:
        super().__init__()
        self.embedding = FusedEmbedding(vocab_sizes, embedding_dim)
        self.flatten = keras.layers.Flatten()
        self.experts = Experts(num_experts, expert_units)
        self.gates = {task: Gate(name=f"gate_{task}") for task in tasks}
        self.towers = {task: Tower(tower_units, name=f"tower_{task}") for task in tasks}

    def call(self, features: Features, training: bool | None = None) -> Logits:
        inputs = self.flatten(self.embedding(features))
        experts = self.experts(inputs, training=training)
        return {task: self.towers[task](gate(inputs, experts), training=training) for task, gate in self.gates.items()}


class APEMStack(keras.layers.Layer):
    """Layers of APEM: embeddings, pairs of dynamic inducing points and pattern selectors, and a tower for each task.

    Args:
        vocab_sizes: Number of ids by field.
        tasks: Names of the tasks.
        embedding_dim: Width of fields and inducing points.
        num_layers: Number of pairs.
        num_points: Number of inducing points.
        num_heads: Number of attention heads.
        selector_units: Width of each hidden layer of a dynamic selector.
        tower_units: Width of each hidden layer of a tower.

    Call arguments:
        features: Ids by field, `(batch,)`.

    Returns:
        Logits by task, `(batch,)`.
    """

    def __init__(
        self,
        vocab_sizes: Mapping[str, int],
        tasks: Sequence[str],
        *,
        embedding_dim: int,
        num_layers: int,
        num_points: int,
        num_heads: int,
        selector_units: Sequence[int],
        tower_units: Sequence[int],
    ) -> None:
        super().__init__()
        self.embedding = FusedEmbedding(vocab_sizes, embedding_dim)
        self.selectors = [DynamicSelector(num_points, selector_units) for _ in range(num_layers)]
        self.attentions = [SetAttention(num_points, num_heads) for _ in range(num_layers)]
        self.pattern_selectors = [PatternSelector(tasks) for _ in range(num_layers)]
        self.flatten = keras.layers.Flatten()
        self.towers = {task: Tower(tower_units, name=f"tower_{task}") for task in tasks}

    def call(self, features: Features, training: bool | None = None) -> Logits:
        shared = self.embedding(features)
        patterns: Mapping[str, Tensor] | None = None
        layers = zip(self.selectors, self.attentions, self.pattern_selectors, strict=True)
        for selector, attention, pattern_selector in layers:
            shared = attention(shared, selector(shared, training=training))
            patterns = pattern_selector(shared, patterns)
        assert patterns is not None
        flat = self.flatten(shared)
        return {
            task: tower(ops.concatenate([patterns[task], flat], axis=1), training=training)
            for task, tower in self.towers.items()
        }


STACKS: dict[str, Any] = {"mmoe": MMoEStack, "apem": APEMStack}
"""Stacks by name."""


def cross_entropy(logits: Logits, labels: Labels) -> Tensor:
    """Returns the sum over the tasks of the mean binary cross-entropy.

    Args:
        logits: Logits by task, `(batch,)`.
        labels: Labels by task, `(batch,)`.
    """
    losses = [
        ops.mean(ops.binary_crossentropy(labels[task], ops.cast(task_logits, "float32"), from_logits=True))
        for task, task_logits in logits.items()
    ]
    return ops.sum(ops.stack(losses))
