"""APEM: inducing points that each row selects, and a pattern of each task extracted from them."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from tfmtl import introspection
from tfmtl.layers import DynamicSelector, PatternSelector, SetAttention, Tower
from tfmtl.models.core.multi_task_model import MultiTaskModel
from tfmtl.models.options.apem import INFO, APEMOptions
from tfmtl.models.registry import register_model
from tfmtl.spec import DatasetSpec
from tfmtl.types import Features, Initializer, Tensor


@register_model("apem")
class APEM(MultiTaskModel):
    """Adaptive Pattern Extraction Multi-task (APEM) framework.

    Layers of an adaptive shared representation generator (ASRG) compress the fields to K vectors: a `DynamicSelector`
    selects inducing points for each row, and a `SetAttention` lets the selected points attend to the input. After each
    layer, a `PatternSelector` extracts a pattern T for each task from the shared representation Y:

    `Y^l = ASRG_l(Y^{l-1})`, `T_i^l = PS_l(T_i^{l-1}, Y^l)` for l = 1 .. L, and `y_i = tower_i([T_i^L, Y^L])`,

    where `Y^0` are the embeddings of the fields. The loss includes the dependence of the tasks
    (`tfmtl.losses.SequentialDependenceLoss`). The paper trains with Adam, a learning rate of 1e-3 and batches of 1024
    rows.

    The `step` of the selectors increases by one after each training step, whatever the training strategy does in it.
    Evaluation and inference do not change it.

    The layers record `selection_rate/layer_<l>` (Figure 7a), `selector/layer_<l>`, `pattern/<task>/layer_<l>` and
    `shared_representation`, which is Y^L (Figure 7b).

    Choices where the paper is not specific:

    - The residual connection of an ASRG is on the side of the query, see `SetAttention`. The attention of the pattern
      selector has no projections, see `PatternSelector`. A dynamic selector ends in a linear layer.
    - Each layer has separate selectors, points and indicators, as the "k-th layer" of the text suggests.
    - A tower reads `concat(T_i^L, flatten(Y^L))`, as Figure 3 joins the two without further detail, and the embeddings
      of the fields (see below). `tower_input="mean"` is the smaller alternative.
    - The heads predict on the entire space, as the AUCs of the paper are computed.

    Deviations from the paper, with which the mechanism works after a few thousand training steps; the preset
    `as_written` has none of them. As written, embeddings, which begin with entries around .03, give uniform attention
    and equal outputs of all points, and they stay so: on a simulated log, entropy .995 to 1.000 of the maximum and an
    effective rank of Y of 1.2 to 1.7, and the attention weights may be replaced by their means over the rows without an
    effect. With the deviations the entropy is .79 to .88, the rank 13 to 27, and the replacement costs .010 to .022 of
    the AUC of conversions.

    - Attention weights and selections are computed from `token_scale` times the tokens, while values stay small, so
      that attention differs between rows and the tokens of rare ids do not dominate Y.
    - Keys have a trained part for each field (`position_keys`), and points and indicators have entries of variance 1
      (`unit_points`), so that attention differs between points from the first step.
    - `selector_bias` opens the selectors at the beginning; a closed point attends to all fields alike.
    - The points enter Y with a small trained factor (`residual_gain`), and Y and T are not normalized (`layer_norm`):
      constant points of variance 1 hide what differs between rows, and collapse the selectors of the second layer.
    - The towers read the embeddings beside Y (`fields_in_tower`), with which rows that the attention does not separate
      stay apart.
    - Gamma decreases from 4 to .1 during the planned training, not within 50 000 steps.

    Args:
        spec: Features and tasks of the dataset.
        vocabulary_sizes: Number of tokens in the vocabulary of each feature that has one.
        options: Hyper-parameters. Defaults to `APEMOptions()`.
        **kwargs: `name` and `dtype` of `keras.Model`.

    Call arguments:
        features: Transformed features by name, each `(batch,)` or `(batch, length)`.
        training: Whether dropout is applied.

    Returns:
        Logits by task name, each `(batch,)` float32.

    Example:
        >>> import numpy as np
        >>> from tfmtl.features import CategoricalFeature
        >>> from tfmtl.models import APEM, APEMOptions
        >>> from tfmtl.spec import DatasetSpec, Task
        >>> features = (CategoricalFeature("user"), CategoricalFeature("item"))
        >>> tasks = (Task("click", "clicked"), Task("buy", "bought", follows="click"))
        >>> options = APEMOptions(embedding_dim=4, num_layers=1, num_points=3, tower_units=(8,))
        >>> model = APEM(DatasetSpec("shop", features, tasks), {"user": 100, "item": 50}, options)
        >>> scores = model.score({"user": np.array([3, 7]), "item": np.array([1, 0])})
        >>> {name: tuple(values.shape) for name, values in scores.items()}
        {'click': (2,), 'buy_given_click': (2,), 'buy': (2,)}

    References:
        - [Tao et al., 2023, Adaptive Pattern Extraction Multi-Task Learning for Multi-Step Conversion Estimations]
          (https://arxiv.org/abs/2301.02494)
    """

    options_class = APEMOptions
    paper = INFO.paper
    equations = INFO.equations
    defaults = INFO.defaults
    presets = INFO.presets

    options: APEMOptions

    def __init__(
        self,
        spec: DatasetSpec,
        vocabulary_sizes: Mapping[str, int],
        options: APEMOptions | None = None,
        **kwargs: Any,
    ) -> None:
        options = options or APEMOptions()
        super().__init__(spec, vocabulary_sizes, options, **kwargs)
        names = [f"layer_{index + 1}" for index in range(options.num_layers)]
        tasks = [task.name for task in spec.tasks]
        self.selectors = [self._make_selector(name) for name in names if options.asrg == "dynamic"]
        self.interactions = [self._make_interaction(name) for name in names]
        self.norms = [keras.layers.LayerNormalization(name=n) for n in names if options.asrg == "self_attention"]
        self.pattern_selectors = [self._make_pattern_selector(tasks, n) for n in names if options.pattern_selector]
        self.towers = {task: Tower(options.tower_units, dropout=options.dropout, name=task) for task in tasks}

    def _make_selector(self, name: str) -> DynamicSelector:
        options = self.options
        return DynamicSelector(
            options.num_points,
            options.selector_units,
            gamma_start=options.gamma_start,
            gamma_decay=options.decay_of_gamma,
            gamma_end=options.gamma_end,
            head_bias_initializer=keras.initializers.Constant(options.selector_bias),
            advance_in_call=False,  # `train_step` counts steps; a strategy may call the model several times per step.
            name=name,
        )

    def _make_interaction(self, name: str) -> keras.layers.Layer:
        options = self.options
        if options.asrg == "self_attention":
            head_dim = options.embedding_dim // options.num_heads
            return keras.layers.MultiHeadAttention(options.num_heads, head_dim, use_bias=False, name=name)
        points: Initializer = "glorot_uniform"
        if options.unit_points:  # Orthogonal rows have a norm of 1 or, if there are more than d of them, columns have.
            points = keras.initializers.Orthogonal(max(options.num_points, options.embedding_dim) ** 0.5)
        return SetAttention(
            options.num_points,
            options.num_heads,
            normalize=options.layer_norm,
            key_scale=options.token_scale,
            position_keys=options.position_keys,
            residual_gain=options.residual_gain,
            points_initializer=points,
            name=name,
        )

    def _make_pattern_selector(self, tasks: list[str], name: str) -> PatternSelector:
        options = self.options
        unit_normal = keras.initializers.RandomNormal(stddev=1.0)
        return PatternSelector(
            tasks,
            normalize=options.layer_norm,
            key_scale=options.token_scale,
            indicators_initializer=unit_normal if options.unit_points else "glorot_uniform",
            name=name,
        )

    @property
    def upper_layers(self) -> tuple[keras.layers.Layer, ...]:
        """Layers that the second stage of `tfmtl.training.TwoStage` trains: pattern selectors and towers."""
        return (*self.pattern_selectors, *super().upper_layers)

    def call(self, features: Features, training: bool | None = None) -> dict[str, Tensor]:
        fields = shared = self.embed(features)
        patterns: dict[str, Tensor] | None = None
        for layer in range(self.options.num_layers):
            shared = self._interact(layer, shared, training)
            if self.pattern_selectors:
                patterns = self.pattern_selectors[layer](shared, patterns)
        introspection.record("shared_representation", shared)
        inputs = self._tower_inputs(fields, shared, patterns)
        return {task: tower(inputs[task], training=training) for task, tower in self.towers.items()}

    def _interact(self, layer: int, inputs: Tensor, training: bool | None) -> Tensor:
        """Returns Y of a layer: `(batch, num_points, d)`, or `(batch, fields, d)` with self-attention."""
        if self.options.asrg == "self_attention":
            return self.norms[layer](inputs + self.interactions[layer](inputs, inputs, training=training))
        selection = None
        if self.selectors:
            selection = self.selectors[layer](inputs * self.options.token_scale, training=training)
        return self.interactions[layer](inputs, selection)

    def _tower_inputs(self, fields: Tensor, shared: Tensor, patterns: Mapping[str, Tensor] | None) -> dict[str, Tensor]:
        """Returns the input of each tower by task name, `(batch, width)`."""
        common = [ops.mean(shared, axis=1) if self.options.tower_input == "mean" else _flat(shared)]
        if self.options.fields_in_tower:
            common.append(_flat(fields))
        own = {task: [] if patterns is None else [patterns[task]] for task in self.towers}
        return {task: ops.concatenate([*own[task], *common], axis=1) for task in self.towers}


def _flat(vectors: Tensor) -> Tensor:
    """Concatenates the vectors of a row; `(batch, count * d)`."""
    return ops.reshape(vectors, (-1, vectors.shape[1] * vectors.shape[2]))
