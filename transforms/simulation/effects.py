"""What the values of the simulated features do to each task: main effects, curves, tastes and scenarios."""

import collections
import itertools
from collections.abc import Mapping

import numpy as np

from tfmtl.spec import DatasetSpec
from transforms.simulation.draws import Draws, Tokens
from transforms.simulation.options import CONTEXT, SimulatorOptions

BEND = 0.5
LIMIT = 2.5

Values = Tokens | np.ndarray


class Effects:
    """Tables of random effects, and their sums for given rows.

    Every entry is standard normal; those of one value on two tasks correlate by `task_correlation`. A missing value has
    an entry of its own. A number acts through `z`, its standardized `log1p`, clipped to `+-LIMIT`: by a slope, `z`, and
    a bend, `BEND * (z**2 - 1)`. Tastes have mean 0 over an entity's rows; an attribute's effects in the scenarios have
    mean 0 over the scenarios and over its values. So neither can be learned from one column alone.

    Args:
        spec: of the data set; columns that are no features have no effect, as no model sees them.
        options: of the simulator.
        values: by entity, and of a sample of the context: the values of each feature.
        shares: by entity: each member's share of the rows.
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
        self._observed = {feature.name for feature in spec.features}
        self._values = values
        self._shares = {**shares, CONTEXT: np.ones(1)}
        self._scenario = spec.scenario
        self._scenario_shares = self._count_scenarios()
        self._scales: dict[str, tuple[float, float]] = {}
        self._tables: dict[str, dict[str, np.ndarray]] = {}
        for scope, columns in values.items():
            for name, column in columns.items():
                if name not in self._observed:
                    continue
                if isinstance(column, Tokens):
                    self._tables[name] = self._token_tables(name, column, self._shares[scope])
                else:
                    self._tables[name] = self._number_tables(name)
                    self._scales[name] = _scale(column, self._shares[scope])
        self._entities = {scope: self._entity(scope) for scope in options.entities}
        self._match = self._by_task("match", options.affinity_rank)

    def parts(self, members: Mapping[str, np.ndarray], context: Mapping[str, Values]) -> dict[str, np.ndarray]:
        """By kind of effect, as `EffectShares` names them: the sum for each row, not scaled yet, `(rows, tasks)`."""
        entities = {
            scope: {kind: table[members[scope]] for kind, table in sums.items()}
            for scope, sums in self._entities.items()
        }
        scopes = [*entities.values(), self._sum(context)]
        parts = {}
        for kind in ("attributes", "numbers", "ids"):
            terms = [sums[kind] for sums in scopes if kind in sums]
            if terms:
                parts[kind] = np.sum(terms, axis=0)
        tastes = [sums["taste"] for sums in entities.values() if "taste" in sums]
        products = [left * right for left, right in itertools.combinations(tastes, 2)]
        if products:
            parts["affinity"] = np.sum(products, axis=0) @ self._match
        terms = [sums["scenario"] for sums in scopes if "scenario" in sums]
        if self._scenario and terms:
            codes = self._scenario_codes(members, context)
            tables = np.sum(terms, axis=0).reshape(len(codes), -1, self._tasks)
            parts["scenario"] = tables[np.arange(len(codes)), codes]
        return parts

    def _entity(self, scope: str) -> dict[str, np.ndarray]:
        """By kind of effect: the sums over the features and the id of each member."""
        sums = self._sum(self._values[scope])
        settings = self._options.entities[scope]
        if settings.key in self._observed:
            sums["ids"] = settings.id_effect * self._by_task(f"{scope}/id", settings.count)
            taste = self._normal(f"{scope}/id/taste", settings.count, self._options.affinity_rank)
            sums["taste"] = sums.get("taste", 0.0) + settings.id_affinity * taste
        if "taste" in sums:
            sums["taste"] = sums["taste"] - np.average(sums["taste"], axis=0, weights=self._shares[scope])
        return sums

    def _sum(self, values: Mapping[str, Values]) -> dict[str, np.ndarray]:
        sums: dict[str, np.ndarray] = collections.defaultdict(lambda: np.zeros(1))
        for name, column in values.items():
            for kind, table in self._tables.get(name, {}).items():
                mixed = column.mix(table) if isinstance(column, Tokens) else self._basis(name, column) @ table
                sums[kind] = sums[kind] + mixed
        return dict(sums)

    def _basis(self, name: str, numbers: np.ndarray) -> np.ndarray:
        """Slope, bend, and whether the number is missing; `(members, 3)`."""
        mean, deviation = self._scales[name]
        missing = np.isnan(numbers)
        z = np.clip((np.log1p(np.where(missing, 0, numbers)) - mean) / deviation, -LIMIT, LIMIT)
        return np.stack([np.where(missing, 0, z), np.where(missing, 0, BEND * (z * z - 1)), missing], axis=1)

    def _token_tables(self, name: str, column: Tokens, shares: np.ndarray) -> dict[str, np.ndarray]:
        size = self._options.features[name].size + 1
        tables = {
            "attributes": self._by_task(name, size),
            "taste": self._normal(f"{name}/taste", size, self._options.affinity_rank),
        }
        if self._scenario not in (None, name):
            scenarios = [self._by_task(f"{name}/scenario/{i}", size) for i in range(len(self._scenario_shares))]
            stacked = np.stack(scenarios, axis=1)
            mean = np.average(stacked, axis=1, weights=self._scenario_shares)
            table = (stacked - mean[:, None]).reshape(size, -1)
            weights = np.broadcast_to(shares, column.count.shape)
            tables["scenario"] = table - np.average(column.mix(table), axis=0, weights=weights)
        return tables

    def _number_tables(self, name: str) -> dict[str, np.ndarray]:
        taste = self._normal(f"{name}/taste", 3, self._options.affinity_rank)
        taste[1] = 0  # No bend.
        return {"numbers": self._by_task(name, 3), "taste": taste}

    def _by_task(self, name: str, size: int) -> np.ndarray:
        """Effects on each task, correlated between tasks; `(size, tasks)`."""
        correlation = self._options.task_correlation
        common = self._normal(f"{name}/common", size, 1)
        own = self._normal(f"{name}/own", size, self._tasks)
        return np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own

    def _normal(self, name: str, size: int, width: int) -> np.ndarray:
        draws = Draws(self._options.seed, "effects", 0, size)
        return np.stack([draws.normal(f"{name}/{i}") for i in range(width)], axis=1)

    def _count_scenarios(self) -> np.ndarray:
        """The share of the rows of each scenario, the last one being a missing value (unless it is an entity's id)."""
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
        return _codes(context[name]) if scope == CONTEXT else _codes(self._values[scope][name])[members[scope]]


def _codes(values: Values) -> np.ndarray:
    return values.codes[:, 0] if isinstance(values, Tokens) else values


def _scale(numbers: np.ndarray, shares: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation of `log1p` over the rows."""
    there = ~np.isnan(numbers)
    weights = np.broadcast_to(shares, numbers.shape)[there]
    logs = np.log1p(numbers[there])
    mean = np.average(logs, weights=weights)
    return mean, float(np.sqrt(np.average((logs - mean) ** 2, weights=weights))) or 1.0
