"""Interface of premises, and scores with a premise that have the standard deviation of those without it."""

import dataclasses
from collections.abc import Mapping
from typing import Protocol

import numpy as np

from transforms.simulation.draws import Draws, Tokens
from transforms.simulation.effects import Values
from transforms.simulation.feature_options import CONTEXT, FeatureOptions


@dataclasses.dataclass(frozen=True)
class RowValues:
    """Values of the features of some rows.

    Attributes:
        options: Distribution of each column.
        entities: Values of the entities' features, by kind of entity and column.
        members: Index of each row's entity, int64 `(rows,)`, by kind of entity.
        context: Values of the features that are drawn for each row, by column.
    """

    options: Mapping[str, FeatureOptions]
    entities: Mapping[str, Mapping[str, Values]]
    members: Mapping[str, np.ndarray]
    context: Mapping[str, Values]

    def of(self, name: str) -> Values:
        """Returns the values of a feature, one for each row.

        Args:
            name: Column of the feature.
        """
        scope = self.options[name].entity
        if scope == CONTEXT:
            return self.context[name]
        values, members = self.entities[scope][name], self.members[scope]
        return values.take(members) if isinstance(values, Tokens) else values[members]

    def codes(self, name: str) -> np.ndarray:
        """Returns the codes of a categorical feature, int64 `(rows,)`; a missing value has the code after the last.

        Args:
            name: Column of the feature.
        """
        values = self.of(name)
        codes: np.ndarray = values.codes[:, 0] if isinstance(values, Tokens) else values
        return codes


class Premise(Protocol):
    """Computes the scores of rows with a premise from those without it."""

    def scores(self, base: np.ndarray, rows: RowValues) -> np.ndarray:
        """Returns scores of any scale, `(rows, tasks)`.

        Args:
            base: Scores without the premise, of mean 0 and standard deviation 1 on a sample of rows, `(rows, tasks)`.
            rows: Values of the rows' features.
        """


class ScaledPremise:
    """A premise whose scores have the standard deviation of those without it, on a sample of rows.

    Args:
        premise: The premise.
        base: Scores of a sample of rows without the premise, `(rows, tasks)`.
        rows: Values of the features of the sample.
    """

    def __init__(self, premise: Premise, base: np.ndarray, rows: RowValues):
        self._premise = premise
        self._mean, self._deviation = base.mean(0), base.std(0)
        self._scale = np.ones(base.shape[1])
        self._scale = self._deviation / np.maximum(self.scores(base, rows).std(0), 1e-12)

    def scores(self, base: np.ndarray, rows: RowValues) -> np.ndarray:
        """Returns the scores of rows with the premise, `(rows, tasks)`.

        Args:
            base: Scores without the premise, `(rows, tasks)`.
            rows: Values of the rows' features.
        """
        scores = self._premise.scores(standardized(base, self._mean, self._deviation), rows)
        return scores * self._scale


def standardized(scores: np.ndarray, mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """Returns `(scores - mean) / deviation`, and 0 where the deviation is 0.

    Args:
        scores: Scores, `(rows, tasks)`.
        mean: Mean of each task's scores, `(tasks,)`.
        deviation: Standard deviation of each task's scores, `(tasks,)`.
    """
    centred: np.ndarray = (scores - mean) / np.maximum(deviation, 1e-12)
    return centred


def mix(base: np.ndarray, effect: np.ndarray, strength: float) -> np.ndarray:
    """Returns `sqrt(1 - strength) * base + sqrt(strength) * effect`, in which the effect's share is the strength.

    Args:
        base: Scores without the premise, of variance 1, `(rows, tasks)`.
        effect: Effect of the premise, of variance 1, `(rows, tasks)`.
        strength: Strength of the premise, from 0 to 1.
    """
    mixed: np.ndarray = np.sqrt(1 - strength) * base + np.sqrt(strength) * effect
    return mixed


def normal_table(seed: int, name: str, size: int, *width: int) -> np.ndarray:
    """Draws a table of standard normal numbers, `(size, *width)`, which does not depend on other tables.

    Args:
        seed: Seed of the simulated world.
        name: Name of the table.
        size: Number of rows of the table.
        width: Shape of a row of the table.
    """
    draws = Draws(seed, "premise", 0, size)
    columns = [draws.normal(f"{name}/{i}") for i in range(int(np.prod(width)))]
    table: np.ndarray = np.stack(columns, axis=1).reshape(size, *width)
    return table
