"""Simulated world of panels: the mean daily count of an entity in a scenario, and the counts drawn from it."""

import dataclasses
import zlib

import numpy as np

from tfmtl.features import CategoricalFeature
from tfmtl.spec import DatasetSpec
from transforms.panels.simulator_options import PanelOptions
from transforms.simulation.draws import Draws, Tokens, draw_numbers, draw_tokens

CHUNK_ENTITIES = 256
LARGEST_RATE = 1e6
"""Largest mean of a daily count."""
_FACTORS = 3
"""Number of latent factors of an entity and of a scenario."""
_EFFORT_CORRELATION = 0.5
"""Correlation of an entity's effort in two successive periods."""
_WEEK = 7


@dataclasses.dataclass(frozen=True)
class Chunk:
    """Some entities with all their days.

    The days begin `PanelWorld.lead` periods before the first row, so that every row has a history.

    Attributes:
        first: Index of the first entity.
        profile: Values of the profile's features, by column.
        active: Mask of the scenarios in which an entity is active, `(entities, scenarios)`.
        start: Day on which an entity appears, `(entities,)`; 0 if it existed before the first day.
        recorded: Mask of the days with a record, `(entities, scenarios, days)`.
        rates: Mean of each day's count, `(entities, scenarios, days)`, by series.
        counts: Counts, `(entities, scenarios, days)`, by series; also of the days before `start`.
    """

    first: int
    profile: dict[str, Tokens | np.ndarray]
    active: np.ndarray
    start: np.ndarray
    recorded: np.ndarray
    rates: dict[str, np.ndarray]
    counts: dict[str, np.ndarray]


