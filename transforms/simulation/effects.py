"""Effects of simulated features on each task: main effects, curves, affinities and scenarios."""

import collections
import itertools
from collections.abc import Mapping

import numpy as np

from tfmtl.spec import DatasetSpec
from transforms.simulation.draws import Draws, Tokens
from transforms.simulation.feature_options import CONTEXT
from transforms.simulation.options import SimulatorOptions

BEND = 0.5
"""Factor of the quadratic part of a number's effect."""
LIMIT = 2.5
"""Bound of a number's standardized logarithm."""

Values = Tokens | np.ndarray
"""Values of a feature: tokens, or numbers with NaN where missing."""


class Effects:
    """Tables of random effects, and their sums for given rows.

    Every entry of a table is standard normal. The entries of one value for two tasks have the correlation
    `task_correlation`, and a missing value has an entry of its own. A number acts through `z`, its standardized
    `log1p`, clipped to `+-LIMIT`: by a slope, `z`, and a bend, `BEND * (z**2 - 1)`. Latent factors have mean 0 over the
    rows of an entity; the effects of an attribute in the scenarios have mean 0 over the scenarios and over the values
    of the attribute. Interactions therefore cannot be learned from one column.

    Args:
        spec: Spec of the dataset. Columns that are not features have no effect.
        options: Options of the simulator.
        values: Values of each feature, by kind of entity and column; `context` holds a sample of rows.
        shares: Share of the rows of each entity, by kind of entity.
    """

    def __init__(
        self,
        spec: DatasetSpec,
        options: SimulatorOptions,
        values: Mapping[str, Mapping[str, Values]],
        shares: Mapping[str, np.ndarray],
    ):
        self._options = options
        self._tasks = len(spec.tasks)
        self._features = {feature.name for feature in spec.features}
        self._values = values
        self._shares = {**shares, CONTEXT: np.ones(1)}
        self._scenario = spec.scenario
        self._scenario_shares = self._compute_scenario_shares()
        self._scales: dict[str, tuple[float, float]] = {}
        self._tables: dict[str, dict[str, np.ndarray]] = {}
        for scope, columns in values.items():
            for name, column in columns.items():
                if name not in self._features:
                    continue
                if isinstance(column, Tokens):
                    self._tables[name] = self._token_tables(name, column, self._shares[scope])
                else:
                    self._tables[name] = self._number_tables(name)
                    self._scales[name] = _scale(column, self._shares[scope])
        self._entities = {scope: self._entity_sums(scope) for scope in options.entities}
        self._affinity_weights = self._task_effects("match", options.affinity_rank)

    def sums(self, members: Mapping[str, np.ndarray], context: Mapping[str, Values]) -> dict[str, np.ndarray]:
        """Sums the effects of each kind for rows.

        Args:
            members: Index of each row's entity, `(rows,)`, by kind of entity.
            context: Values of the features that are drawn for each row, by column.

        Returns:
            Unscaled sums by kind of effect (the fields of `EffectShares`), `(rows, tasks)`.
        """
        entities = {
            scope: {kind: table[members[scope]] for kind, table in tables.items()}
            for scope, tables in self._entities.items()
        }
        scopes = [*entities.values(), self._feature_sums(context)]
        sums = {}
        for kind in ("attributes", "numbers", "ids"):
            terms = [scope_sums[kind] for scope_sums in scopes if kind in scope_sums]
            if terms:
                sums[kind] = np.sum(terms, axis=0)
        factors = [entity_sums["factors"] for entity_sums in entities.values() if "factors" in entity_sums]
        products = [left * right for left, right in itertools.combinations(factors, 2)]
        if products:
            sums["affinity"] = np.sum(products, axis=0) @ self._affinity_weights
        terms = [scope_sums["scenario"] for scope_sums in scopes if "scenario" in scope_sums]
        if self._scenario and terms:
            codes = self._scenario_codes(members, context)
            tables = np.sum(terms, axis=0).reshape(len(codes), -1, self._tasks)
            sums["scenario"] = tables[np.arange(len(codes)), codes]
        return sums

    def main_effects(self, name: str, values: Values) -> np.ndarray:
        """Returns the unscaled additive effects of a feature that is not the key of an entity, `(rows, tasks)`.

        Args:
            name: Name of the feature.
            values: Values of the feature.
        """
        return self._mix(name, values, self._tables[name]["attributes" if isinstance(values, Tokens) else "numbers"])

    def _mix(self, name: str, values: Values, table: np.ndarray) -> np.ndarray:
        return values.mix(table) if isinstance(values, Tokens) else self._basis(name, values) @ table

    def _entity_sums(self, scope: str) -> dict[str, np.ndarray]:
        """Sums the effects of the features and the id of each entity, by kind of effect."""
        sums = self._feature_sums(self._values[scope])
        settings = self._options.entities[scope]
        if settings.key in self._features:
            sums["ids"] = settings.id_effect * self._task_effects(f"{scope}/id", settings.count)
            id_factors = self._normal(f"{scope}/id/taste", settings.count, self._options.affinity_rank)
            sums["factors"] = sums.get("factors", 0.0) + settings.id_affinity * id_factors
        if "factors" in sums:
            sums["factors"] = sums["factors"] - np.average(sums["factors"], axis=0, weights=self._shares[scope])
        return sums

    def _feature_sums(self, values: Mapping[str, Values]) -> dict[str, np.ndarray]:
        sums: dict[str, np.ndarray] = collections.defaultdict(lambda: np.zeros(1))
        for name, column in values.items():
            for kind, table in self._tables.get(name, {}).items():
                sums[kind] = sums[kind] + self._mix(name, column, table)
        return dict(sums)

    def _basis(self, name: str, numbers: np.ndarray) -> np.ndarray:
        """Returns slope, bend, and an indicator of missing numbers; `(members, 3)`."""
        mean, deviation = self._scales[name]
        missing = np.isnan(numbers)
        z = np.clip((np.log1p(np.where(missing, 0, numbers)) - mean) / deviation, -LIMIT, LIMIT)
        return np.stack([np.where(missing, 0, z), np.where(missing, 0, BEND * (z * z - 1)), missing], axis=1)

    def _token_tables(self, name: str, column: Tokens, shares: np.ndarray) -> dict[str, np.ndarray]:
        size = self._options.features[name].size + 1
        tables = {
            "attributes": self._task_effects(name, size),
            "factors": self._normal(f"{name}/taste", size, self._options.affinity_rank),
        }
        if self._scenario not in (None, name):
            scenarios = [self._task_effects(f"{name}/scenario/{i}", size) for i in range(len(self._scenario_shares))]
            stacked = np.stack(scenarios, axis=1)
            mean = np.average(stacked, axis=1, weights=self._scenario_shares)
            table = (stacked - mean[:, None]).reshape(size, -1)
            weights = np.broadcast_to(shares, column.count.shape)
            tables["scenario"] = table - np.average(column.mix(table), axis=0, weights=weights)
        return tables

    def _number_tables(self, name: str) -> dict[str, np.ndarray]:
        factors = self._normal(f"{name}/taste", 3, self._options.affinity_rank)
        factors[1] = 0  # The latent factors are linear in `z`.
        return {"numbers": self._task_effects(name, 3), "factors": factors}

    def _task_effects(self, name: str, size: int) -> np.ndarray:
        """Draws effects on each task, which are correlated between tasks; `(size, tasks)`."""
        correlation = self._options.task_correlation
        common = self._normal(f"{name}/common", size, 1)
        own = self._normal(f"{name}/own", size, self._tasks)
        effects: np.ndarray = np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own
        return effects

    def _normal(self, name: str, size: int, width: int) -> np.ndarray:
        draws = Draws(self._options.seed, "effects", 0, size)
        return np.stack([draws.normal(f"{name}/{i}") for i in range(width)], axis=1)

    def _compute_scenario_shares(self) -> np.ndarray:
        """Computes the share of the rows of each scenario; a feature's last one is that of missing values."""
        if self._scenario is None:
            return np.zeros(0)
        if self._scenario in self._options.keys:
            return self._shares[self._options.keys[self._scenario]]
        settings = self._options.features[self._scenario]
        codes = _codes(self._values[settings.entity][self._scenario])
        weights = np.broadcast_to(self._shares[settings.entity], codes.shape)
        return np.bincount(codes, weights, minlength=settings.size + 1)

    def _scenario_codes(self, members: Mapping[str, np.ndarray], context: Mapping[str, Values]) -> np.ndarray:
        name = str(self._scenario)
        if name in self._options.keys:
            return members[self._options.keys[name]]
        scope = self._options.features[name].entity
        if scope == CONTEXT:
            return _codes(context[name])
        codes: np.ndarray = _codes(self._values[scope][name])[members[scope]]
        return codes


def _codes(values: Values) -> np.ndarray:
    return values.codes[:, 0] if isinstance(values, Tokens) else values


def _scale(numbers: np.ndarray, shares: np.ndarray) -> tuple[float, float]:
    """Computes mean and standard deviation of `log1p` over the rows."""
    present = ~np.isnan(numbers)
    weights = np.broadcast_to(shares, numbers.shape)[present]
    logs = np.log1p(numbers[present])
    mean = float(np.average(logs, weights=weights))
    return mean, float(np.sqrt(np.average((logs - mean) ** 2, weights=weights))) or 1.0
