"""Options of the simulator of panels: scenarios, profiles, series of daily counts, and tasks that sum them."""

import dataclasses
import datetime
from collections.abc import Mapping
from typing import Literal

from tfmtl.config import require
from tfmtl.features import CategoricalFeature, NumberSequenceFeature, NumericalFeature
from tfmtl.spec import DatasetSpec, TimeSplit
from transforms.batches.columns import raw_columns
from transforms.batches.dates import is_date
from transforms.simulation.feature_options import CONTEXT, FeatureOptions, check_feature_options
from transforms.simulation.options import check_task_names


@dataclasses.dataclass(frozen=True)
class PanelScenario:
    """A scenario in which entities, such as advertisers or shops, are active.

    Attributes:
        share: Share of the rows, relative to those of the other scenarios.
        attributes: Value of each attribute of the scenario, by its column: a string, or a number for a numerical
            feature.
    """

    share: float
    attributes: Mapping[str, str | float]

    def __post_init__(self) -> None:
        require(self.share > 0, "share", "above 0", self.share)
        require(bool(self.attributes), "attributes", "at least one", self.attributes)


@dataclasses.dataclass(frozen=True)
class PanelSeries:
    """Daily counts of an entity in a scenario, which have a Poisson distribution.

    Attributes:
        median: Median over entities and scenarios of the mean daily count.
        sigma: Standard deviation over entities and scenarios of the logarithm of that mean.
        effort: Change of the logarithm for one standard deviation of the entity's effort in the same period.
        response: Mean change of the logarithm for one standard deviation of the entity's effort in the previous period.
            Strength and direction of the response depend on the scenario and the profile.
    """

    median: float
    sigma: float = 1.0
    effort: float = 0.0
    response: float = 0.0

    def __post_init__(self) -> None:
        require(self.median > 0, "median", "above 0", self.median)
        for name in ("sigma", "effort", "response"):
            require(getattr(self, name) >= 0, name, "0 or more", getattr(self, name))


@dataclasses.dataclass(frozen=True)
class ScenarioParametersOptions:
    """Scenarios whose parameters are a function of their attributes, and one without training rows: the premise of M2M.

    Attributes:
        kind: Kind of the premise: `scenario_parameters`.
        strength: Strength from 0, with which all scenarios have the same level, weekly cycle and response to effort, to
            1, with which these are functions of the scenario's attributes other than its name. Means and standard
            deviations of the logarithms of the counts do not depend on it.
        unseen: Name of a scenario with rows in the test split only; null for none. It does not depend on the strength.
    """

    kind: Literal["scenario_parameters"] = "scenario_parameters"
    strength: float = 1.0
    unseen: str | None = None

    def __post_init__(self) -> None:
        require(0 <= self.strength <= 1, "strength", "from 0 to 1", self.strength)

    def check(self, spec: DatasetSpec, scenarios: tuple[PanelScenario, ...]) -> None:
        """Checks that the premise fits the spec and the scenarios.

        Args:
            spec: Spec of the dataset.
            scenarios: Scenarios of the panel.

        Raises:
            FieldError: If an option does not fit; the error has its path within `PanelOptions`.
        """
        attributes = [name for name in scenarios[0].attributes if name != spec.scenario]
        expected = "at least one besides the scenario's name"
        require(bool(attributes), ("scenarios", 0, "attributes"), expected, list(scenarios[0].attributes))
        if self.unseen is not None:
            path = ("premise", "unseen")
            require(isinstance(spec.split, TimeSplit), path, "null if the split is not by time", self.unseen)
            names = [scenario.attributes.get(str(spec.scenario)) for scenario in scenarios]
            expected = f"a scenario of which there are others: {', '.join(map(str, names))}"
            require(self.unseen in names and len(set(names)) > 1, path, expected, self.unseen)


