"""Scenarios whose parameters are the same, or a function of the scenario's attributes, by the strength of a premise."""

import dataclasses

import numpy as np

from tfmtl.spec import DatasetSpec
from transforms.panels.scenario_effects import ScenarioEffects, weekly_wave
from transforms.panels.simulator_options import PanelOptions, ScenarioParametersOptions

_OWN, _SPECIFIC = 0.09, 0.3
"""Shares of the variance of the level: of each entity in each scenario, and, at strength 1, of the scenario."""


class PremiseEffects(ScenarioEffects):
    r"""Effects of scenarios with the premise of M2M.

    A parameter of a scenario mixes one that all scenarios have with one of mean 0 and variance 1 over the rows, which
    is a function of the scenario's attributes other than its name: with the strength $s$, the response is
    $\sqrt{1 - s} + \sqrt{s} \, g$, the phase of the weekly cycle differs from the common one by $s \pi h$ with
    $|h| < 1$, and $.3 s$ of the variance of the level is that of scenarios and their match with the entity's profile.

    Args:
        spec: Spec of the dataset.
        options: Options that fit the spec, with a premise.
        strength: Strength of the premise, in place of that of the options.
    """

    def __init__(self, spec: DatasetSpec, options: PanelOptions, strength: float):
        super().__init__(spec, options)
        self._strength = strength
        shares = np.array([scenario.share for scenario in options.scenarios])
        self._shares = shares / shares.sum()
        names = [name for name in options.scenarios[0].attributes if name != spec.scenario]
        self.factors = self._standardize(self._scenario_factors(names))

    def level(self, name: str, size: np.ndarray, profile: np.ndarray, own: np.ndarray) -> np.ndarray:
        maps = self.maps[name]
        common = (0.7 * size + 0.4 * (profile @ maps["size"])[:, None]) / np.sqrt(0.7**2 + 0.4**2)
        specific = self._standardize(self.factors @ maps["scenario"]) + profile @ maps["match"] @ self.factors.T
        share = _SPECIFIC * self._strength
        level: np.ndarray = np.sqrt(1 - _OWN - share) * common + np.sqrt(share / 2) * specific + np.sqrt(_OWN) * own
        return level

    def response(self, name: str, profile: np.ndarray) -> np.ndarray:
        specific = self._standardize(np.tanh(2 * self.factors @ self.maps[name]["response"]))
        response: np.ndarray = np.sqrt(1 - self._strength) + np.sqrt(self._strength) * specific
        return np.broadcast_to(response, (len(profile), len(response)))

    def season(self, name: str, days: int) -> np.ndarray:
        direction = np.tanh(self.factors @ self.maps[name]["season"])
        phase = np.pi * (self.maps[name]["size"][0] + self._strength * direction[:, 0])
        season: np.ndarray = self.options.season * np.stack([np.cos(phase), np.sin(phase)], axis=1) @ weekly_wave(days)
        return season[None]

    def _standardize(self, values: np.ndarray) -> np.ndarray:
        """Gives values of scenarios mean 0 and standard deviation 1 over the rows."""
        centred = values - self._shares @ values
        scaled: np.ndarray = centred / np.maximum(np.sqrt(self._shares @ centred**2), 1e-12)
        return scaled


@dataclasses.dataclass(frozen=True)
class Calibration:
    """Linear map of the logarithm of a rate that keeps its standard deviation, and the mean of the rate.

    Attributes:
        factor: Factor of the logarithm.
        shift: Constant that is added to it.
    """

    factor: float = 1.0
    shift: float = 0.0

    @classmethod
    def fit(cls, reference: np.ndarray, logs: np.ndarray, weights: np.ndarray) -> "Calibration":
        """Returns the map with which `logs` has the moments of `reference`.

        Args:
            reference: Logarithms of the rates at strength 0, `(entities, scenarios, days)`.
            logs: Logarithms of the rates of the same sample with the premise, of the same shape.
            weights: Share of the rows of each scenario, `(scenarios,)`.
        """
        factor = float(_deviation(reference, weights) / max(_deviation(logs, weights), 1e-12))
        ratio = _mean(np.exp(reference), weights) / _mean(np.exp(factor * logs), weights)
        return cls(factor, float(np.log(ratio)))

    def apply(self, logs: np.ndarray) -> np.ndarray:
        """Returns the mapped logarithms.

        Args:
            logs: Logarithms of rates, of any shape.
        """
        return self.factor * logs + self.shift


def make_effects(spec: DatasetSpec, options: PanelOptions) -> ScenarioEffects:
    """Makes the effects of the scenarios, with the premise if there is one.

    Args:
        spec: Spec of the dataset.
        options: Options that fit the spec.
    """
    if isinstance(options.premise, ScenarioParametersOptions):
        return PremiseEffects(spec, options, options.premise.strength)
    return ScenarioEffects(spec, options)


def _mean(values: np.ndarray, weights: np.ndarray) -> float:
    return float(np.average(values.mean((0, 2)), weights=weights))


def _deviation(values: np.ndarray, weights: np.ndarray) -> float:
    return float(np.sqrt(_mean((values - _mean(values, weights)) ** 2, weights)))
