"""The simulated world of panels: how many counts an entity has in a scenario on a day, on average."""

import dataclasses
import zlib

import numpy as np

from tfmtl.features import CategoricalFeature
from tfmtl.spec import DatasetSpec
from transforms.panels.simulator_options import PanelOptions
from transforms.simulation.draws import Draws, Tokens, draw_numbers, draw_tokens

CHUNK_ENTITIES = 256
LARGEST_RATE = 1e6
_TASTES = 3
_CARRIED = 0.5  # Of one period's effort in the next one's.
_WEEK = 7


@dataclasses.dataclass(frozen=True)
class Chunk:
    """Some entities, with all their days.

    The days begin `lead` periods before the first row, so that every row has a history.

    Attributes:
        first: index of the first entity.
        profile: values of the profile's features, by column.
        active: whether an entity is in a scenario, `(entities, scenarios)`.
        start: the day on which an entity appears; 0 where it was always there; `(entities,)`.
        recorded: whether a day was recorded, `(entities, scenarios, days)`.
        rates: by series, the mean of a day's count, `(entities, scenarios, days)`.
        counts: by series, the counts; of the days before `start` too.
    """

    first: int
    profile: dict[str, Tokens | np.ndarray]
    active: np.ndarray
    start: np.ndarray
    recorded: np.ndarray
    rates: dict[str, np.ndarray]
    counts: dict[str, np.ndarray]


