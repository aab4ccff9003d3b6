"""Simulated world: its entities, the values of their features, and the probability of every event of a row."""

import dataclasses

import numpy as np

from tfmtl.config import require
from tfmtl.features import MultiValuedFeature, NumericalFeature
from tfmtl.spec import ENTIRE, DatasetSpec, TimeSplit
from transforms.simulation.draws import Draws, draw_numbers, draw_tokens, pick, zipf_shares
from transforms.simulation.effects import Effects, Values
from transforms.simulation.feature_options import CONTEXT
from transforms.simulation.options import SimulatorOptions
from transforms.simulation.position import draw_positions
from transforms.simulation.premises.fit import fit_premise
from transforms.simulation.premises.new_groups import NewGroups
from transforms.simulation.premises.options import GroupPreferencesOptions
from transforms.simulation.premises.premise import RowValues, ScaledPremise
from transforms.simulation.times import in_test

LARGEST_MEAN = 500.0
"""Largest mean of a count."""
_SAMPLE = 65_536
_BISECTIONS = 60


@dataclasses.dataclass(frozen=True)
class Rows:
    """Rows of the log, before their labels are drawn.

    Attributes:
        draws: Random numbers of the rows.
        members: Index of each row's entity, int64 `(rows,)`, by kind of entity.
        values: Values of the features that are drawn for each row, by column.
        probabilities: By task, P(label = 1 | x) on the space of the task's label: given that the previous task's label
            is 1, if the task follows another one. For a count or value, its mean. Shape `(rows,)`.
        position: Relative position of each row in time, from 0 to below 1, `(rows,)`.
        shown_at: Position at which each row's item is shown, int64 `(rows,)`; None without the option `position`.
        true_probabilities: As `probabilities`, but of items at position 1.
    """

    draws: Draws
    members: dict[str, np.ndarray]
    values: dict[str, Values]
    probabilities: dict[str, np.ndarray]
    position: np.ndarray
    shown_at: np.ndarray | None
    true_probabilities: dict[str, np.ndarray]


