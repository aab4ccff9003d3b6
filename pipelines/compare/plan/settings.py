"""Settings of a comparison: models, data and seeds."""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from pipelines.compare.fitters import fitter_of
from pipelines.compare.metrics.significance import Gain
from pipelines.search.halving import Halving
from pipelines.search.space import OPTIONS, TRAINING, check_names
from tfmtl.config import FieldError, require
from tfmtl.models.options.info import DEFAULT
from tfmtl.search_space import Dimension

SearchMethod: TypeAlias = Literal["halving", "bayesian", "random"]
"""Search method: successive halving of random draws, or Bayesian or random proposals, each trained on all rows."""
_COMPARISON_FIELDS = ("seed", "monitor")
"""Fields of the training settings that the comparison sets for all models and stages."""


@dataclasses.dataclass(frozen=True)
class ModelEntry:
    """One row of the table.

    Attributes:
        name: Name of a model that `tfmtl models` lists, `logistic_regression`, `lightgbm` or `last_week`; by default
            the name of the row.
        preset: Name of a preset of the model, such as one with the options of an experiment of its paper; by default
            that of the comparison. The options that all models share override it.
        options: Options of this model, which override those that all models share.
        training: Fields of the training settings that differ for this model.
        space: Hyper-parameters to search, by the name `options.<field>` or `training.<field>`; if empty, those that the
            model and the training declare, without those that the comparison fixes.
    """

    name: str = ""
    preset: str | None = None
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    training: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    space: Mapping[str, Dimension] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        check_names(self.space, "comparison")
        _require_absent(self.training, (*_COMPARISON_FIELDS, "warm_start"))


@dataclasses.dataclass(frozen=True)
class PaperTable:
    """Results that a paper prints, which the report shows after the table.

    Attributes:
        title: Title with paper, table and dataset.
        columns: Headings of the columns.
        rows: A number or string for each column, by model.
    """

    title: str
    columns: tuple[str, ...]
    rows: Mapping[str, tuple[float | str, ...]]

    def __post_init__(self) -> None:
        for model, cells in self.rows.items():
            require(len(cells) == len(self.columns), ("rows", model), f"{len(self.columns)} cells", list(cells))


@dataclasses.dataclass(frozen=True)
class Claim:
    """Claim that a row is better than others, or not worse by a margin, which the runs of the comparison test.

    Attributes:
        text: The claim in words, with its paper.
        row: Row of the table that is claimed to be better.
        over: Rows than which it is claimed to be better, each of them.
        output: Name of the output.
        metric: Name of the metric, a column of `results.csv`; by default the AUC, the NMAE of a
            count, or the Gini coefficient of a value.
        margin: If it is above 0, the claim is that the row is not worse than each of `over` by as much
            as this difference of the metric (non-inferiority).
    """

    text: str
    row: str
    over: tuple[str, ...]
    output: str
    metric: str | None = None
    margin: float = 0.0

    def __post_init__(self) -> None:
        require(bool(self.over) and self.row not in self.over, "over", "at least one other row", list(self.over))
        require(self.margin >= 0, "margin", "at least 0", self.margin)