class PanelWorld:
    """Draws chunks of entities; a chunk does not depend on the others.

    The mean count of a day is the exponential of a sum: the series' median; how large the entity is, which its profile
    tells in part, and how well profile and scenario suit each other; growth; a season of the week; the entity's effort
    of the period, and its *response* to the effort of the period before. How strong the response is, and in which
    direction it goes, is a function of the scenario's attributes and of the profile. Everything that a task's period
    depends on, but for `effort` of its own series, lies before the row's date.

    Args:
        spec: of the data set.
        options: that fit it.
    """

    def __init__(self, spec: DatasetSpec, options: PanelOptions):
        self.spec = spec
        self.options = options
        longest = max(getattr(spec.feature(name), "max_length", 0) for name in options.series)
        self.lead = -(-longest // options.horizon)
        self.days = (self.lead + options.periods) * options.horizon
        self._scenarios = self._describe_scenarios()
        self._maps = {name: self._draw_maps(name) for name in options.series}

    def chunk(self, index: int) -> Chunk:
        """The entities `CHUNK_ENTITIES * index` and those after it."""
        first = CHUNK_ENTITIES * index
        draws = Draws(self.options.seed, "entities", first, first + CHUNK_ENTITIES)
        profile = {name: self._draw_profile(draws, name) for name in self.options.profile}
        tastes = self._tastes(profile)
        scores = draws.uniform("active", len(self._scenarios)) / self.options.reach
        active = (scores < 1) | (scores == scores.min(1, keepdims=True))
        late = draws.uniform("late")[:, 0] < self.options.newcomers
        start = np.where(late, (draws.uniform("start")[:, 0] * self.days).astype(np.int64), 0)
        generator = self._generator("days", index)
        shape = (CHUNK_ENTITIES, len(self._scenarios), self.days)
        recorded = generator.random(shape) >= self.options.missing_days
        recorded &= np.arange(self.days) >= start[:, None, None]
        logs = self._log_rates(generator, tastes)
        rates = {name: np.exp(np.minimum(log, np.log(LARGEST_RATE))) for name, log in logs.items()}
        counts = {name: generator.poisson(rate) for name, rate in rates.items()}
        return Chunk(first, profile, active, start, recorded, rates, counts)

    def _log_rates(self, generator: np.random.Generator, tastes: np.ndarray) -> dict[str, np.ndarray]:
        """By series, `(entities, scenarios, days)`."""
        options, scenarios = self.options, self._scenarios
        entities, count = len(tastes), len(scenarios)
        periods = self.lead + options.periods
        size, growth = generator.standard_normal((entities, 1)), options.trend * generator.standard_normal(entities)
        own = generator.standard_normal((entities, count))
        effort = self._efforts(generator, entities, periods)
        before = np.concatenate([np.zeros((entities, count, 1)), effort[:, :, :-1]], axis=2)
        time = (np.arange(periods) - periods / 2)[None, None]
        logs = {}
        for name, series in options.series.items():
            maps = self._maps[name]
            level = 0.7 * size + 0.4 * (tastes @ maps["size"])[:, None] + 0.3 * (scenarios @ maps["scenario"])
            level = level + 0.4 * (tastes @ maps["match"] @ scenarios.T) + 0.3 * own
            direction = 0.5 + scenarios @ maps["response"] + 0.5 * (tastes @ maps["taste_response"])[:, None]
            response = 1.5 * np.tanh(direction)
            moved = series.effort * effort + series.response * response[:, :, None] * before
            by_period = series.sigma * level[:, :, None] + growth[:, None, None] * time + moved
            logs[name] = np.log(series.median) + np.repeat(by_period, options.horizon, axis=2) + self._season(maps)
        return logs

    def _efforts(self, generator: np.random.Generator, entities: int, periods: int) -> np.ndarray:
        """Standard normal, half of it the same in all scenarios, and carried on from period to period."""
        common = generator.standard_normal((entities, 1, periods))
        own = generator.standard_normal((entities, len(self._scenarios), periods))
        news = np.sqrt(0.5) * (common + own)
        effort = news.copy()
        for period in range(1, periods):
            effort[:, :, period] = _CARRIED * effort[:, :, period - 1] + np.sqrt(1 - _CARRIED**2) * news[:, :, period]
        return effort

    def _season(self, maps: dict[str, np.ndarray]) -> np.ndarray:
        """`(1, scenarios, days)`; when the week has its peak depends on the scenario."""
        angle = 2 * np.pi * np.arange(self.days) / _WEEK
        wave = np.stack([np.cos(angle), np.sin(angle)])
        return (self.options.season * np.tanh(self._scenarios @ maps["season"]) @ wave)[None]

    def _describe_scenarios(self) -> np.ndarray:
        """What the attributes say of each scenario, by taste, of variance about 1; `(scenarios, _TASTES)`."""
        total = np.zeros((len(self.options.scenarios), _TASTES))
        names = list(self.options.scenarios[0].attributes)
        for name in names:
            values = [scenario.attributes[name] for scenario in self.options.scenarios]
            if isinstance(self.spec.feature(name), CategoricalFeature):
                generators = [self._generator(f"scenario/{name}/{value}") for value in values]
                total += np.stack([generator.standard_normal(_TASTES) for generator in generators])
            else:
                logs = np.log1p(np.abs(np.array(values, np.float64)))
                scaled = (logs - logs.mean()) / (logs.std() or 1.0)
                total += scaled[:, None] * self._generator(f"scenario/{name}").standard_normal(_TASTES)
        return total / np.sqrt(len(names))

    def _draw_maps(self, name: str) -> dict[str, np.ndarray]:
        """How a series depends on tastes and scenarios; each map of a standard normal vector has variance about 1."""
        generator = self._generator(f"maps/{name}")
        shapes = {
            "size": (_TASTES,),
            "scenario": (_TASTES,),
            "match": (_TASTES, _TASTES),
            "response": (_TASTES,),
            "taste_response": (_TASTES,),
            "season": (_TASTES, 2),
        }
        maps = {key: generator.standard_normal(shape) / np.sqrt(_TASTES) for key, shape in shapes.items()}
        return {**maps, "match": maps["match"] / np.sqrt(_TASTES)}

    def _draw_profile(self, draws: Draws, name: str) -> Tokens | np.ndarray:
        options = self.options.profile[name]
        if isinstance(self.spec.feature(name), CategoricalFeature):
            return draw_tokens(draws, name, options)
        return draw_numbers(draws, name, options, None)

    def _tastes(self, profile: dict[str, Tokens | np.ndarray]) -> np.ndarray:
        """What the profile says of an entity, of variance about 1; `(entities, _TASTES)`."""
        total = np.zeros((CHUNK_ENTITIES, _TASTES))
        for name, values in profile.items():
            generator, options = self._generator(f"profile/{name}"), self.options.profile[name]
            if isinstance(values, Tokens):
                total += generator.standard_normal((options.size + 1, _TASTES))[values.codes[:, 0]]
            else:
                logs = (np.log(np.maximum(values, 1e-9)) - np.log(options.median or 1.0)) / (options.sigma or 1.0)
                total += np.nan_to_num(np.clip(logs, -3, 3))[:, None] * generator.standard_normal(_TASTES)
        return total / np.sqrt(max(len(profile), 1))

    def _generator(self, name: str, index: int = 0) -> np.random.Generator:
        return np.random.default_rng([self.options.seed, zlib.crc32(name.encode()), index])