class World:
    """All that is drawn once, before the first row.

    The score of a task is a weighted sum of effects (`EffectShares`) of the row's ids, the values of its features, and
    which of them are missing. The probability is therefore a function of the row, which a model can learn:
    `sigmoid(bias + score)`, or `min(exp(bias + score), LARGEST_MEAN)` for the mean of a count, and `exp(bias + score)`
    for that of a value. Scores are scaled to the `strength` of their task, and biases are set to its `rate`, on a
    sample of rows that are not part of the log. A premise (`transforms.simulation.premises`) changes the scores before
    they are scaled.

    Args:
        spec: Spec of the dataset.
        options: Options that fit the spec.

    Raises:
        FieldError: If no bias gives the rate of a task.
    """

    def __init__(self, spec: DatasetSpec, options: SimulatorOptions):
        self.spec = spec
        self.options = options
        self._features = {feature.name: feature for feature in spec.features}
        self._shares = {name: self._entity_shares(name) for name in options.entities}
        self.values = {name: self._draw_values(name, self._entity_draws(name)) for name in options.entities}
        self._new_groups = self._draw_new_groups()
        sample = Draws(options.seed, "sample", 0, _SAMPLE)
        members, context = self._draw_rows(sample)
        self._effects = Effects(spec, options, {**self.values, CONTEXT: context}, self._shares)
        self._biases: dict[str, float] = {}
        sums = self._effects.sums(members, context)
        self._weights = _effect_weights(sums, options, [options.tasks[task.name].strength for task in spec.tasks])
        base = self._weighted_sum(sums)
        rows = self._row_values(members, context)
        self.premise: ScaledPremise | None = fit_premise(spec, options, self._effects, base, rows)
        scores = self._scores(members, context)
        self._set_biases(scores)
        self._relevance = float(scores[:, 0].mean()), float(scores[:, 0].std())

    def rows(self, start: int, stop: int) -> Rows:
        """Draws the rows `start .. stop - 1` of the log, which do not depend on the other rows that are drawn.

        Args:
            start: Index of the first row.
            stop: Index after the last row.
        """
        draws = Draws(self.options.seed, "rows", start, stop)
        members, context = self._draw_rows(draws)
        scores = self._scores(members, context)
        true = self._probabilities(scores)
        if self.options.position is None:
            return Rows(draws, members, context, true, self._positions(draws), None, true)
        mean, deviation = self._relevance
        relevance = (scores[:, 0] - mean) / max(deviation, 1e-12)
        shown_at = draw_positions(self.options.position, draws, relevance, self._promotion(members))
        scores = scores.copy()
        scores[:, 0] -= self.options.position.bias * np.log2(shown_at)
        return Rows(draws, members, context, self._probabilities(scores), self._positions(draws), shown_at, true)

    def _promotion(self, members: dict[str, np.ndarray]) -> np.ndarray | float:
        """Returns the promotion of each row's entity, standard normal; 0 if none is promoted."""
        promoted = self.options.position.promoted if self.options.position else ""
        if not promoted:
            return 0.0
        promotions: np.ndarray = self._entity_draws(promoted).normal("promotion")[members[promoted]]
        return promotions

    def _probabilities(self, scores: np.ndarray) -> dict[str, np.ndarray]:
        return {task.name: self._probability(task.name, scores[:, i]) for i, task in enumerate(self.spec.tasks)}

    def _entity_draws(self, name: str) -> Draws:
        return Draws(self.options.seed, name, 0, self.options.entities[name].count)

    def _entity_shares(self, name: str) -> np.ndarray:
        """Returns the share of the rows of each entity, which does not depend on its id."""
        settings = self.options.entities[name]
        rank = np.argsort(self._entity_draws(name).uniform("rank")[:, 0])
        shares: np.ndarray = zipf_shares(settings.count, settings.zipf)[rank]
        return shares

    def _draw_values(self, scope: str, draws: Draws) -> dict[str, Values]:
        values: dict[str, Values] = {}
        for name, options in self.options.features.items():
            if options.entity == scope:
                feature = self._features.get(name)
                if isinstance(feature, NumericalFeature):
                    values[name] = draw_numbers(draws, name, options, self._shares.get(scope))
                else:
                    weighted = isinstance(feature, MultiValuedFeature) and feature.weights is not None
                    values[name] = draw_tokens(draws, name, options, weighted)
        return values

    def _draw_rows(self, draws: Draws) -> tuple[dict[str, np.ndarray], dict[str, Values]]:
        members = {}
        for name, shares in self._shares.items():
            uniform = draws.uniform(f"member/{name}")[:, 0]
            if name in self._new_groups and isinstance(self.spec.split, TimeSplit):
                tested = in_test(self.spec.split, self._positions(draws))
                members[name] = self._new_groups[name].pick(uniform, tested)
            else:
                members[name] = pick(np.cumsum(shares), uniform)
        return members, self._draw_values(CONTEXT, draws)

    def _draw_new_groups(self) -> dict[str, NewGroups]:
        """Draws the groups that occur in the test split only, by kind of entity."""
        premise = self.options.premise
        if not isinstance(premise, GroupPreferencesOptions) or not premise.new_groups:
            return {}
        return {premise.groups: NewGroups(self.options.seed, premise.new_groups, self._shares[premise.groups])}

    def _positions(self, draws: Draws) -> np.ndarray:
        """Returns the relative positions of rows in time: their order in the log, or drawn if there are new groups.

        The group of a row, which depends on its position, thus does not depend on the number of rows of the log.
        """
        if self._new_groups:
            return draws.uniform("premise/time")[:, 0]
        return np.arange(draws.start, draws.stop) / self.options.rows

    def _row_values(self, members: dict[str, np.ndarray], context: dict[str, Values]) -> RowValues:
        return RowValues(self.options.features, self.values, members, context)

    def _scores(self, members: dict[str, np.ndarray], context: dict[str, Values]) -> np.ndarray:
        base = self._weighted_sum(self._effects.sums(members, context))
        if self.premise is None:
            return base
        return self.premise.scores(base, self._row_values(members, context))

    def _weighted_sum(self, sums: dict[str, np.ndarray]) -> np.ndarray:
        zero = np.zeros((1, len(self.spec.tasks)))
        return sum((sums[kind] * weight for kind, weight in self._weights.items()), zero)

    def _probability(self, task: str, score: np.ndarray) -> np.ndarray:
        logit = score + self._biases[task]
        kind = self.spec.task(task).kind
        if kind != "binary":
            mean: np.ndarray = np.exp(np.minimum(logit, 50.0))
            return np.minimum(mean, LARGEST_MEAN) if kind == "count" else mean
        probability: np.ndarray = 1 / (1 + np.exp(-np.clip(logit, -50.0, 50.0)))
        return probability

    def _set_biases(self, scores: np.ndarray) -> None:
        """Sets the bias of each task by bisection, so that the mean of its label on its space is its rate."""
        space_weights: dict[str | None, np.ndarray] = {None: np.ones(1)}
        for i, task in enumerate(self.spec.tasks):
            weights = np.broadcast_to(space_weights[task.follows], (len(scores),))
            rate = self.options.tasks[task.name].rate
            low, high = -50.0, 50.0
            for _ in range(_BISECTIONS):
                self._biases[task.name] = (low + high) / 2
                mean = np.average(self._probability(task.name, scores[:, i]), weights=weights)
                low, high = (low, self._biases[task.name]) if mean > rate else (self._biases[task.name], high)
            path = ("tasks", task.name, "rate")
            require(abs(mean / rate - 1) < 0.01, path, "a rate that is possible with this strength", rate)
            space_weights[task.name] = weights * self._probability(task.name, scores[:, i])


def output_probabilities(spec: DatasetSpec, probabilities: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Computes the true probability of each output of a spec.

    On the entire space, it is the product of the probabilities along the chain; on the conditional space, the
    probability of the task itself. For a count it is the mean, and for a value the conditional mean, or the product of
    the probabilities before it and that mean.

    Args:
        spec: Spec of the dataset.
        probabilities: Probability of each task, as in `Rows.probabilities`.

    Returns:
        Probabilities by name of the output, `(rows,)`.
    """
    entire: dict[str, np.ndarray] = {}
    for task in spec.tasks:
        entire[task.name] = probabilities[task.name] * (entire[task.follows] if task.follows else 1.0)
    return {
        output.name: entire[output.task] if output.space == ENTIRE else probabilities[output.task]
        for output in spec.outputs
    }


def _effect_weights(
    sums: dict[str, np.ndarray], options: SimulatorOptions, strengths: list[float]
) -> dict[str, np.ndarray]:
    """Computes the factor of each kind of effect that gives it its share of the variance, `(tasks,)`."""
    deviations = {kind: values.std(0) for kind, values in sums.items()}
    weights = {}
    for kind, deviation in deviations.items():
        if deviation.min() > 0:
            weights[kind] = np.sqrt(getattr(options.shares, kind)) / deviation
    total = sum((sums[kind] * weight for kind, weight in weights.items()), np.zeros((1, len(strengths))))
    scale = np.array(strengths) / np.maximum(total.std(0), 1e-12)
    return {kind: weight * scale for kind, weight in weights.items()}
