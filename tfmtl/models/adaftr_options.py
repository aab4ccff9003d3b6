"""Options of AdaFTR, and those of the model that it wraps."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

from tfmtl import config
from tfmtl.config import FieldError, require
from tfmtl.models.core.options import ModelOptions
from tfmtl.models.registry import MODELS
from tfmtl.spec import DatasetSpec


@dataclasses.dataclass(frozen=True)
class AdaFTROptions(ModelOptions):
    """Options of `AdaFTR`, besides those of every model, which hold for the backbone too, whatever its own defaults.

    Attributes:
        space: as for every model, but `conditional` by default: the paper's second task is the rate after a click.
        backbone: the model that is wrapped, by its name in the registry; one with a tower for each task.
        backbone_options: fields of that model's options, without those that every model has.
        anchor: the task with which each other binary task is contrasted (3.3.4); the first one by default.
        contrast: `info_nce` (13), `bpr` (7: one negative), `mse` or `mae` (5: none at all).
        contrast_layer: index of the towers' hidden layer that is contrasted.
        contrast_scope: which parameters the contrast changes. `towers`: the towers' up to the contrasted layer.
            `all`: those below the towers too.
        contrast_block: rows among which `info_nce` finds a row's negatives: the batch is cut into blocks of so many.
            All of the batch by default, as in (13), at a cost of batch^2; with 256 of 1024 it is a quarter of that.
        similarity: of the contrasted hiddens, `dot` as in the paper, or `cosine`; `mse` and `mae` take none.
        temperature: `adaptive` (12), `learned` (one parameter for all rows) or `fixed`; only `info_nce` has one.
        min_temperature: tau^L.
        max_temperature: tau^U.
        fixed_temperature: tau where it is `fixed`.
        relatedness_units: width of each hidden layer of the relatedness network, which the paper does not give.
        alpha: factor of the relatedness network's loss.
        beta: factor of the contrast.
    """

    space: Literal["entire", "conditional"] = "conditional"
    backbone: str = "mmoe"
    backbone_options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    anchor: str | None = None
    contrast: Literal["info_nce", "bpr", "mse", "mae"] = "info_nce"
    contrast_layer: int = 0
    contrast_scope: Literal["towers", "all"] = "towers"
    contrast_block: int | None = None
    similarity: Literal["dot", "cosine"] = "dot"
    temperature: Literal["adaptive", "learned", "fixed"] = "adaptive"
    min_temperature: float = 0.05
    max_temperature: float = 1.0
    fixed_temperature: float = 0.05
    relatedness_units: tuple[int, ...] = (64,)
    alpha: float = 1.0
    beta: float = 0.01

    def __post_init__(self):
        super().__post_init__()
        require(self.contrast_layer >= 0, "contrast_layer", "at least 0", self.contrast_layer)
        large = self.contrast_block is None or self.contrast_block >= 2
        require(large, "contrast_block", "at least 2", self.contrast_block)
        require(self.min_temperature > 0, "min_temperature", "above 0", self.min_temperature)
        expected = f"at least min_temperature, {self.min_temperature}"
        require(self.max_temperature >= self.min_temperature, "max_temperature", expected, self.max_temperature)
        require(self.fixed_temperature > 0, "fixed_temperature", "above 0", self.fixed_temperature)
        positive = all(width >= 1 for width in self.relatedness_units)
        require(positive, "relatedness_units", "positive", self.relatedness_units)
        require(self.alpha >= 0, "alpha", "at least 0", self.alpha)
        require(self.beta >= 0, "beta", "at least 0", self.beta)
        # Plain data, as a saved model's configuration holds it.
        object.__setattr__(self, "backbone_options", config.to_plain(self.backbone_options))
        self._check_backbone()

    @property
    def adaptive(self) -> bool:
        """Whether there is a relatedness network: only an adaptive temperature needs it."""
        return self.contrast == "info_nce" and self.temperature == "adaptive"

    def all_backbone_options(self) -> dict[str, Any]:
        """The backbone's options, those that every model has included; the wrapper itself weighs losses."""
        common = {field.name: getattr(self, field.name) for field in dataclasses.fields(ModelOptions)}
        return {**common, "weighting": "fixed", **self.backbone_options}

    def pairs(self, spec: DatasetSpec) -> tuple[tuple[str, str], ...]:
        """The anchor task and each other binary task.

        Raises:
            FieldError: if the anchor is none, or there is no other.
        """
        binary = [task.name for task in spec.tasks if task.kind == "binary"]
        require(self.anchor is None or self.anchor in binary, "anchor", "a binary task of the spec", self.anchor)
        require(len(binary) > 1, "anchor", "one of at least two binary tasks", self.anchor)
        anchor = self.anchor or binary[0]
        return tuple((anchor, task) for task in binary if task != anchor)

    def check_tasks(self, spec: DatasetSpec) -> None:
        super().check_tasks(spec)
        self.pairs(spec)
        try:
            self._built_backbone_options().check_tasks(spec)
        except FieldError as error:
            raise FieldError(("backbone_options", *error.path), error.message) from error

    def backbone_class(self) -> Any:
        """The class of the model that is wrapped. Raises `FieldError` if there is none of that name."""
        known = {name: model for name, model in MODELS.items() if model.options_class is not type(self)}
        require(self.backbone in known, "backbone", f"one of {', '.join(sorted(known))}", self.backbone)
        return known[self.backbone]

    def _check_backbone(self) -> None:
        for field in dataclasses.fields(ModelOptions):
            given = self.backbone_options.get(field.name)
            path = ("backbone_options", field.name)
            require(field.name not in self.backbone_options, path, "given beside `backbone`, not in it", given)
        self.backbone_class()
        try:
            self._built_backbone_options()
        except config.ConfigError as error:
            name, _, message = str(error).partition(": ")
            raise FieldError(("backbone_options", name), message) from error

    def _built_backbone_options(self) -> Any:
        return config.build(self.backbone_class().options_class, config.Document(self.all_backbone_options()))
