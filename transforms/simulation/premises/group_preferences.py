"""Preferences of groups of users for attributes of items."""

from collections.abc import Mapping

import numpy as np

from tfmtl.spec import DatasetSpec
from transforms.simulation.draws import Tokens
from transforms.simulation.effects import Values
from transforms.simulation.options import SimulatorOptions
from transforms.simulation.premises.options import GroupPreferencesOptions, attributes
from transforms.simulation.premises.premise import RowValues, mix, normal_table


class GroupPreferences:
    r"""Scores with preferences of groups for attributes of items, the premise of MAN.

    The effect of the premise on task $t$ for group $g$ and item $i$ is the inner product of latent factors

    $$\frac{1}{d_t} u_{g,t}^\top w_i, \quad u_{g,t} = \sqrt{a} \, p_{g,t} + \sqrt{1 - a} \, q_{g,t}$$

    with the share $a$ of the preferences that follows from the group's attributes. $p_{g,t}$, $q_{g,t}$ and $w_i$ are
    sums of normal numbers of the values of the group's attributes, of the group's id, and of the values of the item's
    attributes, each with mean 0 and variance 1 over the rows; $p$ and $q$ have the correlation `task_correlation`
    between tasks. $d_t$ is the standard deviation over the rows. As $u$ and $w$ have mean 0, neither the group nor the
    item alone predicts the effect.

    Args:
        spec: Spec of the dataset.
        options: Options of the simulator.
        premise: Options of the premise.
        rows: Values of the features of a sample of rows.

    Attributes:
        group_factors: Latent factors $u$ of each group and task, `(groups, rank, tasks)`.
        item_factors: Latent factors $w$ of each item, `(items, rank)`.
    """

    def __init__(self, spec: DatasetSpec, options: SimulatorOptions, premise: GroupPreferencesOptions, rows: RowValues):
        self._premise = premise
        self._seed, self._tasks = options.seed, len(spec.tasks)
        groups, items = rows.members[premise.groups], rows.members[premise.items]
        own = self._draw_preferences("id", options.entities[premise.groups].count)
        self.group_factors = np.sqrt(1 - premise.attribute_share) * _standardize(own, groups)
        if premise.attribute_share:
            tables = {
                name: self._draw_preferences(name, options.features[name].size + 1)
                for name in attributes(premise.groups, spec, options.features)
            }
            shared = _standardize(_sum_of_values(tables, rows.entities[premise.groups]), groups)
            self.group_factors = self.group_factors + np.sqrt(premise.attribute_share) * shared
        tables = {
            name: normal_table(options.seed, f"items/{name}", options.features[name].size + 1, premise.rank)
            for name in attributes(premise.items, spec, options.features)
        }
        self.item_factors = _standardize(_sum_of_values(tables, rows.entities[premise.items]), items)
        self._deviation = self._preferences(rows).std(0)

    def scores(self, base: np.ndarray, rows: RowValues) -> np.ndarray:
        """Returns the scores of rows with the premise, `(rows, tasks)`.

        Args:
            base: Scores without the premise, of mean 0 and standard deviation 1 on a sample of rows, `(rows, tasks)`.
            rows: Values of the rows' features.
        """
        effect = self._preferences(rows) / np.maximum(self._deviation, 1e-12)
        return mix(base, effect, self._premise.strength)

    def _preferences(self, rows: RowValues) -> np.ndarray:
        groups, items = rows.members[self._premise.groups], rows.members[self._premise.items]
        products: np.ndarray = np.einsum("nrt,nr->nt", self.group_factors[groups], self.item_factors[items])
        return products

    def _draw_preferences(self, name: str, size: int) -> np.ndarray:
        """Draws normal factors that are correlated between tasks, `(size, rank, tasks)`."""
        correlation, rank = self._premise.task_correlation, self._premise.rank
        common = normal_table(self._seed, f"groups/{name}/common", size, rank, 1)
        own = normal_table(self._seed, f"groups/{name}/own", size, rank, self._tasks)
        factors: np.ndarray = np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own
        return factors


def _sum_of_values(tables: Mapping[str, np.ndarray], values: Mapping[str, Values]) -> np.ndarray:
    """Sums the rows of tables that the values of an entity's features select, `(entities, ...)`."""
    total: np.ndarray = np.zeros(1)
    for name, table in tables.items():
        column = values[name]
        if isinstance(column, Tokens):
            total = total + column.mix(table.reshape(len(table), -1)).reshape(-1, *table.shape[1:])
    return total


def _standardize(factors: np.ndarray, members: np.ndarray) -> np.ndarray:
    """Gives factors of entities mean 0 and standard deviation 1 over rows."""
    weights = np.bincount(members, minlength=len(factors)) / len(members)
    centred = factors - np.tensordot(weights, factors, 1)
    scaled: np.ndarray = centred / np.maximum(np.sqrt(np.tensordot(weights, centred**2, 1)), 1e-12)
    return scaled
