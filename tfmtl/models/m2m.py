"""M2M: experts over sequences of days; attention and towers whose weights are generated from the scenario."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from keras import ops

from tfmtl import introspection
from tfmtl.config import require
from tfmtl.features import SEQUENCES, WEIGHTS_SUFFIX
from tfmtl.layers import MLP, Experts, MetaAttention, MetaTower, SequenceEncoder, TaskAnchors
from tfmtl.losses.batch_mean import replica_mean
from tfmtl.models.core.multi_task_model import MultiTaskModel
from tfmtl.models.core.options import ModelOptions
from tfmtl.models.registry import register_model
from tfmtl.spec import DatasetSpec

_LEAKY = "leaky_relu"


@dataclasses.dataclass(frozen=True)
class M2MOptions(ModelOptions):
    """Options of `M2M`, besides those of every model. The defaults are the paper's (5.1.3, 5.3.2) where it gives them.

    Attributes:
        scenario_group: group of the spec with the attributes of the scenario, S; where the spec has no such group, its
            `scenario` is the only attribute.
        profile_group: group with the profile of the advertiser, or whatever else a row is of, A; may be absent.
        sequence_groups: groups of sequences of one length, each group encoded apart; those that are absent are left
            out.
        num_heads: of the attention over days.
        position_dim: width of the embedding of a day's position.
        sequence_residual: True: encoded days are added to what they encode; the paper writes no residual connection.
        sequence_pooling: `flatten` puts the encoded days side by side; `mean` averages those that are present.
        num_views: k, experts; the paper gives no number.
        view_units: width of each layer of an expert.
        dropout: rate, in the experts; the paper names none.
        anchor_dim: width of a task's embedding.
        anchor_units: width of a task's anchor T_t.
        knowledge_units: width of each layer of the scenario knowledge; the last one is its dimension d.
        meta_layers: K, layers of a meta unit.
        meta_rank: rank of the matrices that a meta unit generates; null generates them whole, as the paper does.
        meta_memory_mb: how many MB of generated matrices there may be at a time; changes no result.
        num_residuals: L, residual layers of a tower; the paper gives no number.
        meta_tower: False: towers without generated weights ("without meta tower").
        meta_attention: False: attention without generated weights ("without meta attention").
        transformer: False: days are not encoded ("without transformer layer").
        weight_decay: `2 alpha` of equation 19, over all weights outside the embedding table; of that, `embedding_l2`
            decays what a batch looks up. The paper gives no alpha.
    """

    scenario_group: str = "scenario"
    profile_group: str = "profile"
    sequence_groups: tuple[str, ...] = ("behaviour", "performance")
    num_heads: int = 2
    position_dim: int = 16
    sequence_residual: bool = False
    sequence_pooling: Literal["flatten", "mean"] = "flatten"
    num_views: int = 4
    view_units: tuple[int, ...] = (256,)
    dropout: float = 0.0
    anchor_dim: int = 16
    anchor_units: int = 256
    knowledge_units: tuple[int, ...] = (64,)
    meta_layers: int = 3
    meta_rank: int | None = None
    meta_memory_mb: float = 64.0
    num_residuals: int = 2
    meta_tower: bool = True
    meta_attention: bool = True
    transformer: bool = True

    def __post_init__(self):
        super().__post_init__()
        counts = ("num_heads", "position_dim", "num_views", "anchor_dim", "anchor_units", "meta_layers")
        for name in (*counts, "num_residuals"):
            require(getattr(self, name) >= 1, name, "at least 1", getattr(self, name))
        require(self.meta_rank is None or self.meta_rank >= 1, "meta_rank", "at least 1, or null", self.meta_rank)
        require(self.meta_memory_mb > 0, "meta_memory_mb", "above 0", self.meta_memory_mb)
        require(0 <= self.dropout < 1, "dropout", "in [0, 1)", self.dropout)
        for name in ("view_units", "knowledge_units"):
            units = getattr(self, name)
            require(bool(units) and all(width >= 1 for width in units), name, "positive and at least one", units)

    def unpooled_sequences(self, spec: DatasetSpec) -> tuple[str, ...]:
        """The sequences that are encoded, and with `sequences: concat` the others too."""
        encoded = [name for members in encoded_sequences(spec, self).values() for name in members]
        return tuple(dict.fromkeys([*encoded, *super().unpooled_sequences(spec)]))

    def check_tasks(self, spec: DatasetSpec) -> None:
        """Raises `FieldError` where the spec has no scenario or no other feature, or a group holds no sequences."""
        super().check_tasks(spec)
        known = ", ".join(spec.groups) or "it has none"
        expected = f"a group of a spec that names no `scenario` ({known})"
        require(bool(scenario_attributes(spec, self)), "scenario_group", expected, self.scenario_group)
        for group in self.sequence_groups:
            members = spec.group(group) if group in spec.groups else ()
            sequences = all(isinstance(feature, SEQUENCES) for feature in members)
            lengths = {getattr(feature, "max_length", 0) for feature in members}
            expected = f"groups of sequences of one length ({', '.join(feature.name for feature in members)})"
            require(sequences and len(lengths) <= 1, "sequence_groups", expected, group)
        others = [feature.name for feature in spec.features if feature.name not in scenario_attributes(spec, self)]
        expected = "a group that leaves a feature to the views"
        require(bool(others), "scenario_group", expected, self.scenario_group)


def scenario_attributes(spec: DatasetSpec, options: M2MOptions) -> tuple[str, ...]:
    """The features that are attributes of the scenario."""
    if options.scenario_group in spec.groups:
        return tuple(spec.groups[options.scenario_group])
    return (spec.scenario,) if spec.scenario else ()


def encoded_sequences(spec: DatasetSpec, options: M2MOptions) -> dict[str, tuple[str, ...]]:
    """The sequences of each group that is encoded."""
    return {group: tuple(spec.groups[group]) for group in options.sequence_groups if group in spec.groups}


@register_model("m2m")
class M2M(MultiTaskModel):
    """Multi-scenario multi-task meta learning.

    `F = [MH(X_b) || MH(X_p) || others]`, views `E_i = MLP_i(F)`, anchors `T_t`, knowledge `S~ = MLP([S || A])`; for
    each task `R_t = attention_t(E, T_t, S~)` and `log y_t = tower_t(R_t, S~)`, where attention and towers generate
    their weights from S~, example by example. A scenario is data: one that training has not seen is scored from its
    attributes.

    The weights of the views are recorded as `meta_attention/<task>`, those of the days as `sequence_attention/<group>`,
    S~ as `scenario_knowledge`.

    Decisions where the paper leaves room:

    - Days are encoded without a residual connection, which the paper does not write. A day's own numbers then pass
      through the attention alone; with `sequence_residual` they also stand beside it.
    - Encoded days are put side by side ("a fixed-length vector"); those that are absent are 0. `sequence_pooling`.
      A sequence in no group of `sequence_groups` is a feature as others are, for which there is `sequences`.
    - The views see all features but the scenario's attributes, which act through S~ alone: section 4.1.3 adds "other
      dense feature of advertisers" to the sequences. The profile is in both.
    - The activation is LeakyReLU everywhere, with Keras's slope 0.2, and no number is given for views and residual
      layers.
    - The ablations keep the shape of what they take the generated weights from, so that only these are missing.

    A meta unit of width d has `(s + 1)(d * d + d)` parameters a layer for knowledge of width s: with the defaults 51 M
    a task in the attention (d = 512) and 26 M in the tower (d = 256). `meta_rank` is what makes it small.

    References:
        - [Zhang et al., 2022, Leaving No One Behind: A Multi-Scenario Multi-Task Meta Learning Approach for Advertiser
          Modeling](https://doi.org/10.1145/3488560.3498479)
    """

    options_class = M2MOptions
    paper = "Zhang et al., 2022, Leaving No One Behind (M2M, WSDM)"
    equations = "1-20"
    presets: ClassVar = {
        "taobao": {},
        "taobao_without_meta_tower": {"meta_tower": False},
        "taobao_without_meta_attention": {"meta_attention": False},
        "taobao_without_transformer": {"transformer": False},
    }

    def __init__(self, spec: Any, vocabulary_sizes: Any, options: M2MOptions, **kwargs: Any):
        super().__init__(spec, vocabulary_sizes, options, **kwargs)
        self.embedding.build()
        groups = spec.groups
        attributes = scenario_attributes(spec, options)
        self._sequences = encoded_sequences(spec, options)
        self._places = tuple(dict.fromkeys(name for members in self._sequences.values() for name in members))
        apart = (*attributes, *self._places)
        self._others = tuple(feature.name for feature in spec.features if feature.name not in apart)
        self._known = tuple(dict.fromkeys([*attributes, *groups.get(options.profile_group, ())]))
        encoder = (options.num_heads, options.position_dim, options.transformer, options.sequence_residual)
        self.encoders = {group: SequenceEncoder(*encoder, name=group) for group in self._sequences}
        self.experts = Experts(options.num_views, options.view_units, _LEAKY, options.dropout, name="experts")
        self.anchors = TaskAnchors(len(spec.tasks), options.anchor_units, options.anchor_dim, name="anchors")
        self.knowledge = MLP(options.knowledge_units, _LEAKY, name="knowledge")
        unit = (options.meta_layers, options.meta_rank, options.meta_memory_mb)
        self.attention = {t.name: MetaAttention(*unit, options.meta_attention, name=t.name) for t in spec.tasks}
        self.towers = {
            t.name: MetaTower(options.num_residuals, *unit, options.meta_tower, name=t.name) for t in spec.tasks
        }

    @property
    def upper_layers(self):
        return (*self.attention.values(), *super().upper_layers)

    def call(self, features, training=None):
        embedded = self.embedding.lookup(features)
        self._decay_embeddings(embedded, features)
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

    def _encode(self, group: str, embedded: Mapping[str, Any], features: Mapping[str, Any]) -> Any:
        """`(batch, width)` of a group's days; a day is present where one of the group's sequences has it."""
        names = self._sequences[group]
        weights = [ops.cast(features[name + WEIGHTS_SUFFIX], self.compute_dtype) for name in names]
        present = ops.max(ops.stack(weights), axis=0)
        encoded = self.encoders[group](ops.concatenate([embedded[name] for name in names], axis=-1), present)
        if self.options.sequence_pooling == "flatten":
            return _flat(encoded)
        return ops.sum(encoded, axis=1) / ops.maximum(ops.sum(present, axis=1, keepdims=True), 1.0)

    def _decay_embeddings(self, embedded: Mapping[str, Any], features: Mapping[str, Any]) -> None:
        """Adds `embedding_l2`; of a sequence that is encoded, the mean over its present days counts."""
        if not self.options.embedding_l2:
            return
        total = 0.0
        for name, rows in embedded.items():
            squares = ops.sum(ops.square(ops.cast(rows, "float32")), axis=-1)
            if name in self._places:
                weights = ops.cast(features[name + WEIGHTS_SUFFIX], "float32")
                squares = squares / ops.maximum(ops.sum(weights, axis=1, keepdims=True), 1.0)
            total += ops.sum(squares, axis=1) if len(squares.shape) > 1 else squares
        self.add_loss(self.options.embedding_l2 * replica_mean(total))


def _flat(embedded: Any) -> Any:
    """`(batch, width)`, places side by side."""
    return ops.reshape(embedded, (-1, math.prod(embedded.shape[1:])))
