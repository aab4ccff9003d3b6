"""Options of M2M, and the roles of features that follow from them."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from tfmtl.config import require
from tfmtl.features import SEQUENCES
from tfmtl.models.options.base import ModelOptions, require_rate, require_widths
from tfmtl.models.options.dimensions import DROPOUT
from tfmtl.models.options.info import ModelInfo
from tfmtl.search_space import Choice, Space
from tfmtl.spec import DatasetSpec


@dataclasses.dataclass(frozen=True)
class M2MOptions(ModelOptions):
    """Options of `M2M`, in addition to those of `ModelOptions`.

    The defaults are those of the paper (sections 5.1.3 and 5.3.2), if it gives them.

    Attributes:
        scenario_group: Group of the spec with the attributes S of the scenario. If the spec has no such group, its
            `scenario` is the only attribute.
        profile_group: Group of the spec with the profile A of the advertiser, or of whatever a row describes. The spec
            may have no such group.
        sequence_groups: Groups of sequences of one length, each of which is encoded separately. Groups that the spec
            does not have are ignored.
        num_heads: Number of heads of the attention over days.
        position_dim: Width of the embedding of a day's position.
        sequence_residual: Whether the encoder has a residual connection; the paper mentions none.
        sequence_pooling: Conversion of the encoded days to one vector. "flatten" concatenates them, "mean" averages
            those that are present.
        num_views: Number k of experts; the paper gives none.
        view_units: Width of each layer of an expert.
        dropout: Dropout rate in the experts; the paper gives none.
        anchor_dim: Width of a task's embedding.
        anchor_units: Width of a task's anchor T_t.
        knowledge_units: Width of each layer of the scenario knowledge; the last width is its dimension d.
        meta_layers: Number K of layers of a meta unit.
        meta_rank: Rank of the matrices that a meta unit generates. None generates full matrices, as the paper does.
        meta_memory_mb: Memory in MB that the generated matrices take at a time. It does not change results.
        num_residuals: Number L of residual layers of a tower; the paper gives none.
        meta_tower: Whether the weights of the towers are generated. False is "without meta tower".
        meta_attention: Whether the weights of the attention are generated. False is "without meta attention".
        transformer: Whether days are encoded by attention. False is "without transformer layer".
        weight_decay: Factor of the weight decay over all weights outside the embedding table, `2 alpha` of equation 19.
            The embeddings of a batch are decayed by `embedding_l2`. The paper gives no alpha.

    Example:
        >>> from tfmtl.models import M2MOptions
        >>> M2MOptions(meta_rank=8).knowledge_units
        (64,)
    """

    search_space: ClassVar[Space] = {
        **ModelOptions.search_space,
        "num_views": Choice((2, 4, 8)),
        "view_units": Choice(((32,), (64,), (128,), (256,))),
        "knowledge_units": Choice(((16,), (32,), (64,))),
        "dropout": DROPOUT,
    }

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

    def __post_init__(self) -> None:
        super().__post_init__()
        counts = ("num_heads", "position_dim", "num_views", "anchor_dim", "anchor_units", "meta_layers")
        for name in (*counts, "num_residuals"):
            require(getattr(self, name) >= 1, name, "at least 1", getattr(self, name))
        require(self.meta_rank is None or self.meta_rank >= 1, "meta_rank", "at least 1, or null", self.meta_rank)
        require(self.meta_memory_mb > 0, "meta_memory_mb", "above 0", self.meta_memory_mb)
        require_rate("dropout", self.dropout)
        for name in ("view_units", "knowledge_units"):
            require_widths(name, getattr(self, name), minimum=1)

    def unpooled_sequences(self, spec: DatasetSpec) -> tuple[str, ...]:
        """Returns the names of the encoded sequences, and with `sequences="concat"` those of all others.

        Args:
            spec: Features of the dataset.
        """
        encoded = [name for members in encoded_sequences(spec, self).values() for name in members]
        return tuple(dict.fromkeys([*encoded, *super().unpooled_sequences(spec)]))

    def check_tasks(self, spec: DatasetSpec) -> None:
        """Checks that the options fit the features and tasks of a dataset.

        Args:
            spec: Features and tasks.

        Raises:
            FieldError: If an option names a task that the spec does not have, if the spec has no scenario or no feature
                besides it, or if a group of `sequence_groups` has other features than sequences of one length.
        """
        super().check_tasks(spec)
        known = ", ".join(spec.groups) or "it has none"
        expected = f"a group of the spec ({known}), which names no `scenario`"
        require(bool(scenario_attributes(spec, self)), "scenario_group", expected, self.scenario_group)
        for group in self.sequence_groups:
            members = spec.group(group) if group in spec.groups else ()
            are_sequences = all(isinstance(feature, SEQUENCES) for feature in members)
            lengths = {getattr(feature, "max_length", 0) for feature in members}
            expected = f"groups of sequences of one length ({', '.join(feature.name for feature in members)})"
            require(are_sequences and len(lengths) <= 1, "sequence_groups", expected, group)
        others = [feature.name for feature in spec.features if feature.name not in scenario_attributes(spec, self)]
        expected = "a group that does not contain all features"
        require(bool(others), "scenario_group", expected, self.scenario_group)


def scenario_attributes(spec: DatasetSpec, options: M2MOptions) -> tuple[str, ...]:
    """Returns the names of the features that are attributes of the scenario.

    Args:
        spec: Features, groups and scenario of the dataset.
        options: Options with the name of the group.
    """
    if options.scenario_group in spec.groups:
        return tuple(spec.groups[options.scenario_group])
    return (spec.scenario,) if spec.scenario else ()


def encoded_sequences(spec: DatasetSpec, options: M2MOptions) -> dict[str, tuple[str, ...]]:
    """Returns the names of the sequences in each group that is encoded, by group name.

    Args:
        spec: Groups of features of the dataset.
        options: Options with the names of the groups.
    """
    return {group: tuple(spec.groups[group]) for group in options.sequence_groups if group in spec.groups}


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "taobao": {},
    "taobao_without_meta_tower": {"meta_tower": False},
    "taobao_without_meta_attention": {"meta_attention": False},
    "taobao_without_transformer": {"transformer": False},
}

INFO = ModelInfo(
    name="m2m",
    class_name="M2M",
    module="tfmtl.models.m2m",
    options_class=M2MOptions,
    summary="Weights generated from the scenario",
    paper="Zhang et al., 2022, Leaving No One Behind (M2M, WSDM)",
    equations="1-20",
    presets=PRESETS,
    defaults={"view_units": [64], "anchor_units": 16, "knowledge_units": [16], "dropout": 0.1},
)
