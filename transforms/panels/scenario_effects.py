"""Effects of scenarios on the mean daily counts of panels: level, response to effort, and weekly cycle."""

import zlib

import numpy as np

from tfmtl.features import CategoricalFeature
from tfmtl.spec import DatasetSpec
from transforms.panels.simulator_options import PanelOptions

FACTORS = 3
"""Number of latent factors of an entity and of a scenario."""
WEEK = 7


class ScenarioEffects:
    """Effects that are functions of the scenario's attributes and of the entity's profile.

    Args:
        spec: Spec of the dataset.
        options: Options that fit the spec.

    Attributes:
        factors: Latent factors of each scenario, `(scenarios, FACTORS)`. Scenarios with equal attributes have equal
            factors.
    """

    def __init__(self, spec: DatasetSpec, options: PanelOptions):
        self.spec = spec
        self.options = options
        self.factors = self._scenario_factors(list(options.scenarios[0].attributes))
        self.maps = {name: self._draw_maps(name) for name in options.series}

    def level(self, name: str, size: np.ndarray, profile: np.ndarray, own: np.ndarray) -> np.ndarray:
        """Computes the level of a series, of variance 1 over entities and scenarios, `(entities, scenarios)`.

        Args:
            name: Name of the series.
            size: Size of each entity, standard normal, `(entities, 1)`.
            profile: Latent factors of each entity's profile, `(entities, FACTORS)`.
            own: Standard normal numbers, `(entities, scenarios)`.
        """
        maps = self.maps[name]
        level = 0.7 * size + 0.4 * (profile @ maps["size"])[:, None] + 0.3 * (self.factors @ maps["scenario"])
        total: np.ndarray = level + 0.4 * (profile @ maps["match"] @ self.factors.T) + 0.3 * own
        return total

    def response(self, name: str, profile: np.ndarray) -> np.ndarray:
        """Computes strength and direction of the response to the previous period's effort, `(entities, scenarios)`.

        Args:
            name: Name of the series.
            profile: Latent factors of each entity's profile, `(entities, FACTORS)`.
        """
        maps = self.maps[name]
        direction = 0.5 + self.factors @ maps["response"] + 0.5 * (profile @ maps["profile_response"])[:, None]
        response: np.ndarray = 1.5 * np.tanh(direction)
        return response

    def season(self, name: str, days: int) -> np.ndarray:
        """Computes the weekly cycle of a series, `(1, scenarios, days)`.

        Args:
            name: Name of the series.
            days: Number of days.
        """
        direction = np.tanh(self.factors @ self.maps[name]["season"])
        season: np.ndarray = (self.options.season * direction @ weekly_wave(days))[None]
        return season

    def _scenario_factors(self, names: list[str]) -> np.ndarray:
        """Computes latent factors of variance 1 from the given attributes of each scenario, `(scenarios, FACTORS)`."""
        total = np.zeros((len(self.options.scenarios), FACTORS))
        for name in names:
            values = [scenario.attributes[name] for scenario in self.options.scenarios]
            if isinstance(self.spec.feature(name), CategoricalFeature):
                generators = [generator(self.options.seed, f"scenario/{name}/{value}") for value in values]
                total += np.stack([one.standard_normal(FACTORS) for one in generators])
            else:
                logs = np.log1p(np.abs(np.array(values, np.float64)))
                scaled = (logs - logs.mean()) / (logs.std() or 1.0)
                slopes = generator(self.options.seed, f"scenario/{name}").standard_normal(FACTORS)
                total += scaled[:, None] * slopes
        factors: np.ndarray = total / np.sqrt(len(names))
        return factors

    def _draw_maps(self, name: str) -> dict[str, np.ndarray]:
        """Draws the maps from latent factors to a series; each maps standard normal factors to a variance of 1."""
        drawn = generator(self.options.seed, f"maps/{name}")
        shapes = {
            "size": (FACTORS,),
            "scenario": (FACTORS,),
            "match": (FACTORS, FACTORS),
            "response": (FACTORS,),
            "profile_response": (FACTORS,),
            "season": (FACTORS, 2),
        }
        maps = {key: drawn.standard_normal(shape) / np.sqrt(FACTORS) for key, shape in shapes.items()}
        return {**maps, "match": maps["match"] / np.sqrt(FACTORS)}


def weekly_wave(days: int) -> np.ndarray:
    """Returns cosine and sine of the day of the week, `(2, days)`.

    Args:
        days: Number of days.
    """
    angle = 2 * np.pi * np.arange(days) / WEEK
    return np.stack([np.cos(angle), np.sin(angle)])


def generator(seed: int, name: str, index: int = 0) -> np.random.Generator:
    """Makes the generator of a stream of random numbers.

    Args:
        seed: Seed of the simulated world.
        name: Name of the stream.
        index: Index of a part of the stream that is drawn apart from the others.
    """
    return np.random.default_rng([seed, zlib.crc32(name.encode()), index])
