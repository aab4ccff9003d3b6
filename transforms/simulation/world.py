"""The simulated world: its entities, their values, and the probability of every event of a row."""

import dataclasses

import numpy as np

from tfmtl.config import require
from tfmtl.features import MultiValuedFeature, NumericalFeature
from tfmtl.spec import DatasetSpec
from transforms.simulation.draws import Draws, draw_numbers, draw_tokens, pick, zipf_shares
from transforms.simulation.effects import Effects, Values
from transforms.simulation.options import CONTEXT, SimulatorOptions

LARGEST_MEAN = 500.0
_SAMPLE = 65_536
_HALVINGS = 60


@dataclasses.dataclass(frozen=True)
class Rows:
    """Rows of the log, before labels are drawn.

    Attributes:
        draws: of the rows.
        members: of each entity, int64 `(rows,)`.
        values: of the features of the context, by column.
        chances: by task: P(label = 1 | x), given a positive label of the task that it follows; of a count, its mean.
    """

    draws: Draws
    members: dict[str, np.ndarray]
    values: dict[str, Values]
    chances: dict[str, np.ndarray]


class World:
    """Everything that is drawn once, before the first row.

    The score of a task is a weighted sum of effects (`EffectShares`) of what a row shows: its ids, the values of its
    features, and which are missing. So the probability is a function of the row, which a model can learn:
    `sigmoid(bias + score)`, or `exp(bias + score)`, at most `LARGEST_MEAN`, for a count. Scores are scaled to their
    task's `strength`, and biases are set to its `rate`, on a sample of rows that is not part of the log.

    Args:
        spec: of the data set.
        options: that fit it.
    """

    def __init__(self, spec: DatasetSpec, options: SimulatorOptions):
        self.spec = spec
        self.options = options
        self._kinds = {feature.name: feature for feature in spec.features}
        self._shares = {name: self._entity_shares(name) for name in options.entities}
        self.values = {name: self._draw(name, self._entity(name)) for name in options.entities}
        sample = Draws(options.seed, "sample", 0, _SAMPLE)
        members, context = self._draw_rows(sample)
        self._effects = Effects(spec, options, {**self.values, CONTEXT: context}, self._shares)
        self._biases: dict[str, float] = {}
        parts = self._effects.parts(members, context)
        self._weights = _weights(parts, options, [options.tasks[task.name].strength for task in spec.tasks])
        self._set_biases(self._score(parts))

    def rows(self, start: int, stop: int) -> Rows:
        """Rows `start .. stop - 1` of the log, the same whatever other rows are drawn with them."""
        draws = Draws(self.options.seed, "rows", start, stop)
        members, context = self._draw_rows(draws)
        score = self._score(self._effects.parts(members, context))
        chances = {task.name: self._chance(task.name, score[:, i]) for i, task in enumerate(self.spec.tasks)}
        return Rows(draws, members, context, chances)

    def _entity(self, name: str) -> Draws:
        return Draws(self.options.seed, name, 0, self.options.entities[name].count)

    def _entity_shares(self, name: str) -> np.ndarray:
        """The share of the rows of each member; how frequent one is, its id does not tell."""
        settings = self.options.entities[name]
        rank = np.argsort(self._entity(name).uniform("rank")[:, 0])
        return zipf_shares(settings.count, settings.zipf)[rank]

    def _draw(self, scope: str, draws: Draws) -> dict[str, Values]:
        values: dict[str, Values] = {}
        for name, options in self.options.features.items():
            if options.entity == scope:
                kind = self._kinds.get(name)
                if isinstance(kind, NumericalFeature):
                    values[name] = draw_numbers(draws, name, options, self._shares.get(scope))
                else:
                    weighted = isinstance(kind, MultiValuedFeature) and kind.weights is not None
                    values[name] = draw_tokens(draws, name, options, weighted)
        return values

    def _draw_rows(self, draws: Draws) -> tuple[dict[str, np.ndarray], dict[str, Values]]:
        members = {}
        for name, shares in self._shares.items():
            members[name] = pick(np.cumsum(shares), draws.uniform(f"member/{name}")[:, 0])
        return members, self._draw(CONTEXT, draws)

    def _score(self, parts: dict[str, np.ndarray]) -> np.ndarray:
        zero = np.zeros((1, len(self.spec.tasks)))
        return sum((parts[kind] * weight for kind, weight in self._weights.items()), zero)

    def _chance(self, task: str, score: np.ndarray) -> np.ndarray:
        logit = score + self._biases[task]
        if self.spec.task(task).kind == "count":
            return np.minimum(np.exp(np.minimum(logit, 50.0)), LARGEST_MEAN)
        return 1 / (1 + np.exp(-np.clip(logit, -50.0, 50.0)))

    def _set_biases(self, score: np.ndarray) -> None:
        reached: dict[str | None, np.ndarray] = {None: np.ones(1)}
        for i, task in enumerate(self.spec.tasks):
            before = np.broadcast_to(reached[task.follows], (len(score),))
            rate = self.options.tasks[task.name].rate
            low, high = -50.0, 50.0
            for _ in range(_HALVINGS):
                self._biases[task.name] = (low + high) / 2
                mean = np.average(self._chance(task.name, score[:, i]), weights=before)
                low, high = (low, self._biases[task.name]) if mean > rate else (self._biases[task.name], high)
            require(abs(mean / rate - 1) < 0.01, ("tasks", task.name, "rate"), "within reach of the strength", rate)
            reached[task.name] = before * self._chance(task.name, score[:, i])


def entire(spec: DatasetSpec, chances: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """By task: P(label = 1 | x) on the entire space, the product of the chances down the chain; a count's mean."""
    products: dict[str, np.ndarray] = {}
    for task in spec.tasks:
        products[task.name] = chances[task.name] * (products[task.follows] if task.follows else 1.0)
    return products


def _weights(parts: dict[str, np.ndarray], options: SimulatorOptions, strengths: list[float]) -> dict[str, np.ndarray]:
    """By kind of effect: the factor for each task that gives it its share of the variance; `(tasks,)`."""
    spread = {kind: part.std(0) for kind, part in parts.items()}
    weights = {}
    for kind, deviation in spread.items():
        if deviation.min() > 0:
            weights[kind] = np.sqrt(getattr(options.shares, kind)) / deviation
    total = sum((parts[kind] * weight for kind, weight in weights.items()), np.zeros((1, len(strengths))))
    scale = np.array(strengths) / np.maximum(total.std(0), 1e-12)
    return {kind: weight * scale for kind, weight in weights.items()}
