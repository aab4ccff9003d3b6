"""What the simulator of panels is told: scenarios, profiles, series of daily counts, and the tasks' sums of them."""

import dataclasses
import datetime
from collections.abc import Mapping
from typing import Literal

from tfmtl.config import require
from tfmtl.features import CategoricalFeature, NumberSequenceFeature, NumericalFeature
from tfmtl.spec import DatasetSpec, TimeSplit
from transforms.simulation.options import CONTEXT, FeatureOptions
from transforms.validation.validate import raw_columns


@dataclasses.dataclass(frozen=True)
class PanelScenario:
    """A scenario in which entities (advertisers, shops) are active.

    Attributes:
        share: of the rows; shares are divided by their sum.
        attributes: the value of each attribute of scenarios, by its column: a text, or a number of a numerical feature.
    """

    share: float
    attributes: Mapping[str, str | float]

    def __post_init__(self):
        require(self.share > 0, "share", "above 0", self.share)
        require(bool(self.attributes), "attributes", "at least one", self.attributes)


@dataclasses.dataclass(frozen=True)
class PanelSeries:
    """Daily Poisson counts of an entity in a scenario.

    Attributes:
        median: mean count a day of a typical entity.
        sigma: standard deviation of the logarithm of that mean over entities and scenarios.
        effort: how much the logarithm moves with one standard deviation of the entity's effort in the same period.
        response: how much it moves with that of the period before, on average over what differs: how strongly, and in
            which direction, depends on the scenario and on the profile.
    """

    median: float
    sigma: float = 1.0
    effort: float = 0.0
    response: float = 0.0

    def __post_init__(self):
        require(self.median > 0, "median", "above 0", self.median)
        for name in ("sigma", "effort", "response"):
            require(getattr(self, name) >= 0, name, "0 or more", getattr(self, name))


