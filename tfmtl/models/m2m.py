"""M2M: experts over sequences of days, and attention and towers whose weights are generated from the scenario."""

import math
from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from tfmtl import introspection
from tfmtl.features import WEIGHTS_SUFFIX
from tfmtl.layers import MLP, Experts, MetaAttention, MetaTower, MetaUnit, SequenceEncoder, TaskAnchors
from tfmtl.losses.batch_mean import replica_mean
from tfmtl.models.core.multi_task_model import MultiTaskModel
from tfmtl.models.options.m2m import INFO, M2MOptions, encoded_sequences, scenario_attributes
from tfmtl.models.registry import register_model
from tfmtl.spec import DatasetSpec
from tfmtl.types import Features, Tensor

_LEAKY = "leaky_relu"


@register_model("m2m")
class M2M(MultiTaskModel):
    """Multi-scenario Multi-task Meta learning (M2M).

    Sequences of days are encoded by multi-head attention MH, and experts ("views") E_i read them together with the
    other features. A network computes the scenario knowledge S~ from the attributes S of the scenario and the profile
    A. For each task, an attention over the views and a tower compute the logit. Their weights are generated from S~ for
    each row:

    `F = [MH(X_b) || MH(X_p) || others]`, `E_i = MLP_i(F)`, `S~ = MLP([S || A])`, `R_t = attention_t(E, T_t, S~)`,
    `log y_t = tower_t(R_t, S~)`,

    where `T_t` is the anchor of task t, a trained vector. A scenario without training rows is scored from its
    attributes.

    The weights of the views are recorded as `meta_attention/<task>`, those of the days as `sequence_attention/<group>`,
    and S~ as `scenario_knowledge`.

    Choices where the paper is not specific:

    - Days are encoded without a residual connection, as the paper does not mention one. The values of a day then pass
      through the attention alone; `sequence_residual` adds the connection.
    - Encoded days are concatenated ("a fixed-length vector"), and absent days are 0; see `sequence_pooling`. A sequence
      in no group of `sequence_groups` is a feature like the others, to which the option `sequences` applies.
    - The views read all features but the attributes of the scenario, which act through S~ alone: section 4.1.3 adds
      "other dense feature of advertisers" to the sequences. The profile is in both.
    - All activations are LeakyReLU with Keras's slope of 0.2. The paper gives no number of views and residual layers.
    - The ablations keep the shape of the parts whose generated weights they remove, so that only these are missing.

    A meta unit of width d has `(s + 1)(d * d + d)` parameters per layer for knowledge of width s: with the defaults 51
    million per task in the attention (d = 512) and 26 million in the tower (d = 256). `meta_rank` reduces this.

    Args:
        spec: Features and tasks of the dataset.
        vocabulary_sizes: Number of tokens in the vocabulary of each feature that has one.
        options: Hyper-parameters. Defaults to `M2MOptions()`.
        **kwargs: `name` and `dtype` of `keras.Model`.

    Call arguments:
        features: Transformed features by name, each `(batch,)` or `(batch, length)`.
        training: Whether dropout is applied.

    Returns:
        Logits by task name, each `(batch,)` float32.

    Raises:
        ConfigError: If the spec has no scenario, the scenario leaves no other feature, or a group of `sequence_groups`
            has other features than sequences of one length.

    Example:
        >>> import numpy as np
        >>> from tfmtl.features import CategoricalFeature
        >>> from tfmtl.models import M2M, M2MOptions
        >>> from tfmtl.spec import DatasetSpec, Task
        >>> features = (CategoricalFeature("channel"), CategoricalFeature("item"))
        >>> tasks = (Task("click", "clicked"), Task("buy", "bought", follows="click"))
        >>> spec = DatasetSpec("shop", features, tasks, scenario="channel")
        >>> options = M2MOptions(embedding_dim=4, view_units=(8,), anchor_units=4, knowledge_units=(3,), meta_layers=1)
        >>> model = M2M(spec, {"channel": 5, "item": 50}, options)
        >>> scores = model.score({"channel": np.array([3, 4]), "item": np.array([1, 0])})
        >>> {name: tuple(values.shape) for name, values in scores.items()}
        {'click': (2,), 'buy_given_click': (2,), 'buy': (2,)}

    References:
        - [Zhang et al., 2022, Leaving No One Behind: A Multi-Scenario Multi-Task Meta Learning Approach for Advertiser
          Modeling](https://doi.org/10.1145/3488560.3498479)
    """

    options_class = M2MOptions
    paper = INFO.paper
    equations = INFO.equations
    defaults = INFO.defaults
    presets = INFO.presets

    options: M2MOptions

    def __init__(
        self,
        spec: DatasetSpec,
        vocabulary_sizes: Mapping[str, int],
        options: M2MOptions | None = None,
        **kwargs: Any,
    ) -> None:
        options = options or M2MOptions()
        super().__init__(spec, vocabulary_sizes, options, **kwargs)
        self.embedding.build()
        attributes = scenario_attributes(spec, options)
        self._sequences = encoded_sequences(spec, options)
        self._encoded = tuple(dict.fromkeys(name for members in self._sequences.values() for name in members))
        excluded = (*attributes, *self._encoded)
        names = (*(feature.name for feature in spec.features), *(cross.name for cross in spec.crosses))
        self._others = tuple(name for name in names if name not in excluded)
        self._known = tuple(dict.fromkeys([*attributes, *spec.groups.get(options.profile_group, ())]))
        encoder = (options.num_heads, options.position_dim, options.transformer, options.sequence_residual)
        self.encoders = {group: SequenceEncoder(*encoder, name=group) for group in self._sequences}
        self.experts = Experts(options.num_views, options.view_units, _LEAKY, options.dropout, name="experts")
        self.anchors = TaskAnchors(len(spec.tasks), options.anchor_units, options.anchor_dim, name="anchors")
        self.knowledge = MLP(options.knowledge_units, _LEAKY, name="knowledge")
        unit = (options.meta_layers, options.meta_rank, options.meta_memory_mb)
        attention_unit, tower_unit = (MetaUnit(*unit, flag) for flag in (options.meta_attention, options.meta_tower))
        self.attention = {t.name: MetaAttention(attention_unit, name=t.name) for t in spec.tasks}
        self.towers = {t.name: MetaTower(options.num_residuals, tower_unit, name=t.name) for t in spec.tasks}

    @property
    def upper_layers(self) -> tuple[keras.layers.Layer, ...]:
        """Layers that the second stage of `tfmtl.training.TwoStage` trains: attention and towers."""
        return (*self.attention.values(), *super().upper_layers)

    def call(self, features: Features, training: bool | None = None) -> dict[str, Tensor]:
        embedded = self.embedding.lookup(features)
        self._add_embedding_loss(embedded, features)
        parts = [self._encode(group, embedded, features) for group in self._sequences]
        parts += [_flat(embedded[name]) for name in self._others]
        views = self.experts(ops.concatenate(parts, axis=-1), training=training)
        knowledge = self.knowledge(ops.concatenate([_flat(embedded[name]) for name in self._known], axis=-1))
        introspection.record("scenario_knowledge", knowledge)
        anchors = self.anchors(ops.arange(len(self.spec.tasks)))
        logits = {}
        for i, task in enumerate(self.spec.tasks):
            anchor = ops.broadcast_to(anchors[i][None], (ops.shape(views)[0], anchors.shape[-1]))
            represented = self.attention[task.name](views, anchor, knowledge)
            logits[task.name] = self.towers[task.name](represented, knowledge)
        return logits

    def _encode(self, group: str, embedded: Mapping[str, Tensor], features: Features) -> Tensor:
        """Returns the encoded days of a group, `(batch, width)`. A day is present if one of the sequences has it."""
        names = self._sequences[group]
        weights = [ops.cast(features[name + WEIGHTS_SUFFIX], self.compute_dtype) for name in names]
        present = ops.max(ops.stack(weights), axis=0)
        encoded = self.encoders[group](ops.concatenate([embedded[name] for name in names], axis=-1), present)
        if self.options.sequence_pooling == "flatten":
            return _flat(encoded)
        return ops.sum(encoded, axis=1) / ops.maximum(ops.sum(present, axis=1, keepdims=True), 1.0)

    def _add_embedding_loss(self, embedded: Mapping[str, Tensor], features: Features) -> None:
        """Adds the loss of `embedding_l2`, in which an encoded sequence counts as the mean over its present days."""
        if not self.options.embedding_l2:
            return
        total: Tensor = 0.0
        for name, rows in embedded.items():
            squares = ops.sum(ops.square(ops.cast(rows, "float32")), axis=-1)
            if name in self._encoded:
                weights = ops.cast(features[name + WEIGHTS_SUFFIX], "float32")
                squares = squares / ops.maximum(ops.sum(weights, axis=1, keepdims=True), 1.0)
            total += ops.sum(squares, axis=1) if len(squares.shape) > 1 else squares
        self.add_loss(self.options.embedding_l2 * replica_mean(total))


def _flat(embedded: Tensor) -> Tensor:
    """Returns the positions of each row concatenated, `(batch, width)`."""
    return ops.reshape(embedded, (-1, math.prod(embedded.shape[1:])))
