"""Relatedness of two tasks that differs from row to row."""

import numpy as np

from tfmtl.config import require
from tfmtl.spec import DatasetSpec
from transforms.simulation.draws import Draws
from transforms.simulation.options import SimulatorOptions
from transforms.simulation.premises.options import RelatednessOptions
from transforms.simulation.premises.premise import RowValues

_JITTER = 0.01
"""Range of the random part of a combination's position, by which combinations with equal positions are ordered."""
_ORIGINS = 32
"""Number of origins of the circle of which one is chosen."""


class Relatedness:
    r"""Scores whose correlation with those of the previous task depends on the row, the premise of AdaFTR.

    Of a task that follows another one, with the standardized scores $b$ of this and $a$ of the previous task,

    $$\rho a + \sqrt{1 - \rho^2} \, n, \quad n = \frac{b - c a}{\sqrt{1 - c^2}}, \quad \rho = c + s (r - c)$$

    with the correlation $c$ of $a$ and $b$, the strength $s$, and the relatedness $r$ of the row, which is 1 or 0. The
    mean of $r$ is about $c$, so that the mean of $\rho$ is $c$ with any strength.

    The relatedness is a function of two features: each value has a position on a circle, and the combinations whose
    positions have the smallest sum, modulo the circle's length, are related. The origin of the circle is the one with
    which the share of related rows differs least between the values of one feature.

    Args:
        spec: Spec of the dataset.
        options: Options of the simulator.
        premise: Options of the premise.
        base: Scores of a sample of rows without the premise, of mean 0 and standard deviation 1, `(rows, tasks)`.
        rows: Values of the features of the sample.

    Attributes:
        related: Mask of the related combinations of values for each task, `(tasks, values, values)`. The last row and
            column are those of missing values.

    Raises:
        FieldError: If the scores of two tasks are not correlated, or fully correlated.
    """

    def __init__(
        self,
        spec: DatasetSpec,
        options: SimulatorOptions,
        premise: RelatednessOptions,
        base: np.ndarray,
        rows: RowValues,
    ):
        self._premise = premise
        names = [task.name for task in spec.tasks]
        self._previous = {i: names.index(task.follows) for i, task in enumerate(spec.tasks) if task.follows}
        self._correlations = {}
        sizes = tuple(options.features[name].size + 1 for name in premise.features)
        shares = self._cells(rows, sizes)
        self.related = np.zeros((len(names), *sizes), bool)
        for i, previous in self._previous.items():
            correlation = float((base[:, i] * base[:, previous]).mean())
            expected = f"such that the correlation of {names[previous]} and {names[i]} is above 0 and below 1"
            is_between = 1e-6 < correlation < 1 - 1e-6
            require(is_between, "task_correlation", expected, options.task_correlation)
            self._correlations[i] = correlation
            self.related[i] = _draw_related(options.seed, names[i], shares, correlation)

    def scores(self, base: np.ndarray, rows: RowValues) -> np.ndarray:
        """Returns the scores of rows with the premise, `(rows, tasks)`.

        Args:
            base: Scores without the premise, of mean 0 and standard deviation 1 on a sample of rows, `(rows, tasks)`.
            rows: Values of the rows' features.
        """
        left, right = (rows.codes(name) for name in self._premise.features)
        scores = base.copy()
        for i, previous in self._previous.items():
            correlation = self._correlations[i]
            own = (base[:, i] - correlation * base[:, previous]) / np.sqrt(1 - correlation**2)
            rho = correlation + self._premise.strength * (self.related[i][left, right] - correlation)
            scores[:, i] = rho * scores[:, previous] + np.sqrt(1 - rho**2) * own
        return scores

    def _cells(self, rows: RowValues, sizes: tuple[int, ...]) -> np.ndarray:
        """Returns the share of rows of each combination of values, `sizes`."""
        left, right = (rows.codes(name) for name in self._premise.features)
        counts = np.bincount(left * sizes[1] + right, minlength=sizes[0] * sizes[1])
        shares: np.ndarray = counts.reshape(sizes) / len(left)
        return shares


def _draw_related(seed: int, task: str, shares: np.ndarray, share: float) -> np.ndarray:
    """Draws the related combinations, which have about the given share of the rows."""
    positions = [
        _draw_positions(Draws(seed, "premise", 0, shares.shape[axis]), f"{task}/{axis}", shares.sum(1 - axis))
        for axis in (0, 1)
    ]
    jitter = _JITTER * Draws(seed, "premise", 0, shares.size).uniform(f"{task}/jitter").reshape(shares.shape)
    sums = positions[0][:, None] + positions[1] + jitter
    candidates = [_smallest((sums + origin) % 1, shares, share) for origin in np.arange(_ORIGINS) / _ORIGINS]
    return min(candidates, key=lambda related: _largest_deviation(related, shares, share))


def _smallest(sums: np.ndarray, shares: np.ndarray, share: float) -> np.ndarray:
    """Returns a mask of the combinations with the smallest sums, which have about the given share of the rows."""
    order = np.argsort(sums, axis=None)
    ordered = shares.ravel()[order]
    mask = np.zeros(shares.size, bool)
    mask[order] = np.cumsum(ordered) - ordered / 2 < share
    return mask.reshape(shares.shape)


def _largest_deviation(related: np.ndarray, shares: np.ndarray, share: float) -> float:
    """Returns the largest difference between the share of related rows with one value and the given share."""
    deviations = []
    for axis in (0, 1):
        rows = shares.sum(axis)
        by_value = (shares * related).sum(axis)[rows > 0] / rows[rows > 0]
        deviations.append(np.abs(by_value - share).max())
    return float(max(deviations))


def _draw_positions(draws: Draws, name: str, shares: np.ndarray) -> np.ndarray:
    """Draws the positions of values on a circle of length 1, on which each has a part as long as its share."""
    order = np.argsort(draws.uniform(f"position/{name}")[:, 0])
    positions = np.empty(len(shares))
    positions[order] = np.cumsum(shares[order]) - shares[order] / 2
    return positions