@dataclasses.dataclass(frozen=True)
class PanelOptions:
    """Options of simulated panels. A row is an entity in a scenario on the first day of a period.

    Attributes:
        rows: Number of rows.
        scenarios: Scenarios in which entities are active.
        profile: Distribution of each feature of an entity's profile, by its column.
        series: Daily counts by column of a sequence of numbers, which holds the days before the row's date.
        tasks: Name of the series by name of the task, whose label is the sum of the series over the period that begins
            on the row's date.
        kind: Kind of the simulator: `panels`.
        seed: Seed of all random numbers.
        first_day: Date of the first row of an entity that existed from the beginning.
        periods: Largest number of rows of an entity in a scenario.
        horizon: Length of a period in days.
        scenarios_per_entity: Mean number of scenarios in which an entity is active.
        newcomers: Share of the entities whose first day is within the panel; the other ones existed before.
        missing_days: Share of the days without a record, which are absent in all series.
        season: Amplitude of the weekly cycle of the logarithm of a count; its phase depends on the scenario.
        trend: Standard deviation over entities of the growth of the logarithm in one period.
        premise: Dependence of the scenarios' parameters on their attributes, with a strength from 0 to 1; null for that
            of `transforms.panels.scenario_effects.ScenarioEffects`, which has none.
    """

    rows: int
    scenarios: tuple[PanelScenario, ...]
    profile: Mapping[str, FeatureOptions]
    series: Mapping[str, PanelSeries]
    tasks: Mapping[str, str]
    kind: Literal["panels"] = "panels"
    seed: int = 0
    first_day: str = "2026-01-05"
    periods: int = 20
    horizon: int = 7
    scenarios_per_entity: float = 1.6
    newcomers: float = 0.3
    missing_days: float = 0.02
    season: float = 0.3
    trend: float = 0.03
    premise: ScenarioParametersOptions | None = None

    def __post_init__(self) -> None:
        for name in ("rows", "periods", "horizon"):
            require(getattr(self, name) >= 1, name, "at least 1", getattr(self, name))
        for name in ("scenarios", "series", "tasks"):
            require(bool(getattr(self, name)), name, "at least one", getattr(self, name))
        for name in ("seed", "season", "trend"):
            require(getattr(self, name) >= 0, name, "0 or more", getattr(self, name))
        for name in ("newcomers", "missing_days"):
            require(0 <= getattr(self, name) < 1, name, "from 0 to below 1", getattr(self, name))
        require(is_date(self.first_day), "first_day", "a date such as 2026-01-05", self.first_day)
        self._check_parts()

    def _check_parts(self) -> None:
        names = tuple(self.scenarios[0].attributes)
        for i, scenario in enumerate(self.scenarios):
            same = tuple(scenario.attributes) == names
            expected = f"those of the first scenario, in their order: {', '.join(names)}"
            require(same, ("scenarios", i, "attributes"), expected, tuple(scenario.attributes))
        shares = [scenario.share for scenario in self.scenarios]
        highest = sum(shares) / max(shares)
        mean = self.scenarios_per_entity
        require(0 < mean <= highest, "scenarios_per_entity", f"above 0, at most {highest:.3g} with these shares", mean)
        for name, feature in self.profile.items():
            require(feature.entity == CONTEXT, ("profile", name, "entity"), "absent", feature.entity)
        for task, series in self.tasks.items():
            require(series in self.series, ("tasks", task), f"a series: {', '.join(self.series)}", series)

    @property
    def reach(self) -> tuple[float, ...]:
        """Share of the entities that are active in each scenario."""
        total = sum(scenario.share for scenario in self.scenarios)
        return tuple(self.scenarios_per_entity * scenario.share / total for scenario in self.scenarios)

    @property
    def dates(self) -> tuple[str, ...]:
        """Dates of the rows."""
        first = datetime.date.fromisoformat(self.first_day)
        days = (first + datetime.timedelta(self.horizon * period) for period in range(self.periods))
        return tuple(day.isoformat() for day in days)


def check_panel_options(spec: DatasetSpec, options: PanelOptions) -> None:
    """Checks that the options fit the spec.

    Args:
        spec: Spec of the dataset.
        options: Options of the simulator.

    Raises:
        FieldError: If an option does not fit; the error has its path within `PanelOptions`.
    """
    features = {feature.name: feature for feature in spec.features}
    sequences = [name for name, feature in features.items() if isinstance(feature, NumberSequenceFeature)]
    for name in options.series:
        require(name in sequences, ("series", name), f"a sequence of numbers: {', '.join(sequences)}", name)
    for name, value in options.scenarios[0].attributes.items():
        feature = features.get(name)
        path = ("scenarios", 0, "attributes", name)
        single = isinstance(feature, CategoricalFeature | NumericalFeature)
        require(single, path, "a categorical or numerical feature of the spec", name)
        kinds = {type(scenario.attributes[name]) for scenario in options.scenarios}
        expected, kind = ("a string", str) if isinstance(feature, CategoricalFeature) else ("a number", float)
        require(kinds == {kind}, path, f"{expected} in every scenario", value)
    for name, feature_options in options.profile.items():
        single = isinstance(features.get(name), CategoricalFeature | NumericalFeature)
        require(single, ("profile", name), "a categorical or numerical feature of the spec", name)
        check_feature_options(features[name], feature_options, ("profile", name))
    _check_columns(spec, options)
    if options.premise is not None:
        options.premise.check(spec, options.scenarios)
    for task in spec.tasks:
        require(task.kind == "count", ("tasks", task.name), "a task of kind count", task.kind)
    check_task_names(spec, options.tasks)


def _check_columns(spec: DatasetSpec, options: PanelOptions) -> None:
    """Checks that each column is drawn exactly once, or is the entity's id (`group_key`) or the date (of the split)."""
    drawn = [*options.scenarios[0].attributes, *options.profile, *options.series]
    for name in drawn:
        require(drawn.count(name) == 1, ("series", name), "drawn once", name)
    given = [*drawn, *spec.labels, *([spec.group_key] if spec.group_key else [])]
    if isinstance(spec.split, TimeSplit):
        given.append(spec.split.column)
        for name in ("eval_from", "test_from"):
            bound = getattr(spec.split, name)
            inside = isinstance(bound, str) and options.dates[0] < bound <= options.dates[-1]
            expected = f"such that the dates {options.dates[0]} .. {options.dates[-1]} include {name}"
            require(inside, "periods", expected, bound)
    for name in raw_columns(spec):
        require(name in given, ("profile", name), "given (or its column be in `scenarios` or `series`)", None)