class PanelWorld:
    """Draws chunks of entities, each independent of the other chunks.

    The logarithm of the mean count of a day is a sum of the logarithm of the series' median; the size of the entity, of
    which its profile explains a part; the match of profile and scenario; growth; a weekly cycle; the entity's effort in
    the period; and its response to the effort in the previous period. Strength and direction of the response are a
    function of the scenario's attributes and the profile. Everything that a period's label depends on lies before the
    row's date, except the effort of its own period.

    Args:
        spec: Spec of the dataset.
        options: Options that fit the spec.

    Attributes:
        lead: Number of periods before the first row.
        days: Number of days, those of `lead` included.
    """

    def __init__(self, spec: DatasetSpec, options: PanelOptions):
        self.spec = spec
        self.options = options
        longest = max(getattr(spec.feature(name), "max_length", 0) for name in options.series)
        self.lead = -(-longest // options.horizon)
        self.days = (self.lead + options.periods) * options.horizon
        self._scenarios = self._scenario_factors()
        self._maps = {name: self._draw_maps(name) for name in options.series}

    def chunk(self, index: int) -> Chunk:
        """Draws `CHUNK_ENTITIES` entities.

        Args:
            index: Index of the chunk, from 0.
        """
        first = CHUNK_ENTITIES * index
        draws = Draws(self.options.seed, "entities", first, first + CHUNK_ENTITIES)
        profile = {name: self._draw_profile(draws, name) for name in self.options.profile}
        factors = self._profile_factors(profile)
        scores = draws.uniform("active", len(self._scenarios)) / self.options.reach
        active = (scores < 1) | (scores == scores.min(1, keepdims=True))
        is_newcomer = draws.uniform("late")[:, 0] < self.options.newcomers
        start = np.where(is_newcomer, (draws.uniform("start")[:, 0] * self.days).astype(np.int64), 0)
        generator = self._generator("days", index)
        shape = (CHUNK_ENTITIES, len(self._scenarios), self.days)
        recorded = generator.random(shape) >= self.options.missing_days
        recorded &= np.arange(self.days) >= start[:, None, None]
        log_rates = self._log_rates(generator, factors)
        rates = {name: np.exp(np.minimum(log_rate, np.log(LARGEST_RATE))) for name, log_rate in log_rates.items()}
        counts = {name: generator.poisson(rate) for name, rate in rates.items()}
        return Chunk(first, profile, active, start, recorded, rates, counts)

    def _log_rates(self, generator: np.random.Generator, factors: np.ndarray) -> dict[str, np.ndarray]:
        """Draws the logarithm of the mean counts by series, `(entities, scenarios, days)`."""
        options, scenarios = self.options, self._scenarios
        entities, count = len(factors), len(scenarios)
        periods = self.lead + options.periods
        size, growth = generator.standard_normal((entities, 1)), options.trend * generator.standard_normal(entities)
        own = generator.standard_normal((entities, count))
        effort = self._efforts(generator, entities, periods)
        previous_effort = np.concatenate([np.zeros((entities, count, 1)), effort[:, :, :-1]], axis=2)
        time = (np.arange(periods) - periods / 2)[None, None]
        log_rates = {}
        for name, series in options.series.items():
            maps = self._maps[name]
            level = 0.7 * size + 0.4 * (factors @ maps["size"])[:, None] + 0.3 * (scenarios @ maps["scenario"])
            level = level + 0.4 * (factors @ maps["match"] @ scenarios.T) + 0.3 * own
            direction = 0.5 + scenarios @ maps["response"] + 0.5 * (factors @ maps["profile_response"])[:, None]
            response = 1.5 * np.tanh(direction)
            change = series.effort * effort + series.response * response[:, :, None] * previous_effort
            by_period = series.sigma * level[:, :, None] + growth[:, None, None] * time + change
            by_day = np.repeat(by_period, options.horizon, axis=2)
            log_rates[name] = np.log(series.median) + by_day + self._season(maps)
        return log_rates

    def _efforts(self, generator: np.random.Generator, entities: int, periods: int) -> np.ndarray:
        """Draws standard normal efforts, `(entities, scenarios, periods)`.

        Half of the variance is common to all scenarios, and successive periods are correlated.
        """
        common = generator.standard_normal((entities, 1, periods))
        own = generator.standard_normal((entities, len(self._scenarios), periods))
        innovations: np.ndarray = np.sqrt(0.5) * (common + own)
        scale = np.sqrt(1 - _EFFORT_CORRELATION**2)
        effort = innovations.copy()
        for period in range(1, periods):
            effort[:, :, period] = _EFFORT_CORRELATION * effort[:, :, period - 1] + scale * innovations[:, :, period]
        return effort

    def _season(self, maps: dict[str, np.ndarray]) -> np.ndarray:
        """Computes the weekly cycle, whose phase depends on the scenario; `(1, scenarios, days)`."""
        angle = 2 * np.pi * np.arange(self.days) / _WEEK
        wave = np.stack([np.cos(angle), np.sin(angle)])
        season: np.ndarray = (self.options.season * np.tanh(self._scenarios @ maps["season"]) @ wave)[None]
        return season

    def _scenario_factors(self) -> np.ndarray:
        """Computes latent factors of variance 1 from the attributes of each scenario, `(scenarios, _FACTORS)`."""
        total = np.zeros((len(self.options.scenarios), _FACTORS))
        names = list(self.options.scenarios[0].attributes)
        for name in names:
            values = [scenario.attributes[name] for scenario in self.options.scenarios]
            if isinstance(self.spec.feature(name), CategoricalFeature):
                generators = [self._generator(f"scenario/{name}/{value}") for value in values]
                total += np.stack([generator.standard_normal(_FACTORS) for generator in generators])
            else:
                logs = np.log1p(np.abs(np.array(values, np.float64)))
                scaled = (logs - logs.mean()) / (logs.std() or 1.0)
                total += scaled[:, None] * self._generator(f"scenario/{name}").standard_normal(_FACTORS)
        factors: np.ndarray = total / np.sqrt(len(names))
        return factors

    def _draw_maps(self, name: str) -> dict[str, np.ndarray]:
        """Draws the maps from latent factors to a series; each maps standard normal factors to a variance of 1."""
        generator = self._generator(f"maps/{name}")
        shapes = {
            "size": (_FACTORS,),
            "scenario": (_FACTORS,),
            "match": (_FACTORS, _FACTORS),
            "response": (_FACTORS,),
            "profile_response": (_FACTORS,),
            "season": (_FACTORS, 2),
        }
        maps = {key: generator.standard_normal(shape) / np.sqrt(_FACTORS) for key, shape in shapes.items()}
        return {**maps, "match": maps["match"] / np.sqrt(_FACTORS)}

    def _draw_profile(self, draws: Draws, name: str) -> Tokens | np.ndarray:
        options = self.options.profile[name]
        if isinstance(self.spec.feature(name), CategoricalFeature):
            return draw_tokens(draws, name, options)
        return draw_numbers(draws, name, options, None)

    def _profile_factors(self, profile: dict[str, Tokens | np.ndarray]) -> np.ndarray:
        """Computes latent factors of variance 1 from the profile of each entity, `(entities, _FACTORS)`."""
        total = np.zeros((CHUNK_ENTITIES, _FACTORS))
        for name, values in profile.items():
            generator, options = self._generator(f"profile/{name}"), self.options.profile[name]
            if isinstance(values, Tokens):
                total += generator.standard_normal((options.size + 1, _FACTORS))[values.codes[:, 0]]
            else:
                logs = (np.log(np.maximum(values, 1e-9)) - np.log(options.median or 1.0)) / (options.sigma or 1.0)
                total += np.nan_to_num(np.clip(logs, -3, 3))[:, None] * generator.standard_normal(_FACTORS)
        factors: np.ndarray = total / np.sqrt(max(len(profile), 1))
        return factors

    def _generator(self, name: str, index: int = 0) -> np.random.Generator:
        return np.random.default_rng([self.options.seed, zlib.crc32(name.encode()), index])