@dataclasses.dataclass(frozen=True)
class PanelOptions:
    """The world of simulated panels: a row is an entity in a scenario on the first day of a period.

    Attributes:
        rows: how many rows are written.
        scenarios: where entities are active.
        profile: by column: how each feature of the profile is drawn, once for each entity.
        series: by column, a sequence of numbers: the counts of the days before the row's date.
        tasks: by the name of a task, the series whose counts are summed over the period that begins on the row's date.
        kind: of the simulator: panels.
        seed: another seed, another world.
        first_day: date of the first row of an entity that was always there.
        periods: how many rows, at most, an entity has in a scenario.
        horizon: days of a period.
        scenarios_per_entity: in how many scenarios an entity is active, on average.
        newcomers: share of the entities whose first day lies within the panel; all others were there before it.
        missing_days: share of the days that were not recorded; they are absent in all series.
        season: how far counts swing in a week, as a logarithm; when they do depends on the scenario.
        trend: standard deviation over entities of the growth in a period, as a logarithm.
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

    def __post_init__(self):
        for name in ("rows", "periods", "horizon"):
            require(getattr(self, name) >= 1, name, "at least 1", getattr(self, name))
        for name in ("scenarios", "series", "tasks"):
            require(bool(getattr(self, name)), name, "at least one", getattr(self, name))
        for name in ("seed", "season", "trend"):
            require(getattr(self, name) >= 0, name, "0 or more", getattr(self, name))
        for name in ("newcomers", "missing_days"):
            require(0 <= getattr(self, name) < 1, name, "from 0 to below 1", getattr(self, name))
        require(_is_date(self.first_day), "first_day", "a date such as 2026-01-05", self.first_day)
        self._check_parts()

    def _check_parts(self) -> None:
        names = tuple(self.scenarios[0].attributes)
        for i, scenario in enumerate(self.scenarios):
            same = tuple(scenario.attributes) == names
            expected = f"those of the first scenario, in their order: {', '.join(names)}"
            require(same, ("scenarios", i, "attributes"), expected, tuple(scenario.attributes))
        shares = [scenario.share for scenario in self.scenarios]
        highest = sum(shares) / max(shares)
        most = self.scenarios_per_entity
        require(0 < most <= highest, "scenarios_per_entity", f"above 0, at most {highest:.3g} with these shares", most)
        for name, feature in self.profile.items():
            require(feature.entity == CONTEXT, ("profile", name, "entity"), "left out", feature.entity)
        for task, series in self.tasks.items():
            require(series in self.series, ("tasks", task), f"a series: {', '.join(self.series)}", series)

    @property
    def reach(self) -> tuple[float, ...]:
        """The share of the entities that are active in each scenario."""
        total = sum(scenario.share for scenario in self.scenarios)
        return tuple(self.scenarios_per_entity * scenario.share / total for scenario in self.scenarios)

    @property
    def dates(self) -> tuple[str, ...]:
        """The dates of the rows."""
        first = datetime.date.fromisoformat(self.first_day)
        days = (first + datetime.timedelta(self.horizon * period) for period in range(self.periods))
        return tuple(day.isoformat() for day in days)


def check_panel_options(spec: DatasetSpec, options: PanelOptions) -> None:
    """Checks that the options fit the spec.

    Raises:
        FieldError: naming the option that does not, with its path below `PanelOptions`.
    """
    features = {feature.name: feature for feature in spec.features}
    for name in options.series:
        known = [one for one, feature in features.items() if isinstance(feature, NumberSequenceFeature)]
        require(name in known, ("series", name), f"a sequence of numbers: {', '.join(known)}", name)
    for name, value in options.scenarios[0].attributes.items():
        feature = features.get(name)
        path = ("scenarios", 0, "attributes", name)
        single = isinstance(feature, CategoricalFeature | NumericalFeature)
        require(single, path, "a categorical or numerical feature of the spec", name)
        kinds = {type(scenario.attributes[name]) for scenario in options.scenarios}
        expected = "a text" if isinstance(feature, CategoricalFeature) else "a number"
        require(kinds == {str if expected == "a text" else float}, path, f"{expected} in every scenario", value)
    for name, feature_options in options.profile.items():
        _check_profile(name, features.get(name), feature_options)
    _check_columns(spec, options)
    names = [task.name for task in spec.tasks]
    for task in spec.tasks:
        require(task.kind == "count", ("tasks", task.name), "a task of kind count", task.kind)
        require(task.name in options.tasks, ("tasks", task.name), "given", None)
    for name in options.tasks:
        require(name in names, ("tasks", name), f"one of {', '.join(names)}", name)


def _check_profile(name: str, feature: object, options: FeatureOptions) -> None:
    path = ("profile", name)
    single = isinstance(feature, CategoricalFeature | NumericalFeature)
    require(single, path, "a categorical or numerical feature of the spec", name)
    if isinstance(feature, NumericalFeature):
        require(options.median is not None, (*path, "median"), "given for a number", options.median)
    else:
        require(options.size >= 2, (*path, "cardinality"), "given, or `values`, at least 2", options.size)
    require(options.length is None, (*path, "length"), "left out, as this is no list", options.length)
    required = getattr(feature, "required", False)
    require(not (required and options.missing), (*path, "missing"), "0 for a required feature", options.missing)


def _check_columns(spec: DatasetSpec, options: PanelOptions) -> None:
    """Each column is drawn by one of the options, is the entity's id (`group_key`), or the date (of a time split)."""
    drawn = [*options.scenarios[0].attributes, *options.profile, *options.series]
    for name in drawn:
        require(drawn.count(name) == 1, ("series", name), "drawn once", name)
    given = [*drawn, *spec.labels, *([spec.group_key] if spec.group_key else [])]
    if isinstance(spec.split, TimeSplit):
        given.append(spec.split.column)
        for name in ("eval_from", "test_from"):
            bound = getattr(spec.split, name)
            inside = isinstance(bound, str) and options.dates[0] < bound <= options.dates[-1]
            require(inside, "periods", f"such that {options.dates[0]} .. {options.dates[-1]} holds {name}", bound)
    for name in raw_columns(spec):
        require(name in given, ("profile", name), "given, or the column be in `scenarios` or `series`", None)


def _is_date(text: str) -> bool:
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return True
