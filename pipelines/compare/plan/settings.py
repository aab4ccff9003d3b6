"""Settings of a comparison: which models, on which data, with which seeds."""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

from pipelines.compare.fitters import fitter_of
from pipelines.compare.metrics.significance import Gain
from pipelines.compare.plan.search_space import TRAINING, Dimension, check_names
from tfmtl.config import FieldError, require

_OF_ALL = ("seed", "monitor")
"""Fields of the training settings that the comparison sets, of all models and stages alike."""


@dataclasses.dataclass(frozen=True)
class ModelEntry:
    """One row of the table.

    Attributes:
        name: a model as `tfmtl models` lists them, `lightgbm` or `last_week`; the row's name by default.
        preset: of the model: options of an experiment of its paper, below those that all models share.
        options: the model's own, over those that all models share.
        training: fields of the training settings that this model has otherwise.
        space: of the hyper-parameter search, by `options.<field>` or `training.<field>`.
    """

    name: str = ""
    preset: str | None = None
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    training: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    space: Mapping[str, Dimension] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        check_names(self.space)
        _check_shared(self.training, (*_OF_ALL, "warm_start"))
        for name in self.space:
            part, *_, field = name.split(".")
            shared = part == TRAINING and field in (*_OF_ALL, "warm_start")
            require(not shared, ("space", name), "left to the comparison", name)


@dataclasses.dataclass(frozen=True)
class PaperTable:
    """Figures that a paper prints, to stand beside the table.

    Attributes:
        title: paper, table and data set.
        columns: heads.
        rows: by model, a number or text for each column.
    """

    title: str
    columns: tuple[str, ...]
    rows: Mapping[str, tuple[float | str, ...]]

    def __post_init__(self):
        for model, cells in self.rows.items():
            require(len(cells) == len(self.columns), ("rows", model), f"{len(self.columns)} cells", list(cells))


@dataclasses.dataclass(frozen=True)
class Claim:
    """What a paper claims of a row, to be judged by the comparison's runs.

    Attributes:
        text: the claim in words, with its paper.
        row: of the table, which is to be better ...
        over: ... than each of these.
        output: on which.
        metric: by which: a column of the table's CSV; AUC, or NMAE of a count, by default.
    """

    text: str
    row: str
    over: tuple[str, ...]
    output: str
    metric: str | None = None

    def __post_init__(self):
        others = bool(self.over) and self.row not in self.over
        require(others, "over", "at least one other row", list(self.over))


@dataclasses.dataclass(frozen=True)
class CompareSettings:
    """One comparison.

    All models see the same rows in the same order, have the same embedding size (that of the base's model, unless
    `options` or the model's own say otherwise), the same number of trials, and stop early by the same metric.

    Attributes:
        name: of the comparison.
        base: the settings of an experiment, by a path from this file's folder: spec, data, simulator and training are
            taken from it, and the embedding size of its model.
        models: the rows of the table, by their names.
        seeds: of initial weights, shuffling and dropout; a run each.
        reference: the row over which gains are computed.
        gain: how. `difference`: `m - r`, as MAN and AdaFTR print it. `relative`: `(m - r) / r`, as APEM (AUC) and M2M
            (errors) do. `relaimpr`: `(m - 0.5) / (r - 0.5) - 1` of an AUC. The sign is such that above 0 is better.
        baselines: the rows among which the best one, of those that have all seeds, is tested against; the other rows
            are tested.
        monitor: the validation metric of early stopping and of trials; the base's by default.
        trials: how many settings each model's search draws; 0 searches nothing.
        tuning_seed: of the draws, and of the trials' trainings.
        options: of all models that are networks.
        training: fields of the training settings in which all models differ from the base.
        simulator: fields of the simulator's settings that are otherwise than the base's.
        papers: figures of papers; where they are of another data set, their titles say so.
        claims: of papers, each of which the result says whether it holds.
    """

    name: str
    base: str
    models: Mapping[str, ModelEntry]
    seeds: tuple[int, ...]
    reference: str
    gain: Gain = "relative"
    baselines: tuple[str, ...] = ()
    monitor: str | None = None
    trials: int = 0
    tuning_seed: int = 0
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    training: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    simulator: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    papers: tuple[PaperTable, ...] = ()
    claims: tuple[Claim, ...] = ()

    def __post_init__(self):
        require(bool(self.models), "models", "at least one", dict(self.models))
        require(bool(self.seeds), "seeds", "at least one", list(self.seeds))
        for i, seed in enumerate(self.seeds):
            require(seed >= 0 and seed not in self.seeds[:i], ("seeds", i), "at least 0, and named once", seed)
        rows = ", ".join(self.models)
        require(self.reference in self.models, "reference", f"one of the models: {rows}", self.reference)
        for i, name in enumerate(self.baselines):
            require(name in self.models, ("baselines", i), f"one of the models: {rows}", name)
        for i, claim in enumerate(self.claims):
            require(claim.row in self.models, ("claims", i, "row"), f"one of the models: {rows}", claim.row)
            for j, name in enumerate(claim.over):
                require(name in self.models, ("claims", i, "over", j), f"one of the models: {rows}", name)
        require(self.trials >= 0, "trials", "at least 0", self.trials)
        _check_shared(self.training, _OF_ALL)
        self._check_models()

    def _check_models(self) -> None:
        for name, entry in self.models.items():
            try:
                fitter = fitter_of(entry.name or name)
            except ValueError as error:
                path = ("models", name, "name") if entry.name else ("models", name)
                raise FieldError(path, str(error).removeprefix("model ")) from error
            if self.trials and fitter.tunable:
                path = ("models", name, "space")
                expected = "given where `trials` is above 0: each model has the same budget"
                require(bool(entry.space), path, expected, dict(entry.space))
            if not fitter.tunable:
                require(not entry.space, ("models", name, "space"), "left out, for it is not tuned", list(entry.space))

    @property
    def tested(self) -> tuple[str, ...]:
        """The rows that are tested against the best baseline."""
        return tuple(name for name in self.models if name not in self.baselines) if self.baselines else ()


def _check_shared(training: Mapping[str, Any], names: tuple[str, ...]) -> None:
    """Raises `FieldError` for one of these fields, in the training or in its second stage."""
    stage = training.get("fine_tuning")
    for name in names:
        require(name not in training, ("training", name), "left to the comparison", training.get(name))
        if isinstance(stage, Mapping):
            path = ("training", "fine_tuning", name)
            require(name not in stage, path, "left to the comparison", stage.get(name))


def path_of_base(source: str | pathlib.Path, base: str) -> pathlib.Path:
    """The base's settings file: a path from the folder of the comparison's own."""
    return pathlib.Path(source).parent / base
