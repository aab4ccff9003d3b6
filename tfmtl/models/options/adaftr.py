"""Options of AdaFTR, and of the model that it wraps."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from tfmtl import config
from tfmtl.config import FieldError, require
from tfmtl.models.options.base import ModelOptions, require_widths
from tfmtl.models.options.info import ModelInfo
from tfmtl.models.registry import MODELS
from tfmtl.search_space import Choice, Dimension, Range, Space
from tfmtl.spec import DatasetSpec


@dataclasses.dataclass(frozen=True)
class AdaFTROptions(ModelOptions):
    """Options of `AdaFTR`, in addition to those of `ModelOptions`.

    The options of `ModelOptions` hold for the backbone too, whatever the defaults of its own options are.

    Attributes:
        space: Rows on which the head of a task that follows another is trained. The default is "conditional", because
            the second task of the paper is the rate after a click.
        backbone: Name in the registry of the model that is wrapped. It has a tower for each task.
        backbone_options: Options of the backbone that are not options of every model.
        anchor: Name of the task that is contrasted with each other binary task (section 3.3.4). Defaults to the first
            binary task.
        contrast: Contrastive loss. "info_nce": equation 13. "bpr": equation 7, with one negative. "mse" and "mae":
            equation 5, without negatives.
        contrast_layer: Index of the hidden layer of the towers that is contrasted.
        contrast_scope: Parameters that the contrast trains. "towers": those of the towers up to the contrasted layer.
            "all": those below the towers too.
        contrast_block: Number of consecutive rows that serve as each other's negatives in "info_nce". Defaults to the
            whole batch as in equation 13, at a cost of batch^2; 256 of 1024 rows cost a quarter of that.
        contrast_reduction: Reduction of the contrastive loss over the rows of a batch: "mean", or "sum" as in equation
            13. With the sum, the best beta depends on the batch size.
        similarity: Similarity of the contrasted layers: "dot" as in the paper, or "cosine". "mse" and "mae" use none.
        temperature: Temperature of "info_nce". "adaptive": equation 12. "learned": one trained value for all rows.
            "fixed": `fixed_temperature`.
        min_temperature: Lower bound tau^L of the temperature.
        max_temperature: Upper bound tau^U of the temperature.
        fixed_temperature: Temperature tau if `temperature` is "fixed".
        relatedness_units: Width of each hidden layer of the relatedness network; the paper gives none.
        alpha: Factor of the loss of the relatedness network.
        beta: Factor of the contrastive loss.

    Example:
        >>> from tfmtl.models import AdaFTROptions
        >>> AdaFTROptions(backbone="ple", backbone_options={"num_shared": 1}).space
        'conditional'
    """

    search_space: ClassVar[Space] = {
        **ModelOptions.search_space,
        "beta": Range(1e-2, 30.0, log=True, digits=2),
        "contrast_scope": Choice(("towers", "all")),
    }

    space: Literal["entire", "conditional"] = "conditional"
    backbone: str = "mmoe"
    backbone_options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    anchor: str | None = None
    contrast: Literal["info_nce", "bpr", "mse", "mae"] = "info_nce"
    contrast_layer: int = 0
    contrast_scope: Literal["towers", "all"] = "towers"
    contrast_block: int | None = None
    contrast_reduction: Literal["mean", "sum"] = "mean"
    similarity: Literal["dot", "cosine"] = "dot"
    temperature: Literal["adaptive", "learned", "fixed"] = "adaptive"
    min_temperature: float = 0.05
    max_temperature: float = 1.0
    fixed_temperature: float = 0.05
    relatedness_units: tuple[int, ...] = (64,)
    alpha: float = 1.0
    beta: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.contrast_layer >= 0, "contrast_layer", "at least 0", self.contrast_layer)
        is_large_enough = self.contrast_block is None or self.contrast_block >= 2
        require(is_large_enough, "contrast_block", "at least 2", self.contrast_block)
        require(self.min_temperature > 0, "min_temperature", "above 0", self.min_temperature)
        expected = f"at least min_temperature, {self.min_temperature}"
        require(self.max_temperature >= self.min_temperature, "max_temperature", expected, self.max_temperature)
        require(self.fixed_temperature > 0, "fixed_temperature", "above 0", self.fixed_temperature)
        require_widths("relatedness_units", self.relatedness_units)
        require(self.alpha >= 0, "alpha", "at least 0", self.alpha)
        require(self.beta >= 0, "beta", "at least 0", self.beta)
        # Plain data, as in the configuration of a saved model.
        object.__setattr__(self, "backbone_options", config.to_plain(self.backbone_options))
        self._check_backbone()

    @property
    def adaptive(self) -> bool:
        """True if the temperature is adaptive, which requires a relatedness network."""
        return self.contrast == "info_nce" and self.temperature == "adaptive"

    def all_backbone_options(self) -> dict[str, Any]:
        """Returns all options of the backbone. `weighting` is "fixed", because the wrapper combines the losses."""
        common = {field.name: getattr(self, field.name) for field in dataclasses.fields(ModelOptions)}
        return {**common, "weighting": "fixed", **self.backbone_options}

    def declared_space(self) -> dict[str, Dimension]:
        """Returns the hyper-parameters that a search varies by default: those of the wrapper and of the backbone."""
        space = super().declared_space()
        for name, dimension in self._built_backbone_options().declared_space().items():
            if name not in ModelOptions.search_space:
                space[f"backbone_options.{name}"] = dimension
        return space

    def pairs(self, spec: DatasetSpec) -> tuple[tuple[str, str], ...]:
        """Returns the pairs of the anchor task and each other binary task.

        Args:
            spec: Tasks of the dataset.

        Raises:
            FieldError: If the anchor is not a binary task, or the only one.
        """
        binary = [task.name for task in spec.tasks if task.kind == "binary"]
        require(self.anchor is None or self.anchor in binary, "anchor", "a binary task of the spec", self.anchor)
        require(len(binary) > 1, "anchor", "one of at least two binary tasks", self.anchor)
        anchor = self.anchor or binary[0]
        return tuple((anchor, task) for task in binary if task != anchor)

    def check_tasks(self, spec: DatasetSpec) -> None:
        """Checks that the options, and those of the backbone, fit the features and tasks of a dataset.

        Args:
            spec: Features and tasks.

        Raises:
            FieldError: If an option names a task that the spec does not have, or a task of a wrong kind.
        """
        super().check_tasks(spec)
        self.pairs(spec)
        try:
            self._built_backbone_options().check_tasks(spec)
        except FieldError as error:
            raise FieldError(("backbone_options", *error.path), error.message) from error

    def backbone_info(self) -> ModelInfo:
        """Returns the description of the model that is wrapped.

        Raises:
            FieldError: If no model has this name.
        """
        known = [name for name in MODELS if MODELS.info(name).options_class is not type(self)]
        require(self.backbone in known, "backbone", f"one of {', '.join(sorted(known))}", self.backbone)
        return MODELS.info(self.backbone)

    def _check_backbone(self) -> None:
        names = [field.name for field in dataclasses.fields(ModelOptions)]
        for name in (*names, *ModelOptions.renamed_fields):
            expected = "an option of AdaFTR, given next to `backbone`"
            given = self.backbone_options.get(name)
            require(name not in self.backbone_options, ("backbone_options", name), expected, given)
        self.backbone_info()
        try:
            self._built_backbone_options()
        except config.ConfigError as error:
            name, _, message = str(error).partition(": ")
            raise FieldError(("backbone_options", name), message) from error

    def _built_backbone_options(self) -> ModelOptions:
        options_class = self.backbone_info().options_class
        options: ModelOptions = config.build(options_class, config.Document(self.all_backbone_options()))
        return options


# The paper gives the number of experts, not their size: one layer, as wide as the first layer of the tower.
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "ali_ccp": {
        "embedding_dim": 8,
        "backbone": "mmoe",
        "backbone_options": {"num_experts": 3, "expert_units": [64], "tower_units": [64, 32, 16]},
    },
    "ecomm_ads": {
        "embedding_dim": 8,
        "backbone": "mmoe",
        "backbone_options": {"num_experts": 3, "expert_units": [128], "tower_units": [128, 64, 32]},
    },
    "ecomm_ads_shared_bottom": {  # This backbone and the next are those of Table 6.
        "embedding_dim": 8,
        "backbone": "shared_bottom",
        "backbone_options": {"bottom_units": [128], "tower_units": [64, 32]},
    },
    "ecomm_ads_ple": {
        "embedding_dim": 8,
        "backbone": "ple",
        "backbone_options": {
            "num_shared": 1,
            "num_per_task": 1,
            "expert_units": [128],
            "tower_units": [128, 64, 32],
        },
    },
}

INFO = ModelInfo(
    name="adaftr",
    class_name="AdaFTR",
    module="tfmtl.models.adaftr",
    options_class=AdaFTROptions,
    summary="Contrastive loss between the towers",
    paper="Lin et al., 2023, AdaFTR (KDD)",
    equations="5-14, Algorithm 1",
    presets=PRESETS,
    defaults={
        "backbone": "mmoe",
        "backbone_options": {"num_experts": 4, "expert_units": [64], "tower_units": [64, 32], "dropout": 0.3},
    },
)
