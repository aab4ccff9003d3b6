"""Simulated world of panels: the mean daily count of an entity in a scenario, and the counts drawn from it."""

import dataclasses

import numpy as np

from tfmtl.features import CategoricalFeature
from tfmtl.spec import DatasetSpec
from transforms.panels.scenario_effects import FACTORS, ScenarioEffects, generator
from transforms.panels.scenario_premise import Calibration, PremiseEffects, make_effects
from transforms.panels.simulator_options import PanelOptions
from transforms.simulation.draws import Draws, Tokens, draw_numbers, draw_tokens

CHUNK_ENTITIES = 256
LARGEST_RATE = 1e6
"""Largest mean of a daily count."""
_EFFORT_CORRELATION = 0.5
"""Correlation of an entity's effort in two successive periods."""
_SAMPLE_CHUNKS = 2
"""Number of chunks on which the rates with a premise are calibrated."""


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
    row's date, except the effort of its own period. A premise (`transforms.panels.scenario_premise`) replaces the
    effects of the scenarios.

    Args:
        spec: Spec of the dataset.
        options: Options that fit the spec.

    Attributes:
        lead: Number of periods before the first row.
        days: Number of days, those of `lead` included.
        effects: Effects of the scenarios.
    """

    def __init__(self, spec: DatasetSpec, options: PanelOptions):
        self.spec = spec
        self.options = options
        longest = max(getattr(spec.feature(name), "max_length", 0) for name in options.series)
        self.lead = -(-longest // options.horizon)
        self.days = (self.lead + options.periods) * options.horizon
        self.effects = make_effects(spec, options)
        self._calibrations = self._calibrate()

    def chunk(self, index: int) -> Chunk:
        """Draws `CHUNK_ENTITIES` entities.

        Args:
            index: Index of the chunk, from 0.
        """
        first = CHUNK_ENTITIES * index
        draws = Draws(self.options.seed, "entities", first, first + CHUNK_ENTITIES)
        profile = {name: self._draw_profile(draws, name) for name in self.options.profile}
        factors = self._profile_factors(profile, CHUNK_ENTITIES)
        scores = draws.uniform("active", len(self.options.scenarios)) / self.options.reach
        active = (scores < 1) | (scores == scores.min(1, keepdims=True))
        is_newcomer = draws.uniform("late")[:, 0] < self.options.newcomers
        start = np.where(is_newcomer, (draws.uniform("start")[:, 0] * self.days).astype(np.int64), 0)
        drawn = generator(self.options.seed, "days", index)
        shape = (CHUNK_ENTITIES, len(self.options.scenarios), self.days)
        recorded = drawn.random(shape) >= self.options.missing_days
        recorded &= np.arange(self.days) >= start[:, None, None]
        log_rates = self._log_rates(drawn, factors, self.effects)
        log_rates = {name: self._calibrations[name].apply(log_rate) for name, log_rate in log_rates.items()}
        rates = {name: np.exp(np.minimum(log_rate, np.log(LARGEST_RATE))) for name, log_rate in log_rates.items()}
        counts = {name: drawn.poisson(rate) for name, rate in rates.items()}
        return Chunk(first, profile, active, start, recorded, rates, counts)

    def _calibrate(self) -> dict[str, Calibration]:
        """Fits the calibration of each series, which is the identity without a premise and at strength 0."""
        calibrations = dict.fromkeys(self.options.series, Calibration())
        if self.options.premise is None or self.options.premise.strength == 0:
            return calibrations
        absent = PremiseEffects(self.spec, self.options, strength=0.0)
        draws = Draws(self.options.seed, "sample", 0, _SAMPLE_CHUNKS * CHUNK_ENTITIES)
        profile = {name: self._draw_profile(draws, name) for name in self.options.profile}
        factors = self._profile_factors(profile, draws.count)
        reference, logs = (
            self._log_rates(generator(self.options.seed, "sample"), factors, effects)
            for effects in (absent, self.effects)
        )
        reach = np.array(self.options.reach)
        return {name: Calibration.fit(reference[name], logs[name], reach) for name in calibrations}

    def _log_rates(
        self, drawn: np.random.Generator, factors: np.ndarray, effects: ScenarioEffects
    ) -> dict[str, np.ndarray]:
        """Draws the logarithm of the mean counts by series, `(entities, scenarios, days)`."""
        options = self.options
        entities, count = len(factors), len(options.scenarios)
        periods = self.lead + options.periods
        size, growth = drawn.standard_normal((entities, 1)), options.trend * drawn.standard_normal(entities)
        own = drawn.standard_normal((entities, count))
        effort = self._efforts(drawn, entities, periods)
        previous_effort = np.concatenate([np.zeros((entities, count, 1)), effort[:, :, :-1]], axis=2)
        time = (np.arange(periods) - periods / 2)[None, None]
        log_rates = {}
        for name, series in options.series.items():
            level = effects.level(name, size, factors, own)
            response = effects.response(name, factors)
            change = series.effort * effort + series.response * response[:, :, None] * previous_effort
            by_period = series.sigma * level[:, :, None] + growth[:, None, None] * time + change
            by_day = np.repeat(by_period, options.horizon, axis=2)
            log_rates[name] = np.log(series.median) + by_day + effects.season(name, self.days)
        return log_rates

    def _efforts(self, drawn: np.random.Generator, entities: int, periods: int) -> np.ndarray:
        """Draws standard normal efforts, `(entities, scenarios, periods)`.

        Half of the variance is common to all scenarios, and successive periods are correlated.
        """
        common = drawn.standard_normal((entities, 1, periods))
        own = drawn.standard_normal((entities, len(self.options.scenarios), periods))
        innovations: np.ndarray = np.sqrt(0.5) * (common + own)
        scale = np.sqrt(1 - _EFFORT_CORRELATION**2)
        effort = innovations.copy()
        for period in range(1, periods):
            effort[:, :, period] = _EFFORT_CORRELATION * effort[:, :, period - 1] + scale * innovations[:, :, period]
        return effort

    def _draw_profile(self, draws: Draws, name: str) -> Tokens | np.ndarray:
        options = self.options.profile[name]
        if isinstance(self.spec.feature(name), CategoricalFeature):
            return draw_tokens(draws, name, options)
        return draw_numbers(draws, name, options, None)

    def _profile_factors(self, profile: dict[str, Tokens | np.ndarray], entities: int) -> np.ndarray:
        """Computes latent factors of variance 1 from the profile of each entity, `(entities, FACTORS)`."""
        total = np.zeros((entities, FACTORS))
        for name, values in profile.items():
            drawn, options = generator(self.options.seed, f"profile/{name}"), self.options.profile[name]
            if isinstance(values, Tokens):
                total += drawn.standard_normal((options.size + 1, FACTORS))[values.codes[:, 0]]
            else:
                logs = (np.log(np.maximum(values, 1e-9)) - np.log(options.median or 1.0)) / (options.sigma or 1.0)
                total += np.nan_to_num(np.clip(logs, -3, 3))[:, None] * drawn.standard_normal(FACTORS)
        factors: np.ndarray = total / np.sqrt(max(len(profile), 1))
        return factors