@dataclasses.dataclass(frozen=True)
class CompareSettings:
    """Settings of one comparison.

    All models see the same rows in the same order, have the same embedding size (that of the base's model, unless
    `options` or the options of a model set another one), the same number of trials, and stop early by the same metric.

    Attributes:
        name: Name of the comparison.
        base: Path of the settings of an experiment, relative to this file. Its spec, data, simulator and training are
            used, and the embedding size of its model.
        models: Rows of the table by name.
        seeds: Seeds of initial weights, shuffling and dropout; each row has a run for each seed.
        reference: Row over which gains are computed.
        gain: Definition of the gain. `difference`: `m - r` (MAN, AdaFTR). `relative`: `(m - r) / r` (APEM for AUC, M2M
            for errors). `relaimpr`: `(m - 0.5) / (r - 0.5) - 1` of an AUC. A positive gain is always an improvement.
        baselines: Rows of which the best one with all seeds is the baseline; each of the other rows is tested against
            it.
        monitor: Metric on the eval split for early stopping and trials; by default that of the base.
        preset: Preset of the networks that name none; null for the defaults of their classes.
        trials: Number of settings that the search of each tunable row tries, the first of which are its settings as
            they are; 0 turns the search off.
        search: Search method. `halving`: successive halving of random draws (`halving`). `random`: random draws, each
            trained on all rows. `bayesian`: the same with proposals that depend on the results of the trials before.
        halving: Options of successive halving.
        fixed: Hyper-parameters that are not searched where a row has no `space` of its own.
        tuning_seed: Seed of the search and of the trials' trainings.
        finalists: Number of settings, those as they are and the best others on all rows, that are trained again with
            each of `finalist_seeds`.
        finalist_seeds: Seeds of these trainings, other than `tuning_seed` and `seeds`. If there are any, the settings
            with the best mean over `tuning_seed` and them are chosen; if not, those of the best trial.
        jobs: Number of runs at a time, each in its own process. With more than one, each run has one thread.
        options: Options of all networks.
        training: Fields of the training settings that differ from the base, for all models.
        simulator: Fields of the simulator's settings that differ from the base.
        papers: Results of papers; their titles name the dataset.
        claims: Claims of papers, which the report states to hold or not.
    """

    name: str
    base: str
    models: Mapping[str, ModelEntry]
    seeds: tuple[int, ...]
    reference: str
    gain: Gain = "relative"
    baselines: tuple[str, ...] = ()
    monitor: str | None = None
    preset: str | None = DEFAULT
    trials: int = 0
    search: SearchMethod = "halving"
    halving: Halving = dataclasses.field(default_factory=Halving)
    fixed: tuple[str, ...] = ("options.embedding_dim", "training.batch_size")
    tuning_seed: int = 0
    finalists: int = 3
    finalist_seeds: tuple[int, ...] = ()
    jobs: int = 1
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    training: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    simulator: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    papers: tuple[PaperTable, ...] = ()
    claims: tuple[Claim, ...] = ()

    def __post_init__(self) -> None:
        require(bool(self.models), "models", "at least one", dict(self.models))
        require(bool(self.seeds), "seeds", "at least one", list(self.seeds))
        for i, seed in enumerate(self.seeds):
            require(seed >= 0 and seed not in self.seeds[:i], ("seeds", i), "at least 0 and unique", seed)
        rows = ", ".join(self.models)
        require(self.reference in self.models, "reference", f"one of the models: {rows}", self.reference)
        for i, name in enumerate(self.baselines):
            require(name in self.models, ("baselines", i), f"one of the models: {rows}", name)
        for i, claim in enumerate(self.claims):
            require(claim.row in self.models, ("claims", i, "row"), f"one of the models: {rows}", claim.row)
            for j, name in enumerate(claim.over):
                require(name in self.models, ("claims", i, "over", j), f"one of the models: {rows}", name)
        require(self.trials >= 0, "trials", "at least 0", self.trials)
        require(self.finalists >= 2, "finalists", "at least 2", self.finalists)
        for i, seed in enumerate(self.finalist_seeds):
            used = (self.tuning_seed, *self.seeds, *self.finalist_seeds[:i])
            expected = "at least 0, unique, and neither tuning_seed nor one of seeds"
            require(seed >= 0 and seed not in used, ("finalist_seeds", i), expected, seed)
        require(self.jobs >= 1, "jobs", "at least 1", self.jobs)
        for i, name in enumerate(self.fixed):
            is_name = name.startswith((f"{OPTIONS}.", f"{TRAINING}."))
            require(is_name, ("fixed", i), f"{OPTIONS}.<field> or {TRAINING}.<field>", name)
        _require_absent(self.training, _COMPARISON_FIELDS)
        self._check_models()

    def _check_models(self) -> None:
        for name, entry in self.models.items():
            try:
                fitter = fitter_of(entry.name or name)
            except ValueError as error:
                path = ("models", name, "name") if entry.name else ("models", name)
                raise FieldError(path, f"should {str(error).partition(' should ')[2]}") from error
            path = ("models", name, "space")
            if not fitter.tunable:
                expected = "omitted, as the model has no hyper-parameters to search"
                require(not entry.space, path, expected, list(entry.space))

    @property
    def tested(self) -> tuple[str, ...]:
        """Rows that are tested against the best baseline."""
        return tuple(name for name in self.models if name not in self.baselines) if self.baselines else ()


def _require_absent(training: Mapping[str, Any], names: tuple[str, ...]) -> None:
    """Raises `FieldError` if the training settings, or those of their second stage, have one of these fields."""
    stage = training.get("fine_tuning")
    expected = "omitted, as the comparison sets it"
    for name in names:
        require(name not in training, ("training", name), expected, training.get(name))
        if isinstance(stage, Mapping):
            require(name not in stage, ("training", "fine_tuning", name), expected, stage.get(name))


def base_path(source: str | pathlib.Path, base: str) -> pathlib.Path:
    """Returns the path of the base's settings.

    Args:
        source: Path of the comparison's settings.
        base: Path of the base's settings, relative to the folder of `source`.
    """
    return pathlib.Path(source).parent / base
